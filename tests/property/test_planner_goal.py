"""Goals of every program: for each condition, near and far, measured, with a target that one would notice."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event.program import Goal
from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from tests.support.planner_case import CONDITIONS, DGS, GT, PHT, SIJ, classified, decided, program

IMPORTANT = {
    "NPRS": (2, 30),
    "NPRS_NIGHT": (2, 30),
    "PSFS": (1.3, 0),
    "VISA-G": (10, 0),
    "VISA-H": (22, 0),
    "LEFS": (9, 0),
    "ODI": (10, 30),
    "GROC": (2, 0),
    "PSEQ": (5.5, 0),
    "SIT_TOLERANCE_MIN": (15, 0),
}
"""Points and percent of the evidence's outcome table; the larger holds."""
PAGE = {
    "less_pain",
    "calmer_tissue",
    "control",
    "understanding",
    "strength",
    "less_compression",
    "lumbopelvic_stability",
    "return_to_activity",
}
NAMED = {
    GT: {"less_pain", "calmer_tissue", "control", "understanding", "strength", "less_compression"},
    SIJ: {"less_pain", "control", "understanding", "lumbopelvic_stability"},
    DGS: {"less_pain", "calmer_tissue", "control", "understanding", "strength"},
    PHT: {"less_pain", "calmer_tissue", "control", "understanding", "strength", "less_compression"},
}
MEASURES = st.dictionaries(st.sampled_from(sorted(IMPORTANT)), st.floats(0, 1), max_size=10)
GOALS = st.lists(st.text(min_size=1, max_size=120), max_size=7)


def _values(shares: dict[str, float]) -> list[dict[str, Any]]:
    """Values at these shares of each instrument's range; pain is always reported."""
    instruments = vocabulary().instruments
    every = {"NPRS": 0.5} | shares
    return [
        {
            "instrument": i,
            "value": round(instruments[i].minimum + s * (instruments[i].maximum - instruments[i].minimum)),
        }
        for i, s in every.items()
    ]


def _is_sound(goal: Goal) -> None:
    measure, instrument = goal.measure, vocabulary().instruments[goal.measure.instrument]
    assert goal.statement
    assert 1 <= goal.due_week <= 52
    assert (measure.direction == "decrease") is instrument.lower_is_better
    assert instrument.minimum <= measure.target <= instrument.maximum
    if measure.baseline is None:
        return
    points, percent = IMPORTANT[measure.instrument]
    change = (measure.target - measure.baseline) * (-1 if measure.direction == "decrease" else 1)
    least = max(points, abs(measure.baseline) * percent / 100)
    room = (
        measure.baseline - instrument.minimum if instrument.lower_is_better else instrument.maximum - measure.baseline
    )
    assert change >= min(least, room) - 0.06
    assert change <= max(2 * least, abs(measure.baseline) * 0.5) + 0.06


@settings(max_examples=80, deadline=None)
@given(mix=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4, unique=True), shares=MEASURES, goals=GOALS)
def test_every_condition_has_near_and_far_goals_that_one_would_notice(
    mix: list[str], shares: dict[str, float], goals: list[str]
) -> None:
    """Each with instrument, baseline, a target from the important change, direction and week."""
    planned = program(
        classified({c: 0.7 - 0.05 * i for i, c in enumerate(mix)}, measures=_values(shares), activity_goals=goals)
    )

    assert len({g.goal_id for g in planned.goals}) == len(planned.goals)
    assert [g.horizon for g in planned.goals] == sorted((g.horizon for g in planned.goals), reverse=True)
    for goal in planned.goals:
        _is_sound(goal)
    for condition in mix:
        own = {g.goal_id for g in shipped_protocols().condition(condition).program.goals}
        assert {g.horizon for g in planned.goals if g.goal_id in own} == {"short_term", "long_term"}
    asked = {m.instrument for m in planned.schedule.checkin.measures}
    assert {g.measure.instrument for g in planned.goals} <= asked
    (activity,) = [g for g in planned.goals if g.measure.instrument == "PSFS"]
    assert all(item in activity.statement for item in activity.items or ())
    assert len(activity.items or ()) <= 5


def test_the_kinds_of_goals_are_those_that_the_source_page_names() -> None:
    """Every kind is set for a condition to which it belongs, and returning to activity for all."""
    kinds = {c: {g.kind for g in shipped_protocols().condition(c).program.goals} for c in CONDITIONS}

    for condition, named in NAMED.items():
        assert named | {"return_to_activity"} <= kinds[condition]
    assert set.union(*kinds.values()) == PAGE


def test_the_patients_own_activities_become_items_to_be_rated() -> None:
    """Three goals in own words: three items of the Patient-Specific Functional Scale."""
    planned = program(classified({GT: 0.85}, activity_goals=["Walk the dog", "Climb stairs.", "Walk the dog", " "]))

    (goal,) = [g for g in planned.goals if g.measure.instrument == "PSFS"]
    assert goal.items == ("Walk the dog", "Climb stairs")
    assert "Walk the dog; Climb stairs" in goal.statement
    assert goal.horizon == "long_term"


def test_a_rating_of_change_begins_at_no_change() -> None:
    """Whatever was reported at the intake: its target is two points better than the start."""
    measures = [{"instrument": "NPRS", "value": 5}, {"instrument": "GROC", "value": -3}]
    planned = program(classified({GT: 0.85}, measures=measures))

    (goal,) = [g for g in planned.goals if g.measure.instrument == "GROC"]
    assert (goal.measure.baseline, goal.measure.target) == (0, 2)


def test_the_safe_start_has_goals_too() -> None:
    """Undetermined, approved: the likeliest condition's goals hold until it is examined."""
    planned = program(classified({DGS: 0.4}, disposition="clinician_review"), decided("approve", intake_id="intake-1"))

    assert {g.horizon for g in planned.goals} == {"short_term", "long_term"}
