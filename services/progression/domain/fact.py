"""What is kept of an event: compact, of bounded size, without free text.

Facts are folded in the order of `order(fact)`, whatever the order in which they arrived.
"""

from datetime import date, datetime
from typing import TypeVar

from msgspec import Struct

from shared.event.decision import ClinicianDecided, DecisionKind
from shared.event.escalation import EscalationReason
from shared.event.program import ProgramStatus
from shared.event.session import CheckinReported, PerformedExercise, SessionReported

N = TypeVar("N", int, float)


class _Fact(Struct, frozen=True, omit_defaults=True):
    id: str
    """The event's id."""
    time: datetime


class Performed(Struct, frozen=True, array_like=True):
    """One exercise as performed: its weakest set stands for all, its worst pain and effort too."""

    exercise_id: str
    sets: int = 0
    reps: int = 0
    """The fewest of any set."""
    total_reps: int = 0
    hold_s: float | None = None
    load_kg: float | None = None
    load_level: int | None = None
    rpe: float | None = None
    """The highest; None where any set lacks it."""
    pain_nprs: float | None = None
    skipped: bool = False


class SessionFact(_Fact, frozen=True, omit_defaults=True, tag="session"):
    session_id: str
    program_id: str
    completed: bool
    exercises: tuple[Performed, ...]
    pain_during: float
    pain_before: float | None = None
    pain_after: float | None = None
    symptoms: tuple[str, ...] = ()


class CheckinFact(_Fact, frozen=True, omit_defaults=True, tag="checkin"):
    checkin_id: str
    session_id: str | None = None
    next_morning_pain: float | None = None
    measures: tuple[tuple[str, float], ...] = ()
    symptoms: tuple[str, ...] = ()


class DecisionFact(_Fact, frozen=True, omit_defaults=True, tag="decision"):
    decision_id: str
    decision: DecisionKind
    program_id: str | None = None
    escalation_id: str | None = None
    reason: EscalationReason | None = None
    """Why the escalation that it answers was raised."""
    flags_seen: tuple[str, ...] = ()
    """Red flags that the clinician could know of; one that comes to light later stays open."""
    remove_exercises: tuple[str, ...] = ()
    sessions_per_week: int | None = None
    load_factor: float | None = None

    @property
    def is_elsewhere(self) -> bool:
        """It names nothing but an escalation that is not known here: intake's, the planner's, or one yet to come."""
        return self.escalation_id is not None and self.reason is None and self.program_id is None


class ProgramFact(_Fact, frozen=True, omit_defaults=True, tag="program"):
    """A version of a program by the planner; what it holds stands in the state's books."""

    program_id: str
    version: int
    status: ProgramStatus


class PatientFact(_Fact, frozen=True, omit_defaults=True, tag="patient"):
    timezone: str | None = None
    away: tuple[date, date] | None = None


class StopFact(_Fact, frozen=True, omit_defaults=True, tag="stop"):
    program_id: str


class FlagFact(_Fact, frozen=True, omit_defaults=True, tag="flag"):
    """Red flags and unknown symptoms of an event that itself counts for nothing."""

    flags: tuple[str, ...]


class LateFact(_Fact, frozen=True, omit_defaults=True, tag="late"):
    """A report that came after the late window: for the statistics, from `time` on, when it had become too late."""

    report: SessionFact | CheckinFact


Fact = SessionFact | CheckinFact | DecisionFact | ProgramFact | PatientFact | StopFact | FlagFact | LateFact

_RANK: dict[type[Struct], int] = {
    ProgramFact: 0,
    PatientFact: 1,
    SessionFact: 2,
    CheckinFact: 3,
    FlagFact: 4,
    DecisionFact: 5,
    StopFact: 6,
    LateFact: 7,
}


def order(fact: Fact) -> tuple[datetime, int, str]:
    """Facts of one instant: the program first, then what happened, then what was decided on it.

    A program that ends makes room for the one that takes its place.
    """
    rank = _RANK[type(fact)]
    if isinstance(fact, ProgramFact) and fact.status == "ended":
        rank -= 1
    return fact.time, rank, fact.id


def session_fact(event_id: str, time: datetime, data: SessionReported) -> SessionFact:
    return SessionFact(
        id=event_id,
        time=time,
        session_id=data.session_id,
        program_id=data.program_id,
        completed=data.completed,
        exercises=tuple(_performed(exercise) for exercise in data.exercises),
        pain_during=data.pain_during,
        pain_before=data.pain_before,
        pain_after=data.pain_after,
        symptoms=tuple(sorted(set(data.symptoms))),
    )


def checkin_fact(event_id: str, time: datetime, data: CheckinReported) -> CheckinFact:
    return CheckinFact(
        id=event_id,
        time=time,
        checkin_id=data.checkin_id,
        session_id=data.session_id,
        next_morning_pain=data.next_morning_pain,
        measures=tuple((measure.instrument, measure.value) for measure in data.measures),
        symptoms=tuple(sorted(set(data.symptoms))),
    )


def decision_fact(
    event_id: str,
    time: datetime,
    data: ClinicianDecided,
    reason: EscalationReason | None,
    flags_seen: tuple[str, ...],
) -> DecisionFact:
    changes = data.changes
    is_elsewhere = data.escalation_id is not None and data.program_id is None and reason is None
    answers_flags = data.decision in ("refer", "discharge") or (
        reason in (None, "red_flag") and data.decision != "hold" and not is_elsewhere
    )
    return DecisionFact(
        id=event_id,
        time=time,
        decision_id=data.decision_id,
        decision=data.decision,
        program_id=data.program_id,
        escalation_id=data.escalation_id,
        reason=reason,
        flags_seen=flags_seen if answers_flags else (),
        remove_exercises=tuple(sorted(set(changes.remove_exercises))) if changes else (),
        sessions_per_week=changes.sessions_per_week if changes else None,
        load_factor=changes.load_factor if changes else None,
    )


def _performed(exercise: PerformedExercise) -> Performed:
    sets = exercise.sets
    if exercise.skipped or not sets:
        return Performed(exercise_id=exercise.exercise_id, skipped=True)
    return Performed(
        exercise_id=exercise.exercise_id,
        sets=len(sets),
        reps=min(one.reps for one in sets),
        total_reps=sum(one.reps for one in sets),
        hold_s=_least([one.hold_s for one in sets]),
        load_kg=_least([one.load_kg for one in sets]),
        load_level=_least([one.load_level for one in sets]),
        rpe=_most([one.rpe for one in sets]),
        pain_nprs=max((one.pain for one in sets if one.pain is not None), default=None),
    )


def _least(values: list[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def _most(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None
