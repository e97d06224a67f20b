"""What is sent from the outbox, by which channel, and in which words."""

import json
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from services.notifier.channels.channel import Channel, DeliveryError, Message, PassingError, Receipt
from services.notifier.channels.log import LogChannel
from services.notifier.dispatch import Dispatch
from services.notifier.domain.delivery import DeliveryOutcome
from shared.decision import Performed, TimerFired
from shared.event.registry import adapter
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, escalation, program


class Post:
    """A channel that keeps what it is given."""

    name = "mail"

    def __init__(self, error: DeliveryError | None = None) -> None:
        self.sent: list[tuple[Message, str]] = []
        self._error = error

    async def send(self, message: Message, address: str) -> Receipt:
        if self._error:
            raise self._error
        self.sent.append((message, address))
        return Receipt("250")


def channels(*more: Channel) -> dict[str, Channel]:
    return {channel.name: channel for channel in (LogChannel(), *more)}


def alarmed() -> NotifierCase:
    case = NotifierCase()
    case.tell("care.escalation.raised.v1", escalation(), event_id="raised-1")
    return case


def due(case: NotifierCase) -> TimerFired:
    (name,) = (name for name in case.timers if name.startswith("deliver:"))
    return TimerFired("t", "patient-1", name, case.timers[name], "c")


async def outcome(dispatch: Dispatch, case: NotifierCase) -> DeliveryOutcome:
    assert case.state is not None
    performed = await dispatch.perform(case.state, due(case))
    assert isinstance(performed, Performed)
    assert isinstance(performed.outcome, DeliveryOutcome)
    return performed.outcome


async def test_a_clinician_learns_that_a_decision_is_needed_and_how_to_acknowledge() -> None:
    """The mail's own JSON, with its three places filled in, is a valid decision; the story is not in it."""
    case, post = alarmed(), Post()
    assert await outcome(Dispatch(case.policies, channels(post), "care@clinic.example"), case) == DeliveryOutcome(
        "mail"
    )
    ((message, address),) = post.sent
    assert address == "care@clinic.example"
    assert message.subject == "[urgent] Escalation escalati needs your answer"
    body = message.text
    assert "Answer by:  2026-03-02 11:00 UTC" in body
    assert "Pain" not in body
    assert "patient-1" not in body
    event: dict[str, Any] = json.loads(body[body.index("{") : body.rindex("}") + 1])
    event["subject"] = "patient-1"
    event["time"], event["data"]["clinician_id"] = "2026-03-02T09:00:00Z", "clinician-1"
    decided = adapter("care.clinician.decided.v1").validate_json(json.dumps(event))
    assert decided.data.escalation_id == "escalation-1"


async def test_without_a_mail_server_the_log_tells_with_ids_only() -> None:
    """The alert is not lost, and the log holds neither address nor text."""
    case = alarmed()
    dispatch = Dispatch(case.policies, channels(), None)
    with capture_logs() as lines:
        await dispatch.start_up()
        assert await outcome(dispatch, case) == DeliveryOutcome("log")
    assert [line["event"] for line in lines] == ["no_mail_server", "escalation"]
    assert lines[1]["escalation_id"] == "escalation-1"
    assert "Pain" not in json.dumps(lines)


async def test_a_patient_without_our_channel_is_an_error_without_address() -> None:
    """A contact that was taken back meanwhile fails the message, quietly and for good."""
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program({"days": [1]}))
    timer = EPOCH + timedelta(hours=8)
    case.now = timer
    case.fire("remind", timer)
    case.tell("care.patient.updated.v1", {"contact": {}}, at=timer)
    result = await outcome(Dispatch(case.policies, channels(Post()), "care@clinic.example"), case)
    assert result.permanent
    assert result.error == "no address is known"


async def test_a_reminder_from_before_an_outage_is_not_sent() -> None:
    """What was to be said yesterday afternoon is not said in the middle of the night."""
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program({"days": [1]}))
    timer = EPOCH + timedelta(hours=8)
    case.now = timer
    case.fire("remind", timer)
    post = Post()
    late = Dispatch(case.policies, channels(post), None, lambda: timer + timedelta(hours=7))
    assert (await outcome(late, case)).permanent
    assert not post.sent
    in_time = Dispatch(case.policies, channels(post), None, lambda: timer + timedelta(hours=1))
    assert not (await outcome(in_time, case)).error
    assert post.sent[0][1] == "patient@mail.example"


async def test_what_a_channel_cannot_deliver_is_told_to_the_core() -> None:
    """The core decides on another try; the channel only says what happened."""
    case = alarmed()
    post = Post(PassingError("the mail server did not answer in time"))
    result = await outcome(Dispatch(case.policies, channels(post), "care@clinic.example"), case)
    assert (result.error, result.permanent) == ("the mail server did not answer in time", False)


async def test_a_message_withdrawn_meanwhile_is_not_sent() -> None:
    """Between the timer and the sending a clinician may have answered."""
    case, post = alarmed(), Post()
    timer = due(case)
    resolved = {"escalation_id": "escalation-1", "reason": "flare", "resolution": "superseded"}
    case.tell("care.escalation.resolved.v1", resolved)
    assert case.state is not None
    dispatch = Dispatch(case.policies, channels(post), "care@clinic.example")
    assert await dispatch.perform(case.state, timer) is None
    assert not post.sent
