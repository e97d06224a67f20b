"""How the system stands, as Redis knows it: queues, timers, presence, the server itself.

The work of each look grows with the number of partitions and streams: no key is searched for, no patient looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.key import READERS, Lane, lane_key, list_key, stream_key, timers_key
from shared.stream.script import Script

_BACKLOG = Script("backlog.lua")


@dataclass(frozen=True, slots=True)
class Backlog:
    """One consumer group on one stream of one partition."""

    stream: str
    """Its Redis key."""
    group: str
    exists: bool
    pending: int
    lag: int
    waiting_s: float
    """For how long its oldest entry that is not handled has waited; 0 where there is none."""
    pending_s: float = 0.0
    """The same of its oldest entry that was delivered and not acknowledged."""


@dataclass(frozen=True, slots=True)
class TimerCount:
    """The timers of one service."""

    held: int = 0
    due: int = 0
    """Their instant has passed, and nobody has promoted them."""
    overdue_s: float = 0.0
    """Of the earliest."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server; of a cluster the worst of its nodes."""

    version: str
    memory_used: int
    memory_max: int
    """0: no limit is set."""
    is_noeviction: bool
    is_append_only: bool
    """Also that the last write of it succeeded."""


def expected_groups(
    partition: int, lanes: Iterable[tuple[str, Lane]], services: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Key and group of each that must exist in a partition; of these services where some are named."""
    found = [(stream_key(partition, stream), group) for stream in Stream for group in READERS[stream]]
    found += [(lane_key(partition, name, lane), name) for name, lane in lanes]
    return [one for one in found if services is None or one[1] in services]


async def read_backlog(client: Redis, expected: Sequence[tuple[str, str]]) -> list[Backlog]:
    """These groups of one partition, at one instant."""
    keys = list(dict.fromkeys(key for key, _ in expected))
    rows = {(key.decode(), group.decode()): rest for key, group, *rest in await _BACKLOG(client, keys)}
    found = []
    for key, group in expected:
        pending, lag, waiting_ms, pending_ms = rows.get((key, group), (0, 0, 0, 0))
        exists = (key, group) in rows
        found.append(Backlog(key, group, exists, pending, lag, waiting_ms / 1000, pending_ms / 1000))
    return found


async def read_timers(client: Redis, partitions: int, services: Sequence[str], now_ms: int) -> dict[str, TimerCount]:
    """Over all partitions. `now_ms`: the instant that decisions are made at."""
    asked = [(name, partition) for name in services for partition in range(partitions)]
    pipeline = client.pipeline(transaction=False)
    for name, partition in asked:
        key = timers_key(partition, name)
        pipeline.zcard(key)
        pipeline.zcount(key, "-inf", now_ms)
        pipeline.zrange(key, 0, 0, withscores=True)
    answers = iter(await pipeline.execute())
    found = {name: TimerCount() for name in services}
    for name, _ in asked:
        before, held, due = found[name], next(answers), next(answers)
        overdue_s = max([(now_ms - due_ms) / 1000 for _, due_ms in next(answers)] + [0.0])
        found[name] = TimerCount(before.held + held, before.due + due, max(before.overdue_s, overdue_s))
    return found


async def read_ages(
    client: Redis, partitions: int, service: str, name: str, floors_s: Sequence[float]
) -> tuple[list[int], float]:
    """How old the items of a list over all patients are by its instants and Redis's clock, in seconds.

    For each of the ascending floors how many are as old and younger than the next floor says, and the age of the
    oldest, 0 where the list is empty.
    """
    seconds, microseconds = await client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    edges_ms = [now_ms - round(1000 * floor_s) for floor_s in floors_s[1:]]
    lows = [*(f"({edge_ms}" for edge_ms in edges_ms), "-inf"]
    highs = ["+inf", *(str(edge_ms) for edge_ms in edges_ms)]
    wanted = list(zip(lows, highs, strict=True)) if floors_s else []
    pipeline = client.pipeline(transaction=False)
    for partition in range(partitions):
        key = list_key(partition, service, name)
        pipeline.zrange(key, 0, 0, withscores=True)
        for low, high in wanted:
            pipeline.zcount(key, low, high)
    answers = iter(await pipeline.execute())
    counts, oldest_s = [0] * len(wanted), 0.0
    for _ in range(partitions):
        oldest_s = max([oldest_s] + [(now_ms - score) / 1000 for _, score in next(answers)])
        counts = [count + int(next(answers)) for count in counts]
    return counts, oldest_s


async def read_server(client: Redis) -> Server:
    """Raises ResponseError where the login may not ask."""
    versions = [node.get("valkey_version") or node["redis_version"] for node in _nodes(await client.info("server"))]
    memory = _nodes(await client.info("memory"))
    fullest = max(memory, key=lambda node: node["used_memory"] / (node["maxmemory"] or float("inf")))
    persistence = _nodes(await client.info("persistence"))
    return Server(
        version=min(versions),
        memory_used=fullest["used_memory"],
        memory_max=fullest["maxmemory"],
        is_noeviction=all(node["maxmemory_policy"] == "noeviction" for node in memory),
        is_append_only=all(
            node["aof_enabled"] and node.get("aof_last_write_status", "ok") == "ok" for node in persistence
        ),
    )


def _nodes(info: Any) -> list[dict[str, Any]]:
    """One server's answer, or one for each node of a cluster."""
    values = list(info.values())
    return values if values and all(isinstance(value, dict) for value in values) else [info]
