"""The Bayesian trend of pain: its slope, its level by now, and the probability of a meaningful change.

A straight line with known measurement error and a normal prior (conjugate, so sums suffice). The slope
reads all reports and the baseline; level and recent slope read the last weeks only, because recovery is
no straight line over months. Reports of one week are one observation there: each is the average of the
same week. Where no check-in has reported pain, the weekly means of the sessions' worst pain give a slope
but never a change since baseline: they measure another thing. Source: J-TREND, O01.
"""

from collections.abc import Iterable
from math import erf, sqrt

import msgspec

from services.progression.domain.statistic import (
    MINUTES_PER_WEEK,
    PAIN,
    Series,
    Statistic,
    baseline_of,
)
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course, TrendRules

_PAIN_RANGE = 10  # points of NPRS, in which the rules of the trend are written


class PainTrend(msgspec.Struct, frozen=True):
    """Points of NPRS; negative slopes are better. None: too little is known."""

    slope_per_week: float | None
    recent_slope_per_week: float | None
    probability_of_meaningful_change: float | None
    slope_sd_per_week: float | None = None
    probability_by_review: float | None = None


class FunctionTrend(msgspec.Struct, frozen=True):
    """The condition's own measure, in its points and direction."""

    slope_per_week: float
    slope_sd_per_week: float
    probability_of_meaningful_change: float | None


class _Line(msgspec.Struct, frozen=True):
    """Posterior of a straight line: its level at the points' centre, and its slope, which are independent."""

    centre: float
    middle: float
    middle_variance: float
    slope: float
    slope_variance: float

    def at(self, x: float) -> tuple[float, float]:
        """Level and its variance at one time, in weeks from x = 0."""
        away = x - self.centre
        return self.middle + self.slope * away, self.middle_variance + away * away * self.slope_variance


def pain_trend(statistic: Statistic, course: Course, review_week: int | None = None) -> PainTrend:
    """The trend by the newest report; only the probability by the review is drawn out beyond it."""
    rules = course.trend
    series = statistic.of(PAIN)
    if series is None or series.last is None:
        found = _session_slope(statistic, rules)
        return PainTrend(None if found is None else _points(found.slope), None, None, _sd(found))
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    recent = tuple(w for w in series.weeks if w.week > series.weeks[-1].week - rules.recent_weeks)
    now = _line(((w.week - recent[-1].week, w.mean) for w in recent), rules)
    only_baseline = series.baseline is None and series.previous is None
    line = _line_of_all(series, rules)
    known = None if baseline is None or only_baseline else baseline
    ahead = None if review_week is None else max(0, review_week - recent[-1].week)
    return PainTrend(
        None if line is None else _points(line.slope),
        _points(now.slope) if len(recent) > 1 else None,
        None if known is None else round(_probability(known, now.at(0.0), rules), 4),
        _sd(line),
        None if known is None or ahead is None else round(_probability(known, now.at(ahead), rules), 4),
    )


def function_trend(statistic: Statistic, course: Course, instrument: str) -> FunctionTrend | None:
    """Of the condition's own measure; None with fewer than two reports, the baseline included.

    What is assumed of pain before the first report is assumed in shares of the instrument's range. Source: J-TREND.
    """
    measure, rules, series = vocabulary().instruments[instrument], course.trend, statistic.of(instrument)
    scale = (measure.maximum - measure.minimum) / _PAIN_RANGE
    line = None if series is None else _line_of_all(series, rules, measure.minimum, scale)
    if series is None or line is None:
        return None
    baseline = baseline_of(statistic, instrument, course.non_response.baseline_within_weeks)
    probability = None
    if measure.mic_points is not None and baseline is not None and series.last is not None and series.weeks:
        recent = tuple(w for w in series.weeks if w.week > series.weeks[-1].week - rules.recent_weeks)
        now = _line(((w.week - recent[-1].week, (w.mean - measure.minimum) / scale) for w in recent), rules)
        before, uncertain = _line([(0.0, (baseline - measure.minimum) / scale)], rules).at(0.0)
        level, variance = now.at(0.0)
        gained = before - level if measure.lower_is_better else level - before
        if series.baseline is not None or series.previous is not None:
            probability = round(_above(gained - measure.mic_points / scale, uncertain + variance), 4)
    return FunctionTrend(_points(line.slope * scale), round(sqrt(line.slope_variance) * scale, 4), probability)


