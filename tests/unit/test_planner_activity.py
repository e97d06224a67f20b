"""Jumps and sprints come only where the patient's own goals need them, as far as words can tell."""

import pytest

from shared.protocol.constraint import Case, exclusion
from shared.protocol.library import shipped_protocols
from tests.support.planner_case import CONDITIONS, DGS, GT, PHT, classified, program

SPRING = {"hop_or_jump", "swing_sled_or_sprint"}
NEED = [
    "Run without pain",
    "I'd like to play football with my son again!",
    "5k parkrun by summer",
    "Back to TENNIS",
    "jumping jacks",
    "return to sport",
]
DO_NOT_NEED = [
    "Walk to the shop",
    "run errands without a limp",
    "I do not want to run",
    "table tennis",
    "sleep through the night",
    "skip the stairs less often",
    "brunch with friends",
    "correr en el parque",
]


@pytest.mark.parametrize("goal", NEED)
def test_goals_that_name_running_or_jumping_need_it(goal: str) -> None:
    """Then the last phase of the hamstring program holds a jump."""
    planned = program(classified({PHT: 0.85}, activity_goals=["walk", goal]))

    last = next(p for p in planned.phases if p.phase_id == "PH4")
    assert {e.exercise_id for e in last.exercises} >= SPRING
    assert "come back in the last phase" in planned.rationale


@pytest.mark.parametrize("goal", DO_NOT_NEED)
def test_goals_that_name_something_else_do_not(goal: str) -> None:
    """A word that only looks like it is passed over, and the clinician is told how goals are read."""
    planned = program(classified({PHT: 0.85}, activity_goals=[goal]))

    assert not SPRING & {e.exercise_id for p in planned.phases for e in p.exercises}
    assert "a clinician should confirm" in planned.rationale


@pytest.mark.parametrize("condition", CONDITIONS)
def test_without_goals_nobody_jumps_and_every_phase_is_still_whole(condition: str) -> None:
    """Only if needed; strength work fills the place."""
    planned = program(classified({condition: 0.85}))

    assert not SPRING & {e.exercise_id for p in planned.phases for e in p.exercises}
    assert all(4 <= len(p.exercises) <= 5 for p in planned.phases)
    assert "No goals were told" in planned.rationale


@pytest.mark.parametrize(("condition", "phase_id"), [(GT, "GT4"), (DGS, "DG3")])
def test_a_runner_jumps_in_the_last_phase_and_not_before(condition: str, phase_id: str) -> None:
    """Never before the final phase."""
    planned = program(classified({condition: 0.85}, activity_goals=["run"]))

    where = {p.phase_id for p in planned.phases if SPRING & {e.exercise_id for e in p.exercises}}
    assert where == {phase_id}


def test_osteoporosis_rules_out_jumps_whatever_the_goal() -> None:
    """Not unless cleared, and the program does not promise them."""
    planned = program(classified({GT: 0.85}, activity_goals=["run"], modifiers=["osteoporosis"]))

    assert not SPRING & {e.exercise_id for p in planned.phases for e in p.exercises}
    assert "come back in the last phase" not in planned.rationale


def test_who_does_not_ask_for_goals_is_not_answered_by_them() -> None:
    """A case without goals leaves jumps to the other rules."""
    protocols = shipped_protocols()
    case = Case(programs={GT: protocols.condition(GT).program}, phases={GT: 4})

    assert exclusion("hop_or_jump", case, protocols.exercises) is None
