"""Patients are reminded on their own clock, with consent, and never in an emergency."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.event.notification import NotificationDelivered, ReminderDue
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, acknowledge, consent, escalation, program, session

UPDATED = "care.patient.updated.v1"
PLANNED = "care.program.planned.v1"
CHANGED = "care.program.changed.v1"
SESSION = "care.session.reported.v1"
CHECKIN = "care.checkin.reported.v1"
LISBON = ZoneInfo("Europe/Lisbon")
DAY = timedelta(days=1)
WEEKDAYS = {"days": [1, 3, 5]}


def patient(schedule: dict[str, Any] | None = None, **update: Any) -> NotifierCase:
    case = NotifierCase()
    case.tell(UPDATED, consent(**update))
    case.tell(PLANNED, program(schedule))
    return case


def reminders(case: NotifierCase, kind: str = "session") -> list[str]:
    """Local times at which a kind of reminder went out."""
    return [
        f"{due.due_at.astimezone(LISBON):%a %d %b %H:%M}" for due in case.published(ReminderDue) if due.kind == kind
    ]


def test_a_session_is_reminded_of_on_its_days() -> None:
    """On a Monday, Wednesday, Friday plan the patient hears on these days, in the late afternoon."""
    case = patient(WEEKDAYS)
    case.advance(EPOCH + 6 * DAY)
    assert reminders(case) == ["Mon 02 Mar 17:00", "Wed 04 Mar 17:00", "Fri 06 Mar 17:00"]
    assert case.attempted[0][1].channel == "mail"
    assert case.published(NotificationDelivered)[0].recipient_role == "patient"


def test_no_reminder_once_the_session_is_done() -> None:
    """Who has exercised today is left in peace."""
    case = patient(WEEKDAYS)
    case.tell(SESSION, session("s-1", EPOCH + timedelta(hours=2)), at=EPOCH + timedelta(hours=2))
    case.advance(EPOCH + DAY)
    assert reminders(case) == []


def test_without_days_the_reminder_comes_when_the_days_left_just_suffice() -> None:
    """Three sessions a week and none done: Friday is the first day on which it becomes tight."""
    case = patient()
    case.advance(EPOCH + 6 * DAY + timedelta(hours=12))
    assert reminders(case) == ["Fri 06 Mar 17:00", "Sat 07 Mar 17:00", "Sun 08 Mar 17:00"]


def test_without_days_a_done_session_moves_the_reminder() -> None:
    """Two done by Thursday: only Sunday's last chance is reminded of."""
    case = patient()
    for n in (1, 2):
        case.tell(SESSION, session(f"s-{n}", EPOCH + n * DAY), at=EPOCH + n * DAY)
    case.advance(EPOCH + 6 * DAY + timedelta(hours=12))
    assert reminders(case) == ["Sun 08 Mar 17:00"]


def test_reminders_keep_their_local_hour_over_the_change_of_clocks() -> None:
    """17:00 stays 17:00 when summer time begins on 29 March."""
    case = patient(WEEKDAYS)
    case.advance(datetime(2026, 3, 21, 9, tzinfo=UTC))
    case.tell(SESSION, session("s-1", case.now))
    case.advance(datetime(2026, 4, 1, 0, tzinfo=UTC))
    local = [
        due.due_at.astimezone(LISBON).strftime("%H:%M") for due in case.published(ReminderDue) if due.kind == "session"
    ]
    assert set(local) == {"17:00"}
    hours = {due.due_at.hour for due in case.published(ReminderDue) if due.kind == "session"}
    assert hours == {16, 17}


def test_quiet_hours_over_midnight_move_a_reminder_to_their_end() -> None:
    """A patient who sleeps from four to eight hears at eight in the morning."""
    case = patient(WEEKDAYS, quiet_hours={"start": "16:00", "end": "08:00"})
    case.advance(EPOCH + 2 * DAY)
    assert reminders(case) == ["Tue 03 Mar 08:00"]


def test_a_session_done_within_the_quiet_hours_needs_no_reminder_at_their_end() -> None:
    """Exercise at night makes the morning's reminder superfluous."""
    case = patient(WEEKDAYS, quiet_hours={"start": "16:00", "end": "08:00"})
    case.advance(EPOCH + timedelta(hours=12))
    case.tell(SESSION, session("s-1", case.now))
    case.advance(EPOCH + DAY)
    assert reminders(case) == []


