"""Whatever patients report, in whatever order, the statistics stay sound."""

from datetime import date, timedelta
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.progression.domain import adherence as adherence_
from services.progression.domain.goal import ReachedGoal, with_report
from services.progression.domain.goal import begin as begin_goals
from services.progression.domain.pain_trend import pain_trend
from services.progression.domain.statistic import begin, with_measure, with_session
from shared.event.measure import Measure
from tests.support.care_course import Care, course_of, pain_goal
from tests.support.example import EPOCH

COURSE = course_of("gluteal_tendinopathy")
BASELINE = begin([Measure(instrument="NPRS", value=5)], EPOCH)
NPRS = st.integers(0, 100).map(lambda tenths: tenths / 10)
MINUTES = st.integers(0, 60 * 24 * 7 * 30)
REPORTS = st.lists(st.tuples(MINUTES, st.sampled_from(["NPRS", "GROC", "PSFS"]), st.integers(0, 5)), max_size=30)
MONDAY = date(2026, 3, 2)


@given(REPORTS, st.randoms(use_true_random=False))
def test_the_order_of_reports_does_not_matter(reports: list[tuple[int, str, int]], random: object) -> None:
    """The same reports in another order give the same statistic, to the byte."""
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    encoded = []
    for order in (reports, shuffled):
        statistic = BASELINE
        for minute, instrument, value in order:
            statistic = with_measure(statistic, instrument, value, EPOCH + timedelta(minutes=minute))
        encoded.append(msgspec.msgpack.encode(statistic))
    assert encoded[0] == encoded[1]


@given(st.lists(st.tuples(MINUTES, NPRS, st.none() | NPRS), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_sessions_does_not_matter(sessions: list[tuple[int, float, float | None]], random: object) -> None:
    """Sessions recorded offline and sent later count the same."""
    shuffled = list(sessions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    found = []
    for order in (sessions, shuffled):
        statistic = BASELINE
        for minute, pain, rpe in order:
            statistic = with_session(statistic, pain, rpe, EPOCH + timedelta(minutes=minute))
        found.append(statistic)
    assert found[0] == found[1]


@given(st.lists(st.tuples(MINUTES, NPRS), min_size=1, max_size=40))
def test_the_trend_is_always_a_number_in_its_range(reports: list[tuple[int, float]]) -> None:
    """A probability is between 0 and 1, and a slope is finite, whatever was reported."""
    statistic = BASELINE
    for minute, value in reports:
        statistic = with_measure(statistic, "NPRS", value, EPOCH + timedelta(minutes=minute))
    trend = pain_trend(statistic, COURSE)
    assert trend.probability_of_meaningful_change is not None
    assert 0 <= trend.probability_of_meaningful_change <= 1
    assert trend.slope_per_week is not None
    assert abs(trend.slope_per_week) < 10


@given(NPRS, st.integers(2, 12))
def test_less_pain_is_never_a_smaller_chance_of_change(start: float, weeks: int) -> None:
    """Of two patients with the same past the one with less pain has more probably changed."""
    chances = []
    for pain in (start, max(0.0, start - 1)):
        care = Care(reports={"NPRS": [(float(w), pain) for w in range(1, weeks + 1)]}, weeks=weeks)
        chances.append(care.assessment(judged=False).response.probability_of_meaningful_change or 0.0)
    assert all(later >= earlier for earlier, later in pairwise(chances))


DAYS = st.lists(st.integers(0, 7 * 8 - 1), max_size=40)


@given(DAYS, st.randoms(use_true_random=False))
def test_a_late_session_counts_as_if_it_had_come_in_time(days: list[int], random: object) -> None:
    """Sessions before or after the close of their week give the same adherence."""
    steps = [("day", d) for d in days] + [("week", w) for w in range(8)]
    shuffled = list(steps)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    found = []
    for order in (steps, shuffled):
        adherence = adherence_.begin(MONDAY)
        for kind, n in order:
            if kind == "day":
                adherence = adherence_.with_session(adherence, MONDAY + timedelta(days=n))
            else:
                adherence = adherence_.with_week_closed(adherence, n, 3)
        found.append(adherence)
    assert found[0] == found[1]
    figures = adherence_.figures(found[0])
    assert figures.sessions_done == len(set(days))
    assert figures.adherence is not None
    assert 0 <= figures.adherence <= 1


@given(st.lists(st.tuples(st.integers(0, 60), NPRS), max_size=30))
def test_a_goal_is_never_reached_twice_or_by_a_report_that_misses_it(reports: list[tuple[int, float]]) -> None:
    """At most one `reached` for each goal, with a value that meets its target."""
    goals = begin_goals([pain_goal(2)])
    reached: list[ReachedGoal] = []
    for day, value in reports:
        goals, now = with_report(goals, "NPRS", value, EPOCH + timedelta(days=day), EPOCH)
        reached += now
    assert len(reached) <= 1
    assert all(goal.value <= goal.target for goal in reached)
