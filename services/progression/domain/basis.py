"""What a decision rests on, as data: rule, input, value, threshold, source, and what would have turned it.

Every turn is tried on the rules themselves (`trial`). Guarantee 6 of the contract.
"""

from services.progression.domain.checkin_basis import checkin_basis
from services.progression.domain.escalation_basis import escalation_basis
from services.progression.domain.fact import CheckinFact, DecisionFact, SessionFact, StopFact
from services.progression.domain.history_basis import change_basis, course_basis, phase_basis, timer_basis
from services.progression.domain.response import Assessment
from services.progression.domain.review import verdict_now
from services.progression.domain.session_basis import session_basis
from services.progression.domain.state import Escalation, Snapshot
from services.progression.domain.statistic import week_of
from services.progression.domain.trial import NOT_RAISED, Trial, basis
from services.progression.domain.turn import Adjusted, Ground, Rewritten, Turn
from shared.event.explanation import Basis
from shared.protocol.library import Protocols


def basis_of(said: Adjusted, assessment: Assessment, protocols: Protocols, subject: str) -> tuple[Basis, ...]:
    """Of one `load.adjusted`."""
    ground = said.ground
    if ground is None or said.late:
        return ()
    trial, fact = Trial(ground, protocols, subject), ground.fact
    found: list[Basis] = []
    if isinstance(fact, SessionFact):
        found.extend(session_basis(trial, said, fact))
    elif isinstance(fact, CheckinFact):
        found.extend(checkin_basis(trial, said, fact, assessment))
    elif fact is None:
        found.extend(timer_basis(trial, said))
    turn = Turn(said.snapshot, ground.books, protocols, subject, said.time, said.cause)
    turn.before = ground.before
    found.extend(change_basis(turn, said.changes))
    found.extend(phase_basis(turn))
    if assessment.status in ("under_dosed", "insufficient_data", "failed_conservative_care") and _is_at_review(turn):
        verdict = verdict_now(turn)
        if verdict is not None:
            found.extend(course_basis(turn, verdict))
    return tuple(found)


def basis_of_status(said: Rewritten, protocols: Protocols, subject: str) -> tuple[Basis, ...]:
    """Of one `program.changed`: whose word it follows, or the reported flags without which it would be active."""
    ground = said.ground
    fact = ground.fact if ground is not None else None
    if isinstance(fact, DecisionFact):
        return (basis("clinician", "decision", fact.decision, None, (), said.status),)
    if isinstance(fact, StopFact):
        return (basis("patient", "program_id", fact.program_id, None, (), said.status),)
    flag = said.snapshot.escalation("red_flag")
    if ground is None or flag is None or said.status != "held":
        return ()
    found = basis_of_escalation(flag, said.snapshot, ground, protocols, subject)
    return tuple(one.model_copy(update={"then": "active"}) for one in found if one.then == NOT_RAISED)


def basis_of_escalation(
    one: Escalation, after: Snapshot, ground: Ground | None, protocols: Protocols, subject: str
) -> tuple[Basis, ...]:
    """Of one `escalation.raised`; none where it is told again for what another fold left open."""
    if ground is None:
        return ()
    return escalation_basis(Trial(ground, protocols, subject), one, after)


def _is_at_review(turn: Turn) -> bool:
    statistic, book = turn.s.statistic, turn.book
    return (
        statistic is not None
        and book is not None
        and week_of(statistic, turn.at) >= book.payload().adequate_course.review_week
    )
