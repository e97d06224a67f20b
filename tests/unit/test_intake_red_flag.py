"""Red flags come first."""

from typing import Any

import pytest

from services.intake.domain.red_flag import suspect
from shared.event.classification import Disposition
from shared.event.intake import Answer
from shared.event.vocabulary import Urgency, vocabulary
from shared.protocol.library import shipped_protocols
from shared.protocol.red_flag import Derivation
from shared.simulation.presentation import TEXTBOOK
from tests.support.example import intake
from tests.unit.vignettes.intake import classified, classify, raised, submit

RULES = shipped_protocols().red_flags
LEADS_TO: dict[Urgency, Disposition] = {
    "emergency": "emergency",
    "urgent": "urgent_referral",
    "routine": "clinician_review",
}


@pytest.mark.parametrize("red_flag_id", vocabulary().red_flags)
def test_every_red_flag_leads_to_its_disposition_and_its_escalation(red_flag_id: str) -> None:
    """Whoever ticks a red flag is taken out of the program path, and a person is told as fast as it demands."""
    urgency = vocabulary().red_flags[red_flag_id].urgency
    decision = submit(red_flags={red_flag_id: "present"})
    found = classified(decision)
    (escalation,) = raised(decision)
    assert found.disposition == LEADS_TO[urgency]
    assert [(flag.red_flag_id, flag.source) for flag in found.red_flags] == [(red_flag_id, "reported")]
    assert (escalation.reason, escalation.severity) == ("red_flag", urgency)
    assert escalation.holds_program == (urgency != "routine")
    assert all(row in shipped_protocols().evidence for row in found.references)


DERIVED: list[tuple[str, dict[str, Any]]] = [
    ("history_of_cancer", {"modifiers": ["active_cancer"]}),
    ("major_trauma", {"onset": "traumatic", "modifiers": ["osteoporosis"]}),
    ("major_trauma", {"onset": "traumatic", "modifiers": ["steroids"]}),
    ("major_trauma", {"onset": "traumatic", "age_years": 71}),
    (
        "atypical_femoral_fracture_prodrome",
        {"modifiers": ["bisphosphonate_over_3_years"], "findings": {"lateral_thigh_pain": "present"}},
    ),
    ("groin_pain_with_impact", {"modifiers": ["low_energy_availability"], "findings": {"hop_test": "present"}}),
    (
        "groin_pain_with_impact",
        {
            "findings": {
                "runner_or_prolonged_sitter": "present",
                "worst_pain_groin": "present",
                "hop_test": "present",
            }
        },
    ),
    (
        "sacral_stress_fracture_suspicion",
        {"findings": {"hop_test": "present", "unilateral_pain_below_l5": "present"}},
    ),
    (
        "sacral_stress_fracture_suspicion",
        {"findings": {"hop_test": "present", "runner_or_prolonged_sitter": "present"}, "sex": "male"},
    ),
    ("avascular_necrosis_risk", {"modifiers": ["steroids"], "findings": {"worst_pain_groin": "present"}}),
]


@pytest.mark.parametrize(("red_flag_id", "facts"), DERIVED)
def test_facts_imply_a_red_flag_that_nobody_ticked(red_flag_id: str, facts: dict[str, Any]) -> None:
    """A red flag whose description the other answers meet counts, also after a complete screen."""
    found = classify(**facts)
    assert (red_flag_id, "derived") in [(flag.red_flag_id, flag.source) for flag in found.red_flags]
    assert found.disposition in ("emergency", "urgent_referral")


@pytest.mark.parametrize(("red_flag_id", "facts"), DERIVED)
def test_an_absent_that_contradicts_the_facts_goes_to_a_clinician(red_flag_id: str, facts: dict[str, Any]) -> None:
    """Where the patient denies what other answers imply, neither is believed: a clinician clears it up."""
    decision = submit(**facts, red_flags={red_flag_id: "absent"})
    found = classified(decision)
    assert found.disposition == "clinician_review"
    assert found.red_flags == ()
    (escalation,) = raised(decision)
    assert (escalation.reason, escalation.severity) == ("unclear_diagnosis", "routine")