def test_nothing_while_away() -> None:
    """On holiday no session is due."""
    case = patient(WEEKDAYS, away={"from": "2026-03-02", "to": "2026-03-05"})
    case.advance(EPOCH + 6 * DAY)
    assert reminders(case) == ["Fri 06 Mar 17:00"]


def test_a_long_absence_is_followed_by_reminders_again() -> None:
    """Ten weeks away end, and the service has not forgotten the patient."""
    case = patient(WEEKDAYS, away={"from": "2026-03-02", "to": "2026-05-10"})
    case.advance(datetime(2026, 5, 12, tzinfo=UTC))
    assert reminders(case) == ["Mon 11 May 17:00"]


def test_without_consent_there_is_no_reminder_at_all() -> None:
    """Not asked is not yes; nor is a consent taken back."""
    for update in ({}, {"consent": {"reminders": False}}):
        case = NotifierCase()
        case.tell(UPDATED, {"timezone": "Europe/Lisbon", "contact": {"mail": "a@b.example"}, **update})
        case.tell(PLANNED, program(WEEKDAYS))
        case.advance(EPOCH + 14 * DAY)
        assert not case.published(ReminderDue)
        assert not case.attempted


def test_without_an_address_the_platform_gets_the_reminder_and_no_message_is_tried() -> None:
    """The app can show what no mail can carry."""
    case = NotifierCase()
    case.tell(UPDATED, {"consent": {"reminders": True}})
    case.tell(PLANNED, program(WEEKDAYS))
    case.advance(EPOCH + DAY)
    (due,) = case.published(ReminderDue)
    assert due.channel == "platform"
    assert not case.attempted


def test_no_reminder_for_a_program_that_is_not_to_be_followed() -> None:
    """Held, ended or not yet approved: nothing is asked of the patient."""
    for status in ("held", "ended", "proposed"):
        case = patient(WEEKDAYS)
        changed = {"previous_version": 1, "reason": "A decision.", "version": 2, "prescription_seq": 2}
        case.tell(CHANGED, program(WEEKDAYS, status=status, prescription=[], **changed))
        case.advance(EPOCH + 14 * DAY)
        assert not case.published(ReminderDue), status


def test_no_reminder_text_in_an_emergency() -> None:
    """While a red flag is open nobody is told to exercise, even after a clinician has seen it."""
    case = patient(WEEKDAYS)
    case.tell("care.escalation.raised.v1", escalation(reason="red_flag", severity="urgent"))
    case.tell("care.clinician.decided.v1", acknowledge())
    case.advance(EPOCH + 3 * DAY)
    assert not case.published(ReminderDue)
    resolved = {"escalation_id": "escalation-1", "reason": "red_flag", "resolution": "resume"}
    case.tell("care.escalation.resolved.v1", resolved)
    case.advance(EPOCH + 5 * DAY)
    assert reminders(case) == ["Fri 06 Mar 17:00"]


def test_the_morning_after_a_session_is_asked_for_once() -> None:
    """No answer by ten brings one friendly question, and no second."""
    case = patient({"checkin": {"next_morning": True, "measures": []}})
    case.tell(SESSION, session("s-1", EPOCH))
    case.advance(EPOCH + 4 * DAY)
    assert reminders(case, "checkin") == ["Tue 03 Mar 10:00"]


def test_an_answered_morning_is_not_asked_for() -> None:
    """Also when the answer reached us before the session did."""
    case = patient({"checkin": {"next_morning": True, "measures": []}})
    answer = {
        "checkin_id": "c-1",
        "session_id": "s-1",
        "reported_at": (EPOCH + timedelta(hours=22)).isoformat(),
        "next_morning_pain": 2,
    }
    case.tell(CHECKIN, answer)
    case.tell(SESSION, session("s-1", EPOCH))
    case.advance(EPOCH + 4 * DAY)
    assert reminders(case, "checkin") == []


