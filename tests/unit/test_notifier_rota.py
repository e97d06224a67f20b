"""Who is on duty, what a working hour is, and when a digest is due: also in the weeks in which clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.notifier.domain.policy import Policies, Rota, WorkingHours
from services.notifier.domain.rota import after_working_time, next_digest, next_opening, on_duty, resolve
from services.notifier.policy_file import load_policies

LISBON = ZoneInfo("Europe/Lisbon")
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
HOUR = timedelta(hours=1)


def rota(*shifts: dict[str, Any], overrides: tuple[dict[str, Any], ...] = ()) -> Rota:
    return Rota.model_validate({"timezone": "Europe/Lisbon", "shifts": shifts, "overrides": overrides})


def shift(days: list[int], start: str, end: str, *who: str) -> dict[str, Any]:
    return {"days": days, "start": start, "end": end, "who": who}


def lisbon(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=LISBON, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


def office() -> WorkingHours:
    return WorkingHours.model_validate(
        {"timezone": "Europe/Lisbon", "days": [1, 2, 3, 4, 5], "start": "08:00", "end": "17:00"}
    )


def test_a_shift_covers_its_first_minute_and_not_its_last() -> None:
    """At the change of shift exactly one of two is on duty."""
    duty = rota(shift([1], "08:00", "16:00", "early"), shift([1], "16:00", "20:00", "late"))
    assert on_duty(duty, lisbon(2026, 3, 2, 7, 59)) == ()
    assert on_duty(duty, lisbon(2026, 3, 2, 8)) == ("early",)
    assert on_duty(duty, lisbon(2026, 3, 2, 16)) == ("late",)
    assert on_duty(duty, lisbon(2026, 3, 2, 20)) == ()


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's night ends on Saturday morning; Sunday's on Monday."""
    duty = rota(shift([5, 7], "20:00", "08:00", "night"))
    assert on_duty(duty, lisbon(2026, 3, 6, 19, 59)) == ()
    assert on_duty(duty, lisbon(2026, 3, 6, 20)) == ("night",)
    assert on_duty(duty, lisbon(2026, 3, 7, 7, 59)) == ("night",)
    assert on_duty(duty, lisbon(2026, 3, 7, 20)) == ()
    assert on_duty(duty, lisbon(2026, 3, 9, 3)) == ("night",)
    assert on_duty(duty, lisbon(2026, 3, 9, 20)) == ()


def test_a_shift_that_ends_when_it_starts_is_a_whole_day() -> None:
    """From eight to eight is round the clock."""
    duty = rota(shift([1], "08:00", "08:00", "all_day"))
    assert on_duty(duty, lisbon(2026, 3, 3, 7, 59)) == ("all_day",)
    assert on_duty(duty, lisbon(2026, 3, 3, 8)) == ()


def test_an_override_takes_the_place_of_every_shift() -> None:
    """On Christmas Eve the lead is on duty, and nobody at noon: of two overrides the later one listed counts."""
    duty = rota(
        shift(EVERY_DAY, "00:00", "00:00", "somebody"),
        overrides=(
            {"from": "2026-12-24T08:00", "to": "2026-12-25", "who": ["lead"]},
            {"from": "2026-12-24T12:00", "to": "2026-12-24T13:00", "who": []},
        ),
    )
    assert on_duty(duty, lisbon(2026, 12, 24, 7, 59)) == ("somebody",)
    assert on_duty(duty, lisbon(2026, 12, 24, 11)) == ("lead",)
    assert on_duty(duty, lisbon(2026, 12, 24, 12)) == ()
    assert on_duty(duty, lisbon(2026, 12, 24, 23, 59)) == ("lead",)
    assert on_duty(duty, lisbon(2026, 12, 25)) == ("somebody",)


