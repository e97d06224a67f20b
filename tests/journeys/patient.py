"""A patient who does what is prescribed and reports what the case published, day by day."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.event.adjustment import LoadAdjusted
from shared.event.program import PrescribedExercise, ProgramChanged, ProgramPlanned
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline
from tests.journeys.case import PROGRAM, Case

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; every journey begins here, in time zone Z."""
CONSENT_HOUR, INTAKE_HOUR, CHECKIN_HOUR, SESSION_HOUR, CLOSING_HOUR = 8, 9, 7, 18, 12
CONSENT = {"timezone": "UTC", "consent": {"reminders": True}, "contact": {"log": "journal"}}
"""Who is in a program wants to be reminded; in a replay reminders go to the log."""
TRAINING_DAYS = (0, 4, 2, 6, 3, 1, 5)
"""Days of the week from 0 Monday in the order in which they are taken: three sessions are Monday, Wednesday, Friday."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What the services want of the patient at a moment."""

    program: ProgramPlanned | ProgramChanged
    prescription_seq: int
    prescription: tuple[PrescribedExercise, ...]


def live(case: Case, pipeline: PurePipeline) -> tuple[bytes, ...]:
    """Lives through a case: every event is handled before the next is reported. Returns all events."""
    reported: list[bytes] = []
    last_session: str | None = None

    def report(raw: bytes) -> None:
        pipeline.replay([raw])
        reported.append(raw)

    if case.weeks:
        report(_event(case, 0, CONSENT_HOUR, "care.patient.updated.v1", "consent", CONSENT))
    report(_event(case, 0, INTAKE_HOUR, "care.intake.submitted.v1", "intake", _intake(case)))
    for day in range(case.weeks * 7 + 1):
        todays = [happening for happening in case.happenings if happening.day == day]
        for hour in range(24):
            for number, happening in enumerate(todays):
                if happening.hour == hour:
                    data = {
                        key: case.program_id if value is PROGRAM else value for key, value in happening.data.items()
                    }
                    report(_event(case, day, hour, happening.kind, f"happening-{number}", data))
            if hour == CHECKIN_HOUR and day > 0:
                pipeline.advance(_at(day, hour) - timedelta(milliseconds=1))
                checkin = _checkin(case, day, last_session, in_force(case, pipeline))
                last_session = None
                if checkin is not None:
                    report(_event(case, day, hour, "care.checkin.reported.v1", "checkin", checkin))
            if hour == SESSION_HOUR and day < case.weeks * 7:
                pipeline.advance(_at(day, hour) - timedelta(milliseconds=1))
                session = _session(case, day, in_force(case, pipeline))
                if session is not None:
                    report(_event(case, day, hour, "care.session.reported.v1", "session", session))
                    last_session = session["session_id"]
    if case.weeks:
        report(_event(case, case.weeks * 7, CLOSING_HOUR, "care.clinician.decided.v1", "closing", _closing(case)))
    pipeline.advance(end_of(case))
    return tuple(reported)


def end_of(case: Case) -> datetime:
    """When the clock of a journey stops: the day after the last report."""
    return _at((case.weeks + case.silent_weeks) * 7 + 1, 0)


def in_force(case: Case, pipeline: PurePipeline) -> InForce | None:
    """The newest program with the newest prescription; None before there is one."""
    programs = [event.data for event in pipeline.published(Stream.PROGRAMS) if event.data.program_id == case.program_id]
    if not programs:
        return None
    program = programs[-1]
    prescribed: list[ProgramPlanned | ProgramChanged | LoadAdjusted] = [
        *programs,
        *(
            event.data
            for event in pipeline.published(Stream.ADJUSTMENTS)
            if isinstance(event.data, LoadAdjusted) and event.data.program_id == case.program_id
        ),
    ]
    newest = max(prescribed, key=lambda data: data.prescription_seq)
    return InForce(program, newest.prescription_seq, newest.prescription)


