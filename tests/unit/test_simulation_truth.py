"""When an adequate course had truly been delivered, on tallies made by hand."""

from typing import Any

import pytest

from shared.simulation.care import Tally
from shared.simulation.truth import adequate_day

PROGRAM: dict[str, Any] = {"adequate_course": {"min_weeks": 12, "min_sessions": 24, "min_adherence": 0.7}}


def tally(
    *,
    rpe: float = 4.0,
    share: float = 1.0,
    harder: tuple[float, ...] = (),
    days: tuple[int, ...] = tuple(range(0, 140, 2)),
) -> Tally:
    """A session every second day, each done and due, as hard and as full as told."""
    return Tally(
        efforts=[(day, rpe) for day in days],
        shares=[(day, share) for day in days],
        progress_days=list(harder),
        days_done=list(days),
        days_due=list(range(0, 140, 2)),
    )


def test_effort_of_six_in_two_of_four_weeks_is_an_adequate_course() -> None:
    """Who trains hard has had enough when the weeks of the program are over, though load still rises."""
    assert adequate_day(tally(rpe=6, harder=tuple(range(0, 140, 7))), PROGRAM) == 84


def test_light_care_that_still_becomes_harder_is_not_adequate() -> None:
    """While load rises, and effort is low, more was tolerated than was asked."""
    assert adequate_day(tally(rpe=5.9, harder=tuple(range(0, 140, 14))), PROGRAM) is None


def test_care_that_became_no_harder_for_three_weeks_is_adequate() -> None:
    """After the last rise three weeks pass in which all was done, and nothing more was given."""
    assert adequate_day(tally(harder=(83.0,)), PROGRAM) == 104


def test_weeks_that_are_lighter_by_plan_do_not_count_as_a_standstill() -> None:
    """A lighter week asks for nothing harder, and says nothing of what would have been borne."""
    course = tally(harder=(83.0,))
    course.lighter = [(90.0, 97.0)]
    assert adequate_day(course, PROGRAM) == 112


@pytest.mark.parametrize(("share", "found"), [(0.8, 84), (0.79, None)])
def test_a_standstill_of_who_does_too_little_is_no_adequate_course(share: float, found: int | None) -> None:
    """Whoever does less than four fifths of what is prescribed was not shown to bear no more."""
    assert adequate_day(tally(share=share), PROGRAM) == found


def test_who_comes_too_seldom_had_no_adequate_course() -> None:
    """Less than 70 percent of the sessions due is too little, however hard they were."""
    assert adequate_day(tally(rpe=7, days=tuple(range(0, 140, 4))), PROGRAM) is None


def test_who_stays_away_for_weeks_had_no_adequate_course() -> None:
    """Enough sessions in too few weeks are no course: four fifths of the weeks are needed. Source: RULEOUT a."""
    days = tuple(day for day in range(0, 140, 2) if (day // 7) % 4)
    assert len(days) >= 0.7 * 70
    assert adequate_day(tally(rpe=7, days=days), PROGRAM) is None
    assert (
        adequate_day(tally(rpe=7, days=tuple(day for day in range(0, 140, 2) if (day // 7) % 6)), PROGRAM) is not None
    )


def test_without_a_program_nothing_was_delivered() -> None:
    """Who is referred at once had no course at all."""
    assert adequate_day(tally(rpe=7), None) is None
