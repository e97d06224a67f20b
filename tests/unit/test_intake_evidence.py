"""Each row of the evidence on recognition, as a patient meets it."""

import math
from typing import Any

import pytest

from services.intake.domain.presentation import Presentation
from services.intake.domain.probability import paint
from shared.event.intake import Answer
from shared.protocol.library import shipped_protocols
from tests.unit.vignettes.intake import classify, probabilities

PROTOCOLS = shipped_protocols()
CODES = {
    "GT": "gluteal_tendinopathy",
    "SIJ": "sacroiliac_joint_pain",
    "DGS": "deep_gluteal_syndrome",
    "PHT": "proximal_hamstring_tendinopathy",
}
LATERAL, SACRAL = "worst_pain_greater_trochanter", "one_finger_pain_psis"
ISCHIAL, DEEP = "worst_pain_ischial_tuberosity", "worst_pain_deep_mid_buttock"
FIVE = ("thigh_thrust", "distraction", "compression", "sacral_thrust", "gaenslen")
TINGLING = "leg_paraesthesia_non_dermatomal"


def odds(code: str, findings: dict[str, Answer], **facts: Any) -> float:
    who: dict[str, Any] = {
        "modifiers": frozenset(),
        "age_years": 30,
        "sex": "male",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 20,
    }
    picture = paint(PROTOCOLS, Presentation(answers=findings, **(who | facts)))
    known = {**picture.conditions, **dict(zip(("LUM", "HIP"), picture.routes, strict=True))}
    return known[CODES.get(code, code)].odds


def moved(code: str, findings: dict[str, Answer], given: tuple[str, ...] = (), **facts: Any) -> float:
    """How far findings move a condition's odds for a patient who shows `given` already."""
    before = present(*given)
    return round(odds(code, before | findings, **facts) / odds(code, before, **facts), 4)


def present(*findings: str) -> dict[str, Answer]:
    return dict.fromkeys(findings, "present")


def absent(*findings: str) -> dict[str, Answer]:
    return dict.fromkeys(findings, "absent")


@pytest.mark.parametrize(
    ("code", "prior"), [("LUM", 0.38), ("GT", 0.20), ("SIJ", 0.13), ("PHT", 0.08), ("HIP", 0.07), ("DGS", 0.05)]
)
def test_where_nothing_is_known_the_prior_stands(code: str, prior: float) -> None:
    """Evidence §1.1: how often each is behind buttock pain before anybody asks."""
    assert odds(code, {}) == pytest.approx(prior / (1 - prior))


LOCATION = [
    ((LATERAL,), {"GT": 4, "SIJ": 0.5, "DGS": 0.5, "PHT": 0.5, "LUM": 0.5, "HIP": 0.5}),
    ((SACRAL,), {"SIJ": 3}),
    ((ISCHIAL,), {"PHT": 4}),
    ((DEEP, TINGLING), {"LUM": 1.5}),
    (("worst_pain_groin",), {"HIP": 3}),
    (("worst_pain_above_l5_or_midline",), {"SIJ": 0.3, "LUM": 2}),
]


@pytest.mark.parametrize(("findings", "factors"), LOCATION)
def test_location_multiplies_the_prior(findings: tuple[str, ...], factors: dict[str, float]) -> None:
    """Evidence §1.1: where the pain is worst."""
    for code, factor in factors.items():
        assert moved(code, present(*findings)) == factor


def test_deep_pain_with_tingling_multiplies_deep_gluteal_by_three() -> None:
    """Evidence §1.1 and H07: the location ×3, and beside it what the tingling says by itself."""
    assert moved("DGS", present(DEEP, TINGLING)) == pytest.approx(3 * 1.3)


