"""Textbook intakes of each condition, and how to hand one to the pure core."""

from datetime import datetime, timedelta
from typing import Any

from services.intake.domain.decide import decide
from services.intake.domain.state import IntakeState
from shared.decision import Decision
from shared.event.classification import ConditionClassified
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.intake import Answer
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, arrival, intake

LATE_WINDOW = timedelta(days=14)

TEXTBOOK: dict[str, dict[str, Answer]] = {
    "gluteal_tendinopathy": {
        "worst_pain_greater_trochanter": "present",
        "night_pain_lying_on_side": "present",
        "pain_single_leg_loading": "present",
        "palpation_greater_trochanter": "present",
        "resisted_hip_abduction": "present",
        "single_leg_stance_30s_lateral_pain": "present",
    },
    "sacroiliac_joint_pain": {
        "one_finger_pain_psis": "present",
        "pain_turning_in_bed": "present",
        "unilateral_pain_below_l5": "present",
        "thigh_thrust": "present",
        "distraction": "present",
        "compression": "present",
        "sacral_thrust": "present",
        "gaenslen": "absent",
        "centralisation": "absent",
    },
    "deep_gluteal_syndrome": {
        "worst_pain_deep_mid_buttock": "present",
        "sitting_intolerance_under_30_min": "present",
        "leg_paraesthesia_non_dermatomal": "present",
        "tender_greater_sciatic_notch": "present",
        "pain_on_piriformis_tension": "present",
        "active_piriformis_test": "present",
        "seated_piriformis_stretch_test": "present",
        "dermatomal_sensory_or_reflex_loss": "absent",
        "crossed_straight_leg_raise": "absent",
        "pain_below_knee_dermatomal": "absent",
    },
    "proximal_hamstring_tendinopathy": {
        "worst_pain_ischial_tuberosity": "present",
        "sitting_pain_on_ischium": "present",
        "pain_with_acceleration_or_hinge": "present",
        "training_load_spike": "present",
        "runner_or_prolonged_sitter": "present",
        "modified_bent_knee_stretch": "present",
        "bent_knee_stretch": "present",
        "ischial_tuberosity_tenderness": "present",
    },
}


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
