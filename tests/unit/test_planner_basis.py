"""Every decision of a program names what would have turned it, and it turns."""

from typing import Any

import pytest

from services.planner.domain.decide import Policy
from shared.decision import Arrival
from shared.event.explanation import Basis
from tests.support.planner_case import AUTO, CLINICIAN, DGS, GT, PHT, SIJ, classified, decided, program
from tests.support.planner_turn import holds, plan_with


def _basis(event: Arrival, *later: Arrival, policy: Policy = AUTO) -> tuple[Basis, ...]:
    return program(event, *later, policy=policy).basis


def _turns(event: Arrival, one: Basis, *later: Arrival, policy: Policy = AUTO) -> bool:
    before = program(event, *later, policy=policy)
    return not holds(one, before) and holds(one, plan_with(event, [one], *later, policy=policy))


@pytest.mark.parametrize("policy", [AUTO, CLINICIAN])
def test_the_setting_that_asks_for_approval_is_named(policy: Policy) -> None:
    """With the other setting the program would have had the other status."""
    event = classified({GT: 0.85})
    (one,) = [b for b in _basis(event, policy=policy) if b.input == "CARE_APPROVAL"]

    assert _turns(event, one, policy=policy)


def test_a_program_that_a_clinician_approved_rests_on_that_word() -> None:
    """No setting would have made another of it."""
    basis = _basis(classified({GT: 0.85}), decided("approve", program_id="prg-intake-1"), policy=CLINICIAN)

    assert ("decision.decision", "approve", "active") in {(b.input, b.value, b.then) for b in basis}
    assert "CARE_APPROVAL" not in {b.input for b in basis}


def test_the_condition_that_was_nearly_treated_is_named() -> None:
    """At 0.40 it would have been treated as well."""
    event = classified({GT: 0.7, PHT: 0.39})
    (one,) = [b for b in _basis(event) if b.rule == "C7"]

    assert (one.input, one.value, one.turned_by) == (f"conditions.{PHT}.probability", 0.39, 0.4)
    assert _turns(event, one)


def test_the_condition_that_was_barely_treated_is_named() -> None:
    """Below 0.40 the other would have been treated alone."""
    event = classified({GT: 0.7, PHT: 0.4})
    (one,) = [b for b in _basis(event) if b.rule == "C7" and b.input == f"conditions.{PHT}.probability"]

    assert one.then == GT
    assert _turns(event, one)


@pytest.mark.parametrize(
    ("facts", "path", "leader"),
    [
        (
            {"findings_present": ["leg_paraesthesia_non_dermatomal"]},
            "intake.findings_present.leg_paraesthesia_non_dermatomal",
            DGS,
        ),
        ({"activity_goals": ["Drive to work"]}, "intake.activity_goals.drive", DGS),
        ({}, f"conditions.{GT}.probability", GT),
    ],
)
def test_who_leads_a_mix_and_why_can_be_tried(facts: dict[str, Any], path: str, leader: str) -> None:
    """The irritable nerve, the main goal, or the probability: without it the other leads."""
    event = classified({GT: 0.7, DGS: 0.5}, **facts)
    plan = program(event)
    (one,) = [b for b in plan.basis if b.rule == "DOMINANCE"]

    assert plan.protocol.id == leader
    assert one.input == path
    if "goal" in path:
        event = classified({GT: 0.7, DGS: 0.5}, activity_goals=["drive to work"])
    assert _turns(event, one)


def test_the_more_irritable_tendon_can_be_tried() -> None:
    """Without the sign the more probable condition leads."""
    event = classified({GT: 0.7, PHT: 0.5}, findings_present=["sitting_pain_on_ischium"])
    (one,) = [b for b in _basis(event) if b.rule == "DOMINANCE"]

    assert one.input == "intake.findings_present.sitting_pain_on_ischium"
    assert _turns(event, one)


def test_an_exercise_that_a_circumstance_excludes_can_be_tried() -> None:
    """Without the pregnancy the bridge would have been prescribed."""
    event = classified({SIJ: 0.85}, modifiers=["pregnant"])
    excluded = [b for b in _basis(event) if b.input == "intake.modifiers.pregnant"]

    assert "double_leg_bridge" in {b.then for b in excluded}
    assert all(_turns(event, one) for one in excluded)


def test_a_start_that_a_circumstance_lowers_can_be_tried() -> None:
    """Without frailty the bridge would begin with ten repetitions."""
    event = classified({GT: 0.85}, modifiers=["age_65_or_frail"])
    lowered = [b for b in _basis(event) if b.input == "intake.modifiers.age_65_or_frail"]

    assert (lowered[0].rule, lowered[0].threshold) == ("S02", 0.8)
    assert "double_leg_bridge reps 10" in {b.then for b in lowered}
    assert all(_turns(event, one) for one in lowered)


def test_two_circumstances_that_act_only_together_say_so() -> None:
    """Either alone would have lowered the start as well."""
    event = classified({GT: 0.85}, modifiers=["age_65_or_frail", "widespread_pain"])
    jointly = [b for b in _basis(event) if b.together is not None]

    assert {b.input for b in jointly} == {"intake.modifiers.age_65_or_frail", "intake.modifiers.widespread_pain"}
    assert not any(_turns(event, one) for one in jointly)
    assert holds(jointly[0], plan_with(event, jointly))


def test_missing_equipment_can_be_tried() -> None:
    """With a dumbbell the third phase would hold a carry."""
    event = classified({SIJ: 0.85}, equipment=["none"])
    missing = [b for b in _basis(event) if b.input == "intake.equipment.dumbbell"]

    assert "SI3 loaded_carry" in {b.then for b in missing}
    assert all(_turns(event, one) for one in missing)


def test_a_phase_that_keeps_an_exercise_out_can_be_tried() -> None:
    """Without the sacroiliac joint the side-step would have been part of the first session."""
    event = classified({GT: 0.7, SIJ: 0.5})
    kept_out = [b for b in _basis(event) if b.rule == "CONSTRAINT" and b.input.endswith("probability")]

    assert "band_side_step" in {b.then for b in kept_out}
    assert all(_turns(event, one) for one in kept_out)


@pytest.mark.parametrize("goals", [["walk to the shop"], ["run in the park"]])
def test_jumps_that_a_goal_needs_or_not_can_be_tried(goals: list[str]) -> None:
    """With another goal they would have come, or not."""
    event = classified({GT: 0.85}, activity_goals=goals)
    jumps = [b for b in _basis(event) if b.input.startswith("intake.activity_goals")]

    assert jumps
    assert all(_turns(event, one) for one in jumps)


def test_the_safe_start_says_what_would_have_made_it_a_program() -> None:
    """A condition that intake had called primary."""
    event, approval = (
        classified({GT: 0.4}, disposition="clinician_review"),
        decided("approve", intake_id="intake-1"),
    )
    (one,) = [b for b in _basis(event, approval) if b.rule == "UND"]

    assert one.turned_by == GT
    turned = plan_with(event, [one], approval)
    assert turned is not None
    assert "undetermined" not in turned.rationale