@pytest.mark.parametrize(
    "facts",
    [
        {"onset": "traumatic"},
        {"side": "both"},
        {"modifiers": ["bisphosphonate_over_3_years"]},
        {"modifiers": ["osteoporosis"]},
        {"age_years": 90},
    ],
)
def test_half_of_a_rule_implies_no_red_flag(facts: dict[str, Any]) -> None:
    """Trauma alone, both sides, a medicine or age alone raise no flag."""
    assert classify(**facts).red_flags == ()


ROWS = {
    "RF01": {
        "saddle_anaesthesia",
        "bladder_dysfunction",
        "bowel_dysfunction",
        "new_sexual_dysfunction",
        "bilateral_leg_symptoms",
    },
    "RF02": {"progressive_motor_deficit"},
    "RF03": {"history_of_cancer", "unexplained_weight_loss", "unremitting_night_pain"},
    "RF04": {"unsteadiness_or_band_pain"},
    "RF05": {"fever_or_rigors", "immunosuppression_or_iv_drug_use"},
    "RF06": {"major_trauma", "unable_to_bear_weight"},
    "RF07": {"groin_pain_with_impact"},
    "RF08": {"sacral_stress_fracture_suspicion"},
    "RF09": {"inflammatory_back_pain", "alternating_buttock_pain_with_inflammatory_history"},
    "RF10": {"sudden_pop_with_bruising"},
    "RF12": {"unilateral_leg_swelling", "chest_pain_or_breathlessness"},
    "RF13": {"claudication", "abdominal_pain_with_collapse"},
    "RF14": {"cyclical_pelvic_pain", "pregnancy_bleeding_or_contractions"},
    "RF15": {"avascular_necrosis_risk"},
    "RF16": {"atypical_femoral_fracture_prodrome"},
    "RF17": {"gluteal_swelling_on_anticoagulant"},
    "RF18": {"risk_of_self_harm"},
    "RF19": {"chest_pain_or_breathlessness", "syncope_in_session"},
}
"""RF11 is the review of everybody under 18, RF20 a course and not an intake."""


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_red_flags_is_asked_acted_on_and_read_from_free_text(row: str) -> None:
    """Each row of the evidence has its questions, its consequence and its words."""
    flags = vocabulary().red_flags
    assert {flag for flag, known in flags.items() if row in known.evidence.split(", ")} == ROWS[row]
    for flag in ROWS[row]:
        assert row in classify(red_flags={flag: "present"}).references
    assert ROWS[row] <= {suspicion.red_flag_id for suspicion in RULES.suspicions}


def test_nobody_under_eighteen_gets_a_program() -> None:
    """RF11 and S01: growing bones are another matter."""
    assert "RF11" in classify(age_years=17).references
    assert classify(age_years=18).disposition == "program"


def meeting(derivation: Derivation) -> dict[str, Any]:
    """The least that meets a rule."""
    when = derivation.when
    facts: dict[str, Any] = {"findings": {}, "age_years": 30, "sex": "male", "onset": "gradual", "modifiers": []}
    facts["findings"] = dict.fromkeys((*when.all_present, *when.any_present[:1]), "present")
    facts["modifiers"] = list(when.any_modifier[:1])
    facts["onset"] = when.onset[0] if when.onset else "gradual"
    facts["age_years"] = when.age_at_least or 30
    facts["sex"] = when.sex[0] if when.sex else "male"
    return facts


def short_of(derivation: Derivation) -> list[dict[str, Any]]:
    """The same with one part of the rule missing, for each part."""
    when, whole = derivation.when, meeting(derivation)
    short = [
        {**whole, "findings": {f: "present" for f in whole["findings"] if f != left}} for left in whole["findings"]
    ]
    if when.any_modifier:
        short.append({**whole, "modifiers": []})
    if when.onset:
        short.append({**whole, "onset": "gradual"})
    if when.age_at_least is not None:
        short.append({**whole, "age_years": when.age_at_least - 1})
    if when.sex:
        other = "female" if "male" in when.sex else "male"
        short.append({**whole, "sex": other, "modifiers": whole["modifiers"] if "male" in when.sex else []})
    if when.side:
        short.append({**whole, "side": "both"})
    return short


