"""Whether pain rises from week to week: the one reading of P22."""

from datetime import datetime
from itertools import pairwise

import msgspec

from services.progression.domain.statistic import PAIN, Statistic, week_of


class Rise(msgspec.Struct, frozen=True):
    """Average pain of the first and the last of the weeks in which it rose."""

    weeks: int
    first: float
    last: float


def is_rising(statistic: Statistic, now: datetime, weeks: int, rise_points: float) -> bool:
    """Whether there is a rise, see `rise`."""
    return rise(statistic, now, weeks, rise_points) is not None


def rise(statistic: Statistic, now: datetime, weeks: int, rise_points: float) -> Rise | None:
    """So many rises from one reported week to the next in a row, by so many points in all, and not long ago.

    Source: P22, RF20.
    """
    series = statistic.of(PAIN)
    if series is None:
        return None
    last = series.weeks[-(weeks + 1) :]
    if len(last) <= weeks or last[-1].week < week_of(statistic, now) - 1:
        return None
    if any(later.week != earlier.week + 1 for earlier, later in pairwise(last)):
        return None
    means = [week.mean for week in last]
    if all(later > earlier for earlier, later in pairwise(means)) and means[-1] - means[0] >= rise_points - 1e-9:
        return Rise(weeks, means[0], means[-1])
    return None
