"""Whether the system is idle: no group of any stream has anything pending or not yet delivered.

Each partition is looked at in one instant. Patients do not cross partitions, so that is exact.
"""

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.discovery import ORDER
from shared.stream.key import READERS, Lane, lane_key, stream_key
from shared.stream.script import Script

_GROUPS = Script("group.lua")


async def group_backlog(
    client: Redis, partitions: int, services: Sequence[str] | None = None
) -> list[tuple[str, str, int, int]]:
    """Stream key, group, pending and lag of each group that has work.

    With `services`, only of the streams that one of them reads: a service's user may look at no others.
    """
    streams = [one for one in Stream if services is None or set(READERS[one]).intersection(services)]
    found = []
    for partition in range(partitions):
        keys = [stream_key(partition, stream) for stream in streams]
        keys += [lane_key(partition, service, lane) for service in services or ORDER for lane in Lane]
        for stream, group, pending, lag in await _GROUPS(client, keys):
            found.append((stream.decode(), group.decode(), int(pending), int(lag)))
    return found


async def busy_groups(client: Redis, partitions: int) -> list[str]:
    """The groups that have work, in words."""
    return [
        f"{group} on {stream} ({pending} pending, {lag} to come)"
        for stream, group, pending, lag in await group_backlog(client, partitions)
    ]


async def is_idle(client: Redis, partitions: int) -> bool:
    """Nothing is pending and nothing lags, internal streams of due timers included."""
    return not await group_backlog(client, partitions)


async def wait_until_idle(client: Redis, partitions: int, *, timeout_s: float = 30.0, poll_s: float = 0.01) -> None:
    """Returns once the system is idle. Raises TimeoutError, naming the busy groups."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while busy := await busy_groups(client, partitions):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"still busy after {timeout_s:g} s: {', '.join(busy)}")
        await asyncio.sleep(poll_s)
