"""How a virtual patient comes in: textbook findings of one condition or two, so that the intake really classifies."""

from dataclasses import dataclass
from random import Random
from typing import Any

from shared.event.intake import Answer

SHARES = {
    "gluteal_tendinopathy": 0.40,
    "sacroiliac_joint_pain": 0.25,
    "deep_gluteal_syndrome": 0.15,
    "proximal_hamstring_tendinopathy": 0.20,
}
"""Who comes to a clinic for buttock pain, by condition: a judgement (J-SIMULATION), in no order of frequency known."""
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
SESSIONS_PER_WEEK = 3
_EQUIPMENT = (["none"], ["none", "band"], ["none", "band", "dumbbell", "step"], ["none", "band", "machine", "bench"])


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the intake reports beside the measures."""

    condition_ids: tuple[str, ...]
    """What the findings speak for, the condition that will be treated first."""
    intake: dict[str, Any]


def present(chance: Random, *, is_mixed: bool) -> Presentation:
    """The findings of one patient. Takes as much chance for every patient."""
    order = list(SHARES)
    first = chance.choices(order, [SHARES[one] for one in order])[0]
    second = chance.choice([one for one in order if one != first])
    conditions = (first, second) if is_mixed else (first,)
    findings: dict[str, str] = {}
    for condition in reversed(conditions):
        findings |= TEXTBOOK[condition]
    intake = {
        "age_years": int(min(80, max(20, chance.gauss(50, 13)))),
        "sex": "female" if chance.random() < 0.7 else "male",
        "side": chance.choice(["left", "right"]),
        "onset": "gradual",
        "duration_weeks": chance.randint(13, 80),
        "findings": findings,
        "red_flag_screen": "complete",
        "sessions_per_week": SESSIONS_PER_WEEK,
        "equipment": chance.choice(_EQUIPMENT),
    }
    return Presentation(conditions, intake)
