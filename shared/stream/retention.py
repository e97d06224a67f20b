"""Trims streams: only what is old enough and what every group has handled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.event.wire import Stream
from shared.stream.key import READERS, Lane, lane_key, stream_key

Id = tuple[int, int]


async def trim(client: Redis, partitions: int, retention: timedelta, now: datetime | None = None) -> int:
    """Trims every stream. `now`: the wall clock, which entry ids are made of. Returns how many entries went."""
    cutoff = (int(((now or datetime.now(UTC)) - retention).timestamp() * 1000), 0)
    gone = 0
    for partition in range(partitions):
        services = sorted({name for names in READERS.values() for name in names})
        due = {lane_key(partition, service, lane): (service,) for service in services for lane in Lane}
        readers = {stream_key(partition, stream): READERS[stream] for stream in Stream} | due
        for key, expected in readers.items():
            gone += await _trim(client, key, expected, cutoff)
    return gone


async def _trim(client: Redis, key: str, expected: tuple[str, ...], cutoff: Id) -> int:
    try:
        groups: list[dict[str, Any]] = await client.xinfo_groups(key)
    except ResponseError:  # no such stream yet
        return 0
    if not set(expected) <= {group["name"].decode() for group in groups}:
        return 0  # a service that has never run must still find what was meant for it
    floor = cutoff
    for group in groups:
        floor = min(floor, await _first_unhandled(client, key, group))
    if floor <= (0, 1):
        return 0
    # Groups only move forward, so what was handled a moment ago still is. Exact: an approximate trim leaves what shares
    # a node with something younger, which in a quiet stream would be for ever.
    return int(await client.xtrim(key, minid=f"{floor[0]}-{floor[1]}", approximate=False))


async def _first_unhandled(client: Redis, key: str, group: dict[str, Any]) -> Id:
    if group["pending"]:
        pending = await client.xpending(key, group["name"])
        if pending["min"]:
            return _id(pending["min"])
    ms, sequence = _id(group["last-delivered-id"])
    return ms, sequence + 1


def _id(raw: bytes) -> Id:
    ms, _, sequence = raw.decode().partition("-")
    return int(ms), int(sequence or 0)
