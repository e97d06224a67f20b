"""What runs beside the subscribers: preparation, recovery, timers, retention, and a watchdog over it all."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.event.wire import Stream
from shared.log import logger
from shared.metric import Metrics
from shared.protocol.library import Protocols
from shared.service import Service
from shared.settings import Settings
from shared.stream.audit import Audit
from shared.stream.clock import make_clock
from shared.stream.connection import PASSING, agree_on_partitions, await_server
from shared.stream.desk import Desk
from shared.stream.error import ClockError, ClockStoppedError, LostGroupError, StreamError, UnreachableError
from shared.stream.gauge import FRESH_S, GaugeReader
from shared.stream.key import Lane, groups_key
from shared.stream.presence import announce
from shared.stream.pump import Pump, Runtime
from shared.stream.record import to_ms
from shared.stream.recovery import Recovery
from shared.stream.retention import trim
from shared.stream.scout import WATCHED, Scout
from shared.stream.timer import TimerPromoter
from shared.trace import Traces

NOT_ANSWERING: tuple[type[Exception], ...] = (*PASSING, ResponseError)
WATCH_PERIOD_S = 1.0
STOP_PERIOD_S = 0.1
BOOT_S = 3.0
TRIM_PERIOD_S = 300.0
LOOK_AHEAD_PERIOD_S = 0.5
RETIRE_PERIOD_S = 3600.0
KEEPER_OF_AUDIT = "notifier"
"""The service that trims the audit log: nobody else need be able to."""
MARK_MARGIN = timedelta(hours=1)
"""A mark must outlive the reading anew of its entry."""
GC_THRESHOLD = 20_000
"""Objects made since the last look for garbage before the next one; Python's own 700 looks several times a step."""


