"""At the moment of sending: consent, the hour, and whether the reminder is still of use. Nothing stale, ever."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier.domain.delivery import DeliveryOutcome
from services.notifier.domain.reminder import may_send, wait_until
from services.notifier.domain.state import Delivery
from shared.event.notification import ReminderDue
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, escalation, program, session

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SLOT = EPOCH + 8 * HOUR
"""Monday 17:00 in Lisbon, when a session is due."""
SCHEDULE: dict[str, Any] = {
    "days": [1, 3, 5],
    "checkin": {"next_morning": True, "measures": [{"instrument": "NPRS", "every_weeks": 1}]},
}


def hanging(delivery: Delivery) -> DeliveryOutcome:
    """The mail server is away."""
    return DeliveryOutcome(delivery.channel, "passing", "no answer")


def patient(schedule: dict[str, Any] = SCHEDULE, **update: Any) -> NotifierCase:
    """All mail waits: it stays in the outbox as if it were about to be sent."""
    case = NotifierCase(deliver=hanging)
    case.tell("care.patient.updated.v1", consent(**update))
    case.tell("care.program.planned.v1", program(schedule))
    return case


def waiting(
    schedule: dict[str, Any] = SCHEDULE, until: datetime = SLOT, **update: Any
) -> tuple[NotifierCase, Delivery]:
    """A case with one reminder in the outbox that has not gone to the wire."""
    case = patient(schedule, **update)
    case.advance(until)
    assert case.state is not None
    return case, case.state.outbox[-1]


def verdict(case: NotifierCase, delivery: Delivery, now: datetime | None = None) -> str | None:
    assert case.state is not None
    return may_send(case.policies.reminder, case.state, delivery, now or case.now)


def test_what_is_due_and_undone_may_be_sent() -> None:
    """The plain case."""
    case, delivery = waiting()
    assert delivery.kind == "session"
    assert verdict(case, delivery) is None


def test_consent_is_asked_for_at_the_moment_of_sending() -> None:
    """Withdrawn a minute before is withdrawn."""
    case, delivery = waiting()
    case.tell("care.patient.updated.v1", {"consent": {"reminders": False}}, at=case.now + HOUR)
    assert verdict(case, delivery) == "consent_withdrawn"


def test_nothing_is_sent_under_a_red_flag_that_came_meanwhile() -> None:
    """Nobody in an emergency is told to exercise."""
    case, delivery = waiting()
    case.tell("care.escalation.raised.v1", escalation(reason="red_flag", severity="urgent"))
    assert verdict(case, delivery) == "red_flag_open"


def test_nothing_is_sent_for_a_program_that_is_held_or_replaced() -> None:
    """A new program has its own reminders."""
    case, delivery = waiting()
    case.tell("care.program.planned.v1", program(SCHEDULE, program_id="program-2"), at=case.now + HOUR)
    assert verdict(case, delivery) == "program_superseded"
    held = {"status": "held", "version": 2, "previous_version": 1, "reason": "A decision.", "prescription": []}
    for n in (1, 2):
        case.tell("care.program.changed.v1", program(SCHEDULE, program_id=f"program-{n}", **held), at=SLOT + 2 * HOUR)
    assert verdict(case, delivery) == "program_not_followed"


def test_nothing_is_sent_to_a_patient_who_has_gone_away_meanwhile() -> None:
    """Today is the first day of the holiday."""
    case, delivery = waiting()
    case.tell("care.patient.updated.v1", {"away": {"from": "2026-03-02", "to": "2026-03-08"}})
    assert verdict(case, delivery) == "away"


def test_a_session_done_meanwhile_is_not_asked_for() -> None:
    """Trained while the mail server was away."""
    case, delivery = waiting()
    case.tell("care.session.reported.v1", session("s-1", case.now))
    assert verdict(case, delivery) == "done"


def test_a_session_that_the_patient_need_not_do_any_more_is_not_asked_for() -> None:
    """Nothing prescribed, nothing due."""
    case, delivery = waiting()
    changed = {"version": 2, "previous_version": 1, "reason": "Ill.", "prescription_seq": 2, "prescription": []}
    case.tell("care.program.changed.v1", program(SCHEDULE, **changed))
    assert verdict(case, delivery) == "done"


def test_a_morning_answered_meanwhile_is_not_asked_for() -> None:
    """The answer came at five past ten."""
    case = patient()
    case.tell("care.session.reported.v1", session("s-1", case.now))
    case.advance(EPOCH + DAY + HOUR)
    assert case.state is not None
    delivery = case.state.outbox[-1]
    assert delivery.kind == "checkin"
    assert verdict(case, delivery) is None
    answer = {"checkin_id": "c", "session_id": "s-1", "reported_at": case.now.isoformat(), "next_morning_pain": 1}
    case.tell("care.checkin.reported.v1", answer)
    assert verdict(case, delivery) == "done"


def test_a_questionnaire_filled_in_meanwhile_is_not_asked_for() -> None:
    """Reported at the kitchen table before the mail came."""
    case, delivery = waiting({"checkin": SCHEDULE["checkin"]}, EPOCH + 7 * DAY + 9 * HOUR)
    assert delivery.kind == "measure"
    assert verdict(case, delivery) is None
    report = {"checkin_id": "c", "reported_at": case.now.isoformat(), "measures": [{"instrument": "NPRS", "value": 3}]}
    case.tell("care.checkin.reported.v1", report)
    assert verdict(case, delivery) == "done"


def test_no_nudge_for_a_patient_who_was_heard_meanwhile() -> None:
    """The silence it speaks of is over."""
    case, delivery = waiting({}, EPOCH + 7 * DAY + 2 * HOUR)
    assert delivery.kind == "re_engage"
    assert verdict(case, delivery) is None
    case.tell("care.session.reported.v1", session("s-1", case.now))
    assert verdict(case, delivery) == "done"


def test_an_address_that_was_taken_back_or_replaced_is_not_written_to() -> None:
    """Mail was withdrawn, the app remains."""
    case, delivery = waiting()
    case.tell("care.patient.updated.v1", {"contact": {"app": "x"}}, at=case.now + HOUR)
    assert verdict(case, delivery) == "address_disabled"


def test_a_reminder_ends_with_its_hours_and_with_its_day() -> None:
    """Six hours after it was due, or at midnight, whichever is sooner."""
    case, delivery = waiting()
    assert delivery.expires_at == SLOT + 6 * HOUR
    assert verdict(case, delivery, SLOT + 6 * HOUR + timedelta(seconds=1)) == "stale"
    _, evening = waiting(until=SLOT + 3 * HOUR, quiet_hours={"start": "16:00", "end": "20:00"})
    assert evening.expires_at == datetime(2026, 3, 3, tzinfo=UTC)


def test_in_quiet_hours_it_waits_for_their_end_where_it_is_still_of_use() -> None:
    """An afternoon's sleep delays it; a night makes it useless."""
    case, delivery = waiting(quiet_hours={"start": "18:00", "end": "20:00"})
    assert case.state is not None
    policy = case.policies.reminder
    now = SLOT + 2 * HOUR
    assert verdict(case, delivery, now) == "quiet_hours"
    assert wait_until(policy, case.state, delivery, now) == SLOT + 3 * HOUR
    assert wait_until(policy, case.state, delivery, SLOT) is None
    case, delivery = waiting()
    assert case.state is not None
    night = SLOT + 5 * HOUR
    assert wait_until(policy, case.state, delivery, night) is None
    assert verdict(case, delivery, night) == "quiet_hours"


