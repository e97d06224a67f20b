"""How measures have changed since the baseline: improvement by a criterion, deterioration, standstill.

All read the mean of the newest week with a report, and nothing where that report is too old.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from math import exp

import msgspec

from services.progression.domain.statistic import PAIN, Series, Statistic, baseline_of, week_of
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Checkpoint, Course, Improvement

_TOLERANCE = 1e-9  # of float arithmetic, so that a change of exactly the needed points counts
GROC = "GROC"


class Criterion(msgspec.Struct, frozen=True):
    """One criterion of response with what was read. `met` None: unknown, which proves nothing."""

    instrument: str
    met: bool | None
    baseline: float | None
    now: float | None
    change: float | None
    """Positive is better."""
    needed: str
    gained: float | None = None
    """The change as a share of the points that are needed."""


class Deterioration(msgspec.Struct, frozen=True):
    """That a patient is worse than at the start, and by which rule."""

    rule: str
    because: str
    turning_point: str


def criterion(statistic: Statistic, wanted: Improvement, course: Course, now: datetime) -> Criterion:
    """Whether an improvement is there by `now`."""
    needed = f"{wanted.points:g} points"
    if wanted.percent is not None:
        needed += f" or {wanted.percent:g} percent"
    value = newest(statistic, wanted.instrument, now, wanted.max_age_days)
    baseline = baseline_of(statistic, wanted.instrument, course.non_response.baseline_within_weeks)
    if wanted.of == "value":
        met = None if value is None else value >= wanted.points - _TOLERANCE
        return Criterion(wanted.instrument, met, None, value, value, needed, _gained(value, wanted))
    if value is None or baseline is None or _is_baseline(statistic.of(wanted.instrument)):
        return Criterion(wanted.instrument, None, baseline, value, None, needed)
    lower = vocabulary().instruments[wanted.instrument].lower_is_better
    change = baseline - value if lower else value - baseline
    met = change >= wanted.points - _TOLERANCE or (
        wanted.percent is not None and baseline > 0 and change >= baseline * wanted.percent / 100 - _TOLERANCE
    )
    change = round(change, 3) + 0.0
    return Criterion(wanted.instrument, met, baseline, round(value, 3), change, needed, _gained(change, wanted))


def criteria_of_response(statistic: Statistic, course: Course, now: datetime) -> tuple[Criterion, ...]:
    """Those of non-response, and the checkpoints' other measures: met, they speak for response as well."""
    wanted = {improvement.instrument: improvement for improvement in course.non_response.criteria}
    for checkpoint in course.checkpoints:
        for improvement in checkpoint.any_of:
            wanted.setdefault(improvement.instrument, improvement)
    return tuple(criterion(statistic, improvement, course, now) for improvement in wanted.values())


def newest(statistic: Statistic, instrument: str, now: datetime, max_age_days: int) -> float | None:
    """Mean of the newest week with a report and the one before it; None where that is older than the days.

    One report errs by about as much as what is looked for. Source: J-TREND.
    """
    series = statistic.of(instrument)
    if series is None or series.last is None or now - series.last.time > timedelta(days=max_age_days):
        return None
    last = series.weeks[-1]
    recent = [one.mean for one in series.weeks if one.week >= last.week - 1]
    return sum(recent) / len(recent)


def pain_change(statistic: Statistic, course: Course, now: datetime) -> float | None:
    """Points of NPRS below the baseline, by a report that is not stale."""
    value = newest(statistic, PAIN, now, course.response.stale_after_days)
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    if value is None or baseline is None or _is_baseline(statistic.of(PAIN)):
        return None
    return baseline - value


def primary_change(statistic: Statistic, course: Course, primary: str, now: datetime) -> float | None:
    """Improvement by the primary criterion: pain below its baseline, or the rating of change itself."""
    if primary == PAIN:
        return pain_change(statistic, course, now)
    return newest(statistic, primary, now, course.response.stale_after_days)


def expected_change(statistic: Statistic, course: Course, primary: str, week: int) -> float | None:
    """Points of the primary criterion that the expected course has by a week.

    Pain falls from its baseline; a rating of change approaches what matters to patients, as fast.
    Source: Z01 for gluteal tendinopathy, J-EXPECTED for the others.
    """
    rules = course.expected
    reached = 1 - exp(-week / rules.time_constant_weeks)
    if primary != PAIN:
        points = vocabulary().instruments[primary].mic_points
        return None if points is None else points * reached
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    return None if baseline is None else baseline * (1 - rules.remaining_share) * reached


