"""Talking to the world: begun in committed state, tried again after a crash, never held up by what is less urgent."""

import asyncio
from typing import Any

from shared.decision import TimerFired
from shared.event.wire import Stream
from shared.stream.desk import Desk
from shared.stream.key import CLOCK
from tests.integration.test_erasure import erased
from tests.integration.test_exactly_once import reported
from tests.integration.test_timer import NAMES, goals, later
from tests.support.example import EPOCH
from tests.support.running import client_for, move_clock, publish, read, running, until_idle
from tests.support.toy import Count, toy

DUE = "care:{0}:progression:due"


async def test_an_effect_begins_only_once_its_claim_is_committed(redis_url: str) -> None:
    """While a mail is under way, Redis says so; its timer is acknowledged with its outcome."""
    seen: list[tuple[bool, int]] = []

    async def send(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        stored = await desk.state("patient-1")
        summary: Any = await client.xpending(DUE, "progression")
        seen.append((stored == state and state.begun == 1, summary["pending"]))
        return "sent"

    async with client_for(redis_url) as client, running([toy(perform=send)], redis_url, clock="replay"):
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer mail 60"))
        await move_clock(client, later(60), NAMES)
        assert seen == [(True, 1)]
        assert await goals(client) == ["session-1", "performed:mail"]


async def test_an_effect_that_a_crash_cut_off_is_begun_again_from_what_was_claimed(redis_url: str) -> None:
    """Whoever takes over knows that somebody may have talked to the world already."""
    reached, begun = asyncio.Event(), []

    async def hang(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        reached.set()
        await asyncio.sleep(3600)
        return "never"

    async def send(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        begun.append(state.begun)
        return "sent"

    async with client_for(redis_url) as client:
        await client.set(CLOCK, EPOCH.isoformat())
        task = asyncio.create_task(_run_until_cancelled(toy(perform=hang), redis_url))
        await publish(client, Stream.SESSIONS, reported(1, notes="timer mail 0"))
        await asyncio.wait_for(reached.wait(), 10)
        async with running([toy(perform=send)], redis_url, clock="replay", consumer="other", claim_idle_s=0.1):
            await until_idle(client, 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert begun == [2]
        assert await goals(client) == ["session-1", "performed:mail"]
        ledger: Any = await client.xrange("care:{0}:progression:ledger:patient-1")
        assert len(ledger) == 2


async def test_what_is_urgent_does_not_wait_behind_a_queue(redis_url: str) -> None:
    """While a hundred messages hang, an emergency still goes out."""
    order: list[str] = []
    urgent_is_out = asyncio.Event()

    async def send(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        if timer.subject == "urgent":
            urgent_is_out.set()
        else:
            await asyncio.wait_for(urgent_is_out.wait(), 20)
        order.append(timer.subject)
        return "sent"

    async with client_for(redis_url) as client, running([toy(perform=send)], redis_url, clock="replay"):
        await client.set(CLOCK, EPOCH.isoformat())
        many = [reported(n, patient=f"p{n}", event_id=f"e{n}", notes="timer mail 0") for n in range(100)]
        await publish(client, Stream.SESSIONS, *many)
        await publish(client, Stream.SESSIONS, reported(1, patient="urgent", event_id="u", notes="timer !mail 0"))
        await asyncio.wait_for(urgent_is_out.wait(), 20)
        await until_idle(client, 202)
        assert order[0] == "urgent"
        assert len(order) == 101


async def test_lists_ledger_and_register_change_with_the_step_and_end_with_the_patient(redis_url: str) -> None:
    """What is kept beside a patient's record follows it, and nothing of an erased patient stays."""
    seen: list[list[str]] = []

    async def send(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        seen.append([f"{listed.subject}/{listed.item}" for listed in await desk.listed("begun")])
        seen.append([str(entry["count"]) for entry in await desk.ledger("patient-1")])
        return "sent"

    service = toy(perform=send)
    async with client_for(redis_url) as client, running([service], redis_url, clock="replay") as application:
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer mail 0"))
        await until_idle(client, 2)
        desk: Desk[Count] = application.engine.desk(service)
        assert seen == [["patient-1/mail"], ["1"]]
        assert await desk.count("begun") == 0
        assert await desk.register() == {"last": "mail"}
        await publish(client, Stream.PATIENTS, erased(later(3600)))
        await until_idle(client)
        assert await client.keys("*patient-1*") == []


async def test_an_effect_that_fails_as_a_bug_is_tried_again_and_at_last_put_aside(redis_url: str) -> None:
    """A broken channel neither stops the others nor is it lost from sight."""

    async def send(state: Count, timer: TimerFired, desk: Desk[Count]) -> str:
        raise RuntimeError("a bug")

    changes = {"claim_idle_s": 0.1, "max_deliveries": 2, "clock": "replay"}
    async with client_for(redis_url) as client, running([toy(perform=send)], redis_url, **changes):
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer mail 0"))
        await until_idle(client, 1)
        async with asyncio.timeout(10):
            while not (letters := await read(client, Stream.DEAD_LETTERS)):  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.02)
        assert letters[0]["data"]["error"]["code"] == "handler_failed"
        assert await goals(client) == ["session-1"]


async def _run_until_cancelled(service: Any, redis_url: str) -> None:
    async with running([service], redis_url, clock="replay", consumer="first"):
        await asyncio.sleep(3600)
