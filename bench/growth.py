"""Whether cost and memory stay flat while patients, their history, partitions and replicas grow."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from bench import workload
from bench.hop import CARED_FOR, WARM_UP, environment_of, free_port, worker
from bench.usage import cpu_s, redis_use, rss_mib
from shared.event.wire import Stream
from shared.stream.key import CLOCK, stream_key

SESSIONS = 1000
"""Handled at each size."""


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured at one size."""

    what: str
    patients: int
    history: int
    partitions: int
    replicas: int
    events_per_s: float
    cpu_us: float
    """Of all workers, per session."""
    redis_cpu_us: float
    socket_reads: float
    redis_bytes_per_patient: float
    worker_mib: float


async def at_size(
    url: str,
    client: Redis,
    python: tuple[str, ...],
    tell: Callable[[str], None],
    *,
    what: str,
    patients: int,
    history: int = CARED_FOR,
    partitions: int = 1,
    replicas: int = 1,
) -> Size:
    """Sessions of patients drawn at random from all, handled by so many replicas of progression."""
    work = workload.after(history)
    await client.flushall()
    await client.set(CLOCK, work.now.isoformat())
    for partition in range(partitions):
        await client.xgroup_create(stream_key(partition, Stream.SESSIONS), "progression", id="0", mkstream=True)
    tell(f"{what}: {patients:,} patients are put into care")
    empty = (await redis_use(client)).memory_bytes
    await workload.seed(client, work, range(patients), partitions)
    full = (await redis_use(client)).memory_bytes
    chosen = random.Random(1).sample(range(patients), min(SESSIONS + WARM_UP, patients))  # noqa: S311  # no secret
    first, rest = chosen[:WARM_UP], chosen[WARM_UP:]
    environment = environment_of(url, work) | {"CARE_PARTITIONS": str(partitions)}
    tell(f"{what}: {len(rest):,} of them report a session")
    async with contextlib.AsyncExitStack() as stack:
        pids = []
        for replica in range(replicas):
            own = {"CARE_CONSUMER": f"bench-{replica}", "CARE_HTTP_PORT": str(free_port())}
            pids.append(await stack.enter_async_context(worker((*python, "run", "progression"), environment | own)))
        await workload.send(client, work, first, partitions)
        await _until(client, len(first), partitions)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await workload.send(client, work, rest, partitions)
        used, before = sum(cpu_s(pid) for pid in pids), await redis_use(client)
        began = time.perf_counter()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        polls = await _until(client, len(chosen), partitions)
        seconds = time.perf_counter() - began
        used, redis = sum(cpu_s(pid) for pid in pids) - used, (await redis_use(client)).since(before)
        resident = sum(rss_mib(pid) for pid in pids)
    count = len(rest)
    return Size(
        what=what,
        patients=patients,
        history=history,
        partitions=partitions,
        replicas=replicas,
        events_per_s=count / seconds,
        cpu_us=used / count * 1e6,
        redis_cpu_us=redis.cpu_s / count * 1e6,
        socket_reads=(redis.socket_reads - polls) / count,
        redis_bytes_per_patient=(full - empty) / patients,
        worker_mib=resident,
    )


async def _until(client: Redis, count: int, partitions: int) -> int:
    polls = 0
    async with asyncio.timeout(600):
        while True:
            lengths = [await client.xlen(stream_key(p, Stream.ADJUSTMENTS)) for p in range(partitions)]
            polls += partitions
            if sum(lengths) >= count:
                return polls
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Rest:
    """A process that starts, and then has nothing to do."""

    start_s: float
    """From the start of the process to ready."""
    cpu_percent: float
    redis_commands_per_s: float
    resident_mib: float


async def at_rest(url: str, client: Redis, python: tuple[str, ...], seconds: float = 8.0) -> Rest:
    """All four services in one process: how long until it is ready, and what it uses idle."""
    work = workload.after(CARED_FOR)
    await client.flushall()
    environment = environment_of(url, work) | {"CARE_CLOCK": "wall"}
    began = time.perf_counter()
    async with worker((*python, "run"), environment) as pid:
        await _ready(int(environment["CARE_HTTP_PORT"]))
        start_s = time.perf_counter() - began
        await asyncio.sleep(2)
        used, before = cpu_s(pid), await redis_use(client)
        await asyncio.sleep(seconds)
        used, redis = cpu_s(pid) - used, (await redis_use(client)).since(before)
        return Rest(start_s, used / seconds * 100, (redis.commands - 1) / seconds, rss_mib(pid))


async def _ready(port: int) -> None:
    async with asyncio.timeout(120):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = await reader.read(64)
                writer.close()
                if b" 200 " in answer:
                    return
            await asyncio.sleep(0.02)
