"""A plan that breaks a constraint of the evidence cannot be produced, checked by a second reading of it."""

from functools import cache
from itertools import chain, combinations, permutations
from typing import Any, get_args

import hypothesis
import pytest
from hypothesis import strategies as st

from shared.event.explanation import Basis
from shared.event.intake import Equipment
from shared.event.vocabulary import vocabulary
from tests.support.planner_case import CONDITIONS, DGS, GT, PHT, SIJ, classified, decided, program
from tests.support.planner_evidence import broken
from tests.support.planner_turn import holds, plan_with

ORDERS = tuple(chain.from_iterable(permutations(CONDITIONS, size) for size in (1, 2, 3)))
"""Every mix of one to three conditions, in every order of weight."""
MODIFIERS = (None, *sorted(vocabulary().modifiers))
ITEMS = get_args(Equipment)
EQUIPMENT = tuple(tuple(chosen) for size in range(1, len(ITEMS) + 1) for chosen in combinations(ITEMS, size))
"""All sets of equipment but the empty one, which is `none` by itself."""
SIDES = ("right", "both", "left")
IRRITABLE = ("leg_paraesthesia_non_dermatomal", "sitting_pain_on_ischium", "night_pain_lying_on_side")


@cache
def is_deep() -> bool:
    """Whether the examples are to be exhausted."""
    return hypothesis.settings.get_current_profile_name() == "deep"


def _ids(order: tuple[str, ...]) -> str:
    return "-".join({GT: "gt", SIJ: "sij", DGS: "dgs", PHT: "pht"}[c] for c in order)


def _weights(order: tuple[str, ...]) -> dict[str, float]:
    return {c: 0.8 - 0.1 * i for i, c in enumerate(order)}


def _equipment_for(index: int) -> tuple[tuple[str, ...], ...]:
    """All sets when deep; else one of them, another for each case, so that a run sees every set."""
    return EQUIPMENT if is_deep() else (EQUIPMENT[index % len(EQUIPMENT)],)


@pytest.mark.parametrize("order", ORDERS, ids=_ids)
def test_no_mix_with_any_circumstance_and_equipment_breaks_the_evidence(order: tuple[str, ...]) -> None:
    """First session and every phase, for each circumstance alone, whoever leads."""
    start = ORDERS.index(order) * 31
    for index, modifier in enumerate(MODIFIERS):
        case = start + index * 7
        for equipment in _equipment_for(case):
            needs_spring = case % 2 == 0
            planned = program(
                classified(
                    _weights(order),
                    modifiers=[modifier] if modifier else [],
                    equipment=list(equipment),
                    sessions_per_week=1 + case % 7,
                    side=SIDES[case % 3],
                    findings_present=list(IRRITABLE[: case % 4]),
                    activity_goals=["run in the park"] if needs_spring else ["walk to the shop"],
                )
            )
            assert planned.conditions == order
            assert broken(planned, needs_spring=needs_spring) == [], (modifier, equipment)


@pytest.mark.parametrize("order", ORDERS, ids=_ids)
def test_no_pair_of_circumstances_breaks_the_evidence(order: tuple[str, ...]) -> None:
    """Two circumstances at once: all pairs when deep, a sample else."""
    pairs = tuple(combinations(MODIFIERS[1:], 2))
    first, step = ORDERS.index(order), 1 if is_deep() else 13
    for index, pair in enumerate(pairs[first % step :: step]):
        planned = program(
            classified(
                _weights(order),
                modifiers=list(pair),
                equipment=list(EQUIPMENT[(first * 37 + index * 11) % len(EQUIPMENT)]),
                sessions_per_week=1 + index % 7,
                activity_goals=["run in the park"],
            )
        )
        assert broken(planned, needs_spring=True) == [], pair