def test_new_quiet_hours_move_what_waits_in_the_outbox() -> None:
    """Said at five, kept at five."""
    case, delivery = waiting()
    quiet = {"start": "16:00", "end": "19:00"}
    case.tell("care.patient.updated.v1", {"quiet_hours": quiet}, at=case.now + HOUR)
    assert case.state is not None
    assert [one.due_at for one in case.state.outbox] == [SLOT + 2 * HOUR]
    assert verdict(case, delivery) == "quiet_hours"


def test_a_patient_who_told_no_quiet_hours_is_not_woken_after_an_outage() -> None:
    """The service comes back at half past ten at night: the clinic's own quiet hours hold."""
    case = patient()
    case.leap(SLOT + 5 * HOUR + HOUR / 2)
    assert not case.published(ReminderDue)
    case.advance(EPOCH + 2 * DAY + 12 * HOUR)
    assert [due.due_at for due in case.published(ReminderDue)] == [SLOT + 2 * DAY]


@pytest.mark.parametrize("start_h", range(0, 168, 5))
def test_after_48_hours_of_outage_nothing_stale_is_sent(start_h: int) -> None:
    """Whenever it begins: what goes out afterwards is due that day, and a few hours old at most."""
    case = patient({"days": [1, 2, 3, 4, 5, 6, 7], "sessions_per_week": 7, "checkin": SCHEDULE["checkin"]})
    case.tell("care.session.reported.v1", session("s-1", case.now))
    case.advance(EPOCH + start_h * HOUR)
    told = len(case.published(ReminderDue))
    begin, end = case.now, case.now + 48 * HOUR
    case.leap(end)
    after = case.published(ReminderDue)[told:]
    assert all(end - due.due_at <= 6 * HOUR for due in after if due.due_at <= end)
    assert not [due for due in after if begin < due.due_at <= end - 6 * HOUR]
    for at, delivery in case.attempted:
        assert delivery.expires_at is not None
        assert at <= delivery.expires_at
    case.advance(end + 8 * DAY)
    ids = [due.reminder_id for due in case.published(ReminderDue)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("kind", "slot"), [("measure", EPOCH + 21 * DAY + 9 * HOUR), ("re_engage", EPOCH + 25 * DAY + 2 * HOUR)]
)
def test_what_is_as_useful_a_day_later_comes_a_day_later(kind: str, slot: datetime) -> None:
    """An outage does not swallow a questionnaire or the one kind word of a silence."""
    case = patient({"checkin": {"next_morning": False, "measures": [{"instrument": "NPRS", "every_weeks": 3}]}})
    for day in (9, 18):
        case.advance(EPOCH + day * DAY)
        case.tell("care.session.reported.v1", session(f"s-{day}", case.now))
    told = len(case.published(ReminderDue))
    case.advance(slot - HOUR)
    case.leap(slot + 14 * HOUR)
    case.advance(slot + 3 * DAY)
    assert [due.due_at for due in case.published(ReminderDue)[told:] if due.kind == kind] == [slot + DAY]


def test_patients_are_reached_by_the_policys_first_channel_that_they_have() -> None:
    """Mail before webhook before the rest; what only the platform knows is left to it."""
    for contact, expected in (
        ({"mail": "a@b.example", "webhook": "https://app.example"}, "mail"),
        ({"log": "x", "webhook": "https://app.example"}, "webhook"),
        ({"sms": "+351", "apprise": "x"}, "apprise"),
        ({"sms": "+351"}, "sms"),
        ({}, "platform"),
    ):
        case = patient(contact=contact)
        case.advance(SLOT)
        (due,) = case.published(ReminderDue)
        assert due.channel == expected
        assert len(case.attempted) == (expected in ("mail", "webhook", "apprise"))
