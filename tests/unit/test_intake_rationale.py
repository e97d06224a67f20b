"""Why, in words: what speaks for, what against, what is missing, what would have turned it."""

import re
from typing import Any

import pytest

from shared.event.intake import Answer
from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from shared.simulation.presentation import TEXTBOOK
from tests.unit.vignettes.intake import classify

GT, SIJ = "gluteal_tendinopathy", "sacroiliac_joint_pain"
UNEXAMINED: dict[str, Answer] = {
    "one_finger_pain_psis": "present",
    "pain_turning_in_bed": "present",
    "unilateral_pain_below_l5": "present",
    "self_p4_or_bridging": "present",
}

CASES: dict[str, dict[str, Any]] = {
    "a program": {},
    "a mix": {"findings": {**TEXTBOOK[GT], **TEXTBOOK["proximal_hamstring_tendinopathy"]}},
    "not examined": {"findings": UNEXAMINED},
    "nothing known": {"findings": {}},
    "nothing asked": {"findings": {}, "red_flag_screen": "partial"},
    "nothing found": {"findings": dict.fromkeys(vocabulary().findings, "absent")},
    "an emergency": {"red_flags": {"saddle_anaesthesia": "present"}},
    "two emergencies": {"red_flags": {"saddle_anaesthesia": "present", "fever_or_rigors": "present"}},
    "a routine flag": {"red_flags": {"claudication": "present"}},
    "words of danger": {"notes": "I am numb around the saddle area"},
    "a contradiction": {"onset": "traumatic", "age_years": 75, "red_flags": {"major_trauma": "absent"}},
    "a lumbar route": {"findings": {**TEXTBOOK[GT], "crossed_straight_leg_raise": "present"}},
    "a minor": {"age_years": 16},
    "pregnancy": {"age_years": 30, "modifiers": ["pregnant"]},
}
WORDS_AT_MOST = 30
JARGON = ("likelihood", "odds", "prior", "ratio", "entropy", "bits", "null", "threshold", "variance")


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES)
def test_a_physiotherapist_can_read_it(facts: dict[str, Any]) -> None:
    """Short clauses, no identifiers, no words of statistics."""
    found = classify(**facts)
    for text in (found.rationale, found.turning_point or ""):
        assert not re.search(r"\w_\w", text)
        assert not set(JARGON).intersection(re.findall(r"\w+", text))
        for clause in re.split(r"[.;:,] ", text):
            assert len(clause.split()) <= WORDS_AT_MOST, clause


@pytest.mark.parametrize("facts", CASES.values(), ids=CASES)
def test_each_condition_is_named_once_apart_from_what_would_have_turned_it(facts: dict[str, Any]) -> None:
    """All four are weighed aloud, and none twice."""
    found = classify(**facts)
    assert found.turning_point
    assert found.turning_point in found.rationale
    weighed = found.rationale.replace(found.turning_point, "").lower()
    for protocol in shipped_protocols().conditions.values():
        assert weighed.count(protocol.name.lower()) == 1


def test_it_says_what_speaks_for_and_against_and_what_is_missing() -> None:
    """The clinician reads the strongest reasons on either side, then what is worth asking."""
    found = classify(
        findings={
            "worst_pain_greater_trochanter": "present",
            "palpation_greater_trochanter": "present",
            "night_pain_lying_on_side": "absent",
            "groin_pain_with_stiffness": "present",
        }
    )
    assert "For it: Pain is worst on the side of the hip" in found.rationale
    assert "Against it: Pain at night when lying on the affected side (absent); Groin pain" in found.rationale
    assert "Not known and worth asking: " in found.rationale
    assert found.protocol.id == "intake"
    assert found.protocol.version == shipped_protocols().screening.version


def test_the_most_telling_reasons_come_first() -> None:
    """The cluster of palpation and resisted abduction says more than pain at night."""
    supporting = classify().conditions[0].supporting
    assert set(supporting[:2]) == {"palpation_greater_trochanter", "resisted_hip_abduction"}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("not examined", "needs an examination by hand"),
        ("a minor", "Had the patient been 18 years old, it would have been an exercise program"),
        ("pregnancy", 'Had "Pregnant" not been reported, it would have been an exercise program'),
        ("nothing asked", "emergency or urgent red flags are not answered yet"),
        ("two emergencies", "No single answer would have turned it"),
        ("words of danger", "Had the patient's own words held no sign of danger"),
        ("a contradiction", "been answered as present, it would have been emergency care now"),
    ],
)
def test_each_ground_is_said_in_its_own_words(case: str, said: str) -> None:
    """Age, pregnancy, unasked flags, missing hands: each reads differently."""
    assert said in classify(**CASES[case]).rationale
