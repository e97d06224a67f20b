"""Round trips to Redis for each session under load: how often a request is sent, batches of full size.

Counted at the client, since a server counts reads of its sockets: of those a large request takes many.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from bench import workload
from bench.hop import CARED_FOR
from services.progression.app import make_service
from shared.event.wire import Stream
from shared.metric import Metrics
from shared.protocol.library import shipped_protocols
from shared.settings import Settings
from shared.stream.clock import make_clock
from shared.stream.key import CLOCK, stream_key
from shared.stream.pump import Pump, Runtime

BATCHES = 2


async def round_trips_per_session(url: str, client: Redis) -> float:
    """Reading, loading and committing, the replay clock left out."""
    work, key = workload.after(CARED_FOR), stream_key(0, Stream.SESSIONS)
    settings = Settings(redis_url=url, clock="replay", consumer="bench-0")
    runtime = Runtime(client, make_clock("replay", client), settings, shipped_protocols(), Metrics(), None)
    pump = Pump(runtime, make_service(settings), 0, Stream.SESSIONS)
    size = settings.batch_size
    await client.flushall()
    await client.set(CLOCK, work.now.isoformat())
    await client.xgroup_create(key, "progression", id="0", mkstream=True)
    await workload.seed(client, work, range(size * (BATCHES + 1)))
    await workload.send(client, work, range(size * (BATCHES + 1)))
    await _batch(client, pump, key, size)  # the script is known to the server from here on
    with _counted() as sent:
        for _ in range(BATCHES):
            await _batch(client, pump, key, size)
    clock_reads = BATCHES
    return (sent[0] - clock_reads) / (size * BATCHES)


async def _batch(client: Redis, pump: Pump, key: str, size: int) -> None:
    found: Any = await client.xreadgroup("progression", "bench-0", {key: ">"}, count=size)
    rows = found[0][1]
    await pump.process([entry_id for entry_id, _ in rows], [row for _, row in rows])


@contextlib.contextmanager
def _counted() -> Iterator[list[int]]:
    sent = [0]
    original = AbstractConnection.send_packed_command

    async def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        sent[0] += 1
        return await original(self, *arguments, **named)

    AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]  # put back at the end
    try:
        yield sent
    finally:
        AbstractConnection.send_packed_command = original  # type: ignore[method-assign]
