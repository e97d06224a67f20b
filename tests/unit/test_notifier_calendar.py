"""Local times on the nights on which the clock is changed, and quiet hours over them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.notifier.domain.calendar import after_quiet_hours, local_instant
from services.notifier.domain.state import QuietHours

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
LISBON = ZoneInfo("Europe/Lisbon")
"""One o'clock becomes two on 29 March, two becomes one on 25 October, both at 01:00 UTC."""


def utc(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        ("Europe/Lisbon", SPRING, "01:30", utc(SPRING, "01:00")),
        ("Europe/Lisbon", SPRING, "02:00", utc(SPRING, "01:00")),
        ("Europe/Lisbon", AUTUMN, "01:30", utc(AUTUMN, "00:30")),
        ("Europe/Lisbon", AUTUMN, "02:00", utc(AUTUMN, "02:00")),
        ("Africa/Cairo", date(2026, 4, 24), "00:30", utc(date(2026, 4, 23), "22:00")),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:10", utc(date(2026, 10, 3), "15:30")),
        ("Antarctica/Troll", SPRING, "02:30", utc(SPRING, "01:00")),
    ],
)
def test_a_skipped_minute_is_the_first_after_it_and_a_doubled_one_the_first(
    zone: str, day: date, clock: str, expected: datetime
) -> None:
    """Gaps of half an hour, one hour and two, at midnight and later."""
    assert local_instant(day, clock, ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    ("quiet", "instant", "expected"),
    [
        # Asleep until half past one, which is on the clock twice: until the second.
        (QuietHours("22:00", "01:30"), utc(AUTUMN, "00:10"), utc(AUTUMN, "01:30")),
        (QuietHours("22:00", "01:30"), utc(AUTUMN, "00:45"), utc(AUTUMN, "01:30")),
        (QuietHours("22:00", "01:30"), utc(AUTUMN, "01:10"), utc(AUTUMN, "01:30")),
        (QuietHours("22:00", "01:30"), utc(AUTUMN, "01:40"), utc(AUTUMN, "01:40")),
        # Until one o'clock: the doubled hour begins with it, and nobody sleeps through it twice.
        (QuietHours("22:00", "01:00"), utc(date(2026, 10, 24), "22:30"), utc(AUTUMN, "00:00")),
        (QuietHours("22:00", "01:00"), utc(AUTUMN, "01:00"), utc(AUTUMN, "01:00")),
        # Quiet from half past one: from the first of the two.
        (QuietHours("01:30", "06:00"), utc(AUTUMN, "01:05"), utc(AUTUMN, "06:00")),
        # The end does not exist that night: the first minute after the gap.
        (QuietHours("22:00", "01:30"), utc(SPRING, "00:20"), utc(SPRING, "01:00")),
        # Nor does the beginning: quiet from there on.
        (QuietHours("01:30", "06:00"), utc(SPRING, "00:50"), utc(SPRING, "00:50")),
        (QuietHours("01:30", "06:00"), utc(SPRING, "01:00"), utc(SPRING, "05:00")),
        # The only waking half hour falls into the gap: the next night has one again.
        (QuietHours("01:30", "01:00"), utc(SPRING, "00:30"), utc(date(2026, 3, 30), "00:00")),
    ],
)
def test_quiet_hours_that_begin_or_end_in_a_change_of_clocks(
    quiet: QuietHours, instant: datetime, expected: datetime
) -> None:
    """Read with a clock on the bedside table in Lisbon."""
    assert after_quiet_hours(instant, quiet, LISBON) == expected


def test_the_same_start_and_end_are_no_quiet_hours() -> None:
    """A patient who wants none says so."""
    midnight = utc(SPRING, "00:00")
    assert after_quiet_hours(midnight, QuietHours("00:00", "00:00"), LISBON) == midnight
    assert after_quiet_hours(midnight, None, LISBON) == midnight
