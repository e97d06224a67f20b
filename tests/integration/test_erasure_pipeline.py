"""An erasure with the real services: of the patient nothing is left, of the neighbour nothing goes."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.notifier.app import make_app
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.key import CLOCK, Lane, lane_key, stream_key
from shared.stream.retention import trim
from tests.support.example import EPOCH, wire
from tests.support.four_services import NAMES, four_services
from tests.support.key_scan import contents, keys_that_name
from tests.support.notifier_case import escalation
from tests.support.rich_history import rich_history, tell_all
from tests.support.running import client_for, move_clock, publish, running, until_idle
from tests.support.smtp_server import HANG, Mailbox, smtp_server

ANNA, BERTHA = "anna-7f3", "bertha-9c1"
ANNAS, BERTHAS = "anna@home.example", "bertha@home.example"
STREAMS = {stream_key(0, stream) for stream in Stream} | {lane_key(0, name, lane) for name in NAMES for lane in Lane}
"""What ages out by retention."""


@asynccontextmanager
async def cared_for(redis_url: str, told: list[Any]) -> AsyncIterator[tuple[Redis, datetime]]:
    """The four services after the histories; with the instant by their clock."""
    async with client_for(redis_url) as client:
        await client.set(CLOCK, min(at for at, _, _ in told).isoformat())
        async with running(four_services(), redis_url, clock="replay"):
            yield client, await tell_all(client, told)


async def erase(client: Redis, patient: str, at: datetime) -> None:
    raw = wire("care.patient.erased.v1", {}, subject=patient, event_id=f"erase-{patient}", time=at)
    await publish(client, Stream.PATIENTS, raw)


@pytest.mark.slow
async def test_nothing_of_an_erased_patient_is_left_and_nothing_of_the_neighbour_is_gone(
    redis_url: str, environment: Callable[[int], None]
) -> None:
    """Every key of Redis is read, whatever it is wrapped in: state, timers, ledgers, lists, marks and counters."""
    mailbox = Mailbox()
    told = [*rich_history(ANNA, ANNAS), *rich_history(BERTHA, BERTHAS)]
    async with smtp_server(mailbox) as port:
        environment(port)
        async with cared_for(redis_url, told) as (client, now):
            held = await keys_that_name(client, [ANNA, ANNAS])
            assert_rich(held - STREAMS, ANNA)
            assert {mail["To"] for mail in mailbox.mails} >= {"on-call@clinic.example", ANNAS}
            before = await neighbours(client, BERTHA)
            await erase(client, ANNA, now)
            await until_idle(client)
            assert await keys_that_name(client, [ANNA, ANNAS]) <= STREAMS
            assert await neighbours(client, BERTHA) == before
            later = now + timedelta(days=3)
            await move_clock(client, later, NAMES, timeout_s=60)
            left = await keys_that_name(client, [ANNA, ANNAS])
            assert left <= STREAMS, "no timer brought anything back"
            await erase(client, BERTHA, later)
            await until_idle(client)
            await trim(client, 1, timedelta(days=30), now=datetime.now(UTC) + timedelta(days=31))
            assert await keys_that_name(client, [ANNA, ANNAS, BERTHA, BERTHAS]) == set()
            tombstones = [key for key in await contents(client) if ":erased:" in key]
            assert len(tombstones) == 2 * len(NAMES)
            window_ms = 30 * 86_400_000
            assert all([0 < await client.pttl(key) <= window_ms for key in tombstones])


def assert_rich(held: set[str], patient: str) -> None:
    """The history is worth erasing: each kind of key names the patient."""
    wanted = {f"care:{{0}}:{name}:{kind}:{patient}" for name in NAMES for kind in ("state", "seen")}
    wanted |= {f"care:{{0}}:notifier:ledger:{patient}", f"care:{{0}}:prescriptions:{patient}"}
    wanted |= {f"care:{{0}}:{name}:timers" for name in NAMES}
    lists = ("open", "digest:on_call", "unanswered:emergency", "unanswered:routine", "untold:routine")
    wanted |= {f"care:{{0}}:notifier:list:{name}" for name in lists}
    assert held == wanted


async def neighbours(client: Redis, patient: str) -> dict[str, Any]:
    """All that is held of a patient outside the streams."""
    found: dict[str, Any] = {}
    for key, values in (await contents(client)).items():
        if key in STREAMS:
            continue
        found[key] = values if key.endswith(f":{patient}") else [one for one in values if patient.encode() in one]
    return {key: values for key, values in found.items() if values}


@asynccontextmanager
async def alarmed(redis_url: str, tmp_path: Path, severity: str, **changes: Any) -> AsyncIterator[Redis]:
    """The notifier on the wall clock, with one alarm about the patient."""
    settings = Settings(redis_url=redis_url, data_dir=tmp_path, **changes)
    async with client_for(redis_url) as client, make_app(settings).started():
        now = datetime.now(UTC) - timedelta(seconds=5)
        data = escalation(escalation_id="e-1", severity=severity, respond_by=(now + timedelta(hours=1)).isoformat())
        raised = wire("care.escalation.raised.v1", data, subject=ANNA, event_id="r-1", time=now)
        await publish(client, Stream.ESCALATIONS, raised)
        yield client


async def test_an_erasure_while_a_message_is_under_way_leaves_nothing(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """The mail server takes its time; when it is known what came of the mail, nobody is left to note it for."""
    mailbox = Mailbox(answer=HANG)
    async with smtp_server(mailbox) as port:
        environment(port)
        async with alarmed(redis_url, tmp_path, "urgent", claim_idle_s=2) as client:
            await mailbox.full(1)
            await erase(client, ANNA, datetime.now(UTC))
            await until_idle(client)
            assert await keys_that_name(client, [ANNA]) <= STREAMS


async def test_an_erasure_while_a_retry_waits_ends_the_retries(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """No more attempts, and nothing that is due later."""
    mailbox = Mailbox(answer="451 try again later")
    async with smtp_server(mailbox) as port:
        environment(port)
        async with alarmed(redis_url, tmp_path, "urgent") as client:
            while mailbox.refused < 2:
                await until_idle(client)
            await erase(client, ANNA, datetime.now(UTC))
            await until_idle(client)
            refused = mailbox.refused
            assert await keys_that_name(client, [ANNA]) <= STREAMS
            assert await client.zcard("care:{0}:notifier:timers") == 0
            assert mailbox.refused == refused


async def test_an_erased_patient_is_not_in_the_digest_that_was_gathering(
    redis_url: str, environment: Callable[[int], None]
) -> None:
    """The others' digest goes out without them."""
    mailbox = Mailbox()
    begin, digest_at = EPOCH + timedelta(minutes=30), EPOCH + timedelta(days=1)
    async with smtp_server(mailbox) as port:
        environment(port)
        services = [service for service in four_services() if service.name == "notifier"]
        async with client_for(redis_url) as client:
            await client.set(CLOCK, begin.isoformat())
            async with running(services, redis_url, clock="replay"):
                for patient in (ANNA, BERTHA):
                    data = escalation(escalation_id=f"e-{patient}", severity="routine", reason="non_adherence")
                    raw = wire("care.escalation.raised.v1", data, subject=patient, event_id=f"r-{patient}", time=begin)
                    await publish(client, Stream.ESCALATIONS, raw)
                await move_clock(client, begin + timedelta(minutes=1), ["notifier"], timeout_s=60)
                await erase(client, ANNA, begin + timedelta(minutes=1))
                for minutes in (0, 2):
                    await move_clock(client, digest_at + timedelta(minutes=minutes), ["notifier"], timeout_s=60)
                joint = [json.loads(values[0]) for key, values in (await contents(client)).items() if ":joint:" in key]
        (mail,) = mailbox.mails
        assert f"e-{BERTHA}" in str(mail)
        assert ANNA not in str(mail)
        assert joint == [[f"e-{BERTHA}"]]