@pytest.mark.parametrize("number", range(len(shipped_protocols().red_flags.derivations)))
def test_a_conjunction_needs_all_its_parts(number: int) -> None:
    """Age, onset, medicine and findings imply a flag together, and no part of the rule does so alone."""
    derivation = RULES.derivations[number]
    found = classify(**meeting(derivation))
    assert derivation.red_flag_id in [flag.red_flag_id for flag in found.red_flags if flag.source == "derived"]
    for facts in short_of(derivation):
        raised_flags = [flag.red_flag_id for flag in classify(**facts).red_flags]
        assert derivation.red_flag_id not in raised_flags, facts


def answered(*left_open: str) -> dict[str, Answer]:
    return {flag: "absent" for flag in vocabulary().red_flags if flag not in left_open}


@pytest.mark.parametrize(
    "red_flag_id", [flag for flag, red_flag in vocabulary().red_flags.items() if red_flag.urgency != "routine"]
)
def test_an_unanswered_emergency_or_urgent_flag_holds_the_program_back(red_flag_id: str) -> None:
    """No program starts while a dangerous sign has not been asked for; it is the first thing to ask."""
    facts: dict[str, Any] = {"age_years": 35, "red_flag_screen": "partial"}
    for red_flags in (answered(red_flag_id), {**answered(), red_flag_id: "unknown"}):
        found = classify(**facts, red_flags=red_flags)
        assert found.disposition == "more_information"
        assert found.primary == "gluteal_tendinopathy"
        assert found.next_findings[0].finding_id == red_flag_id
    assert classify(**facts, red_flags=answered()).disposition == "program"


def test_an_unknown_flag_counts_as_unknown_also_in_a_complete_screen() -> None:
    """Asked and not known is not the same as left out."""
    found = classify(red_flag_screen="complete", red_flags={"fever_or_rigors": "unknown"})
    assert found.disposition == "more_information"


def test_unknown_flags_come_before_all_questions_emergencies_first() -> None:
    """Somebody screened in part is asked for emergencies, then urgent signs, then the rest."""
    flags = vocabulary().red_flags
    asked = [item.finding_id for item in classify(findings={}, red_flag_screen="partial").next_findings]
    urgencies = [flags[item].urgency for item in asked if item in flags]
    assert urgencies == sorted(urgencies, key=["emergency", "urgent", "routine"].index)
    assert all(item not in flags for item in asked[len(urgencies) :])


@pytest.mark.parametrize("facts", [{"sex": "male"}, {"sex": "female", "age_years": 60}])
def test_a_flag_of_pregnancy_is_not_asked_of_those_whom_it_cannot_concern(facts: dict[str, Any]) -> None:
    """A man, and a woman past childbearing age, get their program without that question."""
    red_flags = answered("pregnancy_bleeding_or_contractions")
    assert classify(**facts, red_flag_screen="partial", red_flags=red_flags).disposition == "program"


