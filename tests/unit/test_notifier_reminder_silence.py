"""Reminding has an end: a budget for the week, one task for the care team, and silence until something changes."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.notifier.domain.contact import address_hash, note_address_refused
from services.notifier.domain.delivery import DeliveryOutcome
from services.notifier.domain.state import Delivery, NotifierState
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.notification import NotificationFailed, ReminderDue
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, escalation, program, session

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAILY: dict[str, Any] = {
    "days": [1, 2, 3, 4, 5, 6, 7],
    "sessions_per_week": 7,
    "checkin": {"next_morning": True, "measures": [{"instrument": "NPRS", "every_weeks": 1}]},
}
THRICE: dict[str, Any] = {"days": [1, 3, 5]}


def refusing_mail(delivery: Delivery) -> DeliveryOutcome:
    """The mailbox does not exist."""
    if delivery.channel != "mail":
        return DeliveryOutcome(delivery.channel)
    dead = address_hash("patient@mail.example")
    return DeliveryOutcome(delivery.channel, "address_dead", "550", address_hash=dead)


def patient(schedule: dict[str, Any] = DAILY) -> NotifierCase:
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program(schedule))
    return case


def sent_at(case: NotifierCase, since: datetime = EPOCH) -> list[datetime]:
    return [due.due_at for due in case.published(ReminderDue) if due.due_at >= since]


def tasks(case: NotifierCase) -> list[EscalationRaised]:
    return case.published(EscalationRaised)


def train(case: NotifierCase) -> None:
    case.tell("care.session.reported.v1", session(f"s-{case.now:%m%d%H%M}", case.now))


def hear_back(case: NotifierCase) -> None:
    """Our own escalations come back by the stream."""
    for task in tasks(case):
        case.tell("care.escalation.raised.v1", task.model_dump(mode="json", by_alias=True), event_id=task.escalation_id)


def decide_on(case: NotifierCase, decision: str, escalation_id: str) -> None:
    told = {
        "decision_id": f"decision-{case.now:%m%d%H%M}",
        "clinician_id": "clinician-1",
        "decision": decision,
        "escalation_id": escalation_id,
        "rationale": "Spoken with the patient.",
    }
    case.tell("care.clinician.decided.v1", told)


def unreachable() -> NotifierCase:
    """The only address has refused for good, and the next event finds it so."""
    case = patient(THRICE)
    assert case.state is not None
    case.state = note_address_refused(case.state, "mail", address_hash("patient@mail.example"), case.now, "550")
    train(case)
    return case


def test_a_week_of_unanswered_reminders_ends_in_one_task_and_silence() -> None:
    """Seven words in seven days without an answer are enough: a person asks, and the messages stop."""
    case = patient()
    case.advance(EPOCH + 60 * DAY)
    # One a day; on the eighth day the nudge of the morning is the week's seventh.
    assert [f"{at:%d %H}" for at in sent_at(case)] == [f"0{day} 17" for day in range(2, 9)] + ["09 11"]
    (task,) = tasks(case)
    assert case.state is not None
    assert case.state.silence is not None
    assert case.state.silence.since == EPOCH + 7 * DAY + 8 * HOUR
    assert (task.severity, task.reason, task.program_id) == ("routine", "clinician_review", "program-1")
    assert not task.holds_program
    assert task.evidence["reminders_in_7_days"] == 7
    assert task.respond_by > EPOCH + 7 * DAY
    assert task.sbar.situation == "The patient does not answer: the week's reminders are spent."


def test_the_task_names_nobody() -> None:
    """No address, no name of the patient, no condition."""
    case = patient()
    case.advance(EPOCH + 30 * DAY)
    (task,) = tasks(case)
    words = task.model_dump_json()
    assert "mail.example" not in words
    assert "patient-1" not in words
    assert "tendinopathy" not in words


def test_a_patient_who_answers_keeps_the_budget_and_brings_the_team_no_task() -> None:
    """Who trains every evening after the reminder is reminded at most seven times in any seven days."""
    case = patient()
    for n in range(28):
        case.advance(EPOCH + n * DAY + 10 * HOUR)
        train(case)
    assert not tasks(case)
    sent = sent_at(case)
    assert len(sent) > 20
    for first in sent:
        assert sum(first <= at < first + 6 * DAY for at in sent) <= 7


def test_silence_ends_when_the_patient_is_heard_and_the_task_with_it() -> None:
    """A session says that the patient is back: reminders begin again, nobody need call any more."""
    case = patient()
    case.advance(EPOCH + 20 * DAY)
    train(case)
    (resolved,) = case.published(EscalationResolved)
    assert resolved.escalation_id == tasks(case)[0].escalation_id
    assert resolved.resolution == "superseded"
    back = case.now
    case.advance(EPOCH + 23 * DAY)
    assert sent_at(case, back)


def test_a_late_report_from_before_the_silence_ends_it_too() -> None:
    """A session recorded offline days ago shows that the patient was there all the time."""
    case = patient()
    case.advance(EPOCH + 10 * DAY)
    assert tasks(case)
    at = EPOCH + 2 * DAY
    case.tell("care.session.reported.v1", session("offline", at), at=at)
    assert case.published(EscalationResolved)
    assert case.state is not None
    assert case.state.silence is None


def test_a_clinicians_decision_opens_a_new_budget_and_resolves_the_task() -> None:
    """Continue means: remind again. The resolution names the decision."""
    case = patient()
    case.advance(EPOCH + 9 * DAY)
    hear_back(case)
    (task,) = tasks(case)
    decide_on(case, "continue", task.escalation_id)
    (resolved,) = case.published(EscalationResolved)
    assert (resolved.resolution, resolved.decision_id) == ("continue", f"decision-{case.now:%m%d%H%M}")
    decided = case.now
    case.advance(decided + 30 * DAY)
    assert len(sent_at(case, decided)) == 7
    first, second = tasks(case)
    assert first.escalation_id != second.escalation_id


def test_after_a_decision_the_spent_week_counts_no_more() -> None:
    """With two reminders a week: the clinician says go on, and two more go out before the next task."""
    case = patient()
    reminder = case.policies.reminder.model_copy(update={"max_per_week": 2})
    case.policies = case.policies.model_copy(update={"reminder": reminder})
    case.advance(EPOCH + 2 * DAY + 9 * HOUR)
    assert [f"{at:%a}" for at in sent_at(case)] == ["Mon", "Tue"]
    hear_back(case)
    decide_on(case, "continue", tasks(case)[0].escalation_id)
    case.advance(EPOCH + 6 * DAY)
    assert [f"{at:%a}" for at in sent_at(case)] == ["Mon", "Tue", "Thu", "Fri"]
    assert len(tasks(case)) == 2


@pytest.mark.parametrize("decision", ["acknowledge", "hold"])
def test_to_have_seen_the_task_is_not_to_have_decided(decision: str) -> None:
    """Silence goes on until more is known."""
    case = patient()
    case.advance(EPOCH + 9 * DAY)
    hear_back(case)
    decide_on(case, decision, tasks(case)[0].escalation_id)
    assert not case.published(EscalationResolved)
    before = len(sent_at(case))
    case.advance(case.now + 20 * DAY)
    assert len(sent_at(case)) == before


def test_a_discharge_that_names_no_escalation_closes_the_task() -> None:
    """Nothing is left to ask."""
    case = patient()
    case.advance(EPOCH + 9 * DAY)
    told = {"decision_id": "d", "clinician_id": "c", "decision": "discharge", "rationale": "Moved away."}
    case.tell("care.clinician.decided.v1", told)
    (resolved,) = case.published(EscalationResolved)
    assert (resolved.resolution, resolved.decision_id) == ("discharge", "d")


def test_a_stopped_program_closes_the_task() -> None:
    """The patient has said enough."""
    case = patient()
    case.advance(EPOCH + 9 * DAY)
    case.tell("care.program.stopped.v1", {"program_id": "program-1"})
    assert [one.resolution for one in case.published(EscalationResolved)] == ["stopped"]


def test_two_weeks_without_a_word_end_reminding_below_the_budget_too() -> None:
    """Three reminders a week are within the budget, but not for ever."""
    case = patient(THRICE)
    case.advance(EPOCH + 60 * DAY)
    assert max(sent_at(case)) < EPOCH + 14 * DAY
    assert [due.kind for due in case.published(ReminderDue)].count("re_engage") == 1
    (task,) = tasks(case)
    assert task.evidence["why"] == "no_word"


@pytest.mark.parametrize("reason", ["no_contact", "non_adherence"])
def test_a_team_that_is_asked_to_reach_the_patient_already_gets_no_second_task(reason: str) -> None:
    """One task: progression's stands for ours, and the silence is the same."""
    case = patient(THRICE)
    case.advance(EPOCH + 8 * DAY)
    case.tell("care.escalation.raised.v1", escalation(reason=reason, severity="routine"))
    case.advance(EPOCH + 60 * DAY)
    assert not tasks(case)
    assert max(sent_at(case)) < EPOCH + 14 * DAY