@pytest.mark.parametrize("route", ["lumbar", "hip"])
@pytest.mark.parametrize("order", ORDERS, ids=_ids)
def test_a_route_that_a_clinician_approves_is_obeyed_in_every_mix(order: tuple[str, ...], route: str) -> None:
    """Static work with the lumbar spine involved, less than ninety degrees with the hip."""
    planned = program(
        classified(_weights(order), disposition="clinician_review", route=route, sessions_per_week=3),
        decided("approve", intake_id="intake-1"),
    )

    assert broken(planned, route=route) == []


@pytest.mark.parametrize("days", range(1, 8))
@pytest.mark.parametrize("order", [o for o in ORDERS if {GT, PHT} <= set(o)], ids=_ids)
def test_two_tendons_keep_four_exercises_on_any_number_of_days(order: tuple[str, ...], days: int) -> None:
    """Also with one day a week, where they cannot alternate."""
    planned = program(classified(_weights(order), sessions_per_week=days))

    assert broken(planned) == []
    assert 4 <= len(planned.prescription) <= 5
    assert all(4 <= len(phase.exercises) <= 5 for phase in planned.phases)
    if days == 1:
        assert "cannot alternate" in planned.rationale


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    order=st.sampled_from(ORDERS),
    modifiers=st.lists(st.sampled_from(MODIFIERS[1:]), max_size=4, unique=True),
    equipment=st.sampled_from(EQUIPMENT),
    findings=st.lists(st.sampled_from(IRRITABLE), unique=True),
    goals=st.lists(st.sampled_from(["run", "walk", "sit", "lift", "read a book"]), max_size=2, unique=True),
    days=st.integers(1, 7),
)
def test_whatever_a_program_says_would_have_turned_it_does(
    order: tuple[str, ...],
    modifiers: list[str],
    equipment: tuple[str, ...],
    findings: list[str],
    goals: list[str],
    days: int,
) -> None:
    """Each input that it names is changed as it says, and the decision comes out as it says."""
    event = classified(
        _weights(order),
        modifiers=modifiers,
        equipment=list(equipment),
        findings_present=findings,
        activity_goals=goals,
        sessions_per_week=days,
    )
    planned = program(event)
    together: dict[int, list[Basis]] = {}
    for one in planned.basis:
        assert one.rule == "APPROVAL" or one.source
        assert one.turned_by is not None
        if one.together is not None:
            together.setdefault(one.together, []).append(one)
            continue
        assert not holds(one, planned), one
        assert holds(one, plan_with(event, [one])), one
    for group in together.values():
        assert all(holds(one, plan_with(event, group)) for one in group), group
        assert not any(holds(one, plan_with(event, [one])) for one in group), group


@pytest.mark.parametrize(
    ("mix", "facts", "planted", "fault"),
    [
        ((GT,), {}, "itb_stretch", "adduction"),
        ((PHT,), {}, "bird_dog", "flexion over 70"),
        ((DGS,), {}, "sciatic_tensioner", "neural tension"),
        ((SIJ,), {}, "single_leg_bridge", "SI1"),
        ((GT,), {}, "hop_or_jump", "springs before the final phase"),
        ((GT,), {}, "loaded_carry", "nothing to carry"),
        ((GT, SIJ), {}, "single_leg_squat", "M3"),
        ((SIJ, PHT), {}, "double_leg_squat", "M4"),
        ((PHT, DGS), {}, "nordic_curl", "M6"),
        ((SIJ,), {"modifiers": ["pregnant"]}, "double_leg_bridge", "S03"),
        ((GT,), {"modifiers": ["osteoporosis"]}, "bird_dog", "S05"),
    ],
)
def test_the_second_reading_finds_what_is_planted(
    mix: tuple[str, ...], facts: dict[str, Any], planted: str, fault: str
) -> None:
    """A checker that finds nothing must be able to find something."""
    planned = program(classified(_weights(mix), equipment=["none"], **facts))
    wrong = planned.prescription[0].model_copy(update={"exercise_id": planted})

    faults = broken(planned.model_copy(update={"prescription": (wrong, *planned.prescription[1:])}))

    assert any(fault in one for one in faults), faults
