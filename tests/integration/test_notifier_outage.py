"""After two days without a notifier nothing stale is said to patients, and no clinician's alert is forgotten."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import time_machine

from services.notifier.app import make_app
from shared.event.wire import Stream
from shared.settings import Settings
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import consent, escalation, program
from tests.support.running import client_for, publish, until_idle
from tests.support.smtp_server import Mailbox, smtp_server

PATIENTS = 20
STOPPED_AT = EPOCH.replace(hour=12)
BACK_AT = datetime(2026, 3, 4, 16, 59, 55, tzinfo=EPOCH.tzinfo)
"""Two days and five hours later, just before the reminder of that day is due."""
DAILY = {"sessions_per_week": 7, "days": [1, 2, 3, 4, 5, 6, 7], "checkin": {"next_morning": True, "measures": []}}


async def test_after_48_hours_of_outage_nothing_stale_is_sent(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """Monday's and Tuesday's reminders are not sent on Wednesday; Wednesday's is, and the alert of Monday too."""
    mailbox = Mailbox(answer="451 try again later")
    async with client_for(redis_url) as client, smtp_server(mailbox) as port:
        environment(port)
        with time_machine.travel(STOPPED_AT - timedelta(minutes=1), tick=True):
            async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path)).started():
                for n in range(PATIENTS):
                    contact = consent(timezone="UTC", contact={"mail": f"patient-{n}@mail.example"})
                    await publish(
                        client,
                        Stream.PATIENTS,
                        wire("care.patient.updated.v1", contact, event_id=f"c-{n}", subject=f"patient-{n}"),
                    )
                    planned = program(DAILY)
                    await publish(
                        client,
                        Stream.PROGRAMS,
                        wire("care.program.planned.v1", planned, event_id=f"p-{n}", subject=f"patient-{n}"),
                    )
                raised = escalation(severity="emergency", reason="red_flag")
                await publish(
                    client,
                    Stream.ESCALATIONS,
                    wire("care.escalation.raised.v1", raised, event_id="r", subject="patient-0", time=STOPPED_AT),
                )
                await until_idle(client)
        assert mailbox.refused > 0
        mailbox.answer = "250 OK"
        with time_machine.travel(BACK_AT, tick=True):
            async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path)).started():
                await asyncio.sleep(2)
                before_five = [mail["To"] for mail in mailbox.mails]
                await asyncio.sleep(8)
                await until_idle(client)
    assert "on-call@clinic.example" in before_five, "the alert is forgotten"
    assert not [to for to in before_five if "mail.example" in to], "a patient was told of what is past"
    reminded = sorted(mail["To"] for mail in mailbox.mails if "mail.example" in mail["To"])
    # Patient 0 has an open emergency, of which no reminder distracts.
    assert reminded == sorted(f"patient-{n}@mail.example" for n in range(1, PATIENTS))
