"""What streams are kept for, what is told when they are not, and that webhooks keep no alert waiting."""

import asyncio
import json
import re
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from services.notifier.app import make_app
from services.notifier.webhook.endpoint import PLACES
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.idle import wait_until_idle
from shared.stream.key import stream_key
from shared.stream.retention import trim
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import escalation
from tests.support.running import client_for, free_port, publish
from tests.support.smtp_server import Mailbox, smtp_server
from tests.support.webhook_case import HANG, HERE, OK, Case, Platform, http_server, output, until, webhook_case

DAY = timedelta(days=1)
MONTH = 30 * DAY
DOCS = Path(__file__).parents[2] / "docs"


async def _write(case: Case, days_ago: int, number: int) -> None:
    _, event = output(number)
    ms = round((datetime.now(UTC) - days_ago * DAY).timestamp() * 1000)
    await case.client.xadd(stream_key(0, Stream.REMINDERS), {"__data__": json.dumps(event)}, id=f"{ms}-0")


async def _left(case: Case) -> list[int]:
    rows: Any = await case.client.xrange(stream_key(0, Stream.REMINDERS))
    return [json.loads(fields[b"__data__"])["data"]["number"] for _, fields in rows]


async def test_streams_wait_for_a_receiver_up_to_twice_the_retention_time(redis_url: str) -> None:
    """Then what is missing is named, once in the log and until `resume` in the list; the rest arrives."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = msgspec.structs.replace(await case.subscribe(port), since_ms=0)
        await case.office.subscriptions.change(one)
        for days_ago in (70, 65, 61, 59, 40, 31, 29, 1):
            await _write(case, days_ago, days_ago)
        with capture_logs() as logs:
            await trim(case.client, 1, MONTH)
            await trim(case.client, 1, MONTH)
        assert await _left(case) == [59, 40, 31, 29, 1]
        (gap,) = [line for line in logs if line["event"] == "webhook_gap"]
        assert (gap["subscription"], gap["stream"], gap["events"]) == (one.id, "care:{0}:reminders", 3)
        assert datetime.fromisoformat(gap["first"]) < datetime.now(UTC) - 69 * DAY
        assert datetime.fromisoformat(gap["last"]) < datetime.now(UTC) - 60 * DAY
        assert (await case.office.route(one.id, 0).gaps())[Stream.REMINDERS].events == 3
        async with case.working():
            await until(lambda: len(platform.taken) == 5)
        assert platform.numbers("patient-1") == [59, 40, 31, 29, 1]
        with capture_logs() as logs:
            for _ in range(150):  # streams are trimmed by whole nodes
                await _write(case, 0, 0)
                await asyncio.sleep(0.001)
            await trim(case.client, 1, MONTH)
        assert [line for line in logs if line["event"] == "webhook_gap"] == []


async def test_who_has_ended_keeps_nothing(redis_url: str) -> None:
    """Neither a subscription that the receiver has ended, nor one that was sent all, nor one of another type."""
    async with webhook_case(redis_url) as case:
        ended = msgspec.structs.replace(await case.subscribe(free_port()), since_ms=0)
        other = msgspec.structs.replace(await case.subscribe(free_port(), "care.load.*"), since_ms=0)
        for one in (ended, other):
            await case.office.subscriptions.change(one)
        standing = case.office.standing(ended.id)
        await standing.answer("gone", await standing.turn(1), at=datetime.now(UTC), cause="the receiver answered 410")
        for number in range(250):
            ms = round((datetime.now(UTC) - 40 * DAY).timestamp() * 1000)
            await case.client.xadd(
                stream_key(0, Stream.REMINDERS), {"__data__": json.dumps(output(number)[1])}, id=f"{ms}-{number}"
            )
        await _write(case, 1, 1000)
        with capture_logs() as logs:
            await trim(case.client, 1, MONTH)
        assert len(await _left(case)) < 200
        assert logs == []


async def test_endpoints_that_hang_keep_no_alert_waiting(
    redis_url: str, environment: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An emergency goes out by mail while every webhook hangs; and the process stops within the time of one post."""
    mailbox, hanging = Mailbox(), Platform(judge=lambda event: HANG)
    monkeypatch.setenv("CARE_WEBHOOK_ALLOW", HERE)
    async with webhook_case(redis_url) as case, smtp_server(mailbox) as mail_port, http_server(hanging) as port:
        environment(mail_port)
        for _ in range(5):
            await case.subscribe(port)
        async with client_for(redis_url) as client:
            async with make_app(Settings(redis_url=redis_url, data_dir=tmp_path)).started():
                await case.publish(*(output(n, f"patient-{n}") for n in range(100)))
                await until(lambda: len(hanging.requests) >= 20)
                raised = escalation(severity="emergency", reason="red_flag")
                await publish(
                    client,
                    Stream.ESCALATIONS,
                    wire("care.escalation.raised.v1", raised, event_id="r", subject="patient-0", time=EPOCH),
                )
                await until(lambda: mailbox.mails)
                assert len(hanging.requests) <= 5 * PLACES  # not even the first posts have come to their end
                assert hanging.at_once > 0
                await wait_until_idle(client, 1)
                stopped_at = time.monotonic()
            assert time.monotonic() - stopped_at < 60
        hanging.judge = lambda event: OK


async def test_the_receiver_of_the_documentation_takes_what_is_signed_and_nothing_else(
    redis_url: str, tmp_path: Path
) -> None:
    """It is run as it stands there."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (DOCS / "webhooks.md").read_text(), re.DOTALL)
    path, port = tmp_path / "receiver.py", free_port()
    path.write_text(snippet)
    async with webhook_case(redis_url) as case:
        one = await case.subscribe(port)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(path), one.keys[0], str(port), stdout=PIPE, stderr=DEVNULL
        )
        try:
            async with case.working():
                await case.publish(output(1), output(2))
                async with asyncio.timeout(60):
                    while (await case.outcomes(one)).count("delivered") < 2:  # noqa: ASYNC110  # Redis tells nobody
                        await asyncio.sleep(0.05)
            async with httpx.AsyncClient() as anybody:
                forged = {"webhook-id": "x", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
                refused = await anybody.post(f"http://{HERE}:{port}/", content=b"{}", headers=forged)
            assert refused.status_code == 401
        finally:
            process.kill()
            printed, _ = await process.communicate()
    assert printed.decode().splitlines() == ["care.load.adjusted.v1 patient-1"] * 2
