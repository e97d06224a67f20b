"""Trims streams: only what is old enough, what every group has handled and, up to a bound, every webhook was sent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.event.wire import Stream
from shared.stream.discovery import ORDER
from shared.stream.key import ANSWERS_FOR, READERS, Lane, lane_key, stream_key
from shared.stream.webhook.hold import LONGEST, Hold, holds, live_subscriptions, tell_gap
from shared.stream.webhook.subscription import OUTPUTS

Id = tuple[int, int]


async def trim(
    client: Redis, partitions: int, retention: timedelta, services: Sequence[str] = ORDER, now: datetime | None = None
) -> int:
    """Trims the streams that these services keep: each stream has one keeper, so that nobody else must be able to.

    `now`: the wall clock, which entry ids are made of. Returns how many entries went. Raises NoPermissionError where
    the login may not; what is left then is trimmed another time.
    """
    now = now or datetime.now(UTC)
    cutoff, bound = (_first_of(now - retention * times) for times in (1, LONGEST))
    keeps_outputs = any(keeper_of(stream) in services for stream in OUTPUTS)
    live = await live_subscriptions(client) if keeps_outputs else []
    gone = 0
    for partition in range(partitions):
        kept: dict[str, tuple[str, ...]]
        kept = {lane_key(partition, service, lane): (service,) for service in services for lane in Lane}
        kept |= {stream_key(partition, stream): READERS[stream] for stream in Stream if keeper_of(stream) in services}
        held = await holds(client, partition, live)
        for key, expected in kept.items():
            gone += await _trim(client, key, expected, cutoff, bound, held.get(key, ()))
    return gone


def keeper_of(stream: Stream) -> str:
    """The service that trims a stream: of inputs the one that answers for it.

    Of outputs it is the notifier, so that nobody else need know who subscribes to them, and with which keys.
    """
    return "notifier" if stream in OUTPUTS else ANSWERS_FOR[stream]


async def _trim(client: Redis, key: str, expected: tuple[str, ...], cutoff: Id, bound: Id, held: Sequence[Hold]) -> int:
    try:
        groups: list[dict[str, Any]] = await client.xinfo_groups(key)
    except NoPermissionError:
        raise
    except ResponseError:  # no such stream yet
        return 0
    if not set(expected) <= {group["name"].decode() for group in groups}:
        return 0  # a service that has never run must still find what was meant for it
    floor = cutoff
    for group in groups:
        floor = min(floor, await _first_unhandled(client, key, group))
    slowest = min((hold.place for hold in held), default=floor)
    floor = min(floor, max(slowest, bound))
    if floor <= (0, 1):
        return 0
    for hold in held:
        if hold.place < floor:
            await tell_gap(client, hold, floor)
    # Groups and cursors only move forward, so what was handled a moment ago still is. Exact: an approximate trim leaves
    # what shares a node with something younger, which in a quiet stream would be for ever.
    return int(await client.xtrim(key, minid=f"{floor[0]}-{floor[1]}", approximate=False))


def _first_of(instant: datetime) -> Id:
    return int(instant.timestamp() * 1000), 0


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
