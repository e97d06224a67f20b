"""How to hand an intake to the pure core."""

from datetime import datetime, timedelta
from typing import Any

from services.intake.domain.decide import decide
from services.intake.domain.state import IntakeState
from shared.decision import Decision
from shared.event.classification import ConditionClassified
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, arrival, intake

LATE_WINDOW = timedelta(days=14)


def submit(
    state: IntakeState | None = None,
    *,
    event_id: str = "event-1",
    time: datetime = EPOCH,
    now: datetime | None = None,
    **changes: Any,
) -> Decision[IntakeState]:
    """One intake, handled."""
    event = arrival("care.intake.submitted.v1", intake(**changes), event_id=event_id, time=time)
    return decide(LATE_WINDOW, state, event, shipped_protocols(), now or time)


def decided(
    state: IntakeState | None,
    *,
    event_id: str = "decision-event-1",
    time: datetime = EPOCH + timedelta(hours=1),
    now: datetime | None = None,
    **data: Any,
) -> Decision[IntakeState]:
    """One clinician's decision, handled."""
    whole = {"decision_id": event_id, "clinician_id": "clinician-1", "rationale": "seen"} | data
    event = arrival("care.clinician.decided.v1", whole, event_id=event_id, time=time)
    return decide(LATE_WINDOW, state, event, shipped_protocols(), now or time)


def classified(decision: Decision[IntakeState]) -> ConditionClassified:
    """The one classification of a decision."""
    (found,) = (draft.data for draft in decision.drafts if isinstance(draft.data, ConditionClassified))
    return found


def raised(decision: Decision[IntakeState]) -> tuple[EscalationRaised, ...]:
    return tuple(draft.data for draft in decision.drafts if isinstance(draft.data, EscalationRaised))


def resolved(decision: Decision[IntakeState]) -> tuple[EscalationResolved, ...]:
    return tuple(draft.data for draft in decision.drafts if isinstance(draft.data, EscalationResolved))


def classify(**changes: Any) -> ConditionClassified:
    """The classification of one intake on its own."""
    return classified(submit(**changes))


def probabilities(found: ConditionClassified) -> dict[str, float]:
    return {rated.condition_id: rated.probability for rated in found.conditions}
