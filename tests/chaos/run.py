"""One run: a workload is written, faults happen, the clock moves, and in the end the streams are judged."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.stream.connection import connect
from shared.stream.idle import busy_groups
from shared.stream.key import CLOCK, CLOCK_HANDLED, stream_key
from tests.chaos.fault import CLAIM_IDLE_S, Arena, Planned, make_schedule
from tests.chaos.fleet import Fleet
from tests.chaos.server import Server
from tests.chaos.verdict import Size, Verdict, judge, measure
from tests.chaos.workload import Workload, Written
from tests.support.black_box import SERVICES
from tests.support.running import free_port

CHUNK = 50
"""Entries written in one go between two looks at the schedule of faults."""
AT_ONCE = 2
"""Faults that may go on at the same time."""
STEP_S = 600.0
POLL_S = 0.05


@dataclass(slots=True)
class Report:
    """What a run did and what came of it."""

    verdict: Verdict
    size: Size
    faults: list[str] = field(default_factory=list)
    deaths: Mapping[int, int] = field(default_factory=dict)
    """Exit statuses of the processes and how often, negative for signals."""
    last_words: Sequence[int | None] = ()
    """Statuses after the SIGTERM in the end."""
    surprised: Sequence[str] = ()
    """Replicas whose log holds a traceback."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is set up."""

    workload: Workload
    faults: int
    seed: int
    folder: Path
    replicas: int = 2
    apart: bool = False
    """A process for each service of a replica, instead of one for all four."""
    fsync: str = "always"
    settings: Mapping[str, str] = field(default_factory=dict)
    most: Size | None = None


Progress = Callable[[int, str], None]
"""Called with the number of entries just written and with what has happened."""


async def run(plan: Plan, progress: Progress = lambda entries, what: None) -> Report:
    """Raises TimeoutError where the system does not come to rest after a step of the clock."""
    begun = time.monotonic()
    async with arena_of(plan) as arena:
        runner = _Runner(plan, arena, progress)
        await runner.play()
        last_words = await arena.fleet.stop()
        verdict = await judge(arena.client, plan.workload, most=plan.most)
        return Report(
            verdict,
            await measure(arena.client),
            runner.done,
            arena.fleet.deaths(),
            last_words,
            arena.fleet.tracebacks(),
            time.monotonic() - begun,
        )


@contextlib.asynccontextmanager
async def arena_of(plan: Plan) -> AsyncIterator[Arena]:
    """A server and a fleet, ready; both are gone afterwards."""
    server = Server(plan.folder / "redis", free_port(), fsync=plan.fsync)
    await server.start()
    settings = {
        "CARE_REDIS_URL": server.url,
        "CARE_PARTITIONS": str(plan.workload.partitions),
        "CARE_CLOCK": "replay",
        "CARE_CLAIM_IDLE_S": str(CLAIM_IDLE_S),
        "CARE_MAX_DELIVERIES": "100",  # a death is no fault of the entries that were in flight
        "CARE_LOG_LEVEL": "warning",
        **plan.settings,
    }
    fleet = Fleet(plan.folder, settings, count=plan.replicas, apart=plan.apart)
    client = connect(server.url)
    try:
        dice = random.Random(plan.seed + 1)  # noqa: S311  # a test's dice
        await _patiently(lambda: client.set(CLOCK, plan.workload.begin.isoformat()))
        await fleet.start()
        yield Arena(fleet, server, client, plan.workload.partitions, dice)
    finally:
        fleet.kill()
        await client.aclose()
        server.kill()


