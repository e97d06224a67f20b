"""What the pain probably is."""

from itertools import combinations

import pytest

from services.intake.domain.next_finding import expected_gain
from shared.event.intake import Answer
from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from shared.simulation.presentation import TEXTBOOK
from tests.unit.vignettes.intake import classify, probabilities

GT, SIJ = "gluteal_tendinopathy", "sacroiliac_joint_pain"
DGS, PHT = "deep_gluteal_syndrome", "proximal_hamstring_tendinopathy"


def present(*findings: str) -> dict[str, Answer]:
    return dict.fromkeys(findings, "present")


def absent(*findings: str) -> dict[str, Answer]:
    return dict.fromkeys(findings, "absent")


@pytest.mark.parametrize("condition_id", TEXTBOOK)
def test_a_textbook_patient_gets_a_program_for_the_textbook_condition(condition_id: str) -> None:
    """Somebody who shows one condition as the books describe it is classified so, and nothing else with it."""
    found = classify(findings=TEXTBOOK[condition_id])
    assert (found.disposition, found.primary, found.mixed) == ("program", condition_id, False)
    assert probabilities(found)[condition_id] >= 0.5
    assert found.conditions[0].condition_id == condition_id
    assert len(found.conditions) == 4


@pytest.mark.parametrize(("one", "other"), list(combinations(TEXTBOOK, 2)))
def test_two_textbook_clinics_together_are_mixed(one: str, other: str) -> None:
    """Somebody who shows two conditions at once is treated for both."""
    answers = {**TEXTBOOK[one], **TEXTBOOK[other]}
    answers.update({f: "present" for part in (one, other) for f, a in TEXTBOOK[part].items() if a == "present"})
    found = classify(findings=answers)
    assert found.mixed
    assert found.disposition == "program"
    assert {rated.condition_id for rated in found.conditions if rated.probability >= 0.4} == {one, other}


@pytest.mark.parametrize(
    ("condition_id", "findings", "probability"),
    [
        (
            SIJ,
            present("thigh_thrust", "distraction", "compression") | absent("centralisation"),
            0.47,
        ),
        (GT, present("palpation_greater_trochanter", "resisted_hip_abduction"), 0.67),
        (DGS, present("active_piriformis_test"), 0.14),
        (PHT, present("modified_bent_knee_stretch"), 0.26),
        (PHT, present("modified_bent_knee_stretch", "worst_pain_ischial_tuberosity"), 0.58),
    ],
)
def test_worked_examples_of_the_evidence_come_out(
    condition_id: str, findings: dict[str, Answer], probability: float
) -> None:
    """The examples that the evidence works by hand give the same figures here."""
    found = classify(findings=findings, sex="male")
    assert round(probabilities(found)[condition_id], 2) == probability


def test_lateral_thigh_pain_with_trendelenburg_and_slump_stays_undetermined() -> None:
    """The published mixed case leads with the gluteal tendons, reaches no verdict, and is not deep gluteal."""
    found = classify(
        age_years=66,
        side="left",
        findings=present("lateral_thigh_pain", "trendelenburg", "palpation_greater_trochanter", "slump"),
    )
    assert found.conditions[0].condition_id == GT
    assert found.primary is None or found.mixed
    assert probabilities(found)[DGS] < 0.1
    assert found.disposition != "program"


@pytest.mark.parametrize(
    ("condition_id", "ceiling", "findings"),
    [
        (GT, 0.85, {**TEXTBOOK[GT]}),
        (
            SIJ,
            0.65,
            present("one_finger_pain_psis", "pain_turning_in_bed", "unilateral_pain_below_l5", "self_p4_or_bridging"),
        ),
        (PHT, 0.80, {**TEXTBOOK[PHT], "puranen_orava": "present"}),
    ],
)
def test_no_condition_passes_its_ceiling_while_nobody_has_examined_by_hand(
    condition_id: str, ceiling: float, findings: dict[str, Answer]
) -> None:
    """Answers given from home alone cannot make a condition more probable than its ceiling."""
    known = vocabulary().findings
    remote = {f: a for f, a in findings.items() if known[f].kind == "history" or known[f].remote}
    found = classify(findings=remote)
    assert probabilities(found)[condition_id] == ceiling
    examined = classify(findings={**remote, "resisted_external_derotation": "absent"})
    assert probabilities(examined)[condition_id] != ceiling