@pytest.mark.parametrize(
    ("code", "facts", "findings", "factor"),
    [
        ("GT", {"sex": "female", "age_years": 40}, (), 1.5),
        ("GT", {"sex": "female", "age_years": 65}, (), 1.5),
        ("GT", {"sex": "female", "age_years": 39}, (), 1),
        ("GT", {"sex": "female", "age_years": 66}, (), 1),
        ("GT", {"sex": "male", "age_years": 50}, (), 1),
        ("PHT", {}, ("runner_or_prolonged_sitter",), 1.5),
        ("SIJ", {"modifiers": frozenset({"pregnant"})}, (), 3),
        ("SIJ", {"modifiers": frozenset({"postpartum_under_12_weeks"})}, (), 3),
        ("SIJ", {"onset": "postpartum", "duration_weeks": 52}, (), 3),
        ("SIJ", {"onset": "postpartum", "duration_weeks": 60}, (), 1),
        ("SIJ", {}, ("prior_lumbar_fusion",), 2),
    ],
)
def test_age_sex_and_history_multiply_the_prior(
    code: str, facts: dict[str, Any], findings: tuple[str, ...], factor: float
) -> None:
    """Evidence §1.1: women from 40 to 65, runners, birth, fusion."""
    assert odds(code, present(*findings), **facts) / odds(code, {}) == pytest.approx(factor)


STRONG, SOME, AGAINST, NOTHING = 2.0, 1.3, 0.7, 1.0
HISTORY = [
    ("H02", ("night_pain_lying_on_side",), {"GT": STRONG, "SIJ": SOME, "DGS": NOTHING, "PHT": AGAINST}),
    ("H03", ("pain_single_leg_loading",), {"GT": STRONG, "SIJ": SOME, "DGS": NOTHING, "PHT": NOTHING}),
    ("H04", (SACRAL,), {"GT": AGAINST, "PHT": AGAINST, "DGS": NOTHING, "HIP": AGAINST}),
    ("H05", ("pain_turning_in_bed",), {"GT": NOTHING, "SIJ": STRONG, "DGS": NOTHING, "PHT": NOTHING, "LUM": SOME}),
    ("H06", ("peripartum_or_pelvic_trauma_onset",), {"GT": NOTHING, "SIJ": STRONG, "DGS": SOME, "PHT": NOTHING}),
    (
        "H07",
        ("sitting_intolerance_under_30_min",),
        {"GT": AGAINST, "SIJ": NOTHING, "DGS": STRONG, "PHT": SOME, "HIP": AGAINST},
    ),
    (
        "H08",
        ("sitting_pain_on_ischium",),
        {"GT": AGAINST, "SIJ": NOTHING, "DGS": SOME, "PHT": STRONG, "LUM": NOTHING, "HIP": AGAINST},
    ),
    (
        "H09",
        ("pain_with_acceleration_or_hinge",),
        {"GT": NOTHING, "SIJ": NOTHING, "DGS": NOTHING, "PHT": STRONG, "LUM": NOTHING, "HIP": NOTHING},
    ),
    (
        "H11",
        ("pain_below_knee_dermatomal",),
        {"GT": AGAINST, "SIJ": AGAINST, "DGS": SOME, "PHT": AGAINST, "LUM": STRONG},
    ),
    (
        "H12",
        ("groin_pain_with_stiffness",),
        {"GT": AGAINST, "SIJ": NOTHING, "DGS": NOTHING, "PHT": AGAINST, "HIP": STRONG},
    ),
    ("H12", ("difficulty_shoes_and_socks",), {"GT": AGAINST, "SIJ": NOTHING, "PHT": AGAINST, "HIP": STRONG}),
    ("H14", ("training_load_spike",), {"GT": SOME, "SIJ": NOTHING, "DGS": NOTHING, "PHT": STRONG}),
    ("H15", ("fall_on_buttock_or_prior_hip_surgery",), {"GT": NOTHING, "SIJ": SOME, "DGS": STRONG, "PHT": NOTHING}),
]
PLACE = {"GT": (LATERAL,), "SIJ": (SACRAL,), "DGS": (DEEP,), "PHT": (ISCHIAL,), "LUM": (), "HIP": ()}


@pytest.mark.parametrize(("row", "findings", "weights"), HISTORY, ids=[f"{row}-{f[0]}" for row, f, _ in HISTORY])
def test_history_weighs_as_the_table_says(row: str, findings: tuple[str, ...], weights: dict[str, float]) -> None:
    """Evidence §1.2: each feature for each condition, where the pain's place fits that condition."""
    assert row in PROTOCOLS.evidence
    for code, weight in weights.items():
        given = () if SACRAL in findings else PLACE[code]
        assert moved(code, present(*findings), given) == weight, code


def test_easy_shoes_and_socks_speak_for_the_tendon() -> None:
    """H13: who has lateral pain and puts on socks with ease has less of a hip and more of a tendon."""
    assert moved("GT", absent("difficulty_shoes_and_socks"), (LATERAL,)) == 1.3
    assert moved("HIP", absent("difficulty_shoes_and_socks")) < 1


