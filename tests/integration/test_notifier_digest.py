"""Routine escalations of many patients reach a clinician in one mail."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.notifier.app import make_app
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.key import CLOCK
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import acknowledge, escalation
from tests.support.running import client_for, move_clock, publish, read, until_idle
from tests.support.smtp_server import Mailbox, smtp_server

DIGEST_AT = EPOCH + timedelta(days=1)
"""Nine o'clock on Tuesday."""


def raised(patient: str, at: datetime, severity: str = "routine") -> bytes:
    data = escalation(escalation_id=f"escalation-{patient}", severity=severity, reason="non_adherence")
    return wire("care.escalation.raised.v1", data, event_id=f"r-{patient}", subject=patient, time=at)


@pytest.mark.parametrize("answer", ["250 OK", "451 try again later"])
async def test_what_is_routine_waits_for_the_morning_and_comes_in_one_mail(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path, answer: str
) -> None:
    """Twenty-five patients, one mail at nine, whatever the mail server says at first; who was answered is left out."""
    mailbox = Mailbox(answer=answer)
    patients = [f"patient-{n}" for n in range(26)]
    async with client_for(redis_url) as client, smtp_server(mailbox) as port:
        environment(port)
        begin = EPOCH + timedelta(minutes=30)
        await client.set(CLOCK, begin.isoformat())
        async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path, clock="replay")).started():
            await publish(client, Stream.ESCALATIONS, *(raised(patient, begin) for patient in patients))
            await until_idle(client)
            seen = acknowledge(escalation_id="escalation-patient-25")
            word = wire("care.clinician.decided.v1", seen, event_id="d", subject="patient-25", time=begin)
            await publish(client, Stream.DECISIONS, word)
            await move_clock(client, DIGEST_AT - timedelta(minutes=1), ["notifier"], timeout_s=20)
            assert not mailbox.mails
            await move_clock(client, DIGEST_AT, ["notifier"], timeout_s=20)
            mailbox.answer = "250 OK"
            for minutes in (2, 5, 10):
                await move_clock(client, DIGEST_AT + timedelta(minutes=minutes), ["notifier"], timeout_s=20)
        (mail,) = [mail for mail in mailbox.mails if mail["To"] == "on-call@clinic.example"]
        plain = mail.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        assert {f"escalation-patient-{n}" for n in range(25)} <= set(text.split())
        assert "escalation-patient-25" not in text
        told = [event["subject"] for event in await read(client, Stream.NOTIFICATIONS)]
        assert sorted(told) == sorted(patients[:25])


async def test_an_emergency_does_not_wait_for_the_digest(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """It goes out at once, whatever the hour."""
    mailbox = Mailbox()
    async with client_for(redis_url) as client, smtp_server(mailbox) as port:
        environment(port)
        night = EPOCH.replace(hour=23)
        await client.set(CLOCK, night.isoformat())
        async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path, clock="replay")).started():
            await publish(client, Stream.ESCALATIONS, raised("patient-1", night, "emergency"))
            await until_idle(client, 1, Stream.NOTIFICATIONS)
        assert mailbox.mails[0]["Importance"] == "high"