def test_our_task_makes_room_for_one_of_progression_that_comes_later() -> None:
    """Two people shall not call about the same thing."""
    case = patient()
    case.advance(EPOCH + 9 * DAY)
    before = len(sent_at(case))
    case.tell("care.escalation.raised.v1", escalation(reason="no_contact", severity="routine"))
    assert [one.resolution for one in case.published(EscalationResolved)] == ["superseded"]
    case.advance(EPOCH + 30 * DAY)
    assert len(sent_at(case)) == before


def test_when_every_address_has_refused_the_team_is_asked_for_another_once() -> None:
    """An address that is dead gets no second message; a person asks for a living one."""
    case = unreachable()
    (task,) = tasks(case)
    assert task.evidence["why"] == "unreachable"
    case.advance(EPOCH + 40 * DAY)
    assert len(tasks(case)) == 1
    assert not case.attempted
    assert not sent_at(case)


def test_a_new_address_ends_it_and_the_same_one_again_does_not() -> None:
    """What the platform repeats by habit is no news."""
    case = unreachable()
    case.tell("care.patient.updated.v1", consent(), at=case.now + HOUR)
    assert not case.published(EscalationResolved)
    case.tell("care.patient.updated.v1", consent(contact={"mail": "new@mail.example"}), at=case.now + 2 * HOUR)
    assert [one.resolution for one in case.published(EscalationResolved)] == ["superseded"]
    assert case.state is not None
    assert not case.state.patient.refused
    case.advance(EPOCH + 3 * DAY)
    assert sent_at(case)