def _intake(case: Case) -> dict[str, Any]:
    return {"intake_id": case.intake_id} | case.intake


def _closing(case: Case) -> dict[str, Any]:
    return {
        "decision_id": f"{case.journey}-closing",
        "clinician_id": "clinician-1",
        "decision": case.closing,
        "program_id": case.program_id,
        "rationale": "The published record ends here.",
    }


def _checkin(case: Case, day: int, session_id: str | None, in_force: InForce | None) -> dict[str, Any] | None:
    """The morning after a session, and the measures that are owed on the first morning of a week."""
    if case.pain is None:
        return None
    data: dict[str, Any] = {"checkin_id": f"{case.journey}-c{day:03d}", "reported_at": _instant(day, CHECKIN_HOUR)}
    if session_id is not None:
        data |= {"next_morning_pain": _session_pain(case, day), "session_id": session_id}
    week, rest = divmod(day, 7)
    if rest == 0:
        measures = [{"instrument": "NPRS", "value": case.pain.at(week)}]
        every = (
            {owed.instrument: owed.every_weeks for owed in in_force.program.schedule.checkin.measures}
            if in_force
            else {}
        )
        measures += [
            {"instrument": instrument, "value": course.at(week)}
            for instrument, course in sorted(case.measures.items())
            if week % every.get(instrument, 4) == 0
        ]
        data["measures"] = measures
    return data if session_id is not None or rest == 0 else None


def _session(case: Case, day: int, in_force: InForce | None) -> dict[str, Any] | None:
    if in_force is None or case.pain is None or not case.sessions(day):
        return None
    if in_force.program.status != "active":
        return None
    week = day / 7
    other = case.other_exercise
    if other is not None and other.weeks[0] <= week < other.weeks[1]:
        exercises = list(other.exercises) if _trains(day, other.sessions_per_week) else []
    else:
        exercises = list(_performed(day, in_force))
    if not exercises:
        return None
    pain = _session_pain(case, day)
    data = {
        "session_id": f"{case.journey}-s{day:03d}",
        "program_id": in_force.program.program_id,
        "prescription_seq": in_force.prescription_seq,
        "started_at": _instant(day, SESSION_HOUR),
        "completed": True,
        "exercises": exercises,
        "pain_before": pain,
        "pain_during": pain,
        "pain_after": pain,
    }
    if other is not None and other.weeks[0] <= week < other.weeks[1]:
        del data["prescription_seq"]
    return data


def _performed(day: int, in_force: InForce) -> Iterator[dict[str, Any]]:
    for exercise in in_force.prescription:
        if not _trains(day, exercise.days_per_week or in_force.program.schedule.sessions_per_week):
            continue
        is_hold = exercise.hold_s is not None
        one_set: dict[str, Any] = {"reps": 1 if is_hold else exercise.reps}
        for name in ("load_kg", "load_level", "hold_s"):
            value = getattr(exercise, name)
            if value is not None:
                one_set[name] = value
        one_set["rpe"] = exercise.target_rpe
        sets = exercise.sets * (exercise.times_per_day or 1) * (exercise.reps if is_hold else 1)
        yield {"exercise_id": exercise.exercise_id, "sets": [one_set] * sets}


def _trains(day: int, days_per_week: int) -> bool:
    return day % 7 in TRAINING_DAYS[:days_per_week]


def _session_pain(case: Case, day: int) -> float:
    assert case.pain is not None
    return min(case.pain.at(day / 7), case.session_pain_at_most)


def _at(day: int, hour: int) -> datetime:
    return START + timedelta(days=day, hours=hour)


def _instant(day: int, hour: int) -> str:
    return _at(day, hour).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(case: Case, day: int, hour: int, event_type: str, what: str, data: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{case.journey}-d{day:03d}-{what}",
            "source": "//platform.example/journeys",
            "type": event_type,
            "subject": case.patient_id,
            "time": _instant(day, hour),
            "data": data,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
