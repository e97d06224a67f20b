"""What the clinician's page shows of a patient, folded from the events that the notifier reads anyway.

It decides nothing. Any order of arrival gives the same chart while nothing is crowded out, and every collection has
its bound: the newest stay.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from services.notifier.domain.detail import Detail, with_raised, with_resolved
from services.notifier.domain.sheet import (
    MAX_CHANGES,
    MAX_REVISIONS,
    Revision,
    Sheet,
    Step,
    revision_of,
    steps_of,
    with_adjustment,
    with_program,
)
from services.notifier.domain.week import Weeks, with_checkin, with_course, with_measures, with_session
from shared.decision import Arrival
from shared.event.adjustment import GoalReached, LoadAdjusted
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.session import CheckinReported, SessionReported

MAX_MARKS = 40
MAX_DECIDED = 12
LONGEST_REASON = 400
"""Characters of a clinician's reason kept. Free text: it never leaves this state but for the page."""


class Mark(Struct, frozen=True, array_like=True, order=True):
    """Something that happened on a day."""

    at: datetime
    kind: str
    """`decision`, `raised`, `resolved`, `goal` or `program`."""
    what: str
    """The decision, the reason, the goal or the program's status."""
    ref: str
    """Id of the decision, the escalation, the goal or the program."""


class Decided(Struct, frozen=True, array_like=True):
    """One decision of a clinician."""

    at: datetime
    decision_id: str
    clinician_id: str
    decision: str
    escalation_id: str
    reason: str
    useful: bool | None


class Chart(Struct, frozen=True, omit_defaults=True):
    """Everything that the page shows beyond the alarms and the ledger."""

    weeks: Weeks = ()
    marks: tuple[Mark, ...] = ()
    """Oldest first, like all that follows."""
    decided: tuple[Decided, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    """The newest programs, in the order of their ids."""
    steps: tuple[Step, ...] = ()
    revisions: tuple[Revision, ...] = ()
    details: tuple[Detail, ...] = ()
    """Of the escalations, in the order of their ids."""


def note(chart: Chart, arrival: Arrival) -> Chart:
    """The chart after one event; the same object where the event changes nothing."""
    at, by = arrival.time, arrival.id
    match arrival.event.data:
        case SessionReported() as session:
            return replace(chart, weeks=with_session(chart.weeks, session))
        case CheckinReported() as checkin:
            return replace(chart, weeks=with_checkin(chart.weeks, checkin))
        case LoadAdjusted() as told:
            weeks = chart.weeks
            if not told.late:
                weeks = with_course(weeks, at, by, phase=told.phase_id, status=told.response.status)
            steps = tuple(sorted({*chart.steps, *steps_of(told, at)})[-MAX_CHANGES:])
            return replace(chart, weeks=weeks, steps=steps, sheets=with_adjustment(chart.sheets, told, at, by))
        case ProgramPlanned() | ProgramChanged() as program:
            return _with_program(chart, program, at, by)
        case GoalReached(goal_id=goal_id):
            return _with_mark(chart, Mark(at, "goal", goal_id, goal_id))
        case EscalationRaised() as raised:
            chart = _with_mark(chart, Mark(at, "raised", raised.reason, raised.escalation_id))
            return replace(chart, details=with_raised(chart.details, raised, at, by, arrival.correlation_id))
        case EscalationResolved() as resolved:
            chart = _with_mark(chart, Mark(at, "resolved", resolved.resolution, resolved.escalation_id))
            return replace(chart, details=with_resolved(chart.details, resolved, at))
        case ClinicianDecided() as decided:
            return _with_decision(chart, decided, at)
        case _:
            return chart


def _with_program(chart: Chart, program: ProgramPlanned | ProgramChanged, at: datetime, by: str) -> Chart:
    weeks = with_course(chart.weeks, at, by, phase=program.phase_id)
    if isinstance(program, ProgramPlanned):
        weeks = with_measures(weeks, program.intake.measures, at)
    revisions = tuple(sorted({*chart.revisions, revision_of(program, at)})[-MAX_REVISIONS:])
    chart = _with_mark(chart, Mark(at, "program", program.status, program.program_id))
    return replace(chart, weeks=weeks, revisions=revisions, sheets=with_program(chart.sheets, program, at, by))


def _with_decision(chart: Chart, decided: ClinicianDecided, at: datetime) -> Chart:
    new = Decided(
        at,
        decided.decision_id,
        decided.clinician_id,
        decided.decision,
        decided.escalation_id or "",
        (decided.rationale or "")[:LONGEST_REASON],
        decided.useful,
    )
    kept = tuple(sorted({*chart.decided, new}, key=lambda one: (one.at, one.decision_id))[-MAX_DECIDED:])
    return _with_mark(replace(chart, decided=kept), Mark(at, "decision", decided.decision, decided.decision_id))


def _with_mark(chart: Chart, mark: Mark) -> Chart:
    return replace(chart, marks=tuple(sorted({*chart.marks, mark})[-MAX_MARKS:]))
