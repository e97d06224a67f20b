"""A year with a patient who travels: every local day on which a session is due has one reminder, and never two."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.event.escalation import EscalationRaised
from shared.event.notification import ReminderDue
from tests.support.notifier_case import NotifierCase, consent, program

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 1, 5, 6, tzinfo=UTC)
"""A Monday, on the date line still the same day."""
ZONES = (
    "Europe/Lisbon",
    "America/New_York",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Pacific/Honolulu",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Beirut",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)
QUIET = {"start": "21:30", "end": "07:30"}
THRICE: dict[str, Any] = {"days": [1, 3, 5]}
EVERYTHING: dict[str, Any] = {
    "days": [1, 2, 4, 6],
    "sessions_per_week": 4,
    "checkin": {"next_morning": True, "measures": [{"instrument": "NPRS", "every_weeks": 1}]},
}


FLIGHTS = st.lists(st.tuples(st.integers(1, 36 * 24), st.sampled_from(ZONES)), min_size=1, max_size=10)
"""After so many hours to another zone: about half a year."""
YEARS = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a year takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)


class Traveller:
    """Answers once a week late in the evening and trains never: reminding goes on, every session stays to be done."""

    def __init__(self, schedule: dict[str, Any], zone: str) -> None:
        self.case = NotifierCase()
        self.case.now = START
        self.zone = ZoneInfo(zone)
        self.schedule = schedule
        self.moves: list[datetime] = []
        self.case.tell("care.patient.updated.v1", consent(timezone=zone, quiet_hours=QUIET))
        self.case.tell("care.program.planned.v1", program(schedule))

    def live(self, until: datetime) -> None:
        while (evening := self._next_sunday()) <= until:
            self.case.advance(evening)
            answer = {"checkin_id": f"c-{evening:%m%d}", "reported_at": evening.isoformat()}
            self.case.tell("care.checkin.reported.v1", answer)
        self.case.advance(until)

    def fly(self, zone: str) -> None:
        self.case.tell("care.patient.updated.v1", {"timezone": zone})
        self.moves.append(self.case.now)
        self.zone = ZoneInfo(zone)

    def sent(self, kind: str = "session") -> list[datetime]:
        return [due.due_at for due in self.case.published(ReminderDue) if due.kind == kind]

    def _next_sunday(self) -> datetime:
        local = self.case.now.astimezone(self.zone)
        day = local.date() + DAY * ((6 - local.weekday()) % 7)
        evening = datetime(day.year, day.month, day.day, 21, tzinfo=self.zone).astimezone(UTC)
        return evening if evening > self.case.now else evening + 7 * DAY


def is_quiet(instant: datetime, zone: ZoneInfo) -> bool:
    clock = f"{instant.astimezone(zone):%H:%M}"
    return clock >= QUIET["start"] or clock < QUIET["end"]


def test_a_year_at_home_has_one_reminder_on_each_training_day_at_its_hour() -> None:
    """156 sessions over both changes of clocks, each at five in the afternoon."""
    for zone in ("Europe/Lisbon", "Australia/Lord_Howe", "America/New_York"):
        traveller = Traveller(THRICE, zone)
        traveller.live(START + 364 * DAY)
        local = [at.astimezone(traveller.zone) for at in traveller.sent()]
        assert {f"{at:%H:%M}" for at in local} == {"17:00"}
        days = [at.date() for at in local]
        assert days == sorted(set(days))
        assert {day.isoweekday() for day in days} == {1, 3, 5}
        assert len(days) >= 155
        assert not traveller.case.published(EscalationRaised)


@given(FLIGHTS, st.integers(0, 10))
@YEARS
def test_a_year_of_travel_has_no_training_day_without_a_reminder_and_none_with_two(
    flights: list[tuple[int, str]], home: int
) -> None:
    """Any flights between eleven zones: the same session never twice, a day lived through never without."""
    traveller = Traveller(THRICE, ZONES[home])
    lived: list[tuple[datetime, datetime, ZoneInfo]] = []
    for hours, to in flights:
        begun = traveller.case.now
        traveller.live(begun + hours * HOUR)
        lived.append((begun, traveller.case.now, traveller.zone))
        traveller.fly(to)
    begun = traveller.case.now
    traveller.live(max(begun, START) + 10 * DAY)
    lived.append((begun, traveller.case.now, traveller.zone))

    ids = [due.reminder_id for due in traveller.case.published(ReminderDue)]
    assert len(ids) == len(set(ids))
    for begin, end, zone in lived:
        assert not any(is_quiet(at, zone) for at, _ in traveller.case.attempted if begin < at < end)
    for slot in slots(lived):
        near = [at for at in traveller.sent() if slot - 27 * HOUR <= at <= slot + 27 * HOUR]
        assert near, (slot, flights)


def slots(lived: list[tuple[datetime, datetime, ZoneInfo]]) -> list[datetime]:
    """Five o'clock on each training day that the patient saw go by."""
    found = []
    for begin, end, zone in lived:
        day: date = begin.astimezone(zone).date()
        while day <= end.astimezone(zone).date():
            at = datetime(day.year, day.month, day.day, 17, tzinfo=zone).astimezone(UTC)
            if begin < at <= end and day.isoweekday() in (1, 3, 5):
                found.append(at)
            day += DAY
    return found


@given(FLIGHTS, st.integers(0, 10))
@YEARS
def test_day_and_week_keep_their_limits_and_messages_go_out_awake(flights: list[tuple[int, str]], home: int) -> None:
    """Everything at once, on every clock: at most seven in any seven days, none handed over in quiet hours."""
    traveller = Traveller(EVERYTHING, ZONES[home])
    told = 0
    for hours, zone in (*flights, (14 * 24, ZONES[home])):
        traveller.live(traveller.case.now + hours * HOUR)
        for at, _ in traveller.case.attempted[told:]:
            assert not is_quiet(at, traveller.zone)
        told = len(traveller.case.attempted)
        sent = [due.due_at for due in traveller.case.published(ReminderDue)]
        assert all(sum(first <= at < first + 6 * DAY for at in sent) <= 7 for first in sent)
        traveller.fly(zone)
