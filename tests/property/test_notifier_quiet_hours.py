"""Quiet hours and local times are exact in every time zone of the world, over every change of clocks 2026 to 2030."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.calendar import DAY, after_quiet_hours, local_instant
from services.notifier.domain.state import QuietHours

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ZONES = sorted(available_timezones())
NIGHTS = (
    QuietHours("22:00", "07:00"),
    QuietHours("00:30", "02:30"),
    QuietHours("01:30", "01:45"),
    QuietHours("02:15", "02:45"),
    QuietHours("23:30", "00:15"),
    QuietHours("03:00", "02:30"),
)
"""Ordinary nights, and such as begin or end in an hour that a change of clocks skips or doubles."""
CLOCKS = ("00:00", "00:30", "01:00", "01:40", "02:00", "02:30", "02:59", "03:00", "17:00", "23:30")


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """Every change of the zone's offset, to the minute: the first instant on the new clock."""
    zone, found, at = ZoneInfo(name), [], BEGIN
    while at < END:
        later = at + 7 * DAY
        before, after = at, later
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            while after - before > MINUTE:
                middle = (before + (after - before) / 2).replace(second=0, microsecond=0)
                if middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                    before = middle
                else:
                    after = middle
            found.append(after)
        at = later
    return tuple(found)


@cache
def changes() -> tuple[tuple[ZoneInfo, datetime], ...]:
    """Each change of clocks once: zones that change at one instant from one offset to another share theirs."""
    found: dict[tuple[object, ...], tuple[ZoneInfo, datetime]] = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        for at in transitions(name):
            key = (at, at.astimezone(zone).utcoffset(), (at - MINUTE).astimezone(zone).utcoffset())
            found.setdefault(key, (zone, at))
    return tuple(found.values())


def is_on_the_clock_of_a_night(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> bool:
    """As the patient reads it off the wall, second by second."""
    clock = f"{instant.astimezone(zone):%H:%M}"
    if quiet.start < quiet.end:
        return quiet.start <= clock < quiet.end
    return quiet.start != quiet.end and (clock >= quiet.start or clock < quiet.end)


def first_on_the_clock(day: date, clock: str, zone: ZoneInfo, near: datetime) -> datetime:
    """The plain definition: the first minute of the local day at which the clock shows that time or a later one."""
    instant = near - 40 * HOUR
    while True:
        local = instant.astimezone(zone)
        if (local.date() == day and f"{local:%H:%M}" >= clock) or local.date() > day:
            return instant
        instant += MINUTE if abs(instant - near) < 3 * HOUR else min(15 * MINUTE, _to_quarter(instant))


def _to_quarter(instant: datetime) -> timedelta:
    return 15 * MINUTE - timedelta(minutes=instant.minute % 15)


def test_there_are_changes_of_clocks_to_test() -> None:
    """The zone database of this machine holds the years that matter."""
    assert len(ZONES) > 400
    assert len(changes()) > 100


def test_a_local_time_in_a_gap_is_the_first_minute_after_it_and_of_a_doubled_hour_the_first() -> None:
    """Against a walk over the clock, minute by minute, around each change of clocks in the world."""
    for zone, at in changes():
        days = {(at + hours * HOUR).astimezone(zone).date() for hours in (-4, 0, 4)}
        for day in days:
            for clock in ("00:00", "00:30", "01:40", "02:30", "23:30"):
                found = local_instant(day, clock, zone)
                if abs(found - at) < 4 * HOUR:
                    assert found == first_on_the_clock(day, clock, zone, at), (zone, at, day, clock)


def test_no_minute_after_quiet_hours_is_quiet_and_none_comes_early() -> None:
    """From every instant around each change, in every zone: never sooner, never in a quiet minute, always soon."""
    for zone, at in changes():
        for quiet in NIGHTS:
            for offset in range(-180, 181, 15):
                instant = at + offset * MINUTE
                sent = after_quiet_hours(instant, quiet, zone)
                place = (zone, quiet, instant, sent)
                assert sent >= instant, place
                assert sent - instant <= 51 * HOUR, place
                assert not is_on_the_clock_of_a_night(sent, quiet, zone), place
                if sent > instant:
                    before = (sent - MINUTE).astimezone(zone)
                    is_end = is_on_the_clock_of_a_night(sent - MINUTE, quiet, zone) or before.utcoffset() != (
                        sent.astimezone(zone).utcoffset()
                    )
                    assert is_end, place


def test_far_from_a_change_of_clocks_nothing_is_moved_that_need_not_be() -> None:
    """A message outside quiet hours goes at its minute, one inside at their end."""
    for name in ZONES:
        zone = ZoneInfo(name)
        for quiet in NIGHTS[:2]:
            day = date(2026, 7, 15)
            noon = local_instant(day, "12:00", zone)
            assert after_quiet_hours(noon, quiet, zone) == noon
            night = local_instant(day, "01:00", zone)
            assert after_quiet_hours(night, quiet, zone) == local_instant(day, quiet.end, zone)


def test_each_local_day_has_each_time_once_and_in_order() -> None:
    """Over every change a daily message goes out once a day: no day without it, no two at one instant."""
    for zone, at in changes():
        first = at.astimezone(zone).date() - 2 * DAY
        for clock in CLOCKS:
            instants = [local_instant(first + n * DAY, clock, zone) for n in range(5)]
            gaps = [later - earlier for earlier, later in pairwise(instants)]
            assert all(20 * HOUR <= gap <= 28 * HOUR for gap in gaps), (zone, at, clock)
            for quiet in NIGHTS[:5]:
                moved = [after_quiet_hours(instant, quiet, zone) for instant in instants]
                assert len(set(moved)) == len(moved), (zone, at, clock, quiet)


CLOCK = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda t: f"{t[0]:02}:{t[1]:02}")


@given(
    st.sampled_from(ZONES),
    st.builds(QuietHours, CLOCK, CLOCK),
    st.datetimes(BEGIN.replace(tzinfo=None), END.replace(tzinfo=None), timezones=st.just(UTC)),
)
def test_at_any_instant_quiet_hours_are_kept(name: str, quiet: QuietHours, instant: datetime) -> None:
    """Any zone, any night, any second of the five years."""
    assert_kept(ZoneInfo(name), quiet, instant)


@given(st.data(), st.builds(QuietHours, CLOCK, CLOCK), st.integers(-300, 300))
def test_around_any_change_of_clocks_quiet_hours_are_kept(data: st.DataObject, quiet: QuietHours, minutes: int) -> None:
    """Any night, within five hours of any change of clocks in the world."""
    zone, at = data.draw(st.sampled_from(changes()))
    assert_kept(zone, quiet, at + minutes * MINUTE)


def assert_kept(zone: ZoneInfo, quiet: QuietHours, instant: datetime) -> None:
    sent = after_quiet_hours(instant, quiet, zone)
    assert sent >= instant
    assert not is_on_the_clock_of_a_night(sent, quiet, zone)
    assert after_quiet_hours(sent, quiet, zone) == sent
