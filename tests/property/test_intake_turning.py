"""What would have turned a decision does turn it."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.event.classification import ConditionClassified
from shared.event.explanation import Basis
from shared.event.vocabulary import vocabulary
from shared.simulation.presentation import TEXTBOOK
from tests.property.test_intake_classification import FACTS
from tests.support.example import intake
from tests.unit.vignettes.intake import classify

TYPICAL = st.builds(
    lambda facts, textbook, dropped, screen: {
        **facts,
        "age_years": 18 + facts["age_years"] % 70,
        "onset": "gradual",
        "findings": {f: a for f, a in textbook.items() if f not in dropped},
        "red_flags": {},
        "red_flag_screen": screen,
        "modifiers": facts["modifiers"][:1],
        "notes": "",
    },
    FACTS,
    st.sampled_from(list(TEXTBOOK.values())),
    st.sets(st.sampled_from(sorted({f for textbook in TEXTBOOK.values() for f in textbook})), max_size=12),
    st.sampled_from(["complete", "complete", "partial"]),
)
"""Patients like those of the textbooks, told in part."""
DISPOSITIONS = ("program", "more_information", "clinician_review", "urgent_referral", "emergency")


def put(data: dict[str, Any], basis: Basis) -> None:
    """Writes what turns the decision where the basis says, as a platform would that follows the path."""
    field, _, key = basis.input.partition(".")
    if field == "modifiers":
        assert (key in data[field]) is basis.value
        data[field] = [m for m in data[field] if m != key] + ([key] if basis.turned_by else [])
    elif key:
        assert data[field].get(key) == basis.value
        data[field][key] = basis.turned_by
    else:
        assert field == "notes" or data[field] == basis.value
        data[field] = basis.turned_by


def turned(facts: dict[str, Any], changes: tuple[Basis, ...]) -> ConditionClassified:
    data = json.loads(json.dumps(intake(**facts)))
    for basis in changes:
        put(data, basis)
    return classify(**data)


def what_turned(before: ConditionClassified, after: ConditionClassified) -> str:
    if after.disposition != before.disposition:
        return after.disposition
    return after.primary or "undetermined"


def holds(facts: dict[str, Any]) -> None:
    before = classify(**facts)
    assert before.basis
    assert all(basis.rule in basis.source for basis in before.basis)
    alone = [basis for basis in before.basis if basis.together is None]
    jointly = tuple(basis for basis in before.basis if basis.together is not None)
    for changes in [(basis,) for basis in alone] + ([jointly] if jointly else []):
        after = turned(facts, changes)
        assert (after.disposition, after.primary) != (before.disposition, before.primary)
        assert {what_turned(before, after)} == {basis.then for basis in changes}
    if 1 < len(jointly) <= 4:
        for left_out in jointly:
            after = turned(facts, tuple(basis for basis in jointly if basis != left_out))
            assert (after.disposition, after.primary) == (before.disposition, before.primary)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=FACTS)
def test_the_change_that_is_named_turns_any_decision(facts: dict[str, Any]) -> None:
    """Whoever applies the named change to the intake and asks again sees exactly what was foretold."""
    holds(facts)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=TYPICAL)
def test_the_change_that_is_named_turns_a_typical_decision(facts: dict[str, Any]) -> None:
    """The same for patients like those of the textbooks, none of its parts being idle."""
    holds(facts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=TYPICAL)
def test_nothing_smaller_turns_it(facts: dict[str, Any]) -> None:
    """Where two answers are named together, or only a red flag, no single finding would have done."""
    before = classify(**facts)
    if all(basis.together is None and not basis.input.startswith("red_flags.") for basis in before.basis):
        return
    if before.disposition not in DISPOSITIONS[:3] or before.red_flags:
        return
    for finding_id in vocabulary().findings:
        for answer in ("present", "absent"):
            after = classify(**{**facts, "findings": {**facts["findings"], finding_id: answer}})
            assert (after.disposition, after.primary) == (before.disposition, before.primary)