def test_a_decision_on_an_unreachable_patient_settles_the_task_and_brings_no_second() -> None:
    """The clinician has heard it; only another address lets messages out again."""
    case = unreachable()
    hear_back(case)
    case.advance(EPOCH + HOUR)
    decide_on(case, "continue", tasks(case)[0].escalation_id)
    assert [one.resolution for one in case.published(EscalationResolved)] == ["continue"]
    case.advance(EPOCH + 60 * DAY)
    assert len(tasks(case)) == 1
    assert not sent_at(case)


def test_a_second_address_is_used_when_the_first_has_refused() -> None:
    """One dead channel is no dead patient: this message goes on by the next, and later ones begin there."""
    case = NotifierCase(deliver=refusing_mail)
    case.tell("care.patient.updated.v1", consent(contact={"mail": "patient@mail.example", "log": "x"}))
    case.tell("care.program.planned.v1", program(THRICE))
    case.advance(EPOCH + 3 * DAY)
    assert [delivery.channel for _, delivery in case.attempted] == ["mail", "log", "log"]
    assert len({delivery.notification_id for _, delivery in case.attempted}) == 2
    assert [due.channel for due in case.published(ReminderDue)] == ["mail", "log"]
    assert not tasks(case)


def test_the_only_address_refuses_once_and_the_team_is_told() -> None:
    """At the first 550: no second try, no second message, one task."""
    case = NotifierCase(deliver=refusing_mail)
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program(THRICE))
    case.advance(EPOCH + 60 * DAY)
    assert len(case.attempted) == 1
    (task,) = tasks(case)
    assert task.evidence["why"] == "unreachable"
    (failed,) = case.published(NotificationFailed)
    assert failed.recipient_role == "patient"


def test_a_refusal_is_kept_as_a_hash_and_once() -> None:
    """Hash, code and time; no address, however often it refuses."""
    state = NotifierState()
    for _ in range(3):
        state = note_address_refused(state, "mail", address_hash("a@b.example"), EPOCH, "550")
    (refusal,) = state.patient.refused
    assert refusal.code == "550"
    assert "a@b" not in repr(refusal)


def test_silences_refusals_and_journeys_need_no_more_room_with_the_years() -> None:
    """Two years of silences, decisions and flights end in a state no larger than after one."""
    case = patient()
    sizes = []
    for n in range(104):
        case.advance(EPOCH + n * 7 * DAY)
        decide_on(case, "continue", f"escalation-{n}")
        zone = ("Europe/Lisbon", "Pacific/Auckland", "Pacific/Honolulu")[n % 3]
        address = f"patient-{n:03}@mail.example"
        case.tell("care.patient.updated.v1", {"timezone": zone, "contact": {"mail": address}})
        assert case.state is not None
        case.state = note_address_refused(case.state, "mail", address_hash(address), case.now, "550")
        sizes.append(len(msgspec.json.encode(replace(case.state, waiting=()))))
    assert max(sizes[52:]) <= max(sizes[:52]) + 300