TESTS: list[tuple[str, str, str, float, float]] = [
    ("T01", "GT", "palpation_greater_trochanter", 1.5, 0.4),
    ("T02", "GT", "single_leg_stance_30s_lateral_pain", 5, 0.7),
    ("T04", "GT", "resisted_external_derotation", 3, 0.5),
    ("T05", "GT", "fader_r", 4, 0.65),
    ("T06", "GT", "adduction_resisted_abduction", 4, 0.7),
    ("T07", "GT", "faber_lateral_pain", 1.8, 0.8),
    ("T08", "GT", "resisted_hip_abduction", 3, 0.45),
    ("T09", "GT", "trendelenburg", 3, 0.6),
    ("T22", "SIJ", "self_p4_or_bridging", 2.5, 0.5),
    ("T24", "DGS", "straight_leg_raise", 1, 1),
    ("T25", "DGS", "active_piriformis_test", 3, 0.4),
    ("T26", "DGS", "seated_piriformis_stretch_test", 3, 0.6),
    ("T28", "DGS", "fair_test", 2, 0.5),
    ("T30", "PHT", "puranen_orava", 2, 0.5),
    ("T31", "PHT", "bent_knee_stretch", 2.5, 0.4),
    ("T32", "PHT", "modified_bent_knee_stretch", 4, 0.3),
    ("T33", "PHT", "active_hamstring_a30", 4**0.5, 0.4**0.5),
    ("T33", "PHT", "active_hamstring_a90", 4**0.5, 0.4**0.5),
    ("T35", "PHT", "long_stride_heel_strike", 1.5**0.5, 0.7**0.5),
    ("T37", "LUM", "straight_leg_raise", 1.3, 0.5),
    ("T37", "LUM", "crossed_straight_leg_raise", 2.8, 0.9),
    ("T38", "LUM", "slump", 2, 0.5),
    ("T39", "LUM", "centralisation", 5, 0.8),
]


@pytest.mark.parametrize(("row", "code", "test", "positive", "negative"), TESTS)
def test_each_test_alone_weighs_its_shrunk_ratio(
    row: str, code: str, test: str, positive: float, negative: float
) -> None:
    """Evidence §1.3, column LR_enc; one of the two piriformis tests counts as the pair that it is half of."""
    assert row in PROTOCOLS.evidence
    assert moved(code, present(test)) == round(positive, 4)
    assert moved(code, absent(test)) == round(negative, 4)


@pytest.mark.parametrize(
    ("row", "code", "findings", "factor"),
    [
        ("T10", "GT", present("palpation_greater_trochanter", "resisted_hip_abduction"), 8),
        ("T10", "GT", absent("palpation_greater_trochanter", "resisted_hip_abduction"), 0.15),
        ("T16", "SIJ", present(*FIVE[:3]), 4),
        ("T16", "SIJ", absent(*FIVE[:3]), 0.15),
        ("T17", "SIJ", present(*FIVE[:3]) | absent("centralisation"), 6),
        ("T19", "SIJ", present(*FIVE[:2]), 1),
        ("T21", "SIJ", absent(*FIVE), 0.1),
        ("T27", "DGS", present("active_piriformis_test") | absent("seated_piriformis_stretch_test"), 3),
        ("T27", "DGS", absent("active_piriformis_test", "seated_piriformis_stretch_test"), 0.2),
        ("T34", "PHT", present("active_hamstring_a30", "active_hamstring_a90"), 5**0.5),
        ("T34", "PHT", absent("active_hamstring_a30", "active_hamstring_a90"), 0.3**0.5),
        ("X.H2", "PHT", present("modified_bent_knee_stretch", "active_hamstring_a30"), 4 * 4**0.5),
        ("X.H", "PHT", present("modified_bent_knee_stretch", "bent_knee_stretch", "puranen_orava"), 4),
        ("X.D", "DGS", present("active_piriformis_test", "seated_piriformis_stretch_test", "fair_test"), 3),
        ("X.L", "LUM", present("slump", "straight_leg_raise", "crossed_straight_leg_raise"), 2.8),
        ("X.L", "DGS", present("slump", "straight_leg_raise"), 1),
        ("X.L", "GT", present("slump", "straight_leg_raise"), 1),
        ("X.L", "PHT", present("slump", "straight_leg_raise"), 1),
    ],
)
def test_a_correlation_group_counts_once(row: str, code: str, findings: dict[str, Answer], factor: float) -> None:
    """Evidence §1.6: composites replace their parts, and nothing is multiplied within a group."""
    assert row in PROTOCOLS.evidence
    assert moved(code, findings) == round(factor, 4)


