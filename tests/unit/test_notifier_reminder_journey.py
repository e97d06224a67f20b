"""Patients travel: a change of time zone sends no reminder twice, and none never."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.event.notification import ReminderDue
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, program, session

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AUCKLAND, LISBON, HONOLULU = "Pacific/Auckland", "Europe/Lisbon", "Pacific/Honolulu"
"""In March 13, 0 and -10 hours from UTC."""
THRICE: dict[str, Any] = {"days": [1, 3, 5]}
QUIET = {"start": "21:00", "end": "08:00"}


def patient(zone: str, schedule: dict[str, Any] = THRICE) -> NotifierCase:
    case = NotifierCase()
    case.now = EPOCH - 3 * DAY
    case.tell("care.patient.updated.v1", consent(timezone=zone, quiet_hours=QUIET))
    case.tell("care.program.planned.v1", program(schedule))
    return case


def fly(case: NotifierCase, zone: str, at: datetime) -> None:
    case.advance(at)
    case.tell("care.patient.updated.v1", {"timezone": zone})


def sent(case: NotifierCase, zone: str, kind: str = "session", since: datetime = EPOCH) -> list[str]:
    dues = [due for due in case.published(ReminderDue) if due.kind == kind and due.due_at >= since]
    return [f"{due.due_at.astimezone(ZoneInfo(zone)):%a %H:%M}" for due in dues]


def test_a_slot_that_the_move_east_jumps_over_comes_at_the_first_minute_after_it() -> None:
    """At half past four on Monday in Lisbon it is early Tuesday in Auckland: Monday's word comes at eight."""
    case = patient(LISBON)
    fly(case, AUCKLAND, datetime(2026, 3, 2, 16, 30, tzinfo=UTC))
    case.advance(EPOCH + 3 * DAY)
    assert sent(case, AUCKLAND) == ["Tue 08:00", "Wed 17:00"]


def test_a_short_move_over_the_slot_sends_it_at_once() -> None:
    """From half past four to half past five: the reminder of five o'clock is half an hour late."""
    case = patient(LISBON)
    fly(case, "Europe/Madrid", datetime(2026, 3, 2, 16, 30, tzinfo=UTC))
    case.advance(case.now + HOUR)
    assert len(sent(case, "Europe/Madrid")) == 1
    assert case.attempted[-1][0] == datetime(2026, 3, 2, 16, 30, tzinfo=UTC)


def test_a_slot_that_the_move_west_repeats_is_sent_once() -> None:
    """Monday's reminder in Auckland is Monday's reminder, also when Monday begins again in Honolulu."""
    case = patient(AUCKLAND)
    fly(case, HONOLULU, datetime(2026, 3, 2, 20, tzinfo=UTC))
    case.advance(EPOCH + 2 * DAY + 20 * HOUR)
    assert sent(case, AUCKLAND, since=EPOCH - DAY) == ["Mon 17:00", "Thu 16:00"]
    assert sent(case, HONOLULU, since=EPOCH - DAY)[-1] == "Wed 17:00"


def test_a_slot_not_yet_reached_is_planned_anew_on_the_new_clock() -> None:
    """Nothing at five in the old place, one word at five in the new one."""
    for zone in (AUCKLAND, HONOLULU):
        case = patient(LISBON)
        fly(case, zone, datetime(2026, 3, 3, 12, tzinfo=UTC))
        case.advance(EPOCH + 3 * DAY)
        assert sent(case, zone, since=case.now - 2 * DAY) == ["Wed 17:00"]


def test_there_and_back_within_a_day_changes_nothing() -> None:
    """A platform that flaps between two zones brings one reminder."""
    case = patient(LISBON)
    for n in range(6):
        fly(case, (AUCKLAND, LISBON)[n % 2], datetime(2026, 3, 2, 15, tzinfo=UTC) + n * HOUR / 4)
    case.advance(EPOCH + DAY)
    assert sent(case, LISBON) == ["Mon 17:00"]


def test_what_was_jumped_over_and_done_meanwhile_is_not_asked_for() -> None:
    """Trained on arrival: no word at eight."""
    case = patient(LISBON)
    fly(case, AUCKLAND, datetime(2026, 3, 2, 16, 30, tzinfo=UTC))
    case.tell("care.session.reported.v1", session("s-1", case.now))
    case.advance(EPOCH + DAY)
    assert sent(case, AUCKLAND) == []


def test_a_jump_into_another_training_day_brings_one_reminder_for_both() -> None:
    """Two sessions cannot be made up for in one evening."""
    case = patient("Pacific/Pago_Pago", {"days": [1, 2, 3, 4, 5, 6, 7], "sessions_per_week": 7})
    fly(case, "Pacific/Kiritimati", datetime(2026, 3, 3, 3, tzinfo=UTC))
    case.advance(case.now + 6 * HOUR)
    assert sent(case, "Pacific/Kiritimati", since=datetime(2026, 3, 3, 3, tzinfo=UTC)) == ["Tue 17:00"]


def test_a_questionnaire_and_a_nudge_are_sent_once_however_the_days_shift() -> None:
    """What a report counts from is an instant: on another clock it falls on another day, and is the same."""
    checkin = {"checkin": {"next_morning": False, "measures": [{"instrument": "NPRS", "every_weeks": 1}]}}
    for first, second in ((AUCKLAND, HONOLULU), (HONOLULU, AUCKLAND), (LISBON, AUCKLAND)):
        for hour in range(0, 72, 7):
            case = patient(first, {"sessions_per_week": 1, **checkin})
            fly(case, second, EPOCH + 3 * DAY + hour * HOUR)
            case.advance(EPOCH + 9 * DAY)
            assert len(sent(case, second, "re_engage", EPOCH - 3 * DAY)) == 1, (first, second, hour)
            assert len(sent(case, second, "measure", EPOCH - 3 * DAY)) == 1, (first, second, hour)


def test_a_morning_that_is_jumped_over_is_asked_for_once() -> None:
    """Trained on Monday in Lisbon, asked on arrival in Auckland, where ten o'clock is over."""
    case = patient(LISBON, {"checkin": {"next_morning": True, "measures": []}, **THRICE})
    case.advance(EPOCH)
    case.tell("care.session.reported.v1", session("s-1", case.now))
    fly(case, AUCKLAND, EPOCH + DAY - HOUR / 2)
    case.advance(EPOCH + 3 * DAY)
    assert len(sent(case, AUCKLAND, "checkin")) == 1
