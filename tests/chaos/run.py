"""One run: a workload is written, faults happen, the clock moves, and in the end the streams are judged."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from shared.stream.connection import PASSING, connect
from shared.stream.idle import busy_groups
from shared.stream.key import CLOCK, CLOCK_HANDLED, stream_key
from tests.chaos.cluster import Cluster
from tests.chaos.fault import CLAIM_IDLE_S, CLUSTER_FAULTS, FAULTS, POWER_FAULTS, Arena, Fault, Planned, make_schedule
from tests.chaos.fleet import Fleet
from tests.chaos.patience import patiently, until
from tests.chaos.server import Server
from tests.chaos.verdict import Verdict, judge, numbers
from tests.chaos.workload import Workload, Written
from tests.support.black_box import SERVICES
from tests.support.running import free_port

CHUNK = 50
"""Entries written in one go between two looks at the schedule of faults."""
AT_ONCE = 2
"""Faults that may go on at the same time."""


@dataclass(slots=True)
class Report:
    """What a run did and what came of it."""

    verdict: Verdict
    faults: list[str] = field(default_factory=list)
    deaths: Mapping[int, int] = field(default_factory=dict)
    """Exit statuses of the processes and how often, negative for signals."""
    last_words: Sequence[int | None] = ()
    """Statuses after the SIGTERM in the end."""
    surprised: Sequence[str] = ()
    """Replicas whose log holds a traceback."""
    lost: int = 0
    """Entries that Redis acknowledged and a failover took; they were written again."""
    seconds: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """All that must not be, in words."""
        found = list(self.verdict.violations)
        found += [f"a process ends with {status} on SIGTERM" for status in self.last_words if status != 0]
        return found


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
    loses_power: bool = False
    """`appendfsync everysec`, and faults that take the end of the append-only file."""
    on_cluster: bool = False
    """On a cluster of three masters and three replicas; the faults are others there."""

    @property
    def is_forgetful(self) -> bool:
        """Redis may lose what it has acknowledged: the platform looks, and writes it again."""
        return self.on_cluster or self.loses_power

    @property
    def kinds(self) -> tuple[Fault, ...]:
        """What can happen."""
        if self.on_cluster:
            return CLUSTER_FAULTS
        return POWER_FAULTS if self.loses_power else FAULTS


Progress = Callable[[int, str], None]
"""Called with the number of entries just written and with what has happened."""


async def run(plan: Plan, progress: Progress = lambda entries, what: None) -> Report:
    """Raises TimeoutError where the system does not come to rest after a step of the clock."""
    begun = time.monotonic()
    async with arena_of(plan) as arena:
        runner = _Runner(plan, arena, progress)
        await runner.play()
        last_words = await arena.fleet.stop()
        verdict = await judge(arena.client, plan.workload)
        return Report(
            verdict,
            runner.done,
            arena.fleet.deaths(),
            last_words,
            arena.fleet.tracebacks(),
            runner.lost,
            time.monotonic() - begun,
        )


@contextlib.asynccontextmanager
async def arena_of(plan: Plan) -> AsyncIterator[Arena]:
    """A server and a fleet, ready; both are gone afterwards."""
    server: Server | Cluster = Cluster(plan.folder)
    if not plan.on_cluster:
        server = Server(plan.folder / "redis", free_port(), fsync="everysec" if plan.loses_power else "always")
    try:
        await server.start()
        async with _peopled(plan, server) as arena:
            yield arena
    finally:
        server.kill()


@contextlib.asynccontextmanager
async def _peopled(plan: Plan, server: Server | Cluster) -> AsyncIterator[Arena]:
    settings = {
        "CARE_REDIS_URL": server.url,
        "CARE_PARTITIONS": str(plan.workload.partitions),
        "CARE_CLOCK": "replay",
        "CARE_CLAIM_IDLE_S": str(CLAIM_IDLE_S),
        "CARE_MAX_DELIVERIES": "100",  # a death is no fault of the entries that were in flight
        "CARE_LOG_LEVEL": "warning",
        # What comes almost a day early is more than a day early while the clock is turned back; or the clock is lost.
        "CARE_MAX_AHEAD": "240" if plan.is_forgetful else "48",
    }
    fleet = Fleet(plan.folder, settings, count=plan.replicas, apart=plan.apart)
    client = connect(server.url)
    try:
        dice = random.Random(plan.seed + 1)  # noqa: S311  # a test's dice
        await patiently(lambda: client.set(CLOCK, plan.workload.begin.isoformat()))
        await fleet.start()
        yield Arena(fleet, server, client, plan.workload.partitions, dice)
    finally:
        fleet.kill()
        await client.aclose()


class _Runner:
    def __init__(self, plan: Plan, arena: Arena, progress: Progress) -> None:
        self._plan = plan
        self._arena = arena
        self._progress = progress
        self._written: list[Written] = []
        total = sum(1 for _ in plan.workload.entries)
        self._schedule = make_schedule(arena.dice, plan.kinds, plan.faults, total)
        self._going_on: set[asyncio.Task[None]] = set()
        self.done: list[str] = []
        self.lost = 0
        """Entries that Redis acknowledged and a failover took; they were written again."""

    async def play(self) -> None:
        for number, step in enumerate(self._plan.workload.steps):
            for begin in range(0, len(step.entries), CHUNK):
                chunk = step.entries[begin : begin + CHUNK]
                await self._write(chunk)
                self._written += chunk
                self._progress(len(chunk), f"step {number}")
                await self._harm()
            if self._plan.is_forgetful:
                await self._restore()
            await self._move(step.clock)
        await self._let_end()
        await self._arena.fleet.until_ready()
        await self._come_to_rest(self._plan.workload.steps[-1].clock)

    # ---- faults ----

    async def _harm(self) -> None:
        """Begins what is due by now, and waits while too much of it goes on."""
        while self._schedule and self._schedule[0].after <= len(self._written):
            while len(self._going_on) >= AT_ONCE:
                await self._let_end(asyncio.FIRST_COMPLETED)
            self._going_on.add(asyncio.create_task(self._do(self._schedule.pop(0))))
            await asyncio.sleep(self._arena.dice.uniform(0, 0.5))

    async def _let_end(self, when: str = asyncio.ALL_COMPLETED) -> None:
        """Waits for faults that go on; raises what one of them raised."""
        if self._going_on:
            ended, self._going_on = await asyncio.wait(self._going_on, return_when=when)
            for task in ended:
                task.result()

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
                    fields: dict[Any, Any] = dict(entry.fields)
                    pipeline.xadd(stream_key(entry.partition, entry.stream), fields)
                answers = await pipeline.execute(raise_on_error=False)
                left = [entry for entry, answer in zip(left, answers, strict=True) if isinstance(answer, Exception)]
                if not left:
                    return
            except PASSING:
                pass
            await asyncio.sleep(0.1)
            left = [entry for entry in left if not await patiently(partial(self._is_there, entry))]

    async def _restore(self) -> None:
        """Once no fault goes on: writes again what was acknowledged and is not there."""
        await self._let_end()
        there = Counter((await patiently(lambda: numbers(self._arena.client, self._plan.workload))).values())
        lost = [entry for entry in self._written if not there[entry.number]]
        self.lost += len(lost)
        await self._write(lost)

    async def _is_there(self, entry: Written) -> bool:
        rows: Any = await self._arena.client.xrevrange(stream_key(entry.partition, entry.stream), count=2 * CHUNK)
        return any(fields.get(b"n") == entry.fields[b"n"] for _, fields in rows)

    # ---- the clock ----

    async def _move(self, to: datetime) -> None:
        await until(self._is_idle, what="the services to be idle")
        async with self._arena.clock_lock:
            await patiently(lambda: self._arena.client.set(CLOCK, to.isoformat()))
        await self._come_to_rest(to)

    async def _come_to_rest(self, at: datetime) -> None:
        """All timers up to then have fired and nothing is left to do."""
        await until(lambda: patiently(lambda: self._is_at_rest(at)), what=f"all that is due by {at}")

    async def _is_idle(self) -> bool:
        return not await patiently(lambda: busy_groups(self._arena.client, self._plan.workload.partitions))

    async def _is_at_rest(self, at: datetime) -> bool:
        clock: Any = await self._arena.client.get(CLOCK)
        is_behind = clock is None or datetime.fromisoformat(clock.decode()) < at
        if is_behind and not self._arena.clock_lock.locked():
            await self._arena.client.set(CLOCK, at.isoformat())  # a failover took it
        fields: Any = await self._arena.client.hgetall(CLOCK_HANDLED)
        handled = {name.decode(): datetime.fromisoformat(value.decode()) for name, value in fields.items()}
        if not all(name in handled and handled[name] >= at for name in SERVICES):
            return False
        return not await busy_groups(self._arena.client, self._plan.workload.partitions)
