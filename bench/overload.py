"""Ten times what is sustainable for a while, with emergencies in between; then recovery.

Seen from outside: nothing is lost, memory stays bounded, and a red flag is escalated while the queue is long.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from bench import workload
from bench.hop import CARED_FOR, environment_of, worker
from bench.usage import redis_use, rss_mib
from shared.event.wire import Stream
from shared.stream.key import CLOCK, stream_key

FLAGS = 20


@dataclass(frozen=True, slots=True)
class Overload:
    """What was seen."""

    sent: int
    rate_per_s: float
    recovered_after_s: float
    """From the last event sent to the last adjustment."""
    longest_queue: int
    escalation_p50_s: float
    escalation_worst_s: float
    """From a red flag's XADD to its escalation."""
    worker_mib_before: float
    worker_mib_at_most: float
    redis_mib_at_most: float
    adjustments: int
    escalations: int


async def run(
    url: str, client: Redis, command: tuple[str, ...], sustainable: float, seconds: float, tell: Callable[[str], None]
) -> Overload:
    """One progression process under ten times its rate."""
    work = workload.after(CARED_FOR)
    rate = sustainable * 10
    count = int(rate * seconds)
    await client.flushall()
    await client.set(CLOCK, work.now.isoformat())
    await client.xgroup_create(stream_key(0, Stream.SESSIONS), "progression", id="0", mkstream=True)
    tell(f"overload: {count + FLAGS:,} patients are put into care")
    await workload.seed(client, work, range(count + FLAGS + 1))
    async with worker((*command, "run", "progression"), environment_of(url, work)) as pid:
        await workload.send(client, work, range(count + FLAGS, count + FLAGS + 1))
        await _length(client, Stream.ADJUSTMENTS, 1)
        before = rss_mib(pid)
        watch = _Watch(client, pid, count)
        watching = asyncio.create_task(watch.run())
        tell(f"overload: {count:,} sessions within {seconds:.0f} s")
        flagged = asyncio.create_task(_flags(client, work, count, seconds))
        began = time.perf_counter()
        for first in range(0, count, 500):
            await workload.send(client, work, range(first, min(first + 500, count)))
            await asyncio.sleep(max(0.0, began + (first + 500) / rate - time.perf_counter()))
        sent_at = await flagged
        ended = time.perf_counter()
        tell("overload: recovery")
        await _length(client, Stream.ADJUSTMENTS, count + FLAGS + 1)
        recovered = time.perf_counter() - ended
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        delays = await _delays(client, sent_at)
        return Overload(
            sent=count + FLAGS,
            rate_per_s=rate,
            recovered_after_s=recovered,
            longest_queue=watch.longest,
            escalation_p50_s=sorted(delays)[len(delays) // 2],
            escalation_worst_s=max(delays),
            worker_mib_before=before,
            worker_mib_at_most=watch.worker_mib,
            redis_mib_at_most=watch.redis_mib,
            adjustments=await client.xlen(stream_key(0, Stream.ADJUSTMENTS)) - 1,
            escalations=len(delays),
        )


async def _flags(client: Redis, work: workload.Workload, count: int, seconds: float) -> dict[str, int]:
    """Red flags spread over the time. Gives the entry time of each, in ms by Redis's clock."""
    sent: dict[str, int] = {}
    for number in range(FLAGS):
        await asyncio.sleep(seconds / FLAGS)
        patient = workload.patient_id(count + number)
        raw = workload.flagged(patient, CARED_FOR, work.now)[1]
        entry_id: Any = await client.xadd(stream_key(0, Stream.SESSIONS), {"__data__": raw})
        sent[patient] = int(entry_id.partition(b"-")[0])
    return sent


async def _delays(client: Redis, sent_at: dict[str, int]) -> list[float]:
    rows: Any = await client.xrange(stream_key(0, Stream.ESCALATIONS))
    found = {}
    for entry_id, row in rows:
        raw = row[b"__data__"]
        start = raw.index(b'"subject":"') + len(b'"subject":"')
        found[raw[start : raw.index(b'"', start)].decode()] = int(entry_id.partition(b"-")[0])
    return [(found[patient] - at) / 1000 for patient, at in sent_at.items()]


class _Watch:
    """The largest that was seen."""

    def __init__(self, client: Redis, pid: int, count: int) -> None:
        self._client, self._pid, self._count = client, pid, count
        self.longest, self.worker_mib, self.redis_mib = 0, 0.0, 0.0

    async def run(self) -> None:
        while True:
            groups: Any = await self._client.xinfo_groups(stream_key(0, Stream.SESSIONS))
            self.longest = max(self.longest, groups[0]["lag"] or 0)
            self.worker_mib = max(self.worker_mib, rss_mib(self._pid))
            self.redis_mib = max(self.redis_mib, (await redis_use(self._client)).memory_bytes / 2**20)
            await asyncio.sleep(0.5)


async def _length(client: Redis, stream: Stream, count: int) -> None:
    async with asyncio.timeout(3600):
        while await client.xlen(stream_key(0, stream)) < count:  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.05)
