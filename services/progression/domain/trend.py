"""Whether average pain rises from week to week."""

from datetime import datetime
from itertools import pairwise

from services.progression.domain.statistic import PAIN, Statistic, week_of


def is_rising(statistic: Statistic, now: datetime, weeks: int, rise_points: float) -> bool:
    """So many rises from one reported week to the next in a row, by so many points in all, and not long ago.

    Source: P22, RF20.
    """
    series = statistic.of(PAIN)
    if series is None:
        return False
    last = series.weeks[-(weeks + 1) :]
    if len(last) <= weeks or last[-1].week < week_of(statistic, now) - 1:
        return False
    if any(later.week != earlier.week + 1 for earlier, later in pairwise(last)):
        return False
    means = [week.mean for week in last]
    rises = all(later > earlier for earlier, later in pairwise(means))
    return rises and means[-1] - means[0] >= rise_points
