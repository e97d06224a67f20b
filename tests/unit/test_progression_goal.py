"""When a goal is reached."""

from datetime import timedelta

from services.progression.domain.goal import GoalState, ReachedGoal, begin, long_term_reached, with_report
from tests.support.care_course import pain_goal
from tests.support.example import EPOCH


def reported(goals: tuple[GoalState, ...], *reports: tuple[int, float]) -> tuple[ReachedGoal, ...]:
    """What the reports of (day, pain) reach."""
    return follow(goals, *reports)[1]


def follow(
    goals: tuple[GoalState, ...], *reports: tuple[int, float]
) -> tuple[tuple[GoalState, ...], tuple[ReachedGoal, ...]]:
    reached: list[ReachedGoal] = []
    for day, value in reports:
        goals, now = with_report(goals, "NPRS", value, EPOCH + timedelta(days=day), EPOCH)
        reached += now
    return goals, tuple(reached)


def test_two_successive_reports_reach_a_goal() -> None:
    """Pain of 2 in two weekly reports; value and week are those of the second."""
    assert reported(begin([pain_goal(2)]), (7, 2), (14, 1)) == (ReachedGoal("pain-long_term", "long_term", 1, 2, 2),)


def test_one_report_does_not_reach_a_goal() -> None:
    """A single good week may be chance."""
    assert reported(begin([pain_goal(2)]), (7, 2)) == ()


def test_reports_closer_than_five_days_do_not_reach_a_goal() -> None:
    """Two reports within four days are one good spell; the fifth day makes it."""
    assert reported(begin([pain_goal(2)]), (7, 2), (11, 2)) == ()
    assert len(reported(begin([pain_goal(2)]), (7, 2), (12, 2))) == 1


def test_daily_reports_must_hold_for_five_days() -> None:
    """With daily reports the run of good ones must last."""
    assert len(reported(begin([pain_goal(2)]), *[(day, 2) for day in range(6)])) == 1
    assert reported(begin([pain_goal(2)]), (0, 2), (1, 2), (2, 5), (3, 2), (5, 2)) == ()


def test_a_miss_between_starts_again() -> None:
    """Two good reports with a bad one between are not successive."""
    assert reported(begin([pain_goal(2)]), (7, 2), (14, 3), (21, 2)) == ()


def test_a_goal_is_reached_once() -> None:
    """It is told once, and stays reached when pain comes back."""
    goals, reached = follow(begin([pain_goal(2)]), (7, 2), (14, 2), (21, 2), (28, 6), (35, 2), (42, 2))
    assert len(reached) == 1
    assert long_term_reached(goals)


def test_a_report_older_than_the_newest_is_no_successor() -> None:
    """What arrives late cannot reach a goal backwards."""
    assert reported(begin([pain_goal(2)]), (14, 2), (7, 2)) == ()


def test_a_new_version_keeps_goals_that_stay() -> None:
    """Reached stays reached; a changed target starts a goal anew."""
    goals, _ = follow(begin([pain_goal(2)]), (7, 2))
    assert len(reported(begin([pain_goal(2)], goals), (14, 2))) == 1
    assert reported(begin([pain_goal(1)], goals), (14, 1)) == ()
    done, _ = follow(goals, (14, 2))
    assert reported(begin([pain_goal(1)], done), (21, 1), (28, 1)) == ()


def test_without_long_term_goals_nothing_is_resolved() -> None:
    """A program of short-term goals alone cannot be resolved by them."""
    goals, _ = follow(begin([pain_goal(2, "short_term")]), (7, 2), (14, 2))
    assert not long_term_reached(goals)
