"""Mail to a real SMTP server: told once, tried again, given up with a reason that names nobody."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.notifier.app import make_app
from shared.event.envelope import Event
from shared.event.registry import adapter
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.connection import connect
from shared.stream.history import read_history
from shared.stream.key import stream_key
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import escalation
from tests.support.smtp_server import Mailbox, smtp_server


async def published(url: str, stream: Stream, count: int) -> list[Event[Any]]:
    """Waits until a stream holds so many events."""
    client = connect(url)
    found: list[Event[Any]] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                await asyncio.sleep(0.05)
                entries = [entry async for entry in read_history(client, 1, [stream])]
                found = [adapter(entry.get("type")).validate_json(entry.raw) for entry in entries]
    finally:
        await client.aclose()
    return found


async def submit(url: str, *events: bytes) -> None:
    client = connect(url)
    for raw in events:
        await client.xadd(stream_key(0, Stream.ESCALATIONS), {"__data__": raw})
    await client.aclose()


def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=url, data_dir=tmp_path / "data")


async def test_an_escalation_reaches_the_clinician_s_mailbox_once(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """From the stream to the mailbox: severity and id, once, though the event is delivered twice."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        environment(port)
        async with make_app(settings(redis_url, tmp_path)).started():
            raised = wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH)
            await submit(redis_url, raised, raised)
            (sent,) = await published(redis_url, Stream.NOTIFICATIONS, 1)
            await asyncio.sleep(0.3)
    (mail,) = mailbox.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    body = plain.get_content()
    assert "escalation-1" in body
    for words in ("Pain has risen sharply.", "A flare.", "Please look at it today.", "evidence: B", "patient-1"):
        assert words not in body
    assert (sent.type, sent.data.about) == ("care.notification.delivered.v1", "raised-1")
    assert "clinic.example" not in sent.model_dump_json()


async def test_a_mail_server_that_was_down_gets_the_mail_when_it_returns(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """An outage of the mail server delays an alert and loses none."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        pass
    environment(port)
    async with make_app(settings(redis_url, tmp_path)).started():
        await submit(redis_url, wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH))
        await asyncio.sleep(1.5)
        async with smtp_server(mailbox, port):
            (sent,) = await published(redis_url, Stream.NOTIFICATIONS, 1)
    assert len(mailbox.mails) == 1
    assert sent.data.attempts >= 2


async def test_a_refused_recipient_becomes_a_failed_event_without_the_address(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """The platform learns that the clinician was not reached, and nothing that identifies anybody."""
    mailbox = Mailbox("550 no such user")
    async with smtp_server(mailbox) as port:
        environment(port)
        async with make_app(settings(redis_url, tmp_path)).started():
            await submit(redis_url, wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH))
            failed = (await published(redis_url, Stream.NOTIFICATIONS, 1))[0]
    assert failed.type == "care.notification.failed.v1"
    assert failed.data.error == "the mail server refused the recipient (550)"
    assert "clinic.example" not in failed.model_dump_json()