def test_palpation_and_abduction_that_disagree_leave_the_best_single_test() -> None:
    """T10 speaks where both agree; where they do not, C1 counts palpation with one other positive test."""
    answers = present("palpation_greater_trochanter", "single_leg_stance_30s_lateral_pain")
    assert moved("GT", answers | absent("resisted_hip_abduction")) == 5


def test_the_trial_entry_of_the_hamstring_needs_three_months_and_the_place() -> None:
    """T36: gradual, three months, at the ischium; else the single tests count."""
    items = present("arabesque_or_single_leg_bridge_pain", "sitting_intolerance_under_30_min", "bent_knee_stretch")
    cluster = items | present("modified_bent_knee_stretch")
    assert moved("PHT", items, (ISCHIAL,), duration_weeks=20) == round(2.5 * 1.3, 4)
    assert moved("PHT", cluster, (ISCHIAL,), duration_weeks=20) == round(4 * 1.3, 4)


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("GT", "pain_single_leg_loading"),
        ("SIJ", "pain_single_leg_loading"),
        ("SIJ", "night_pain_lying_on_side"),
        ("DGS", "sitting_intolerance_under_30_min"),
        ("DGS", "sitting_pain_on_ischium"),
        ("PHT", "sitting_intolerance_under_30_min"),
    ],
)
def test_a_shared_position_without_its_place_says_nothing_for(code: str, finding: str) -> None:
    """Group X: single-leg load and sitting hurt in many conditions, so the place decides."""
    assert moved(code, present(finding)) == 1


def test_all_support_together_is_capped_at_twenty_and_all_opposition_at_a_twentieth() -> None:
    """Evidence §1.5: many weak and correlated positives do not add up to certainty."""
    everything = present(*(f for f in PROTOCOLS.conditions[CODES["PHT"]].recognition.mentions if f != LATERAL))
    del everything[SACRAL], everything["runner_or_prolonged_sitter"]
    against = {f for f in everything if moved("PHT", present(f), (ISCHIAL,)) < 1}
    support = {f: answer for f, answer in everything.items() if f not in against | {ISCHIAL}}
    assert moved("PHT", support, (ISCHIAL,)) == 20
    none = absent(*support)
    assert moved("PHT", none, (ISCHIAL,)) == 0.05


def test_weak_signs_of_one_tendon_count_as_one() -> None:
    """A trap: a second, a third and a fourth weak test of the same tendon add nothing to the best of them."""
    best = present("faber_lateral_pain")
    more = present("palpation_greater_trochanter") | best
    assert moved("GT", more) == moved("GT", best) == 1.8
    assert moved("GT", present("night_pain_lying_on_side", "pain_single_leg_loading"), (LATERAL,)) == STRONG


RULES = [
    ("C1", present(LATERAL, "palpation_greater_trochanter", "single_leg_stance_30s_lateral_pain"), "GT"),
    ("C1", present(LATERAL, "palpation_greater_trochanter", "fader_r"), "GT"),
    ("C1", present(LATERAL, "palpation_greater_trochanter", "adduction_resisted_abduction"), "GT"),
    ("C1", present(LATERAL, "palpation_greater_trochanter", "resisted_hip_abduction"), "GT"),
    ("C2", present(LATERAL) | absent("palpation_greater_trochanter", "resisted_hip_abduction"), None),
    ("C3", present("unilateral_pain_below_l5", *FIVE[:3]) | absent("centralisation"), "SIJ"),
    ("C3", present("unilateral_pain_below_l5", SACRAL) | absent(*FIVE), None),
    (
        "C4",
        present(
            DEEP,
            "sitting_intolerance_under_30_min",
            "tender_greater_sciatic_notch",
            TINGLING,
            "active_piriformis_test",
        )
        | absent("dermatomal_sensory_or_reflex_loss", "crossed_straight_leg_raise"),
        "DGS",
    ),
    (
        "C5",
        present(
            "sitting_pain_on_ischium",
            "pain_with_acceleration_or_hinge",
            "modified_bent_knee_stretch",
            "ischial_tuberosity_tenderness",
        ),
        "PHT",
    ),
]


