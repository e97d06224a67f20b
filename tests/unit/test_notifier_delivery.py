"""What is claimed before the wire, and what follows from each way in which an attempt can end."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.notifier.domain.delivery import DeliveryOutcome, find_delivery
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Delivery
from services.notifier.policy_file import load_policies
from shared.decision import URGENT, Decision, Origin, Performed, TimerFired
from shared.event.notification import NotificationDelivered, NotificationFailed
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, acknowledge, consent, escalation, program

RAISED = "care.escalation.raised.v1"
DECIDED = "care.clinician.decided.v1"
SENT = DeliveryOutcome("mail", "sent", "250")
LATER = DeliveryOutcome("mail", "passing", "the mail server cannot be reached")
LOST = DeliveryOutcome("mail", "uncertain", "no answer after the message")
DEAD = DeliveryOutcome("mail", "address_dead", "the mail server refused the recipient (550)", address_hash="ab12")


def two_channels() -> Policies:
    """The on-call clinician is reached by mail, else by a webhook; the other by mail alone."""
    content = load_policies(None).model_dump(by_alias=True)
    content["recipients"]["on_call"] = {"mail": "on-call@clinic.example", "webhook": "https://clinic.example/hook"}
    content["recipients"]["lead_clinician"] = {"mail": "lead@clinic.example"}
    for severity in ("emergency", "urgent"):
        for step in content["policies"]["default"][severity]["steps"]:
            step["channels"] = ("mail", "webhook")
    return Policies.model_validate(content)


def alarmed(severity: str = "urgent", policies: Policies | None = None) -> NotifierCase:
    case = NotifierCase(policies)
    case.tell(RAISED, escalation(severity=severity), event_id="raised-1")
    return case


def reminded() -> NotifierCase:
    """A reminder stands in the outbox."""
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program({"days": [1]}))
    case.now = EPOCH + timedelta(hours=8)
    case.fire("remind", case.now)
    return case


def waiting(case: NotifierCase) -> tuple[str, Delivery]:
    """The one delivery that is due, with the name of its timer."""
    assert case.state is not None
    names = [name for name in case.timers if "deliver:" in name and case.timers[name] <= case.now]
    (found,) = [(name, find_delivery(case.state, name)) for name in names]
    assert found[1] is not None
    return found[0], found[1]


def fired(case: NotifierCase, name: str, *, with_origin: bool = False) -> TimerFired:
    at = case.timers[name]
    raw = f"0|patient-1|{name}".encode()
    origin = Origin("care:{0}:notifier:due", "1-0", raw) if with_origin else None
    return TimerFired(f"{name}@{at}", "patient-1", name, at, "correlation", origin)


def attempt(case: NotifierCase, outcome: DeliveryOutcome, *, with_origin: bool = False) -> Decision[Any]:
    name, _ = waiting(case)
    timer = fired(case, name, with_origin=with_origin)
    assert case.take(timer).effect
    return case.take(Performed(timer, outcome))


def kinds(case: NotifierCase) -> list[str]:
    return [entry["kind"] for entry in case.ledger]


def test_an_attempt_is_claimed_in_the_state_before_the_world_is_talked_to() -> None:
    """Whoever looks at the record knows that a message is on its way."""
    case = alarmed()
    name, before = waiting(case)
    assert not before.begun
    assert case.take(fired(case, name)).effect
    assert waiting(case)[1].begun
    assert kinds(case)[-1] == "claimed"
    assert not case.published(NotificationDelivered)


def test_an_alert_cut_off_by_a_crash_is_sent_once_more_under_the_same_id_and_then_the_next_step_is_told() -> None:
    """No lost alert, and at most one duplicate: after two unknown ends somebody else is told."""
    case = alarmed()
    name, first = waiting(case)
    for _ in range(2):
        assert case.take(fired(case, name)).effect
        assert waiting(case)[1].notification_id == first.notification_id
    decision = case.take(fired(case, name))
    assert not decision.effect
    assert case.published(NotificationFailed)[0].error.startswith("uncertain")
    case.advance(EPOCH + timedelta(minutes=1))
    told = {delivery.recipient for _, delivery in case.attempted if delivery.kind == "escalation"}
    assert "lead_clinician" in told
    assert kinds(case).count("uncertain") == 2


def test_a_reminder_cut_off_by_a_crash_is_never_sent_again() -> None:
    """A patient who may have been reminded is not reminded twice."""
    case = reminded()
    name, _ = waiting(case)
    timer = fired(case, name)
    assert case.take(timer).effect
    assert not case.take(timer).effect
    (failed,) = case.published(NotificationFailed)
    assert (failed.recipient_role, failed.error) == ("patient", "uncertain: the attempt was cut off")
    assert name not in case.timers


@pytest.mark.parametrize(("begin", "again"), [(alarmed, True), (reminded, False)])
def test_a_lost_answer_after_the_message_is_treated_by_class(begin: Any, again: bool) -> None:
    """A time-out after the message was handed over: the clinician's is repeated, the patient's is not."""
    case = begin()
    _, first = waiting(case)
    attempt(case, LOST)
    assert bool(case.published(NotificationFailed)) is not again
    if again:
        case.now += timedelta(minutes=1)
        assert waiting(case)[1].notification_id == first.notification_id


def test_after_an_acknowledgement_nothing_is_claimed_and_what_is_on_its_way_is_recorded() -> None:
    """Acknowledging and sending are ordered by one version of the record."""
    case = alarmed()
    name, _ = waiting(case)
    timer = fired(case, name)
    assert case.take(timer).effect
    case.tell(DECIDED, acknowledge())
    case.take(Performed(timer, SENT))
    assert kinds(case)[-3:] == ["claimed", "acknowledged", "sent"]
    assert not [name for name in case.timers if "deliver:" in name]

    other = alarmed()
    name, _ = waiting(other)
    timer = fired(other, name)
    other.tell(DECIDED, acknowledge())
    assert not other.take(timer).effect
    assert "claimed" not in kinds(other)


def test_an_attempt_that_fails_after_the_acknowledgement_is_not_repeated() -> None:
    """Nobody is told of what is being looked after already."""
    case = alarmed()
    name, _ = waiting(case)
    timer = fired(case, name)
    case.take(timer)
    case.tell(DECIDED, acknowledge())
    case.take(Performed(timer, LATER))
    assert not [name for name in case.timers if "deliver:" in name]


def test_a_dead_address_is_disabled_for_all_the_next_channel_used_at_once_and_the_owner_told() -> None:
    """A clinician whose mailbox is gone is reached by the webhook a second later."""
    case = alarmed(policies=two_channels())
    decision = attempt(case, DEAD)
    ((name, value),) = decision.register.items()
    assert name == "address:mail:ab12"
    assert json.loads(value)["recipient"] == "on_call"
    assert "on-call@clinic.example" not in value
    assert case.state is not None
    by_kind = {delivery.kind: delivery for delivery in case.state.outbox}
    assert by_kind["escalation"].channel == "webhook"
    assert by_kind["escalation"].due_at == EPOCH + timedelta(seconds=1)
    assert by_kind["notice"].recipient == "lead_clinician"
    assert by_kind["notice"].matter.startswith("on_call/mail/address_disabled")


def test_a_patient_s_dead_address_is_known_to_the_patient_s_record_alone() -> None:
    """Another address of the patient begins anew."""
    case = reminded()
    assert not attempt(case, DEAD).register
    assert case.state is not None
    assert [(one.channel, one.address_hash) for one in case.state.patient.refused] == [("mail", "ab12")]
    assert not [delivery for delivery in case.state.outbox if delivery.kind == "notice"]


def test_what_nobody_could_deliver_is_a_dead_letter_that_can_be_put_back() -> None:
    """An operator who has mended the mail server replays the letter, and the alert goes out."""
    case = alarmed()
    refused = DeliveryOutcome("mail", "refused", "the mail server refused the message (554)")
    decision = attempt(case, refused, with_origin=True)
    (rejection,) = decision.rejections
    assert (rejection.code, decision.outcome) == ("delivery_failed", "rejected")
    assert rejection.origin.stream == "care:{0}:notifier:due"
    assert "dead_lettered" in kinds(case)
    assert case.state is not None
    (given_up,) = [delivery for delivery in case.state.outbox if delivery.given_up]
    name = f"deliver:{given_up.notification_id}"
    timer = fired(case, name, with_origin=True)
    assert case.take(timer).effect
    case.take(Performed(timer, SENT))
    assert given_up.notification_id in {sent.notification_id for sent in case.published(NotificationDelivered)}


def test_a_dead_lettered_emergency_goes_to_its_next_step_at_once() -> None:
    """A person is told whatever became of the first message."""
    case = alarmed("emergency")
    attempt(case, DeliveryOutcome("mail", "refused", "no address is known"))
    case.advance(EPOCH + timedelta(seconds=2))
    assert {delivery.recipient for _, delivery in case.attempted if delivery.kind == "escalation"} == {
        "on_call",
        "lead_clinician",
    }


def test_an_emergency_comes_due_in_the_urgent_lane_and_nothing_else_does() -> None:
    """What is less urgent cannot stand in its way."""
    urgent_names = [name for name in alarmed("emergency").timers if name.startswith(URGENT)]
    assert len(urgent_names) == 2
    assert not [name for name in alarmed("urgent").timers if name.startswith(URGENT)]
    assert not [name for name in reminded().timers if name.startswith(URGENT)]


def test_a_server_that_says_how_long_to_wait_is_not_asked_before() -> None:
    """Retry-After is kept."""
    case = alarmed()
    attempt(case, DeliveryOutcome("mail", "passing", "the server is busy (429)", retry_after_s=600))
    assert case.state is not None
    assert case.state.outbox[0].due_at == EPOCH + timedelta(seconds=600)


def test_the_same_message_waits_the_same_time_and_two_messages_do_not() -> None:
    """Pauses vary between messages, so that they do not all come back at once, and never between replays."""
    policy = load_policies(None).delivery
    pauses = {policy.retry_after(3, f"message-{n}") for n in range(50)}
    assert len(pauses) > 20
    assert pauses == {policy.retry_after(3, f"message-{n}") for n in range(50)}
    assert all(timedelta(seconds=90) <= pause <= timedelta(seconds=150) for pause in pauses)


def test_the_owner_is_told_once_of_a_clinician_who_cannot_be_reached() -> None:
    """However often the ladder comes round to the same dead end."""
    case = NotifierCase(
        deliver=lambda delivery: (
            DeliveryOutcome("mail", "refused", "refused (550)") if delivery.recipient == "on_call" else SENT
        )
    )
    case.tell(RAISED, escalation(severity="emergency"))
    case.advance(EPOCH + timedelta(hours=6))
    notices = [delivery for _, delivery in case.attempted if delivery.kind == "notice"]
    assert [notice.matter.rpartition("/")[0] for notice in notices] == ["on_call/mail/given_up"]
    assert sum(delivery.recipient == "on_call" for _, delivery in case.attempted) > 3
