"""Gauges that Redis knows: read when metrics are asked for, at most every few seconds, with bounded work.

The work grows with the number of partitions and streams alone: no key is searched for, no patient looked at.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.event.wire import Stream
from shared.log import logger
from shared.metric import Metrics
from shared.service import Service
from shared.stream.clock import Clock
from shared.stream.connection import PASSING
from shared.stream.desk import Desk
from shared.stream.discovery import ORDER
from shared.stream.error import ClockError
from shared.stream.key import Lane, lane_key, stream_key, timers_key
from shared.stream.presence import absent_s
from shared.stream.record import to_ms
from shared.stream.script import Script

FRESH_S = 5.0
"""So long an answer stands: two who scrape, or one in haste, cost Redis no more."""
WITHIN_S = 4.0
"""For everything that one look asks of Redis."""
CLOCK_WITHIN_S = 0.2
"""A replay's clock may not be set yet."""
NOT_ANSWERING: tuple[type[Exception], ...] = (*PASSING, ResponseError, TimeoutError)
_BACKLOG = Script("backlog.lua")


class GaugeReader:
    """What one process reads for its services."""

    def __init__(self, metrics: Metrics, client: Redis, clock: Clock, partitions: int, desks: Mapping[str, Desk[Any]]):
        self._metrics = metrics
        self._client = client
        self._clock = clock
        self._partitions = partitions
        self._desks = desks
        self._lock = asyncio.Lock()
        self._read_at: float | None = None

    async def read(self, services: Sequence[Service[Any]], max_age_s: float = FRESH_S) -> None:
        """Sets the gauges anew unless they are so fresh. What Redis does not tell now is left out."""
        async with self._lock:
            if self._read_at is not None and time.monotonic() - self._read_at < max_age_s:
                return
            self._clear()
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self._read(services)
            except NOT_ANSWERING as error:
                self._clear()
                self._metrics.redis_up.set(0)
                logger().warning("gauges_not_read", error=type(error).__name__)
            else:
                self._metrics.redis_up.set(1)
            self._read_at = time.monotonic()

    async def _read(self, services: Sequence[Service[Any]]) -> None:
        for service in services:
            await self._read_groups(service)
        await self._read_timers(services)
        await self._read_server()
        for name, seconds in (await absent_s(self._client, ORDER)).items():
            self._metrics.absent.labels(name).set(seconds)
        for service in services:
            if service.measure is not None:
                await service.measure(self._desks[service.name])

    def _clear(self) -> None:
        metrics = self._metrics
        for gauge in (metrics.pending, metrics.lag, metrics.waiting, metrics.pending_age, metrics.absent):
            gauge.clear()
        for gauge in (metrics.timers, metrics.timers_due, metrics.timer_overdue):
            gauge.clear()
        for gauge in (metrics.open_escalations, metrics.oldest_unanswered, metrics.oldest_untold):
            gauge.clear()

    async def _read_groups(self, service: Service[Any]) -> None:
        """Over all partitions: what waits together, and the worst age."""
        sources: tuple[Stream | Lane, ...] = (*service.reads, *Lane)
        counts: dict[str, list[float]] = {source.value: [0, 0, 0, 0] for source in sources}
        for partition in range(self._partitions):
            keys = {_key(partition, service.name, source): source.value for source in sources}
            for key, group, pending, lag, waiting_ms, pending_ms in await _BACKLOG(self._client, list(keys)):
                if group.decode() == service.name:
                    count = counts[keys[key.decode()]]
                    count[0] += pending
                    count[1] += lag
                    count[2] = max(count[2], waiting_ms / 1000)
                    count[3] = max(count[3], pending_ms / 1000)
        gauges = (self._metrics.pending, self._metrics.lag, self._metrics.waiting, self._metrics.pending_age)
        for stream, count in counts.items():
            for gauge, value in zip(gauges, count, strict=True):
                gauge.labels(service.name, stream).set(value)

    async def _read_timers(self, services: Sequence[Service[Any]]) -> None:
        try:
            async with asyncio.timeout(CLOCK_WITHIN_S):
                now_ms = to_ms(await self._clock.now())
        except (TimeoutError, ClockError):
            return
        asked = [(service.name, partition) for service in services for partition in range(self._partitions)]
        pipeline = self._client.pipeline(transaction=False)
        for name, partition in asked:
            key = timers_key(partition, name)
            pipeline.zcard(key)
            pipeline.zcount(key, "-inf", now_ms)
            pipeline.zrange(key, 0, 0, withscores=True)
        answers = iter(await pipeline.execute())
        found: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
        for name, _ in asked:
            count = found[name]
            count[0] += next(answers)
            count[1] += next(answers)
            count[2] = max(count[2], *((now_ms - due_ms) / 1000 for _, due_ms in next(answers)), 0)
        for name, (held, due, overdue_s) in found.items():
            self._metrics.timers.labels(name).set(held)
            self._metrics.timers_due.labels(name).set(due)
            self._metrics.timer_overdue.labels(name).set(overdue_s)

    async def _read_server(self) -> None:
        """Of a cluster the worst of its nodes. A login that may not ask leaves these out."""
        with suppress(ResponseError):
            nodes = [*_nodes(await self._client.info("memory"))]
            metrics = self._metrics
            fullest = max(nodes, key=lambda node: node["used_memory"] / (node["maxmemory"] or float("inf")))
            metrics.redis_memory.set(fullest["used_memory"])
            metrics.redis_memory_max.set(fullest["maxmemory"])
            metrics.redis_noeviction.set(all(node["maxmemory_policy"] == "noeviction" for node in nodes))
            persistence = _nodes(await self._client.info("persistence"))
            metrics.redis_append_only.set(
                all(node["aof_enabled"] and node.get("aof_last_write_status", "ok") == "ok" for node in persistence)
            )


def _key(partition: int, service: str, source: Stream | Lane) -> str:
    return lane_key(partition, service, source) if isinstance(source, Lane) else stream_key(partition, source)


def _nodes(info: Any) -> list[dict[str, Any]]:
    """One server's answer, or one for each node of a cluster."""
    values = list(info.values())
    return values if values and all(isinstance(value, dict) for value in values) else [info]