def test_tests_of_the_gluteal_tendon_count_once() -> None:
    """Seven positive tests of the same tendon say no more than the cluster of palpation and resisted abduction."""
    cluster = present("palpation_greater_trochanter", "resisted_hip_abduction")
    more = present("trendelenburg", "fader_r", "faber_lateral_pain", "single_leg_stance_30s_lateral_pain")
    assert probabilities(classify(findings=cluster)) == probabilities(classify(findings={**cluster, **more}))


def test_two_negative_cluster_tests_overrule_the_rest_of_their_group() -> None:
    """Where palpation and resisted abduction are both negative, a positive stance test does not rescue."""
    negative = absent("palpation_greater_trochanter", "resisted_hip_abduction")
    with_stance = {**negative, **present("single_leg_stance_30s_lateral_pain")}
    assert probabilities(classify(findings=negative))[GT] == probabilities(classify(findings=with_stance))[GT]


def test_two_sacroiliac_tests_of_five_decide_nothing_yet_and_none_nearly_excludes() -> None:
    """The count of provocation tests says something only once three agree, one way or the other."""
    prior = probabilities(classify(findings={}))[SIJ]
    five = ("thigh_thrust", "distraction", "compression", "sacral_thrust", "gaenslen")
    assert probabilities(classify(findings=present(*five[:2])))[SIJ] == prior
    assert probabilities(classify(findings={**present(*five[:2]), **absent(*five[2:])}))[SIJ] < prior
    assert probabilities(classify(findings=absent(*five)))[SIJ] < 0.02


def test_deep_gluteal_syndrome_needs_its_features_and_the_lumbar_spine_excluded() -> None:
    """Positive piriformis tests alone do not make deep gluteal syndrome credible."""
    tests = present("active_piriformis_test", "seated_piriformis_stretch_test", "fair_test")
    assert probabilities(classify(findings=tests))[DGS] < 0.4
    whole = TEXTBOOK[DGS]
    not_excluded = {f: a for f, a in whole.items() if a == "present"}
    assert probabilities(classify(findings=not_excluded))[DGS] < probabilities(classify(findings=whole))[DGS]


def test_an_unanswered_finding_is_not_a_negative_one() -> None:
    """What was not examined leaves the probability as it is; what was examined and not found lowers it."""
    prior = probabilities(classify(findings={}))
    assert probabilities(classify(findings={"palpation_greater_trochanter": "unknown"})) == prior
    assert probabilities(classify(findings=absent("palpation_greater_trochanter")))[GT] < prior[GT]


@pytest.mark.parametrize(
    ("findings", "changes", "route"),
    [
        (present("pain_below_knee_dermatomal"), {}, "lumbar"),
        (present("crossed_straight_leg_raise"), {}, "lumbar"),
        (present("centralisation"), {}, "lumbar"),
        (present("dermatomal_sensory_or_reflex_loss", "slump"), {}, "lumbar"),
        (
            present("hip_internal_rotation_limited", "squat_aggravates_hip", "hip_active_extension_pain"),
            {},
            "hip",
        ),
        (present("hip_internal_rotation_limited", "groin_pain_with_stiffness"), {"age_years": 60}, "hip"),
    ],
)
def test_pain_from_the_spine_or_the_hip_joint_goes_to_a_clinician(
    findings: dict[str, Answer], changes: dict[str, int], route: str
) -> None:
    """However typical the rest is, pain that may come from elsewhere is looked at first."""
    found = classify(findings={**TEXTBOOK[GT], **findings}, **changes)
    assert (found.referral_route, found.disposition) == (route, "clinician_review")


@pytest.mark.parametrize("finding_id", ["slump", "straight_leg_raise", "squat_aggravates_hip"])
def test_one_shared_sign_alone_is_no_route(finding_id: str) -> None:
    """A neural or hip sign alone does not send a typical patient away."""
    found = classify(findings={**TEXTBOOK[GT], **present(finding_id)})
    assert (found.referral_route, found.disposition) == (None, "program")


