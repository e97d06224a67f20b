"""Whatever patients report, in whatever order, the statistics stay sound."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.progression.domain import adherence as adherence_
from services.progression.domain.goal import ReachedGoal, with_report
from services.progression.domain.goal import begin as begin_goals
from services.progression.domain.pain_trend import function_trend, meaningful_points, pain_trend
from services.progression.domain.statistic import Statistic, begin, with_measure, with_session
from shared.event.measure import Measure
from shared.event.vocabulary import vocabulary
from tests.support.care_course import Care, course_of, pain_goal
from tests.support.example import EPOCH

COURSE = course_of("gluteal_tendinopathy")
CONDITIONS = (
    "gluteal_tendinopathy",
    "sacroiliac_joint_pain",
    "deep_gluteal_syndrome",
    "proximal_hamstring_tendinopathy",
)
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


@dataclass(frozen=True)
class Course:
    """A true straight line of pain, and what is reported of it."""

    start: float
    slope: float
    statistic: Statistic

    def at(self, week: float) -> float:
        return self.start + self.slope * week


def simulated(seed: int, weeks: int, instrument: str = "NPRS", scale: float = 1.0, count: int = 400) -> list[Course]:
    """Many patients whose true trends spread as the protocol assumes, with weekly reports and their errors."""
    chance = random.Random(seed)  # noqa: S311  # no secret depends on it
    rules, found = COURSE.trend, []
    for _ in range(count):
        start, slope = chance.gauss(rules.level_mean_points, 1.5), chance.gauss(0, rules.slope_sd_per_week)

        def report(week: float, start: float = start, slope: float = slope) -> float:
            return scale * (start + slope * week + chance.gauss(0, rules.measurement_error_points))

        statistic = begin([Measure.model_construct(instrument=instrument, value=report(0), taken_at=None)], EPOCH)
        for week in range(1, weeks + 1):
            statistic = with_measure(statistic, instrument, report(week), EPOCH + timedelta(weeks=week))
        found.append(Course(scale * start, scale * slope, statistic))
    return found


@pytest.mark.parametrize(("seed", "weeks"), [(1, 3), (2, 6), (3, 12)])
def test_four_of_five_true_trends_lie_within_what_is_told(seed: int, weeks: int) -> None:
    """The trend's 80 % interval holds the true trend in 70 to 95 % of simulated courses."""
    hits = 0
    for course in simulated(seed, weeks):
        trend = pain_trend(course.statistic, COURSE)
        assert trend.slope_per_week is not None
        assert trend.slope_sd_per_week is not None
        hits += abs(trend.slope_per_week - course.slope) <= 1.2816 * trend.slope_sd_per_week
    assert 0.70 <= hits / 400 <= 0.95


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_trend_of_function_is_as_sound_as_that_of_pain(condition: str) -> None:
    """Of the condition's own measure, too, 70 to 95 % of true trends lie within the 80 % interval."""
    own = course_of(condition)
    measure = vocabulary().instruments[own.measure]
    scale = (measure.maximum - measure.minimum) / 10
    hits = 0
    for course in simulated(4, 8, own.measure, scale):
        trend = function_trend(course.statistic, own, own.measure)
        assert trend is not None
        hits += abs(trend.slope_per_week - course.slope) <= 1.2816 * trend.slope_sd_per_week
    assert 0.70 <= hits / 400 <= 0.95


@pytest.mark.parametrize(("weeks", "ahead"), [(4, 0), (8, 0), (4, 8), (8, 4)])
def test_the_probability_of_change_is_calibrated(weeks: int, ahead: int) -> None:
    """Of the patients told 70 % about seven in ten have changed, now or by the review; better than a guess."""
    told: list[tuple[float, bool]] = []
    for course in simulated(5 + weeks + ahead, weeks, count=1600):
        trend = pain_trend(course.statistic, COURSE, weeks + ahead)
        chance = trend.probability_by_review if ahead else trend.probability_of_meaningful_change
        series = course.statistic.of("NPRS")
        assert chance is not None
        assert series is not None
        assert series.baseline is not None
        gained = course.at(0) - course.at(weeks + ahead)
        told.append((chance, gained >= meaningful_points(series.baseline, COURSE.trend)))
    share = sum(happened for _, happened in told) / len(told)
    brier = sum((chance - happened) ** 2 for chance, happened in told) / len(told)
    assert brier < 0.75 * share * (1 - share)
    for low in (0.0, 0.25, 0.5, 0.75):
        group = [(chance, happened) for chance, happened in told if low <= chance <= low + 0.25]
        expected = sum(chance for chance, _ in group) / len(group)
        seen = sum(happened for _, happened in group) / len(group)
        assert abs(expected - seen) < 0.15, (low, expected, seen, len(group))


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