def test_the_night_in_which_clocks_change_has_somebody_for_all_of_it() -> None:
    """Seven or nine hours long, a night is one night; the doubled hour has its people twice."""
    duty = rota(shift(EVERY_DAY, "20:00", "01:30", "evening"), shift(EVERY_DAY, "01:30", "08:00", "morning"))
    # 25 October 2026: from 01:59 summer time to 01:00 winter time.
    assert on_duty(duty, lisbon(2026, 10, 25, 1, 15)) == ("evening",)
    assert on_duty(duty, lisbon(2026, 10, 25, 1, 45)) == ("morning",)
    assert on_duty(duty, lisbon(2026, 10, 25, 1, 15, fold=1)) == ("evening",)
    assert on_duty(duty, lisbon(2026, 10, 25, 1, 45, fold=1)) == ("morning",)
    # 29 March 2026: 00:59 is followed by 02:00.
    spring = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    assert [on_duty(duty, spring + n * timedelta(minutes=1)) for n in range(2)] == [("evening",), ("morning",)]


def test_a_person_is_told_once_whatever_names_stand_for_him() -> None:
    """Who is a recipient of the step and on duty gets one message."""
    content = load_policies(None).model_dump(by_alias=True)
    content["rotas"] = {
        "day": {"timezone": "UTC", "shifts": [shift(EVERY_DAY, "08:00", "20:00", "on_call", "lead_clinician")]},
        "night": {"timezone": "UTC", "shifts": [shift(EVERY_DAY, "20:00", "08:00", "on_call")]},
    }
    policies = Policies.model_validate(content)
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    names = ("lead_clinician", "night", "day")
    assert resolve(policies, names, noon) == (("lead_clinician", "on_call"), ("night",))
    assert resolve(policies, names, noon + 12 * HOUR) == (("lead_clinician", "on_call"), ("day",))


def test_working_time_is_counted_in_working_hours_only() -> None:
    """Four working hours from Friday afternoon end on Monday."""
    friday = lisbon(2026, 3, 6, 15)
    assert after_working_time(friday, HOUR, office()) == lisbon(2026, 3, 6, 16)
    assert after_working_time(friday, 4 * HOUR, office()) == lisbon(2026, 3, 9, 10)
    assert after_working_time(lisbon(2026, 3, 7, 3), 4 * HOUR, office()) == lisbon(2026, 3, 9, 12)
    # The end of a day is the beginning of the next.
    assert after_working_time(friday, 2 * HOUR, office()) == lisbon(2026, 3, 9, 8)


def test_a_working_week_over_the_change_of_clocks_has_as_many_hours_as_any() -> None:
    """27 working hours from Friday nine o'clock end on Wednesday at nine, in local time, in March and in October."""
    for friday, wednesday in (((2026, 3, 27), (2026, 4, 1)), ((2026, 10, 23), (2026, 10, 28))):
        assert after_working_time(lisbon(*friday, 9), 27 * HOUR, office()) == lisbon(*wednesday, 9)


@pytest.mark.parametrize(
    ("instant", "opening"),
    [
        (lisbon(2026, 3, 6, 16, 59), lisbon(2026, 3, 6, 16, 59)),
        (lisbon(2026, 3, 6, 17), lisbon(2026, 3, 9, 8)),
        (lisbon(2026, 3, 9, 7), lisbon(2026, 3, 9, 8)),
    ],
)
def test_outside_working_hours_the_next_opening_is_awaited(instant: datetime, opening: datetime) -> None:
    """Within them nothing waits."""
    assert next_opening(instant, office()) == opening


@pytest.mark.parametrize(
    ("instant", "digest"),
    [
        (lisbon(2026, 3, 6, 8, 59), lisbon(2026, 3, 6, 9)),
        (lisbon(2026, 3, 6, 9), lisbon(2026, 3, 6, 9)),
        (lisbon(2026, 3, 6, 9, 1), lisbon(2026, 3, 9, 9)),
        (lisbon(2026, 3, 28, 12), lisbon(2026, 3, 30, 9)),
    ],
)
def test_a_digest_is_that_of_the_next_working_day(instant: datetime, digest: datetime) -> None:
    """Nine o'clock is nine o'clock, also after the clocks have changed."""
    assert next_digest(instant, "09:00", office()) == digest