@pytest.mark.parametrize(
    ("notes", "red_flag_id"),
    [
        ("Since Tuesday I have a FEVER.", "fever_or_rigors"),
        ("Pain is fine but I feel numb down below", "saddle_anaesthesia"),
        ("I wet myself twice this week", "bladder_dysfunction"),
        ("No back pain, but fever at night", "fever_or_rigors"),
        ("I had breast cancer in 2015", "history_of_cancer"),
        ("I’ve lost a lot of weight and lost 6 kg", "unexplained_weight_loss"),
        ("sometimes I think of suicide", "risk_of_self_harm"),
        ("felt a pop in the back of the thigh", "sudden_pop_with_bruising"),
        ("my left calf is hot and swollen", "unilateral_leg_swelling"),
        ("I have no appetite and fever", "fever_or_rigors"),
        ("numbness in both legs", "bilateral_leg_symptoms"),
        ("I can't put any weight on it", "unable_to_bear_weight"),
        ("I could not walk for two days", "unable_to_bear_weight"),
        ("I have no control over my bladder since yesterday.", "bladder_dysfunction"),
        ("I can not pass urine", "bladder_dysfunction"),
        ("There is no feeling between my legs when I wipe.", "saddle_anaesthesia"),
        ("pins and needles around my back passage", "saddle_anaesthesia"),
        ("my bladder is not normal", "bladder_dysfunction"),
        ("I do not notice when my bladder is full", "bladder_dysfunction"),
        ("I had chemo two years ago", "history_of_cancer"),
        ("I think about killing myself", "risk_of_self_harm"),
    ],
)
def test_words_of_danger_in_free_text_make_a_flag_suspected(notes: str, red_flag_id: str) -> None:
    """What a patient writes beside the questions is read for danger."""
    assert red_flag_id in suspect(notes, RULES)


@pytest.mark.parametrize(
    "notes",
    [
        "I cannot walk far before the hip hurts.",
        "I could not walk more than twenty minutes.",
        "I can control my bladder normally",
        "no trouble passing urine",
        "bladder and bowel are normal",
        "I see a private physiotherapist",
        "No fever.",
        "Denies fever, chills and weight loss.",
        "no history of cancer",
        "I never had cancer",
        "without fever or chills",
        "Pain after sitting at work; better when walking.",
        "The bladder is fine",
    ],
)
def test_what_free_text_denies_is_not_suspected(notes: str) -> None:
    """A plain denial raises no suspicion."""
    assert suspect(notes, RULES) == ()


def test_words_that_cannot_concern_a_patient_are_not_suspected() -> None:
    """A man's contractions are those of a muscle."""
    notes = "small contractions in the buttock muscle"
    assert classify(sex="male", notes=notes).red_flags == ()
    assert classify(sex="female", age_years=30, notes=notes).red_flags != ()


def test_a_suspected_emergency_goes_to_a_clinician_within_the_urgent_time() -> None:
    """Words are no answer: a person must ask, soon, and no program starts until then."""
    decision = submit(notes="I am numb around the saddle area")
    found = classified(decision)
    (escalation,) = raised(decision)
    assert found.disposition == "clinician_review"
    assert [(flag.red_flag_id, flag.urgency, flag.source) for flag in found.red_flags] == [
        ("saddle_anaesthesia", "emergency", "suspected")
    ]
    assert (escalation.reason, escalation.severity, escalation.holds_program) == ("red_flag", "urgent", True)


def test_nothing_of_the_patients_own_words_leaves_intake() -> None:
    """Free text is read and forgotten: it is in no output and not in what intake remembers."""
    notes = "Zanzibar quokka: I have a fever since my trip"
    decision = submit(notes=notes)
    for text in [draft.data.model_dump_json() for draft in decision.drafts] + [repr(decision.state)]:
        assert "Zanzibar" not in text
        assert "quokka" not in text


def test_every_red_flag_has_phrases_for_free_text() -> None:
    """No dangerous sign can be written about without any chance of being noticed."""
    assert {suspicion.red_flag_id for suspicion in RULES.suspicions} == set(vocabulary().red_flags)


def test_a_red_flag_is_never_averaged_away_by_a_typical_picture() -> None:
    """The most typical patient with saddle numbness is an emergency."""
    for findings in TEXTBOOK.values():
        found = classify(findings=findings, red_flags={"saddle_anaesthesia": "present"})
        assert found.disposition == "emergency"
        assert found.primary is not None


def test_the_example_of_the_tests_is_a_plain_program() -> None:
    """The intake that the other cases vary raises nothing by itself."""
    assert raised(submit(**intake())) == ()
