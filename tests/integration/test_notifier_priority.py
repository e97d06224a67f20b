"""An emergency goes to the wire before a thousand reminders that were there first."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notifier.app import make_app
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.idle import wait_until_idle
from shared.stream.key import CLOCK
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import consent, escalation, program
from tests.support.running import client_for, publish
from tests.support.smtp_server import Mailbox, smtp_server

REMINDERS = 1000
REMINDED_AT = EPOCH.replace(hour=17)
IN_FLIGHT = 20
"""Messages that are on their way at the same time."""


class Slow(Mailbox):
    """A mail server that needs its time."""

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await asyncio.sleep(0.1)
        return await super().handle_DATA(server, session, envelope)


async def test_under_a_thousand_queued_reminders_an_emergency_goes_out_first(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """What was on its way may end before it, what waits may not."""
    mailbox = Slow()
    async with client_for(redis_url) as client, smtp_server(mailbox) as port:
        environment(port)
        await client.set(CLOCK, EPOCH.isoformat())
        async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path, clock="replay")).started():
            patients, programs = [], []
            for n in range(REMINDERS):
                contact = consent(timezone="UTC", contact={"mail": f"patient-{n}@mail.example"})
                patients.append(wire("care.patient.updated.v1", contact, event_id=f"c-{n}", subject=f"patient-{n}"))
                planned = program({"days": [1]})
                programs.append(wire("care.program.planned.v1", planned, event_id=f"p-{n}", subject=f"patient-{n}"))
            await publish(client, Stream.PATIENTS, *patients)
            await publish(client, Stream.PROGRAMS, *programs)
            await wait_until_idle(client, 1, timeout_s=120)
            await client.set(CLOCK, REMINDED_AT.isoformat())
            async with asyncio.timeout(60):
                while len(mailbox.mails) < 2 * IN_FLIGHT:  # noqa: ASYNC110  # the queue is well under way
                    await asyncio.sleep(0.01)
            waiting_before = len(mailbox.mails)
            raised = escalation(severity="emergency", reason="red_flag", respond_by=REMINDED_AT.isoformat())
            await publish(
                client,
                Stream.ESCALATIONS,
                wire("care.escalation.raised.v1", raised, event_id="r", subject="in-danger", time=REMINDED_AT),
            )
            async with asyncio.timeout(60):
                while "on-call@clinic.example" not in [mail["To"] for mail in mailbox.mails]:  # noqa: ASYNC110  # as above
                    await asyncio.sleep(0.01)
            places = [n for n, mail in enumerate(mailbox.mails) if mail["To"] == "on-call@clinic.example"]
            assert places[0] - waiting_before <= 3 * IN_FLIGHT
            assert len(mailbox.mails) < REMINDERS / 2, "the queue was over: the test proves nothing"
