"""Gauges that Redis knows: read when metrics are asked for, at most every few seconds, with bounded work.

The work grows with the number of partitions and streams alone: no key is searched for, no patient looked at.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.log import logger
from shared.metric import Metrics
from shared.service import Service
from shared.stream.clock import Clock
from shared.stream.connection import RedisError
from shared.stream.desk import Desk
from shared.stream.discovery import ORDER
from shared.stream.error import ClockError
from shared.stream.key import Lane, stream_of
from shared.stream.presence import absent_s
from shared.stream.record import to_ms
from shared.stream.standing import expected_groups, read_backlog, read_server, read_timers

FRESH_S = 5.0
"""So long an answer stands: two who scrape, or one in haste, cost Redis no more."""
WITHIN_S = 4.0
"""For everything that one look asks of Redis."""
CLOCK_WITHIN_S = 0.2
"""A replay's clock may not be set yet."""
NOT_ANSWERING: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)


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
        self._refused: set[str] = set()
        self._clear()

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
            await self._unless_refused("groups", self._read_groups(service))
        await self._unless_refused("timers", self._read_timers(services))
        await self._read_server()
        await self._unless_refused("presence", self._read_presence())
        for service in services:
            if service.measure is not None:
                await self._unless_refused(service.name, service.measure(self._desks[service.name]))

    async def _unless_refused(self, subject: str, reading: Awaitable[None]) -> None:
        """What the login may not ask is left out, and said once; Redis is well all the same."""
        try:
            await reading
        except NoPermissionError as error:
            if subject not in self._refused:
                self._refused.add(subject)
                logger().error("gauges_refused", subject=subject, reason=str(error)[:200])

    def _clear(self) -> None:
        metrics = self._metrics
        for gauge in (metrics.pending, metrics.lag, metrics.waiting, metrics.pending_age, metrics.absent):
            gauge.clear()
        for gauge in (metrics.timers, metrics.timers_due, metrics.timer_overdue):
            gauge.clear()
        for gauge in (metrics.open_escalations, metrics.oldest_unanswered, metrics.oldest_untold):
            gauge.clear()
        # Without labels they cannot be left out; no rule fires for what is not a number.
        for gauge in (metrics.redis_memory, metrics.redis_memory_max):
            gauge.set(float("nan"))
        for gauge in (metrics.redis_noeviction, metrics.redis_append_only):
            gauge.set(float("nan"))

    async def _read_groups(self, service: Service[Any]) -> None:
        """Over all partitions: what waits together, and the worst age."""
        counts: dict[str, list[float]] = {}
        for partition in range(self._partitions):
            lanes = [(service.name, lane) for lane in Lane if lane is Lane.DUE or service.perform is not None]
            for one in await read_backlog(self._client, expected_groups(partition, lanes, [service.name])):
                stream = stream_of(one.stream)
                before = counts.get(stream, [0, 0, 0, 0])
                counts[stream] = [
                    before[0] + one.pending,
                    before[1] + one.lag,
                    max(before[2], one.waiting_s),
                    max(before[3], one.pending_s),
                ]
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
        names = [service.name for service in services]
        for name, count in (await read_timers(self._client, self._partitions, names, now_ms)).items():
            self._metrics.timers.labels(name).set(count.held)
            self._metrics.timers_due.labels(name).set(count.due)
            self._metrics.timer_overdue.labels(name).set(count.overdue_s)

    async def _read_presence(self) -> None:
        for name, seconds in (await absent_s(self._client, ORDER)).items():
            self._metrics.absent.labels(name).set(seconds)

    async def _read_server(self) -> None:
        """A login that may not ask leaves these out."""
        with suppress(ResponseError):
            server = await read_server(self._client)
            self._metrics.redis_memory.set(server.memory_used)
            self._metrics.redis_memory_max.set(server.memory_max)
            self._metrics.redis_noeviction.set(server.is_noeviction)
            self._metrics.redis_append_only.set(server.is_append_only)
