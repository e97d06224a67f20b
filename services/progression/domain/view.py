"""What progression shows of a patient: the program and prescription in force, and how care is going."""

from datetime import datetime
from typing import Literal

from services.progression.domain.explain import prescription_of
from services.progression.domain.review import assessment_now, turn_at
from services.progression.domain.state import Snapshot, State
from shared.event.adjustment import Response
from shared.event.decision import ConditionId
from shared.event.escalation import EscalationReason
from shared.event.program import Prescription, ProgramPlanned, ProgramStatus
from shared.event.vocabulary import Urgency
from shared.event.wire import Identifier, Instant, Wire
from shared.view import Inquiry, View


class PrescriptionInForce(Wire):
    """The next session. Empty while the program is held, has ended, or the patient is ill."""

    program_id: Identifier
    version: int
    """Of the program."""
    status: ProgramStatus
    prescription_seq: int
    """What a session that follows it gives as its own."""
    phase_id: Identifier
    prescription: Prescription


class StandingEscalation(Wire):
    """An escalation of progression that nobody has resolved."""

    escalation_id: Identifier
    reason: EscalationReason
    severity: Urgency
    raised_at: Instant
    holds_program: bool
    red_flags: tuple[str, ...]


class CareState(Wire):
    """How care is going. `response` is null where nothing can be said yet, as of a program not yet approved."""

    program_id: Identifier | None
    version: int | None
    status: ProgramStatus | None
    """Null where no program is known."""
    phase_by_condition: dict[ConditionId, Identifier]
    week: int | None
    """Whole weeks since the program was first planned, from 0."""
    response: Response | None
    holds: tuple[str, ...]
    """Why no session is prescribed: the reasons of escalations, `clinician` or `planner`."""
    rest_until: Instant | None
    """Ill: no session until then."""
    escalations: tuple[StandingEscalation, ...]


def show_program(state: State, inquiry: Inquiry) -> ProgramPlanned | None:
    """The newest program with its status, phase and prescription as they are by now."""
    head = state.head
    status = _status(head)
    book = state.book(head.program_id, head.version)
    if book is None or status is None:
        return None
    planned = book.payload()
    schedule = planned.schedule.model_copy(
        update={"sessions_per_week": head.sessions_per_week or planned.schedule.sessions_per_week}
    )
    return planned.model_copy(
        update={
            "version": _version(state),
            "status": status,
            "prescription_seq": inquiry.prescriptions.get(book.program_id, 0),
            "prescription": prescription_of(head, book, inquiry.protocols),
            "schedule": schedule,
            "phase_id": head.stands[0].phase_id if head.stands else planned.phase_id,
            "phase_by_condition": _phases(head) if planned.phase_by_condition else {},
        }
    )


def show_prescription(state: State, inquiry: Inquiry) -> PrescriptionInForce | None:
    """The part of the program that the patient follows in the next session."""
    program = show_program(state, inquiry)
    if program is None:
        return None
    return PrescriptionInForce(
        program_id=program.program_id,
        version=program.version,
        status=program.status,
        prescription_seq=program.prescription_seq,
        phase_id=program.phase_id,
        prescription=program.prescription,
    )


def show_state(state: State, inquiry: Inquiry) -> CareState:
    """Also without a program: red flags stand by themselves."""
    head = state.head
    at = max(inquiry.now, head.clock or inquiry.now)
    assessment = assessment_now(turn_at(head, state.books, inquiry.protocols, inquiry.subject, at))
    ids = {one.reason: one.escalation_id for one in state.published.open}
    return CareState(
        program_id=head.program_id,
        version=_version(state) if head.program_id is not None else None,
        status=_status(head),
        phase_by_condition=_phases(head),
        week=_week(head, at),
        response=assessment.response if assessment is not None else None,
        holds=head.holds,
        rest_until=head.rest_until,
        escalations=tuple(
            StandingEscalation(
                escalation_id=ids.get(one.reason, one.escalation_id),
                reason=one.reason,
                severity=one.severity,
                raised_at=one.raised_at,
                holds_program=one.holds,
                red_flags=one.flags,
            )
            for one in head.open
        ),
    )


VIEWS: tuple[View[State], ...] = (
    View("program", "The program in force, or the last one, as it is by now.", ProgramPlanned, show_program),
    View("prescription", "The next session, with its number.", PrescriptionInForce, show_prescription),
    View("state", "How care is going.", CareState, show_state),
)


def _status(head: Snapshot) -> Literal["active", "proposed", "held", "ended"] | None:
    if head.status == "none":
        return None
    return "held" if head.status == "active" and head.holds else head.status


def _version(state: State) -> int:
    """The highest that was published, by the planner or by progression."""
    known = state.published
    return known.version if known.program_id == state.head.program_id else state.head.version


def _phases(head: Snapshot) -> dict[ConditionId, str]:
    return {stand.condition_id: stand.phase_id for stand in head.stands}


def _week(head: Snapshot, at: datetime) -> int | None:
    return None if head.started_at is None else max(0, (at - head.started_at).days // 7)
