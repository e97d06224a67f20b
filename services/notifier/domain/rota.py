"""Time in the clinic: who is on duty at an instant, when it works, and when a digest is due.

A shift and an override are wall times: an hour that DST doubles belongs to them twice, one that it skips not at all.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.notifier.domain.calendar import DAY, local_day, local_instant
from services.notifier.domain.policy import MAX_TOLD, Policies, Rota, Shift, WorkingHours


def on_duty(rota: Rota, instant: datetime) -> tuple[str, ...]:
    """In the order of the shifts; nobody twice, and nobody where neither shift nor override covers the instant."""
    local = instant.astimezone(ZoneInfo(rota.timezone)).replace(tzinfo=None)
    for override in reversed(rota.overrides):
        if override.from_ <= local < override.to:
            return _once(override.who)
    return _once(name for shift in rota.shifts if _covers(shift, local) for name in shift.who)


def resolve(policies: Policies, names: Iterable[str], instant: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The recipients whom names of recipients and rotas stand for at the instant, and the rotas without anybody."""
    found: list[str] = []
    empty: list[str] = []
    for name in names:
        rota = policies.rotas.get(name)
        people = (name,) if rota is None else on_duty(rota, instant)
        found.extend(people)
        if not people:
            empty.append(name)
    return _once(found)[:MAX_TOLD], tuple(empty)


def next_opening(instant: datetime, hours: WorkingHours) -> datetime:
    """The instant itself within working hours, else the start of the next ones."""
    return next(max(instant, opening) for opening, _ in _working_spans(instant, hours))


def after_working_time(instant: datetime, worked: timedelta, hours: WorkingHours) -> datetime:
    """So much working time after the instant. At the end of a day the rest is worked on the next."""
    left = worked
    for opening, closing in _working_spans(instant, hours):
        begin = max(instant, opening)
        if begin + left < closing:
            return begin + left
        left -= closing - begin
    raise AssertionError("working days never end")


def next_digest(instant: datetime, at: str, hours: WorkingHours) -> datetime:
    """The first digest of a working day that is not before the instant."""
    zone = ZoneInfo(hours.timezone)
    day = local_day(instant, zone)
    while True:
        digest = local_instant(day, at, zone)
        if day.isoweekday() in hours.days and digest >= instant:
            return digest
        day += DAY


def _covers(shift: Shift, local: datetime) -> bool:
    clock = f"{local:%H:%M}"
    today, yesterday = local.isoweekday(), (local - DAY).isoweekday()
    if shift.start < shift.end:
        return today in shift.days and shift.start <= clock < shift.end
    return (today in shift.days and clock >= shift.start) or (yesterday in shift.days and clock < shift.end)


def _working_spans(instant: datetime, hours: WorkingHours) -> Iterator[tuple[datetime, datetime]]:
    """From the one that the instant falls into, or the next, for ever."""
    zone = ZoneInfo(hours.timezone)
    day = local_day(instant, zone)
    while True:
        if day.isoweekday() in hours.days:
            span = (local_instant(day, hours.start, zone), local_instant(day, hours.end, zone))
            if instant < span[1] and span[0] < span[1]:
                yield span
        day += DAY


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