class _Runner:
    def __init__(self, plan: Plan, arena: Arena, progress: Progress) -> None:
        self._plan = plan
        self._arena = arena
        self._progress = progress
        self._written = 0
        self._acknowledged: dict[str, str] = {}
        """Stream key to the id of its newest entry that is known to be there."""
        total = sum(1 for _ in plan.workload.entries)
        self._schedule: list[Planned] = make_schedule(arena.dice, plan.faults, total)
        self._going_on: set[asyncio.Task[None]] = set()
        self.done: list[str] = []

    async def play(self) -> None:
        for number, step in enumerate(self._plan.workload.steps):
            for begin in range(0, len(step.entries), CHUNK):
                chunk = step.entries[begin : begin + CHUNK]
                await self._write(chunk)
                self._written += len(chunk)
                self._progress(len(chunk), f"step {number}")
                await self._harm()
            await self._move(step.clock)
        while self._going_on:
            await asyncio.wait(self._going_on)
        await self._arena.fleet.until_ready()
        await self._come_to_rest(self._plan.workload.steps[-1].clock)

    # ---- faults ----

    async def _harm(self) -> None:
        """Begins what is due by now, and waits while too much of it goes on."""
        while self._schedule and self._schedule[0].after <= self._written:
            while len(self._going_on) >= AT_ONCE:
                await asyncio.wait(self._going_on, return_when=asyncio.FIRST_COMPLETED)
            planned = self._schedule.pop(0)
            task = asyncio.create_task(self._do(planned))
            self._going_on.add(task)
            task.add_done_callback(self._going_on.discard)
            await asyncio.sleep(self._arena.dice.uniform(0, 0.5))

    async def _do(self, planned: Planned) -> None:
        name = planned.fault.__name__
        what = await planned.fault(self._arena)
        self.done.append(f"{name} {what}".strip())
        self._progress(0, self.done[-1])

    # ---- input ----

    async def _write(self, entries: Sequence[Written]) -> None:
        """As a careful platform does: what is not acknowledged is looked for, and written again if it is not there."""
        left = list(entries)
        while left:
            try:
                pipeline = self._arena.client.pipeline(transaction=False)
                for entry in left:
                    pipeline.xadd(stream_key(entry.partition, entry.stream), dict(entry.fields))
                answers = await pipeline.execute(raise_on_error=False)
                left = [entry for entry, answer in zip(left, answers, strict=True) if isinstance(answer, Exception)]
                if not left:
                    return
            except (RedisError, OSError):
                pass
            await asyncio.sleep(0.1)
            left = [entry for entry in left if not await _patiently(lambda e=entry: self._is_there(e))]

    async def _is_there(self, entry: Written) -> bool:
        rows: Any = await self._arena.client.xrevrange(stream_key(entry.partition, entry.stream), count=2 * CHUNK)
        return any(fields.get(b"n") == entry.fields[b"n"] for _, fields in rows)

    # ---- the clock ----

    async def _move(self, to: datetime) -> None:
        async with asyncio.timeout(STEP_S):
            while await _patiently(lambda: busy_groups(self._arena.client, self._plan.workload.partitions)):
                await asyncio.sleep(POLL_S)
            async with self._arena.clock_lock:
                await _patiently(lambda: self._arena.client.set(CLOCK, to.isoformat()))
            await self._come_to_rest(to)

    async def _come_to_rest(self, at: datetime) -> None:
        """All timers up to then have fired and nothing is left to do."""
        async with asyncio.timeout(STEP_S):
            while not await _patiently(lambda: self._is_at_rest(at)):
                await asyncio.sleep(POLL_S)

    async def _is_at_rest(self, at: datetime) -> bool:
        fields: Any = await self._arena.client.hgetall(CLOCK_HANDLED)
        handled = {name.decode(): datetime.fromisoformat(value.decode()) for name, value in fields.items()}
        if not all(name in handled and handled[name] >= at for name in SERVICES):
            return False
        return not await busy_groups(self._arena.client, self._plan.workload.partitions)


async def _patiently(work: Callable[[], Any]) -> Any:
    """Tries until Redis answers, whatever befalls it."""
    while True:
        try:
            return await work()
        except (RedisError, OSError):
            await asyncio.sleep(0.1)


__all__ = ["Plan", "Progress", "Redis", "Report", "arena_of", "run"]