def _settle_memory() -> None:
    """What start-up has built stays: it need not be looked through for garbage with every batch.

    Events and states hold no cycles, so a rarer look frees nothing later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)


class Engine:
    """All pumps of a process and what keeps them going. `failure` is why it cannot go on, if so."""

    def __init__(
        self, services: Sequence[Service[Any]], settings: Settings, client: Redis, protocols: Protocols
    ) -> None:
        self.services = tuple(services)
        self.settings = settings
        self.client = client
        self.metrics = Metrics()
        self.clock = make_clock(settings.clock, client)
        self.traces = Traces(self.metrics, [service.name for service in services], settings.trace_share)
        self.runtime = Runtime(client, self.clock, settings, protocols, self.metrics, self.traces)
        self.failure: StreamError | None = None
        self.failed = asyncio.Event()
        self.started = asyncio.Event()
        self.consumers_alive: Callable[[], bool] = lambda: True
        """Set by the application: whether the subscribers still read."""
        self._pumps: list[Pump] = []
        self._registers: list[str] = []
        """For each pump, the key of the register of the groups that were ever made."""
        self._recoveries: list[Recovery] = []
        self._timers = [TimerPromoter(client, self.clock, s.name, settings.partitions) for s in services]
        self._tasks: list[asyncio.Task[None]] = []
        self._answered_at = time.monotonic()
        self._prepared = False
        desks = {service.name: self.desk(service) for service in services}
        self._gauges = GaugeReader(self.metrics, client, self.clock, settings.partitions, desks)

    def add_pump(self, service: Service[Any], partition: int, stream: Stream | Lane) -> Pump:
        """One more stream to handle. Before `prepare` only."""
        pump = Pump(self.runtime, service, partition, stream)
        self._pumps.append(pump)
        self._registers.append(groups_key(partition))
        return pump

    def routes(self) -> list[tuple[str, Any]]:
        """What the services serve by themselves."""
        return [route for service in self.services if service.routes for route in service.routes(self.desk(service))]

    def desk(self, service: Service[Any]) -> Desk[Any]:
        """What a service's own pages and watchers see of Redis."""
        return Desk(self.client, self.clock, self.settings, service, self.metrics, self.traces)

    async def prepare(self, consumer: str) -> None:
        """Before any subscriber starts: server, partitions, groups, own leftovers. Raises StreamError."""
        if self._prepared:
            return
        self._prepared = True
        self.traces.start()
        patience_s = self.settings.redis_patience_s
        for warning in await await_server(self.client, patience_s):
            logger().warning("redis may lose data", problem=warning)
        deadline = time.monotonic() + patience_s
        while True:
            try:
                await self._prepare_streams(consumer)
                break
            except PASSING as error:  # it answers, and takes nothing: no memory, no master
                if time.monotonic() > deadline:
                    raise UnreachableError(
                        f"Redis takes nothing for {patience_s:g} s ({type(error).__name__})"
                    ) from None
                await asyncio.sleep(0.5)
        for service in self.services:
            if service.start_up is not None:
                await service.start_up()

    async def _prepare_streams(self, consumer: str) -> None:
        await agree_on_partitions(self.client, self.settings.partitions)
        claim_idle_ms = round(self.settings.claim_idle_s * 1000)
        self._recoveries.clear()
        for pump, register in zip(self._pumps, self._registers, strict=True):
            await self._create_group(pump, register)
            recovery = Recovery(self.client, pump, consumer, claim_idle_ms)
            await recovery.look()
            self._recoveries.append(recovery)

    def start(self) -> None:
        """Once the subscribers read."""
        self.started.set()
        self._answered_at = time.monotonic()
        _settle_memory()
        self._tasks.append(asyncio.create_task(self._watch()))
        self._tasks += [asyncio.create_task(self._keep(timer.run)) for timer in self._timers]
        self._tasks.append(asyncio.create_task(self._keep(self._recover)))
        self._tasks.append(asyncio.create_task(self._keep(self._trim)))
        self._tasks.append(asyncio.create_task(self._keep(self._look_ahead)))
        self._tasks += [
            asyncio.create_task(self._keep(partial(service.attend, self.desk(service))))
            for service in self.services
            if service.attend is not None
        ]
        for task in self._tasks:
            task.add_done_callback(self._end_with)

    async def stop(self) -> None:
        """Before the subscribers stop: no new work of its own, nobody waits for the clock."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.started.wait(), BOOT_S)  # a broker that still starts cannot be stopped
        self.clock.stop()
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()  # more than once: a client that is just connecting may swallow it
            _, running = await asyncio.wait(running, timeout=STOP_PERIOD_S)
        self._tasks.clear()

    async def close(self) -> None:
        """After the subscribers have stopped."""
        try:
            async with asyncio.timeout(2):
                for timer in self._timers:
                    await timer.stop()
        except NOT_ANSWERING:
            logger().warning("could not withdraw from care:clock:handled")
        await self.client.aclose()
        if self.traces.is_on:
            await asyncio.to_thread(self.traces.stop)

    def fail(self, error: StreamError) -> None:
        """The process cannot go on."""
        if self.failure is None:
            self.failure = error
            self.failed.set()

    async def process(
        self, pump: Pump, ids: Sequence[bytes], rows: Sequence[Any], deliveries: Sequence[int] | None = None
    ) -> None:
        """One batch from a subscriber. What cannot be handled now stays pending for the recovery."""
        try:
            await pump.process(ids, rows, deliveries)
        except ClockStoppedError:
            logger().info("left pending", stream=pump.key, entries=len(ids))
        except ClockError as error:
            self.fail(error)
        except PASSING as error:
            logger().warning("redis lost", stream=pump.key, entries=len(ids), error=type(error).__name__)
        except ResponseError as error:
            self._judge(error)
            logger().error("redis refused", stream=pump.key, entries=len(ids), reason=str(error)[:200])

    async def is_ready(self) -> bool:
        """The subscribers read and Redis answers."""
        if self.failure is not None or not self._tasks or not self.consumers_alive():
            return False
        try:
            async with asyncio.timeout(2):
                await self._ping()
        except NOT_ANSWERING:
            return False
        return True

    async def measure(self, max_age_s: float = FRESH_S) -> None:
        """Reads what Redis knows for the metrics. Never raises for a Redis that does not answer."""
        await self._gauges.read(self.services, max_age_s)

    async def _create_group(self, pump: Pump, register: str) -> None:
        """At the beginning of the stream; one that was lost, no further back than marks tell what was handled."""
        name = f"{pump.service.name}|{pump.key}"
        was_lost: Any = await self.client.hexists(register, name)
        marked_since = datetime.now(UTC) - timedelta(days=self.settings.duplicate_days) + MARK_MARGIN
        try:
            start = f"{to_ms(marked_since)}-0" if was_lost else "0"
            await self.client.xgroup_create(pump.key, pump.service.name, id=start, mkstream=True)
        except PASSING:
            raise
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise LostGroupError(f"no group for {pump.key} can be created: {error}") from None
        else:
            if was_lost:
                logger().error("group made anew", stream=pump.key, group=pump.service.name, since=start)
        await self.client.hset(register, name, "1")

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs a task for ever: over losses of Redis, which the watchdog counts, but not over the clock's."""
        while True:
            try:
                await work()
                return
            except ClockStoppedError:
                return
            except ClockError as error:
                self.fail(error)
                return
            except PASSING:
                await asyncio.sleep(0.5)
            except ResponseError as error:
                self._judge(error)
                await asyncio.sleep(1.0)

    def _end_with(self, task: asyncio.Task[None]) -> None:
        """Without one of its tasks a process would only look healthy."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(StreamError(f"a task of this process ended: {type(error).__name__}"))

    def _judge(self, error: ResponseError) -> None:
        if "NOGROUP" in str(error) or "WRONGTYPE" in str(error) or isinstance(error, NoPermissionError):
            self.fail(LostGroupError(f"a stream or consumer group was lost under this process: {error}"))

    async def _recover(self) -> None:
        period_s = min(5.0, self.settings.claim_idle_s / 3)
        for recovery in self._recoveries:
            await recovery.drain()
        retired_at = 0.0
        while True:
            for recovery in self._recoveries:
                await recovery.reap()
            if time.monotonic() - retired_at > RETIRE_PERIOD_S:
                retired_at = time.monotonic()
                for recovery in self._recoveries:
                    await recovery.retire()
            await asyncio.sleep(period_s)

    async def _look_ahead(self) -> None:
        """Emergencies go first, however long the queue is."""
        watched = [pump for pump in self._pumps if pump.answers and pump.stream in WATCHED]
        scouts = [Scout(self.client, pump, self.process) for pump in watched]
        while scouts:
            for scout in scouts:
                found = await scout.look()
                if found:
                    logger().warning("looked ahead", stream=scout.pump.key, entries=found)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AHEAD_PERIOD_S):
                    await self.runtime.backlog.wait()
            self.runtime.backlog.clear()

    async def _trim(self) -> None:
        names, retention = [service.name for service in self.services], timedelta(days=self.settings.retention_days)
        while True:
            try:
                gone = await trim(self.client, self.settings.partitions, retention, names)
                if KEEPER_OF_AUDIT in names:
                    gone += await Audit(self.client, self.settings.partitions, self.settings.audit_days).trim()
            except NoPermissionError as error:
                # Streams grow, and nothing is lost: no reason to end a service that warns of emergencies.
                logger().error("not trimmed", reason=str(error)[:200])
            else:
                if gone:
                    logger().info("trimmed", entries=gone)
            await asyncio.sleep(TRIM_PERIOD_S)

    async def _watch(self) -> None:
        """Ends the process where it would only look healthy."""
        await asyncio.sleep(WATCH_PERIOD_S)
        while self.failure is None:
            try:
                async with asyncio.timeout(5):
                    await self._ping()
                    await self._check_groups()
                    if self.consumers_alive():
                        await announce(self.client, [service.name for service in self.services])
                self._answered_at = time.monotonic()
            except PASSING as error:
                patience_s = self.settings.redis_patience_s
                logger().warning("redis does not answer", error=type(error).__name__)
                if time.monotonic() - self._answered_at > patience_s:
                    self.fail(UnreachableError(f"Redis is gone for {patience_s:g} s ({type(error).__name__})"))
            except ResponseError as error:
                self._judge(error)
            if not self.consumers_alive():
                self.fail(LostGroupError("a subscriber has stopped reading"))
            await asyncio.sleep(WATCH_PERIOD_S)

    async def _ping(self) -> None:
        await self.client.ping()

    async def _check_groups(self) -> None:
        for pump in self._pumps:
            try:
                groups = await self.client.xinfo_groups(pump.key)
            except ResponseError as error:
                if "no such key" in str(error):
                    raise ResponseError(f"NOGROUP {pump.key} was deleted") from None
                raise
            if not any(group["name"] == pump.service.name.encode() for group in groups):
                raise ResponseError(f"NOGROUP {pump.service.name} of {pump.key} was deleted")
