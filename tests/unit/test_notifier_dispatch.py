"""What is sent from the outbox, by which channel, to which address, and what the core is told of it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.notifier.channels.channel import (
    Channel,
    DeliveryError,
    Message,
    PassingError,
    Receipt,
    RefusedError,
    UncertainError,
)
from services.notifier.channels.log import LogChannel
from services.notifier.composition import Composition
from services.notifier.dispatch import Dispatch
from services.notifier.domain.contact import address_hash
from services.notifier.domain.delivery import DeliveryOutcome
from services.notifier.policy_file import load_policies
from shared.decision import TimerFired
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, escalation, program


class Post:
    """A channel that keeps what it is given, or fails as it is told."""

    name = "mail"

    def __init__(self, error: DeliveryError | None = None) -> None:
        self.sent: list[tuple[Message, str]] = []
        self._error = error

    async def send(self, message: Message, address: str) -> Receipt:
        if self._error:
            raise self._error
        self.sent.append((message, address))
        return Receipt("250")


class Register:
    """The one thing of the desk that sending a single message reads: which addresses are dead."""

    metrics = None
    traces = None

    def __init__(self, **known: str) -> None:
        self.known = known

    async def noted(self, subject: str, name: str) -> str | None:
        return self.known.get(name)


def link_for(recipient: str, patient_id: str, escalation_id: str, at: datetime) -> str:
    return f"https://care.example/escalation?access={recipient}.{escalation_id}"


def dispatch(*more: Channel, mail_from: str | None = "care@clinic.example") -> Dispatch:
    channels = {channel.name: channel for channel in (LogChannel(), *more)}
    policies = load_policies(None)
    return Dispatch(policies, channels, mail_from, Composition(policies, link_for))


def alarmed(severity: str = "urgent") -> NotifierCase:
    case = NotifierCase()
    case.tell("care.escalation.raised.v1", escalation(severity=severity), event_id="raised-1")
    return case


def reminded() -> NotifierCase:
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program({"days": [1]}))
    case.now = EPOCH + timedelta(hours=8)
    case.fire("remind", case.now)
    return case


async def outcome(sender: Dispatch, case: NotifierCase, register: Any = None) -> DeliveryOutcome:
    (name,) = (name for name in case.timers if "deliver:" in name)
    timer = TimerFired("t", "patient-1", name, case.timers[name], "c")
    assert case.state is not None
    desk: Any = register or Register()
    return await sender.perform(case.state, timer, desk)


async def test_a_clinician_reads_severity_id_and_link_and_who_is_next_and_nothing_of_the_patient() -> None:
    """Whoever sees the mail on a locked screen learns nothing about anybody."""
    case, post = alarmed(), Post()
    assert await outcome(dispatch(post), case) == DeliveryOutcome("mail", "sent", "250")
    ((message, address),) = post.sent
    assert address == "care@clinic.example"
    for words in ("urgent", "escalation-1", "https://care.example/escalation?access=on_call.escalation-1"):
        assert words in f"{message.subject} {message.text}".lower()
    assert "lead_clinician" in message.text
    for part in (message.subject, message.text, message.html or "", json.dumps(dict(message.data)), message.short):
        assert "Pain has risen" not in part
        assert "patient-1" not in part
        assert "flare" not in part.lower()


async def test_without_a_mail_server_the_log_tells_with_ids_only() -> None:
    """The alert is not lost, and the log holds neither address nor text nor link."""
    case, sender = alarmed(), dispatch(mail_from=None)
    with capture_logs() as lines:
        await sender.start_up()
        assert (await outcome(sender, case)).channel == "log"
    assert [line["event"] for line in lines] == ["no_mail_server", "escalation"]
    assert lines[1]["escalation_id"] == "escalation-1"
    assert "Pain" not in json.dumps(lines)
    assert "access=" not in json.dumps(lines)


async def test_a_patient_is_reminded_at_the_address_that_is_known_at_this_moment() -> None:
    """An address changed a minute ago is the one that is used; one taken back is none."""
    case, post = reminded(), Post()
    case.tell("care.patient.updated.v1", {"contact": {"mail": "new@mail.example"}})
    await outcome(dispatch(post), case)
    assert post.sent[0][1] == "new@mail.example"
    gone = reminded()
    gone.tell("care.patient.updated.v1", {"contact": {}})
    assert await outcome(dispatch(Post()), gone) == DeliveryOutcome("mail", "refused", "no address is known")


async def test_a_patient_is_never_told_by_the_log() -> None:
    """The log stands in for clinicians' channels only."""
    assert await outcome(dispatch(), reminded()) == DeliveryOutcome("mail", "refused", "the channel is not set up")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PassingError("busy", retry_after_s=60), DeliveryOutcome("mail", "passing", "busy", 60)),
        (RefusedError("refused (554)", address_is_dead=False), DeliveryOutcome("mail", "refused", "refused (554)")),
        (
            RefusedError("refused (550)", address_is_dead=True),
            DeliveryOutcome("mail", "address_dead", "refused (550)", address_hash=address_hash("care@clinic.example")),
        ),
        (UncertainError("no answer"), DeliveryOutcome("mail", "uncertain", "no answer")),
    ],
)
async def test_the_core_is_told_how_an_attempt_ended_without_any_address(
    error: DeliveryError, told: DeliveryOutcome
) -> None:
    """The core decides what follows; the channel only says what happened."""
    result = await outcome(dispatch(Post(error)), alarmed())
    assert result == told
    assert "clinic.example" not in repr(result)


async def test_a_dead_address_is_not_tried_again_by_anybody() -> None:
    """What one patient's alert has learnt, the next one's knows."""
    post = Post()
    dead = Register(**{f"address:mail:{address_hash('care@clinic.example')}": "{}"})
    assert (await outcome(dispatch(post), alarmed(), dead)).result == "refused"
    assert not post.sent
