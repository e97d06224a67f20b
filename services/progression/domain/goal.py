"""When a goal is reached: its target is met in successive reports that span at least 5 days.

All reports from the first to the last of them must meet it; each goal is reached once. With weekly
reports that is the contract's two successive reports; daily ones must hold for the 5 days.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.event.program import Direction, Goal

_APART = timedelta(days=5)  # the contract's, not a clinical figure of a protocol
_WEEK = timedelta(weeks=1)


class GoalState(msgspec.Struct, frozen=True, array_like=True):
    """How far one goal of the program is."""

    goal_id: str
    horizon: Literal["short_term", "long_term"]
    instrument: str
    target: float
    direction: Direction
    last_at: datetime | None = None
    """Newest report of the instrument; an older one that comes later is no successor and is ignored."""
    met_since: datetime | None = None
    """First of the reports that met the target without one between that did not."""
    reached: bool = False


class ReachedGoal(msgspec.Struct, frozen=True):
    """What `care.goal.reached` tells; value and week are those of the second report."""

    goal_id: str
    horizon: Literal["short_term", "long_term"]
    value: float
    target: float
    week: int


def begin(goals: Iterable[Goal], before: Iterable[GoalState] = ()) -> tuple[GoalState, ...]:
    """The goals of a program, or of its new version: a goal that stays keeps how far it is."""
    known = {state.goal_id: state for state in before}
    return tuple(_begun(goal, known.get(goal.goal_id)) for goal in goals)


def with_report(
    goals: tuple[GoalState, ...], instrument: str, value: float, time: datetime, started_at: datetime
) -> tuple[tuple[GoalState, ...], tuple[ReachedGoal, ...]]:
    """The goals after one report, and those that it reached, in the program's order."""
    states: list[GoalState] = []
    reached: list[ReachedGoal] = []
    for goal in goals:
        state = _reported(goal, value, time) if goal.instrument == instrument else goal
        if state.reached and not goal.reached:
            week = max(0, (time - started_at) // _WEEK)
            reached.append(ReachedGoal(goal.goal_id, goal.horizon, value, goal.target, week))
        states.append(state)
    return tuple(states), tuple(reached)


def long_term_reached(goals: Iterable[GoalState]) -> bool:
    """Whether there are long-term goals and all are reached."""
    long_term = [goal.reached for goal in goals if goal.horizon == "long_term"]
    return bool(long_term) and all(long_term)


def _begun(goal: Goal, before: GoalState | None) -> GoalState:
    measure = goal.measure
    fresh = GoalState(goal.goal_id, goal.horizon, measure.instrument, measure.target, measure.direction)
    if before is None or before.instrument != measure.instrument:
        return fresh
    if before.reached or (before.target, before.direction) == (fresh.target, fresh.direction):
        return msgspec.structs.replace(
            fresh, last_at=before.last_at, met_since=before.met_since, reached=before.reached
        )
    return msgspec.structs.replace(fresh, last_at=before.last_at)


def _reported(goal: GoalState, value: float, time: datetime) -> GoalState:
    if goal.last_at is not None and time < goal.last_at:
        return goal
    met = value <= goal.target if goal.direction == "decrease" else value >= goal.target
    since = (goal.met_since or time) if met else None
    reached = goal.reached or (since is not None and time - since >= _APART)
    return msgspec.structs.replace(goal, last_at=time, met_since=since, reached=reached)
