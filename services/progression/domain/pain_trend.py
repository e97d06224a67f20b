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


class PainTrend(msgspec.Struct, frozen=True):
    """Points of NPRS; negative slopes are better. None: too little is known."""

    slope_per_week: float | None
    recent_slope_per_week: float | None
    probability_of_meaningful_change: float | None


class _Line(msgspec.Struct, frozen=True):
    """Posterior of level (at x = 0) and slope."""

    level: float
    level_variance: float
    slope: float


def pain_trend(statistic: Statistic, course: Course) -> PainTrend:
    """The trend by the newest report; it is not drawn out beyond it."""
    rules = course.trend
    series = statistic.of(PAIN)
    if series is None or series.last is None:
        return PainTrend(_session_slope(statistic, rules), None, None)
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    recent = tuple(w for w in series.weeks if w.week > series.weeks[-1].week - rules.recent_weeks)
    now = _line(((w.week - recent[-1].week, w.mean) for w in recent), rules)
    only_baseline = series.baseline is None and series.previous is None
    return PainTrend(
        _slope(series, rules),
        now.slope if len(recent) > 1 else None,
        None if baseline is None or only_baseline else round(_probability(baseline, now, rules), 4),
    )


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
    now = _line(((w.week - recent[-1].week, w.mean) for w in recent), rules, mean=0.0)
    return round(0.5 * (1 + erf((now.level - points) / sqrt(2 * now.level_variance))), 4)


def _probability(baseline: float, now: _Line, rules: TrendRules) -> float:
    before = _line([(0.0, baseline)], rules)
    improvement = before.level - now.level - meaningful_points(baseline, rules)
    return 0.5 * (1 + erf(improvement / sqrt(2 * (before.level_variance + now.level_variance))))


def _slope(series: Series, rules: TrendRules) -> float | None:
    """Over all reports; the intake's baseline counts as a report at the start."""
    m = series.moments
    n = m.n + (series.baseline is not None)
    if n < 2:
        return None
    line = _posterior(
        n,
        m.x / MINUTES_PER_WEEK,
        m.xx / MINUTES_PER_WEEK**2,
        m.y / 1000 + (series.baseline or 0.0),
        m.xy / (1000 * MINUTES_PER_WEEK),
        rules,
        rules.level_mean_points,
    )
    return line.slope


def _session_slope(statistic: Statistic, rules: TrendRules) -> float | None:
    weeks = statistic.sessions
    if len(weeks) < 2:
        return None
    return _line(((w.week - weeks[-1].week, w.pain_mean) for w in weeks), rules).slope


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
    centre = x / n
    return _Line(
        level - slope * centre,
        1 / level_precision + centre * centre / slope_precision,
        round(slope, 4) + 0.0,  # no negative zero
    )
