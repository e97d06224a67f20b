"""The patient's and the clinic's clock: local days, quiet hours and working hours, also across DST."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.notifier.domain.state import Away, QuietHours

DAY = timedelta(days=1)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def local_instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """`HH:MM` on a local day, as UTC. An hour that DST skips is the hour after it; a doubled one, the first."""
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def is_away(day: date, away: Away | None) -> bool:
    return away is not None and away.first <= day <= away.last


def after_quiet_hours(instant: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> datetime:
    """The instant itself, or the end of the quiet hours that it falls into."""
    if quiet is None or quiet.start == quiet.end:
        return instant
    local = instant.astimezone(zone)
    clock = f"{local:%H:%M}"
    over_midnight = quiet.end < quiet.start
    if over_midnight and clock >= quiet.start:
        return local_instant(local.date() + DAY, quiet.end, zone)
    if (over_midnight and clock < quiet.end) or quiet.start <= clock < quiet.end:
        return local_instant(local.date(), quiet.end, zone)
    return instant


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
