"""Trims streams: only what is old enough, what every group has handled and, up to a bound, every webhook was sent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.event.wire import Stream
from shared.stream.key import READERS, Lane, lane_key, stream_key
from shared.stream.webhook.hold import LONGEST, Hold, holds, live_subscriptions, tell_gap

Id = tuple[int, int]


async def trim(client: Redis, partitions: int, retention: timedelta, now: datetime | None = None) -> int:
    """Trims every stream. `now`: the wall clock, which entry ids are made of. Returns how many entries went."""
    now = now or datetime.now(UTC)
    cutoff, bound = (_first_of(now - retention * times) for times in (1, LONGEST))
    live = await live_subscriptions(client)
    gone = 0
    for partition in range(partitions):
        services = sorted({name for names in READERS.values() for name in names})
        due = {lane_key(partition, service, lane): (service,) for service in services for lane in Lane}
        readers = {stream_key(partition, stream): READERS[stream] for stream in Stream} | due
        held = await holds(client, partition, live)
        for key, expected in readers.items():
            gone += await _trim(client, key, expected, cutoff, bound, held.get(key, ()))
    return gone


async def _trim(client: Redis, key: str, expected: tuple[str, ...], cutoff: Id, bound: Id, held: Sequence[Hold]) -> int:
    try:
        groups: list[dict[str, Any]] = await client.xinfo_groups(key)
    except ResponseError:  # no such stream yet
        return 0
    if not set(expected) <= {group["name"].decode() for group in groups}:
        return 0  # a service that has never run must still find what was meant for it
    floor = cutoff
    for group in groups:
        floor = min(floor, await _first_unhandled(client, key, group))
    slowest = min((hold.place for hold in held), default=floor)
    floor = min(floor, max(slowest, bound))
    if floor <= (0, 0):
        return 0
    for hold in held:
        if hold.place < floor:
            await tell_gap(client, hold, floor)
    # Groups and cursors only move forward, so what was handled a moment ago still is. Where something is lost it must
    # be just what was told.
    return int(await client.xtrim(key, minid=f"{floor[0]}-{floor[1]}", approximate=slowest >= floor))


def _first_of(instant: datetime) -> Id:
    return int(instant.timestamp() * 1000), 0


async def _first_unhandled(client: Redis, key: str, group: dict[str, Any]) -> Id:
    if group["pending"]:
        pending = await client.xpending(key, group["name"])
        if pending["min"]:
            return _id(pending["min"])
    return _id(group["last-delivered-id"])


def _id(raw: bytes) -> Id:
    ms, _, sequence = raw.decode().partition("-")
    return int(ms), int(sequence or 0)
