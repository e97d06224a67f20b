"""What is known of a patient's outcome measures and sessions, in constant size.

Sums are kept as integers (thousandths of a point, minutes since the start), so that the same reports
give the same statistic in whatever order they are added. Weeks count from 0, seven days each, from the
program's first planning. Missing is not zero: a week without a report has no entry.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from shared.event.measure import Measure
from shared.event.vocabulary import vocabulary

PAIN = "NPRS"
"""The main series: the average pain of the last week, as check-ins report it."""
WEEKS_KEPT = 8
_MINUTE = timedelta(minutes=1)
_WEEK = timedelta(weeks=1)
MINUTES_PER_WEEK = _WEEK // _MINUTE


class Reading(msgspec.Struct, frozen=True, order=True):
    """One report. Ordered by time, then value."""

    time: datetime
    value: float


class WeekOfReports(msgspec.Struct, frozen=True, array_like=True):
    """The reports of one instrument within one week."""

    week: int
    count: int
    total_thousandths: int

    @property
    def mean(self) -> float:
        return self.total_thousandths / (1000 * self.count)


class WeekOfSessions(msgspec.Struct, frozen=True, array_like=True):
    """The sessions of one week: the worst pain of each, and the hardest effort of all (RPE)."""

    week: int
    count: int
    pain_thousandths: int
    hardest_rpe: float | None

    @property
    def pain_mean(self) -> float:
        return self.pain_thousandths / (1000 * self.count)


class Moments(msgspec.Struct, frozen=True, array_like=True):
    """Sufficient statistics of a straight line: x in minutes since the start, y in thousandths of a point."""

    n: int = 0
    x: int = 0
    xx: int = 0
    y: int = 0
    xy: int = 0


class Series(msgspec.Struct, frozen=True):
    """One instrument's reports since the start."""

    instrument: str
    baseline: float | None
    """From the intake; None where it was not measured there, see `baseline_of`."""
    first: Reading | None = None
    previous: Reading | None = None
    last: Reading | None = None
    best: float | None = None
    moments: Moments = Moments()
    """Of the reports; the baseline is not among them."""
    weeks: tuple[WeekOfReports, ...] = ()
    """Ascending, the last `WEEKS_KEPT` weeks up to the newest report's."""


class Statistic(msgspec.Struct, frozen=True):
    """All series by instrument, ascending, and the sessions by week."""

    started_at: datetime
    series: tuple[Series, ...] = ()
    sessions: tuple[WeekOfSessions, ...] = ()
    """Ascending, the last `WEEKS_KEPT` weeks up to the newest session's."""

    def of(self, instrument: str) -> Series | None:
        """One instrument's series, None where nothing is known of it."""
        for one in self.series:  # read all the time: a loop costs half of what a generator does
            if one.instrument == instrument:
                return one
        return None


def begin(measures: Iterable[Measure], started_at: datetime) -> Statistic:
    """The statistic at the start: the intake's measures are the baselines, the newest of each instrument."""
    newest: dict[str, tuple[datetime, float]] = {}
    for measure in measures:
        taken = (measure.taken_at or started_at, measure.value)
        newest[measure.instrument] = max(newest.get(measure.instrument, taken), taken)
    return Statistic(started_at, tuple(Series(instrument, newest[instrument][1]) for instrument in sorted(newest)))


def with_measure(statistic: Statistic, instrument: str, value: float, time: datetime) -> Statistic:
    """Adds one report of a check-in. Late reports count as well; order does not matter."""
    series = statistic.of(instrument) or Series(instrument, None)
    reading = Reading(time, value)
    known = sorted(r for r in (series.previous, series.last, reading) if r is not None)
    lower = vocabulary().instruments[instrument].lower_is_better
    bests = [value] if series.best is None else [value, series.best]
    updated = msgspec.structs.replace(
        series,
        first=reading if series.first is None else min(series.first, reading),
        previous=known[-2] if len(known) > 1 else None,
        last=known[-1],
        best=min(bests) if lower else max(bests),
        moments=_with_moment(series.moments, (time - statistic.started_at) // _MINUTE, _thousandths(value)),
        weeks=_with_report(series.weeks, week_of(statistic, time), _thousandths(value)),
    )
    others = [s for s in statistic.series if s.instrument != instrument]
    return msgspec.structs.replace(statistic, series=tuple(sorted([*others, updated], key=lambda s: s.instrument)))


def with_session(statistic: Statistic, pain_during: float, effort_rpe: float | None, time: datetime) -> Statistic:
    """Adds one session: its worst pain, and the hardest effort of its sets where one was reported."""
    week = week_of(statistic, time)
    found = {s.week: s for s in statistic.sessions}
    had = found.get(week, WeekOfSessions(week, 0, 0, None))
    efforts = [rpe for rpe in (had.hardest_rpe, effort_rpe) if rpe is not None]
    found[week] = WeekOfSessions(
        week,
        had.count + 1,
        had.pain_thousandths + _thousandths(pain_during),
        max(efforts) if efforts else None,
    )
    newest = max(found)
    kept = tuple(found[w] for w in sorted(found) if w > newest - WEEKS_KEPT)
    return msgspec.structs.replace(statistic, sessions=kept)


def week_of(statistic: Statistic, time: datetime) -> int:
    """Whole weeks since the start, from 0; what was reported before the start counts in week 0."""
    return max(0, (time - statistic.started_at) // _WEEK)


def baseline_of(statistic: Statistic, instrument: str, within_weeks: int) -> float | None:
    """The intake's value, else the first report where it falls in the first weeks, up to `within_weeks`.

    Source: J-BASELINE.
    """
    series = statistic.of(instrument)
    if series is None:
        return None
    if series.baseline is not None:
        return series.baseline
    if series.first is not None and week_of(statistic, series.first.time) <= within_weeks:
        return series.first.value
    return None


def _thousandths(value: float) -> int:
    return round(value * 1000)


def _with_moment(moments: Moments, x: int, y: int) -> Moments:
    return Moments(moments.n + 1, moments.x + x, moments.xx + x * x, moments.y + y, moments.xy + x * y)


def _with_report(weeks: tuple[WeekOfReports, ...], week: int, thousandths: int) -> tuple[WeekOfReports, ...]:
    found = {w.week: w for w in weeks}
    had = found.get(week, WeekOfReports(week, 0, 0))
    found[week] = WeekOfReports(week, had.count + 1, had.total_thousandths + thousandths)
    newest = max(found)
    return tuple(found[w] for w in sorted(found) if w > newest - WEEKS_KEPT)