@pytest.mark.parametrize(("row", "findings", "code"), RULES)
def test_the_rules_of_diagnosis_come_out(row: str, findings: dict[str, Answer], code: str | None) -> None:
    """Evidence §1.4, C1 to C5: who meets a rule is led by its condition, who meets its opposite is not."""
    assert row in PROTOCOLS.evidence
    assert classify(sex="male", findings=findings).primary == (code and CODES[code])


@pytest.mark.parametrize(
    ("condition", "findings"),
    [
        ("SIJ", present(SACRAL, "pain_turning_in_bed", "unilateral_pain_below_l5", "self_p4_or_bridging")),
        ("DGS", present(DEEP, "sitting_intolerance_under_30_min", TINGLING, "fall_on_buttock_or_prior_hip_surgery")),
    ],
)
def test_what_needs_hands_gets_no_program_from_afar(condition: str, findings: dict[str, Answer]) -> None:
    """C6: the sacroiliac joint and deep gluteal syndrome are asked on until somebody has examined."""
    found = classify(sex="male", findings=findings)
    assert found.disposition == "more_information"
    assert probabilities(found)[CODES[condition]] <= {"SIJ": 0.65, "DGS": 0.55}[condition]
    assert found.next_findings


def test_in_pregnancy_the_patients_own_test_stands_in_for_hands() -> None:
    """T22: in pregnancy the self-test agrees with the examiner's, so a program may start from afar."""
    findings = present(SACRAL, "pain_turning_in_bed", "unilateral_pain_below_l5", "self_p4_or_bridging")
    found = classify(findings=findings, age_years=30, modifiers=["pregnant"])
    assert (found.disposition, found.primary) == ("program", CODES["SIJ"])


def test_a_negative_test_never_unlocks_a_program() -> None:
    """Somebody whose only examination was negative is asked on, and its tests lead the questions."""
    findings = present(SACRAL, "pain_turning_in_bed", "unilateral_pain_below_l5", "self_p4_or_bridging")
    found = classify(sex="male", findings=findings | absent("compression"))
    assert found.disposition == "more_information"
    assert set(FIVE) & {item.finding_id for item in found.next_findings[:4]}
    everything_else = absent(*FIVE, "tender_greater_sciatic_notch")
    assert classify(sex="male", findings=findings | everything_else).disposition != "program"


def test_an_examination_by_hand_lifts_that() -> None:
    """C6: the same joint with its tests done gets its program."""
    findings = present(SACRAL, "pain_turning_in_bed", "unilateral_pain_below_l5", *FIVE[:3])
    assert classify(sex="male", findings=findings).disposition == "program"


@pytest.mark.parametrize(
    ("findings", "age_years", "route"),
    [
        (present("slump"), 40, None),
        (present("straight_leg_raise"), 40, None),
        (present("slump", "straight_leg_raise"), 40, None),
        (present("slump", "centralisation"), 40, "lumbar"),
        (present("hip_internal_rotation_limited", "groin_pain_with_stiffness"), 50, None),
        (present("hip_internal_rotation_limited", "groin_pain_with_stiffness"), 51, "hip"),
        (present("squat_aggravates_hip", "hip_active_extension_pain"), 60, None),
        (present("squat_aggravates_hip", "hip_active_extension_pain", "hip_active_flexion_lateral_pain"), 30, "hip"),
    ],
)
def test_routes_need_their_whole_rule(findings: dict[str, Answer], age_years: int, route: str | None) -> None:
    """C8 and C9 as the contract narrows them: a shared sign alone sends nobody away."""
    assert classify(age_years=age_years, findings=findings).referral_route == route


def test_what_is_missing_is_neutral_and_what_is_absent_counts_against() -> None:
    """Evidence §1.5: unknown has ratio 1; an absent sign of a condition lowers it."""
    for code, condition_id in CODES.items():
        recognition = PROTOCOLS.conditions[condition_id].recognition
        for finding in sorted(recognition.mentions):
            assert math.isclose(moved(code, {finding: "unknown"}), 1)
