"""The patient's and the clinic's clock: local days, quiet hours and working hours, also across DST."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.notifier.domain.state import Away, QuietHours

DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_NIGHTS = 7
"""Where quiet hours leave less than an hour of the day, a change of clocks may swallow it for a night or two."""


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def local_instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """`HH:MM` on a local day, as UTC. A minute that DST skips is the first after it; of a doubled one, the first."""
    first, last = _instants(day, clock, zone)
    return first if first <= last else _jump(last, first, zone)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def is_away(day: date, away: Away | None) -> bool:
    return away is not None and away.first <= day <= away.last


def after_quiet_hours(instant: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> datetime:
    """The instant itself, or the end of the quiet hours that it falls into; never earlier than the instant.

    A quiet period lasts from the first time that its start is on the patient's clock to the last time that
    its end is: a doubled hour within it is quiet twice.
    """
    if quiet is None or quiet.start == quiet.end:
        return instant
    for _ in range(_NIGHTS):
        end = _end_of_quiet(instant, quiet, zone)
        if end is None:
            break
        instant = end
    return instant


def is_quiet(instant: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> bool:
    return after_quiet_hours(instant, quiet, zone) > instant


def next_working_time(instant: datetime, days: Sequence[int], start: str, end: str, zone: ZoneInfo) -> datetime:
    """The instant itself within working hours, else the start of the next ones. `days`: 1 Monday to 7."""
    day = local_day(instant, zone)
    while True:
        if day.isoweekday() in days:
            opening = local_instant(day, start, zone)
            if instant < opening:
                return opening
            if instant < local_instant(day, end, zone):
                return instant
        day += DAY


def _end_of_quiet(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime | None:
    over_midnight = DAY if quiet.end < quiet.start else timedelta(0)
    today = local_day(instant, zone)
    for day in (today - DAY, today, today + DAY):
        if local_instant(day, quiet.start, zone) <= instant:
            end = _last_instant(day + over_midnight, quiet.end, zone)
            if instant < end:
                return end
    return None


def _last_instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """As `local_instant`, but of a doubled minute the second, unless the doubled hour only begins with it."""
    first, last = _instants(day, clock, zone)
    if last <= first:
        return local_instant(day, clock, zone)
    before = (last - _MINUTE).astimezone(zone)
    return last if (before.date(), f"{before:%H:%M}") < (day, clock) else first


@lru_cache(maxsize=4096)
def _instants(day: date, clock: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last at which the clock shows it; the wrong way round where it never does."""
    local = datetime.combine(day, time.fromisoformat(clock), zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between the two at which the clock is put forward, to the minute."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _MINUTE:
        middle = before + (after - before) // 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
