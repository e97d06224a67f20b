"""A care platform's endpoint is down for a day of a replay, with the services as they are shipped."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.stream.webhook.subscription import BY_NAME_ONLY, OUTPUTS
from tests.support.black_box import MONDAY, System, command, event, intake, system
from tests.support.redis_server import RedisServer
from tests.support.running import free_port
from tests.support.webhook_case import HERE, Platform, http_server, until

HOUR = timedelta(hours=1)
PATIENTS = [f"p-{n}" for n in range(6)]


def published(care: System) -> dict[str, list[str]]:
    """The ids of every output event by patient, in the order in which they were written."""
    rows = []
    for rank, stream in enumerate(OUTPUTS):
        for partition in range(care.partitions):
            for entry_id, fields in care.client.xrange(f"care:{{{partition}}}:{stream.value}"):
                ms, sequence = (int(part) for part in entry_id.decode().split("-"))
                rows.append((ms, rank, sequence, json.loads(fields[b"__data__"])))
    found: dict[str, list[str]] = {}
    for *_, one in sorted(rows, key=lambda row: row[:3]):
        if one["type"] not in BY_NAME_ONLY:
            found.setdefault(one["subject"], []).append(one["id"])
    return found


def webhooks(care: System, *arguments: str) -> str:
    told = command(care, "webhooks", *arguments)
    assert told.returncode == 0, told.stderr
    return told.stdout


def a_day(care: System, port: int) -> str:
    """Subscribes an endpoint that is down; then 24 hours, and more, of care. Returns the webhook."""
    added = json.loads(webhooks(care, "add", f"http://{HERE}:{port}/events", "--json"))
    consent = {"timezone": "UTC", "consent": {"reminders": True}, "contact": {"log": "x"}}
    start = MONDAY
    for patient in PATIENTS:
        care.tell(event("patient.updated", patient, start, consent), intake(patient, start))
    care.tell(intake("emergency", start + HOUR, red_flags={"saddle_anaesthesia": "present"}))
    for patient in PATIENTS[:3]:
        care.train(patient, start + 3 * HOUR)
    care.until(start + 30 * HOUR, HOUR)
    for patient in PATIENTS[3:]:
        care.train(patient, start + 48 * HOUR)
    return str(added["id"])


@pytest.mark.slow
async def test_after_a_day_without_its_receiver_a_platform_gets_every_event_once_and_in_order(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """All that was published, by id, in order for each patient; one incident; and the replay waits for nobody."""
    await asyncio.to_thread(redis_server.clear)
    port, platform = free_port(), Platform()
    allow = {"CARE_WEBHOOK_ALLOW": HERE}
    with system(redis_server.url, tmp_path, database=3, partitions=2, **allow) as care:
        webhook = await asyncio.to_thread(a_day, care, port)
        await until(lambda: "webhook_paused" in care.processes[0].log.read_text())
        expected = await asyncio.to_thread(published, care)
        assert sum(map(len, expected.values())) > 30
        async with http_server(platform, port=port):
            await until(lambda: len(platform.taken) >= sum(map(len, expected.values())))
            await until(lambda: "webhook_resumed" in care.processes[0].log.read_text())
        arrived: dict[str, list[str]] = {}
        for one in platform.taken:
            arrived.setdefault(one["subject"], []).append(one["id"])
        assert arrived == expected
        told = [json.loads(line) for line in care.processes[0].log.read_text().splitlines()]
        incidents = [line["event"] for line in told if line["event"].startswith("webhook")]
        assert incidents == ["webhook_paused", "webhook_resumed"]
        ledger: list[dict[str, Any]] = json.loads(
            await asyncio.to_thread(webhooks, care, "deliveries", webhook, "--outcome", "delivered", "--json")
        )
        assert len(ledger) == min(50, len(platform.taken))
