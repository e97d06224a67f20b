"""A patient who does what is prescribed, week after week, and the recording of it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.event.program import PrescribedExercise, Prescription
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, intake, wire

SESSION_DAYS = (0, 2, 4)
FIFTH_FINDINGS = {
    "worst_pain_ischial_tuberosity": "present",
    "long_stride_heel_strike": "present",
    "active_hamstring_a30": "absent",
    "bent_knee_stretch": "absent",
    "puranen_orava": "absent",
    "pain_with_acceleration_or_hinge": "absent",
    "ischial_tuberosity_tenderness": "absent",
    "sitting_pain_on_ischium": "absent",
}
"""Answers that speak for the fifth condition of the tests and against those that are shipped."""


def live(
    run: PurePipeline,
    patient: str,
    weekly_pain: Sequence[float],
    *,
    session_pain: Callable[[int], float] = lambda week: 2,
    rpe: float = 6,
    start: datetime = EPOCH,
    **intake_changes: Any,
) -> list[bytes]:
    """An intake, then three sessions a week as prescribed, each with its next morning, and a report every week.

    The events go through the pipeline as they come; they are returned in order of time.
    """
    recording: list[bytes] = []

    def tell(kind: str, at: datetime, data: dict[str, Any]) -> None:
        raw = wire(kind, data, subject=patient, event_id=f"{patient}-{len(recording):04}", time=at)
        recording.append(raw)
        run.replay([raw])

    intake_id = f"{patient}-intake"
    tell("care.intake.submitted.v1", start, intake(intake_id=intake_id, **intake_changes))
    for week, pain in enumerate(weekly_pain):
        for day in SESSION_DAYS:
            at = start + timedelta(weeks=week, days=day, hours=2)
            sore = session_pain(week)
            tell("care.session.reported.v1", at, _session(run, patient, f"{week}-{day}", at, sore, rpe))
            morning = at + timedelta(hours=20)
            checkin: dict[str, Any] = {
                "checkin_id": f"{patient}-checkin-{week}-{day}",
                "session_id": f"{patient}-session-{week}-{day}",
                "reported_at": morning.isoformat(),
                "next_morning_pain": sore,
            }
            if day == SESSION_DAYS[-1]:
                checkin["measures"] = [{"instrument": "NPRS", "value": pain}, {"instrument": "GROC", "value": 0}]
            tell("care.checkin.reported.v1", morning, checkin)
    return recording


def prescription(run: PurePipeline, patient: str) -> Prescription:
    """What is in force: the last that any service told."""
    told = [*run.published(Stream.PROGRAMS, patient), *run.published(Stream.ADJUSTMENTS, patient)]
    prescribed = [event for event in told if getattr(event.data, "prescription", ())]
    return max(prescribed, key=lambda event: event.data.prescription_seq).data.prescription if prescribed else ()


def _session(run: PurePipeline, patient: str, name: str, at: datetime, pain: float, rpe: float) -> dict[str, Any]:
    return {
        "session_id": f"{patient}-session-{name}",
        "program_id": f"prg-{patient}-intake",
        "started_at": at.isoformat(),
        "completed": True,
        "exercises": [_performed(one, rpe) for one in prescription(run, patient)],
        "pain_before": min(pain, 2.0),
        "pain_during": pain,
        "pain_after": pain,
    }


def _performed(one: PrescribedExercise, rpe: float) -> dict[str, Any]:
    done: dict[str, Any] = {"reps": one.reps, "rpe": rpe}
    done |= {"load_kg": one.load_kg} if one.load_kg is not None else {}
    done |= {"load_level": one.load_level} if one.load_level is not None else {}
    done |= {"hold_s": one.hold_s} if one.hold_s is not None else {}
    return {"exercise_id": one.exercise_id, "sets": [done] * one.sets}