def expected_pain(statistic: Statistic, course: Course, week: int) -> tuple[float, float] | None:
    """Average pain of a week between which care goes as expected, lower and upper; None without a baseline.

    Above it the course is slow; as far below the expected course it ends. Source: J-EXPECTED.
    """
    share = course.expected.slow_below_share
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    improvement = expected_change(statistic, course, PAIN, week)
    if baseline is None or improvement is None:
        return None
    return round(max(0.0, baseline - (2 - share) * improvement), 2), round(baseline - share * improvement, 2)


def missed_checkpoint(statistic: Statistic, course: Course, now: datetime) -> Checkpoint | None:
    """The latest checkpoint that has passed, if all of its measures are known and none is met."""
    passed = [c for c in course.checkpoints if c.week <= week_of(statistic, now)]
    if not passed:
        return None
    latest = max(passed, key=lambda c: c.week)
    found = [criterion(statistic, wanted, course, now).met for wanted in latest.any_of]
    return latest if all(met is False for met in found) else None


def deterioration(statistic: Statistic, course: Course, now: datetime) -> Deterioration | None:
    """Worse than at the start in two weeks running. A single bad report may be a flare. Source: NR."""
    rules = course.response
    baseline = baseline_of(statistic, PAIN, course.non_response.baseline_within_weeks)
    pain = _fresh_weeks(statistic.of(PAIN), now, rules.stale_after_days, 2)
    if baseline is not None and pain is not None:
        limit = baseline + rules.worsening_rise_points
        if min(pain) >= limit - _TOLERANCE:
            return Deterioration(
                "NR",
                f"Pain has been at least {rules.worsening_rise_points:g} points above the baseline of "
                f"{baseline:g} in two weeks running.",
                f"Pain below {limit:g} in one of these weeks would not have counted as worsening.",
            )
    change = _fresh_weeks(statistic.of(GROC), now, rules.stale_after_days, 2)
    if change is not None and max(change) <= rules.worsening_groc_at_most + _TOLERANCE:
        return Deterioration(
            "NR",
            "The patient has rated the overall change as worse in two weeks running.",
            f"A rating above {rules.worsening_groc_at_most:g} in one of these weeks would not have counted.",
        )
    return None


def stands_still(statistic: Statistic, course: Course, primary: str, now: datetime) -> bool:
    """Whether the primary criterion has not improved within the plateau's weeks; False where that is unknown."""
    rules = course.response
    series = statistic.of(primary)
    value = newest(statistic, primary, now, rules.stale_after_days)
    if series is None or value is None or series.weeks[-1].week < rules.plateau_weeks:
        return False
    until = series.weeks[-1].week - rules.plateau_weeks
    earlier = [w.mean for w in series.weeks if w.week <= until]
    reference = earlier[-1] if earlier else series.baseline
    if reference is None:
        return False
    gained = reference - value if vocabulary().instruments[primary].lower_is_better else value - reference
    return gained < rules.plateau_change_points - _TOLERANCE


def _gained(change: float | None, wanted: Improvement) -> float | None:
    return None if change is None else round(change / wanted.points, 4) + 0.0


def _is_baseline(series: Series | None) -> bool:
    """Whether the only report is itself the baseline, so that no change can be known yet."""
    return series is not None and series.baseline is None and series.previous is None


def _fresh_weeks(series: Series | None, now: datetime, max_age_days: int, count: int) -> list[float] | None:
    """Means of the last `count` weeks with reports, None where they are too few, too old or far apart."""
    if series is None or series.last is None or now - series.last.time > timedelta(days=max_age_days):
        return None
    return _running([(w.week, w.mean) for w in series.weeks], count)


def _running(weeks: list[tuple[int, float]], count: int) -> list[float] | None:
    """The last `count` values, where no more than one week is missing between any two of them."""
    last = weeks[-count:]
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(last)]
    return [value for _, value in last] if len(last) == count and all(gap <= 2 for gap in gaps) else None
