"""What holds for every intake."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.domain.presentation import Presentation, present
from services.intake.domain.probability import paint
from services.intake.domain.state import IntakeState
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, intake
from tests.unit.vignettes.intake import classified, decided, raised, submit

PROTOCOLS = shipped_protocols()
FLAGS = vocabulary().red_flags
ANSWER = st.sampled_from(["present", "absent", "unknown"])
FINDINGS = st.dictionaries(st.sampled_from(sorted(vocabulary().findings)), ANSWER, max_size=60)
FACTS = st.fixed_dictionaries(
    {
        "age_years": st.integers(0, 120),
        "sex": st.sampled_from(["female", "male", "other", "unknown"]),
        "side": st.sampled_from(["left", "right", "both"]),
        "onset": st.sampled_from(["gradual", "sudden", "traumatic", "postpartum"]),
        "duration_weeks": st.integers(0, 400),
        "findings": FINDINGS,
        "red_flags": st.dictionaries(st.sampled_from(sorted(FLAGS)), ANSWER, max_size=4),
        "red_flag_screen": st.sampled_from(["complete", "partial"]),
        "modifiers": st.lists(st.sampled_from(sorted(vocabulary().modifiers)), max_size=3, unique=True),
        "notes": st.sampled_from(["", "I have a fever", "denies fever", "xyzzy"]),
    }
)
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def presentation(facts: dict[str, Any]) -> Presentation:
    return present(IntakeSubmitted.model_validate_json(msgspec.json.encode(intake(**facts))))


SUPPORTING = {
    (condition_id, finding_id)
    for condition_id, protocol in PROTOCOLS.conditions.items()
    for group in protocol.recognition.groups
    for figure in group.figures
    for finding_id in figure.findings
    if figure.lr_positive > 1
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=FACTS, pair=st.sampled_from(sorted(SUPPORTING)))
def test_a_supporting_finding_never_lowers_its_condition(facts: dict[str, Any], pair: tuple[str, str]) -> None:
    """One more sign of a condition never makes that condition less probable."""
    condition_id, finding_id = pair
    facts = {**facts, "findings": {f: a for f, a in facts["findings"].items() if f != finding_id}}
    before = presentation(facts)
    after = before.answered({finding_id: "present"})
    assert paint(PROTOCOLS, after).estimates[condition_id] >= paint(PROTOCOLS, before).estimates[condition_id]


@SLOW
@given(facts=FACTS, flag=st.sampled_from([f for f, red in FLAGS.items() if red.urgency == "emergency"]))
def test_an_emergency_flag_is_an_emergency_whatever_else(facts: dict[str, Any], flag: str) -> None:
    """No picture, age, medicine or answer outweighs an emergency sign."""
    decision = submit(**{**facts, "red_flags": {**facts["red_flags"], flag: "present"}})
    assert classified(decision).disposition == "emergency"
    assert raised(decision)[0].severity == "emergency"


@SLOW
@given(facts=FACTS)
def test_no_program_without_a_screen_and_a_primary(facts: dict[str, Any]) -> None:
    """A program is offered only where nothing dangerous is present or unasked and one condition leads."""
    found = classified(submit(**facts))
    if found.disposition == "program":
        assert found.primary is not None
        assert found.conditions[0].condition_id == found.primary
        assert found.conditions[0].probability >= 0.5
        assert found.red_flags == ()
        assert found.referral_route is None
        assert facts["age_years"] >= 18
        assert all(FLAGS[f].urgency == "routine" for f, answer in facts["red_flags"].items() if answer == "unknown")
    assert len(found.conditions) == 4
    assert all(0 <= rated.probability <= 1 for rated in found.conditions)


@SLOW
@given(facts=FACTS)
def test_the_same_intake_gives_the_same_bytes(facts: dict[str, Any]) -> None:
    """History can be replayed: nothing depends on chance or on the order in which sets iterate."""
    one, two = submit(**facts), submit(**dict(reversed(list(facts.items()))))
    assert [d.data.model_dump_json() for d in one.drafts] == [d.data.model_dump_json() for d in two.drafts]
    assert msgspec.msgpack.encode(one.state) == msgspec.msgpack.encode(two.state)


@SLOW
@given(facts=FACTS)
def test_every_disposition_but_two_calls_a_person(facts: dict[str, Any]) -> None:
    """Nobody is told to wait for a clinician whom no one has called."""
    decision = submit(**facts)
    quiet = classified(decision).disposition in ("program", "more_information")
    assert bool(raised(decision)) != quiet


def standing(state: IntakeState | None) -> Any:
    """What a state says apart from the ids and times of what it published, which name what came first."""
    assert state is not None
    assert state.current is not None
    return (
        msgspec.structs.replace(state.current, classified_at=EPOCH),
        state.versions,
        [(e.reason, e.severity, e.intake_id, e.flags) for e in state.escalations],
        state.settled,
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions=st.lists(st.tuples(FACTS, st.sampled_from(["intake-1", "intake-2"])), min_size=3, max_size=3))
def test_the_order_of_arrival_does_not_matter(versions: list[tuple[dict[str, Any], str]]) -> None:
    """Intakes that arrive shuffled leave the patient in the same state as in order."""
    ends = []
    for order in permutations(range(3)):
        state: IntakeState | None = None
        for number in order:
            facts, intake_id = versions[number]
            state = submit(
                state,
                event_id=f"event-{number}",
                time=EPOCH + timedelta(hours=number),
                now=EPOCH + timedelta(days=1),
                intake_id=intake_id,
                **facts,
            ).state
        ends.append(standing(state))
    assert all(end == ends[0] for end in ends)


@SLOW
@given(facts=FACTS)
def test_a_decision_on_an_intake_may_come_before_it(facts: dict[str, Any]) -> None:
    """A clinician's approval that overtakes its intake ends in the same state as in order."""
    approve: dict[str, Any] = {"decision": "approve", "intake_id": "intake-1", "time": EPOCH + timedelta(hours=1)}
    in_order = decided(submit(**facts).state, **approve)
    overtaken = submit(decided(None, **approve).state, now=EPOCH + timedelta(hours=2), **facts)
    assert standing(in_order.state) == standing(overtaken.state)