def probability_on_the_way(statistic: Statistic, course: Course, week: int) -> float | None:
    """That pain, going on as over all reports so far, will have improved by what matters in that week."""
    series = statistic.of(PAIN)
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    line = None if series is None else _line_of_all(series, course.trend)
    if line is None or baseline is None or week <= 0:
        return None
    needed = meaningful_points(baseline, course.trend)
    return _above(-line.slope * week - needed, line.slope_variance * week * week)


def meaningful_points(baseline: float, rules: TrendRules) -> float:
    """Points of improvement that matter to a patient with this baseline.

    2 points or 30 %, so the smaller of the two, but no less than the error of one report. Source: O01, NR.
    """
    pain = vocabulary().instruments[PAIN]
    points = pain.mic_points or 0.0
    if pain.mic_percent is not None:
        points = min(points, baseline * pain.mic_percent / 100)
    return max(points, rules.measurement_error_points)


def probability_of_rating(statistic: Statistic, course: Course, instrument: str) -> float | None:
    """That the true rating of change exceeds what matters, where it and not pain is read. Source: O07, S15."""
    rules, points = course.trend, vocabulary().instruments[instrument].mic_points
    series = statistic.of(instrument)
    if series is None or series.last is None or points is None:
        return None
    recent = tuple(w for w in series.weeks if w.week > series.weeks[-1].week - rules.recent_weeks)
    # A rating starts from no change, not from the level of pain that patients begin with.
    level, variance = _line(((w.week - recent[-1].week, w.mean) for w in recent), rules, mean=0.0).at(0.0)
    return round(_above(level - points, variance), 4)


def _probability(baseline: float, then: tuple[float, float], rules: TrendRules) -> float:
    """That the true level by then lies below the true baseline by what matters."""
    level, variance = then
    before, uncertain = _line([(0.0, baseline)], rules).at(0.0)
    return _above(before - level - meaningful_points(baseline, rules), uncertain + variance)


def _above(mean: float, variance: float) -> float:
    """That a normal quantity is positive."""
    return 0.5 * (1 + erf(mean / sqrt(2 * variance)))


def _line_of_all(series: Series, rules: TrendRules, origin: float = 0.0, scale: float = 1.0) -> _Line | None:
    """Over all reports, in shares of a scale; the intake's baseline counts as a report at the start."""
    m = series.moments
    n = m.n + (series.baseline is not None)
    if n < 2:
        return None
    total_x = m.x / MINUTES_PER_WEEK
    total_y = m.y / 1000 + (series.baseline or 0.0)
    return _posterior(
        n,
        total_x,
        m.xx / MINUTES_PER_WEEK**2,
        (total_y - n * origin) / scale,
        (m.xy / (1000 * MINUTES_PER_WEEK) - total_x * origin) / scale,
        rules,
        rules.level_mean_points,
    )


def _session_slope(statistic: Statistic, rules: TrendRules) -> _Line | None:
    weeks = statistic.sessions
    if len(weeks) < 2:
        return None
    return _line(((w.week - weeks[-1].week, w.pain_mean) for w in weeks), rules)


def _points(slope: float) -> float:
    return round(slope, 4) + 0.0  # no negative zero


def _sd(line: _Line | None) -> float | None:
    return None if line is None else round(sqrt(line.slope_variance), 4)


def _line(points: Iterable[tuple[float, float]], rules: TrendRules, mean: float | None = None) -> _Line:
    n, x, xx, y, xy = 0, 0.0, 0.0, 0.0, 0.0
    for at, value in points:
        n, x, xx, y, xy = n + 1, x + at, xx + at * at, y + value, xy + at * value
    return _posterior(n, x, xx, y, xy, rules, rules.level_mean_points if mean is None else mean)


def _posterior(n: int, x: float, xx: float, y: float, xy: float, rules: TrendRules, mean: float) -> _Line:
    """The line through n >= 1 points. Priors stand at the points' centre, so that flat pain has no slope."""
    error = 1 / rules.measurement_error_points**2
    level_precision = 1 / rules.level_sd_points**2 + n * error
    slope_precision = 1 / rules.slope_sd_per_week**2 + (xx - x * x / n) * error
    level = (mean / rules.level_sd_points**2 + y * error) / level_precision
    slope = (xy - x * y / n) * error / slope_precision
    return _Line(x / n, level, 1 / level_precision, slope, 1 / slope_precision)