def test_owed_questionnaires_come_in_one_reminder_when_their_weeks_have_passed() -> None:
    """Two questionnaires of one day make one message; a reported one starts its weeks anew."""
    measures = [{"instrument": "NPRS", "every_weeks": 1}, {"instrument": "VISA-G", "every_weeks": 2}]
    case = patient({"checkin": {"next_morning": False, "measures": measures}})
    case.advance(EPOCH + 3 * DAY)
    report = {
        "checkin_id": "c-1",
        "reported_at": case.now.isoformat(),
        "measures": [{"instrument": "NPRS", "value": 3}],
    }
    case.tell(CHECKIN, report)
    case.advance(EPOCH + 15 * DAY)
    assert reminders(case, "measure") == ["Thu 12 Mar 18:00", "Mon 16 Mar 18:00"]


def test_after_seven_days_of_silence_the_patient_is_asked_once_how_it_goes() -> None:
    """One kind word in a silence; the clinician hears of it by other ways."""
    case = patient()
    case.advance(EPOCH + 30 * DAY)
    assert reminders(case, "re_engage") == ["Mon 09 Mar 11:00"]
    case.tell(SESSION, session("s-1", case.now))
    case.advance(EPOCH + 45 * DAY)
    assert len(reminders(case, "re_engage")) == 2


def test_no_more_than_two_reminders_a_day() -> None:
    """Even when four things are due."""
    measures = [{"instrument": "NPRS", "every_weeks": 1}]
    case = patient(
        {"days": [1, 2, 3, 4, 5, 6, 7], "sessions_per_week": 7, "checkin": {"next_morning": True, "measures": measures}}
    )
    for n in range(21):
        if n % 3 == 0:
            case.tell(SESSION, session(f"s-{n}", case.now))
        case.advance(EPOCH + (n + 1) * DAY)
    days: dict[date, int] = {}
    for due in case.published(ReminderDue):
        day = due.due_at.astimezone(LISBON).date()
        days[day] = days.get(day, 0) + 1
    assert max(days.values()) == 2


def test_reminders_that_an_outage_has_made_stale_are_skipped() -> None:
    """After three days without the service the patient gets no heap of old reminders."""
    case = patient(WEEKDAYS)
    case.leap(EPOCH + 5 * DAY)
    assert not case.published(ReminderDue)
    case.advance(EPOCH + 8 * DAY)
    assert reminders(case) == ["Mon 09 Mar 17:00"]


def test_a_short_outage_only_delays_the_reminder() -> None:
    """Two hours late is better than not at all."""
    case = patient(WEEKDAYS)
    case.leap(EPOCH + timedelta(hours=10))
    assert reminders(case) == ["Mon 02 Mar 17:00"]


def test_no_due_is_reminded_of_twice() -> None:
    """The same reminder never has a second id."""
    case = patient(WEEKDAYS)
    case.advance(EPOCH + 40 * DAY)
    ids = [due.reminder_id for due in case.published(ReminderDue)]
    assert len(ids) == len(set(ids))


def test_an_illness_that_leaves_nothing_prescribed_brings_no_session_reminder() -> None:
    """Where the prescription in force is empty there is nothing to do."""
    case = patient(WEEKDAYS)
    case.tell(
        CHANGED, program(WEEKDAYS, version=2, previous_version=1, reason="Ill.", prescription_seq=2, prescription=[])
    )
    case.advance(EPOCH + 3 * DAY)
    assert reminders(case) == []


def test_state_does_not_grow_with_the_length_of_care() -> None:
    """Two years of care need no more room than the sixty weeks that a clinician sees."""
    case = patient({"checkin": {"next_morning": True, "measures": []}})
    sizes = []
    for n in range(300):
        case.tell(SESSION, session(f"s-{n:05}", case.now))
        case.advance(EPOCH + (n + 1) * 2 * DAY)
        sizes.append(len(msgspec.json.encode(case.state)))
    weeks_60 = 210  # sessions, one every second day
    assert max(sizes[weeks_60:]) <= max(sizes[:weeks_60]) + 300


def test_a_morning_or_questionnaire_is_not_asked_for_while_away() -> None:
    """On holiday no question comes either; the questionnaire waits for the return."""
    measures = [{"instrument": "NPRS", "every_weeks": 1}]
    schedule = {"checkin": {"next_morning": True, "measures": measures}}
    case = patient(schedule, away={"from": "2026-03-03", "to": "2026-03-12"})
    case.tell(SESSION, session("s-1", EPOCH))
    case.advance(EPOCH + 12 * DAY)
    assert reminders(case, "checkin") == []
    assert reminders(case, "measure") == ["Fri 13 Mar 18:00"]
