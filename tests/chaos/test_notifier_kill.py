"""Two notifiers, a real Redis, a real mail server that is busy, refuses or falls silent; one dies at each point.

No alert is lost, none comes more than twice under its id, and no patient is reminded twice.
"""

import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.smtp import SMTP, Envelope, Session
from redis.asyncio import Redis

from shared.chain import verify
from shared.event.wire import Stream
from shared.stream.idle import is_idle
from shared.stream.key import CLOCK
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import consent, escalation, program
from tests.support.notifier_worker import POINTS
from tests.support.running import client_for, command, environment_for, move_clock, publish, read, wait_ready

WORKER = "tests.support.notifier_worker"
MOODS = ("ok", "busy", "gone", "silent")
"""What the mail server makes of an address: takes it; 451 at first; 550; falls silent after the content at first."""
LEAD = "lead@clinic.example"
REMINDED_AT = EPOCH.replace(hour=17)


@dataclass
class MailServer:
    """Counts what it was given by recipient and Message-ID. Its mood follows from the address."""

    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Also what it was given and did not confirm."""
    confirmed: Counter[tuple[str, str]] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        mood = address.partition("-")[0]
        if mood == "gone":
            return "550 no such user"
        if mood == "busy" and address not in self.busy:
            self.busy.add(address)
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        (address,) = envelope.rcpt_tos
        self.taken[(address, str(mail["Message-ID"]))] += 1
        if address.startswith("silent-") and address not in self.silent:
            self.silent.add(address)
            await asyncio.sleep(3600)
        self.confirmed[(address, str(mail["Message-ID"]))] += 1
        return "250 OK"

    def of(self, address: str) -> list[int]:
        """How often each message to an address was taken."""
        return [count for (to, _), count in self.taken.items() if to == address]


@contextlib.asynccontextmanager
async def serving(mail_server: MailServer) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mail_server), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def two_notifiers(folder: Path, changes: dict[str, str]) -> AsyncIterator[None]:
    """Two replicas, each brought back as long as it dies."""
    over = asyncio.Event()

    async def keep(name: str) -> None:
        lives = 0
        while not over.is_set():
            lives += 1
            environment = environment_for(folder / name, **changes, CARE_CONSUMER=name)
            log = folder / f"{name}-{lives}.log"
            async with command("run", "notifier", environment=environment, log=log, module=WORKER) as process:
                try:
                    await wait_ready(environment, process, port_offset=4)
                except AssertionError:
                    if process.returncode != -signal.SIGKILL:
                        raise AssertionError(log.read_text()[-2000:]) from None
                    continue
                ready.release()
                ended = asyncio.create_task(process.wait())
                await asyncio.wait({ended, asyncio.create_task(over.wait())}, return_when=asyncio.FIRST_COMPLETED)
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                await ended

    ready = asyncio.Semaphore(0)
    keepers = [asyncio.create_task(keep(name)) for name in ("notifier-0", "notifier-1")]
    try:
        first = asyncio.create_task(ready.acquire())
        await asyncio.wait({first, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            if keeper.done():
                keeper.result()
        yield
    finally:
        over.set()
        await asyncio.gather(*keepers)


def policies(folder: Path) -> Path:
    """A team for each mood: its clinician first, then the lead clinician, who is always reached."""
    step = {"channels": ["mail"], "acknowledge_within_min": 15}
    teams = {}
    for mood in MOODS:
        ladder = {
            "hours": "always",
            "repeats": 1,
            "last_resort_every_min": 60,
            "resolve_within_min": 60,
            "steps": [{"to": [f"on_call_{mood}"], **step}, {"to": ["lead_clinician"], **step}],
        }
        teams[mood] = {
            "working_hours": {"timezone": "UTC", "days": [1, 2, 3, 4, 5], "start": "08:00", "end": "17:00"},
            "owner": "owner",
            "last_resort": "lead_clinician",
            "emergency": ladder,
            "urgent": ladder,
            "routine": ladder,
        }
    recipients = {f"on_call_{mood}": {"mail": f"{mood}-clinician@clinic.example"} for mood in MOODS}
    path = folder / "policies.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "recipients": recipients
                | {"lead_clinician": {"mail": LEAD}, "owner": {"mail": "owner@clinic.example"}},
                "policies": teams,
                "delivery": {"attempts": 5, "first_retry_s": 30, "longest_retry_s": 60},
            }
        )
    )
    return path


async def tell(client: Redis) -> None:
    """For each mood a patient who is to be reminded at five, and one of whom a clinician must know now."""
    patients, programs, alerts = [], [], []
    for mood in MOODS:
        contact = consent(contact={"mail": f"{mood}-patient@mail.example"}, care_team=mood, timezone="UTC")
        patients.append(told("care.patient.updated.v1", contact, f"reminded-{mood}"))
        patients.append(told("care.patient.updated.v1", {"care_team": mood}, f"alarmed-{mood}"))
        programs.append(told("care.program.planned.v1", program({"days": [1]}), f"reminded-{mood}"))
        raised = escalation(escalation_id=f"escalation-{mood}", severity="emergency", reason="red_flag")
        alerts.append(told("care.escalation.raised.v1", raised, f"alarmed-{mood}"))
    await publish(client, Stream.PATIENTS, *patients)
    await publish(client, Stream.PROGRAMS, *programs)
    await asyncio.sleep(0.1)
    await publish(client, Stream.ESCALATIONS, *alerts)


def told(event_type: str, data: dict[str, Any], patient: str) -> bytes:
    return wire(event_type, data, event_id=f"{patient}-{event_type}", subject=patient, time=EPOCH)


async def step(client: Redis, to: datetime) -> None:
    await move_clock(client, to, ["notifier"], timeout_s=40)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "kind"),
    [
        (point, kind)
        for point in POINTS
        for kind in ("clinician", "patient")
        if "promotion" not in point or kind == "patient"
    ],
)
async def test_a_notifier_that_dies_loses_no_alert_and_repeats_no_reminder(
    redis_url: str, tmp_path: Path, point: str, kind: str
) -> None:
    """Whatever the moment, and whatever the mail server says."""
    mark, mail_server = tmp_path / "died", MailServer()
    async with client_for(redis_url) as client, serving(mail_server) as port:
        changes = {
            "CARE_REDIS_URL": redis_url,
            "CARE_CLOCK": "replay",
            "CARE_CLAIM_IDLE_S": "1.5",
            "CARE_MAX_DELIVERIES": "50",
            "CARE_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "CARE_MAIL_FROM": "care@clinic.example",
            "CARE_POLICIES": str(policies(tmp_path)),
            "TEST_KILL_AT": point,
            "TEST_KILL_KIND": kind,
            "TEST_KILL_MARK": str(mark),
        }
        await client.set(CLOCK, EPOCH.isoformat())
        async with two_notifiers(tmp_path, changes):
            await tell(client)
            for minutes in (1, 3, 6, 14, 16, 20):
                await step(client, EPOCH + timedelta(minutes=minutes))
            for minutes in (0, 1, 3, 6):
                await step(client, REMINDED_AT + timedelta(minutes=minutes))
            assert mark.exists(), "nobody died: the test proves nothing"
            assert await is_idle(client, 1)
        await check(client, mail_server)


async def check(client: Redis, mail_server: MailServer) -> None:
    """From the mailboxes and the streams alone."""
    for mood in ("ok", "busy", "silent"):
        told_clinician = mail_server.of(f"{mood}-clinician@clinic.example")
        assert told_clinician, f"the {mood} clinician was never told"
        assert max(told_clinician) <= 2
        reminders = mail_server.of(f"{mood}-patient@mail.example")
        assert sum(reminders) <= 1, f"the {mood} patient was reminded {reminders} times"
    assert not mail_server.of("gone-clinician@clinic.example")
    lead = mail_server.of(LEAD)
    assert len(lead) >= len(MOODS)
    assert max(lead) <= 2
    outcomes = await read(client, Stream.NOTIFICATIONS)
    uncertain = {event["subject"] for event in outcomes if "uncertain" in event["data"].get("error", "")}
    for mood in ("ok", "busy", "silent"):
        was_sent = mail_server.of(f"{mood}-patient@mail.example") == [1]
        assert was_sent or f"reminded-{mood}" in uncertain, f"the {mood} patient's reminder was lost without a word"
    ids = [event["data"]["notification_id"] for event in outcomes if "delivered" in event["type"]]
    assert len(ids) == len(set(ids))
    for mood in MOODS:
        rows: Any = await client.xrange(f"care:{{0}}:notifier:ledger:alarmed-{mood}")
        entries = [json.loads(fields[b"__data__"]) for _, fields in rows]
        assert verify(entries) is None
        assert entries[0]["kind"] == "created"
        assert "sent" in {entry["kind"] for entry in entries}
