"""Four made-up patients of each condition through all services: who fails, who never does, and who did too little."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.event.adjustment import LoadAdjusted
from shared.event.escalation import EscalationRaised
from shared.event.program import PrescribedExercise, ProgramPlanned
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, intake, wire
from tests.support.four_services import four_services_pipeline

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
WEEKS = 15
PRESENT, ABSENT = "present", "absent"
PICTURES: dict[str, dict[str, Any]] = {
    "gluteal_tendinopathy": {},
    "sacroiliac_joint_pain": {
        "findings": dict.fromkeys(
            (
                "one_finger_pain_psis",
                "pain_turning_in_bed",
                "unilateral_pain_below_l5",
                "thigh_thrust",
                "distraction",
                "compression",
            ),
            PRESENT,
        )
        | {"gaenslen": ABSENT, "centralisation": ABSENT}
    },
    "deep_gluteal_syndrome": {
        "findings": dict.fromkeys(
            (
                "worst_pain_deep_mid_buttock",
                "leg_paraesthesia_non_dermatomal",
                "sitting_intolerance_under_30_min",
                "tender_greater_sciatic_notch",
                "pain_on_piriformis_tension",
                "active_piriformis_test",
                "fall_on_buttock_or_prior_hip_surgery",
            ),
            PRESENT,
        )
        | dict.fromkeys(
            ("crossed_straight_leg_raise", "dermatomal_sensory_or_reflex_loss", "pain_below_knee_dermatomal"), ABSENT
        )
    },
    "proximal_hamstring_tendinopathy": {
        "findings": dict.fromkeys(
            (
                "worst_pain_ischial_tuberosity",
                "sitting_pain_on_ischium",
                "pain_with_acceleration_or_hinge",
                "runner_or_prolonged_sitter",
                "modified_bent_knee_stretch",
                "ischial_tuberosity_tenderness",
            ),
            PRESENT,
        )
    },
}
FLAT = {
    "NPRS": 5,
    "NPRS_NIGHT": 5,
    "GROC": 0,
    "PSFS": 4,
    "VISA-G": 60,
    "VISA-H": 40,
    "ODI": 40,
    "LEFS": 45,
    "PSEQ": 30,
    "SIT_TOLERANCE_MIN": 15,
}


def flat(instrument: str, week: int) -> float:
    """Nothing changes."""
    return FLAT[instrument]


def improving(instrument: str, week: int) -> float:
    """Pain falls to 1 within eight weeks, and the rest follows."""
    share = min(week / 8, 1)
    better = {"NPRS": 1, "NPRS_NIGHT": 1, "GROC": 4, "PSFS": 8, "VISA-G": 85, "VISA-H": 85, "ODI": 10, "LEFS": 70}
    goal = better | {"PSEQ": 50, "SIT_TOLERANCE_MIN": 60}
    return round(FLAT[instrument] + share * (goal[instrument] - FLAT[instrument]), 1)


def live(condition: str, course: Callable[[str, int], float], *, sessions_per_week: int = 3) -> PurePipeline:
    """Fifteen weeks of a patient who trains as prescribed and reports what is owed."""
    care = four_services_pipeline(EPOCH)
    measures = [{"instrument": name, "value": FLAT[name]} for name in ("NPRS", "PSFS")]
    care.replay([wire("care.intake.submitted.v1", intake(measures=measures) | PICTURES[condition], event_id="i")])
    (program,) = care.published(Stream.PROGRAMS)
    owed = program.data.schedule.checkin.measures
    for week in range(WEEKS):
        for day in (0, 2, 4)[:sessions_per_week]:
            _train(care, EPOCH + week * WEEK + day * DAY + HOUR)
        due = [one.instrument for one in owed if (week + 1) % one.every_weeks == 0]
        data = [{"instrument": name, "value": course(name, week + 1)} for name in due]
        _checkin(care, EPOCH + week * WEEK + 6 * DAY, measures=data)
    return care


def _train(care: PurePipeline, at: datetime) -> None:
    session_id = f"s-{at:%m%d}"
    data = {
        "session_id": session_id,
        "program_id": "prg-intake-1",
        "started_at": at.isoformat(),
        "completed": True,
        "exercises": [_performed(one) for one in _in_force(care)],
        "pain_before": 2,
        "pain_during": 2,
    }
    if not data["exercises"]:
        return
    care.replay([wire("care.session.reported.v1", data, event_id=session_id, time=at)])
    _checkin(care, at + 22 * HOUR, session_id=session_id, next_morning_pain=2)


def _checkin(care: PurePipeline, at: datetime, **fields: Any) -> None:
    name = f"c-{at:%m%d%H}"
    data = {"checkin_id": name, "reported_at": at.isoformat()} | fields
    care.replay([wire("care.checkin.reported.v1", data, event_id=name, time=at)])


def _in_force(care: PurePipeline) -> tuple[PrescribedExercise, ...]:
    said = [event.data for event in (*care.published(Stream.PROGRAMS), *care.published(Stream.ADJUSTMENTS))]
    prescribed = [data for data in said if isinstance(data, ProgramPlanned | LoadAdjusted)]
    return max(prescribed, key=lambda data: data.prescription_seq).prescription


def _performed(exercise: PrescribedExercise) -> dict[str, Any]:
    asked = json.loads(exercise.model_dump_json())
    one = {name: asked[name] for name in ("load_kg", "load_level", "hold_s") if name in asked}
    one |= {"reps": 1 if "hold_s" in asked else exercise.reps, "rpe": exercise.target_rpe}
    sets = exercise.sets * (exercise.reps if "hold_s" in asked else 1)
    return {"exercise_id": exercise.exercise_id, "sets": [one] * sets}


def raised(care: PurePipeline, reason: str) -> list[EscalationRaised]:
    return [
        event.data
        for event in care.published(Stream.ESCALATIONS)
        if isinstance(event.data, EscalationRaised) and event.data.reason == reason
    ]


def statuses(care: PurePipeline) -> list[tuple[int, str]]:
    adjusted = [event.data for event in care.published(Stream.ADJUSTMENTS) if isinstance(event.data, LoadAdjusted)]
    return [(data.response.week, data.response.status) for data in adjusted]


@pytest.mark.parametrize("condition", PICTURES)
def test_who_does_everything_and_does_not_improve_is_shown_to_a_clinician(condition: str) -> None:
    """Failed conservative care is proposed once the adequate course was delivered, with options and the dose."""
    care = live(condition, flat)
    review_week = care.published(Stream.PROGRAMS)[0].data.adequate_course.review_week
    (failed,) = raised(care, "failed_conservative_care")
    assert failed.options
    assert not failed.holds_program
    weeks = [week for week, status in statuses(care) if status == "failed_conservative_care"]
    assert min(weeks) in (review_week - 1, review_week)
    assert "under_dosed" not in dict(statuses(care)).values()


@pytest.mark.parametrize("condition", PICTURES)
def test_who_improves_is_never_called_failed(condition: str) -> None:
    """A responder is on track, and no one is alarmed."""
    care = live(condition, improving)
    assert not raised(care, "failed_conservative_care")
    assert {status for week, status in statuses(care) if week >= 8} <= {"on_track", "resolved"}


@pytest.mark.parametrize("condition", PICTURES)
def test_who_does_too_little_is_under_dosed_and_not_failed(condition: str) -> None:
    """One session a week is no adequate course, whatever the calendar says."""
    care = live(condition, flat, sessions_per_week=1)
    assert not raised(care, "failed_conservative_care")
    assert statuses(care)[-1][1] == "under_dosed"