@pytest.mark.parametrize(
    "changes",
    [
        {"age_years": 17},
        {"modifiers": ["recent_surgery"]},
        {"modifiers": ["uncontrolled_hypertension"]},
        {"modifiers": ["pregnant"], "age_years": 30},
        {"modifiers": ["postpartum_under_12_weeks"], "age_years": 30},
    ],
)
def test_some_patients_see_a_clinician_before_any_program(changes: dict[str, object]) -> None:
    """Children, the recently operated, the uncontrolled and the pregnant with a tendon get no automatic program."""
    assert classify(**changes).disposition == "clinician_review"


def test_pregnancy_allows_a_program_for_the_sacroiliac_joint() -> None:
    """Pelvic girdle pain in pregnancy is treated with a program."""
    found = classify(findings=TEXTBOOK[SIJ], modifiers=["pregnant"], age_years=30)
    assert (found.disposition, found.primary) == ("program", SIJ)


def test_an_empty_intake_asks_for_more_and_says_what() -> None:
    """Where nothing is probable and much is unknown, the most telling questions come back, best first."""
    found = classify(findings={})
    gains = [item.information_gain_bits for item in found.next_findings]
    assert found.disposition == "more_information"
    assert found.primary is None
    assert 0 < len(gains) <= 8
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] > 0


def test_questions_that_a_patient_can_answer_alone_come_first_each_by_what_it_tells() -> None:
    """First what needs nobody's hands, then the examination; within each the most telling first."""
    known = vocabulary().findings
    history: dict[str, Answer] = {f: "absent" for f, finding in known.items() if finding.kind == "history"}
    found = classify(findings=history | present("worst_pain_greater_trochanter"), sex="male")
    asked = [(known[item.finding_id], item.information_gain_bits) for item in found.next_findings]
    alone = [gain for finding, gain in asked if finding.remote]
    by_hand = [gain for finding, gain in asked if not finding.remote]
    assert alone
    assert by_hand
    assert [gain for _, gain in asked] == sorted(alone, reverse=True) + sorted(by_hand, reverse=True)
    assert asked[0][0].finding_id == "single_leg_stance_30s_lateral_pain"
    assert max(by_hand) > max(alone)


def test_what_tells_a_tenth_of_the_best_question_is_not_asked() -> None:
    """A patient is not wearied with questions that lead nowhere."""
    gains = [item.information_gain_bits for item in classify(findings={}).next_findings]
    assert min(gains) >= 0.1 * max(gains)


def test_a_question_is_worth_what_it_tells_about_where_care_leads() -> None:
    """Without the answer's consequence for any program or review a question has no bits at all."""
    assert expected_gain((0.5, 0.5), (0.5, 0.5), (0.5, 0.5)) == 0
    assert expected_gain((0.5, 0.5), (1.0, 0.0), (0.0, 1.0)) == 1
    assert 0 < expected_gain((0.2, 0.8), (0.5, 0.5), (0.1, 0.9)) < 0.2


def test_an_intake_with_everything_answered_absent_goes_to_a_clinician() -> None:
    """Where nothing is probable and nothing is left to ask, a person decides."""
    found = classify(findings=absent(*vocabulary().findings))
    assert (found.disposition, found.primary) == ("clinician_review", None)
    assert found.next_findings == ()


def test_every_row_that_intake_names_exists_in_the_evidence() -> None:
    """A reference that a clinician looks up is there."""
    protocols = shipped_protocols()
    rows = set(protocols.evidence)
    named = {
        row
        for protocol in protocols.conditions.values()
        for group in protocol.recognition.groups
        for figure in group.figures
        for row in figure.source
    }
    rules = protocols.red_flags
    for part in (rules.derivations, rules.inapplicable, rules.suspicions, (rules.negation,)):
        named.update(row for rule in part for row in rule.source)
    for textbook in TEXTBOOK.values():
        named.update(classify(findings=textbook).references)
    for route in protocols.screening.routes:
        named.update(row for rule in route.rules for row in rule.source)
        named.update(row for group in route.weighing.groups for figure in group.figures for row in figure.source)
    assert named <= rows
