"""One for each process: shares the subscriptions among the replicas, and runs a courier for each lease.

It runs beside the auditor and never raises: what goes wrong here is logged, and tried again. It has connections of its
own, to Redis as to the receivers, so that nothing which it does keeps an escalation waiting.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from services.notifier.channels.guard import Allowed
from services.notifier.webhook.courier import Courier
from services.notifier.webhook.endpoint import Endpoint
from services.notifier.webhook.pace import REPLAY, Pace
from shared.log import logger
from shared.stream.connection import PASSING
from shared.stream.desk import Desk
from shared.stream.error import ClockError, ClockStoppedError
from shared.stream.webhook.office import Office, open_office
from shared.stream.webhook.route import LeaseLostError
from shared.stream.webhook.subscription import Subscription

Unit = tuple[str, int]
"""Subscription and partition."""
Attend = Callable[[Desk[Any]], Awaitable[None]]
RENEWED_FROM = 2 / 3
"""A lease of which no more than this is left is renewed."""
RECORD_S = 2.0
"""To record and give back what was worked, when the process stops."""
FRESH_TICKS = 15
"""So many ticks after its last word a replica counts as gone."""


@dataclass(slots=True)
class _Work:
    """A lease, and who works it."""

    subscription: Subscription
    courier: Courier
    task: asyncio.Task[None]


@dataclass(slots=True)
class Outlet:
    """`owner`: this process, as the leases know it."""

    desk: Desk[Any]
    office: Office
    allowed: Allowed
    pace: Pace
    owner: str = field(default_factory=lambda: uuid4().hex[:12])
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _work: dict[Unit, _Work] = field(default_factory=dict)
    _endpoints: dict[str, tuple[Subscription, Endpoint]] = field(default_factory=dict)
    _complaint: str = ""
    _is_well: bool = True
    """Nothing was complained of in this tick."""

    def stop(self) -> None:
        """`run` ends once what is on its way is recorded."""
        self._stopping.set()
        for work in self._work.values():
            work.courier.stop()

    async def run(self) -> None:
        """Until it is stopped."""
        try:
            while not self._stopping.is_set():
                try:
                    self._is_well = True
                    await self._unless_stopped(self._tick())
                    self._complaint = "" if self._is_well else self._complaint
                except ClockError:  # others end the process for it
                    return
                except Exception as error:  # whatever it is, escalations go on, and so do the other subscriptions
                    self._complain(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self.pace.tick_s)
        finally:
            await self._close()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """A Redis that does not answer must not hold up the end of the process."""
        running, stopping = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
        finally:
            stopping.cancel()
            running.cancel()
            # A client that is connecting may swallow that; what the tick still starts is then stopped with the rest.
            await asyncio.wait({running}, timeout=RECORD_S)

    async def _tick(self) -> None:
        office = self.office
        await self._reap()
        subscriptions = await office.subscriptions.all()
        if not subscriptions and not self._work:
            self._forget({})
            return
        replicas = await office.sign_in(self.owner, FRESH_TICKS * self.pace.tick_s)
        wanted: dict[Unit, Subscription] = {}
        for one in subscriptions.values():
            look = await office.standing(one.id).look()
            self._show(one.id, look.status in ("active", "held"))
            if look.status not in ("", "ended"):
                wanted |= dict.fromkeys(((one.id, partition) for partition in range(office.partitions)), one)
        self._forget(subscriptions)
        share = math.ceil(len(wanted) / max(1, replicas))
        for unit, work in self._work.items():
            if wanted.get(unit) != work.subscription:  # gone, ended, or with other keys
                work.courier.stop()
            elif work.courier.leased_until_s - time.monotonic() < self.pace.lease_s * RENEWED_FROM:
                await self._renew(unit, work)
        for unit in list(self._work)[share:]:
            self._work[unit].courier.stop()
        for unit, one in wanted.items():
            if len(self._work) < share and unit not in self._work:
                await self._claim(unit, one)
        for work in self._work.values():
            work.courier.poll_s = max(self.pace.poll_s, len(self._work) * self.pace.poll_each_s)
        self._measure(subscriptions)

    async def _claim(self, unit: Unit, one: Subscription) -> None:
        asked_s = time.monotonic()
        token = await self.office.route(*unit).claim(self.owner, self.pace.lease_s)
        if not token:
            return
        courier = Courier(
            self.office,
            one,
            unit[1],
            self._endpoint(one),
            self.pace,
            token,
            asked_s + self.pace.lease_s,
            self.desk.now,
            self.desk.metrics,
            self.pace.poll_s,
        )
        self._work[unit] = _Work(one, courier, asyncio.create_task(courier.run()))

    async def _renew(self, unit: Unit, work: _Work) -> None:
        asked_s = time.monotonic()
        if await self.office.route(*unit).renew(work.courier.token, self.pace.lease_s):
            work.courier.leased_until_s = asked_s + self.pace.lease_s
        else:
            work.courier.stop()

    async def _reap(self) -> None:
        """Gives back what nobody works any more."""
        for unit, work in list(self._work.items()):
            if not work.task.done():
                continue
            del self._work[unit]
            error = None if work.task.cancelled() else work.task.exception()
            if error is not None and not isinstance(error, LeaseLostError | ClockStoppedError):
                self._complain(error)
            await self.office.route(*unit).release(work.courier.token)

    def _endpoint(self, one: Subscription) -> Endpoint:
        known = self._endpoints.get(one.id)
        if known is None or known[0] != one:
            known = self._endpoints[one.id] = (one, Endpoint(one.url, one.keys, self.allowed, self.pace.post_s))
        return known[1]

    def _forget(self, subscriptions: dict[str, Subscription]) -> None:
        for gone in set(self._endpoints) - set(subscriptions):
            del self._endpoints[gone]
            if self.desk.metrics is not None:
                for gauge in (self.desk.metrics.webhook_up, self.desk.metrics.webhook_lag):
                    with contextlib.suppress(KeyError):
                        gauge.remove(gone)

    def _show(self, subscription: str, is_up: bool) -> None:
        if self.desk.metrics is not None:
            self.desk.metrics.webhook_up.labels(subscription).set(is_up)

    def _measure(self, subscriptions: Iterable[str]) -> None:
        if self.desk.metrics is None:
            return
        now_ms = time.time() * 1000
        lags = dict.fromkeys(subscriptions, 0.0)  # also of those that another replica works now
        for (subscription, _), work in self._work.items():
            oldest_ms = work.courier.oldest_ms()
            if oldest_ms is not None and subscription in lags:  # else it is just removed
                lags[subscription] = max(lags[subscription], (now_ms - oldest_ms) / 1000)
        for subscription, lag_s in lags.items():
            self.desk.metrics.webhook_lag.labels(subscription).set(lag_s)

    def _complain(self, error: BaseException) -> None:
        """Once, until it is another or all was well: the type alone, since messages may quote an address."""
        self._is_well = False
        if type(error).__name__ != self._complaint:
            self._complaint = type(error).__name__
            logger().warning("webhooks_interrupted", cause=self._complaint, passing=isinstance(error, PASSING))

    async def _close(self) -> None:
        """What is on its way is waited for, for as long as one post may last; what merely looks is ended."""
        self.stop()
        for work in self._work.values():
            if not work.courier.is_posting:
                work.task.cancel()
        if self._work:
            tasks = [work.task for work in self._work.values()]
            await asyncio.wait(tasks, timeout=self.pace.post_s + RECORD_S)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        with contextlib.suppress(*PASSING, TimeoutError):
            async with asyncio.timeout(RECORD_S):
                await self._reap()
                await self.office.sign_out(self.owner)
        await self.office.close()


def make_outlet(desk: Desk[Any], allowed: Allowed, pace: Pace | None = None) -> Outlet:
    """For the services of this desk. Nothing is sent yet."""
    settings = desk.settings
    office = open_office(settings.redis_url, settings.partitions, timedelta(days=settings.retention_days))
    return Outlet(desk, office, allowed, pace or (REPLAY if settings.clock == "replay" else Pace()))


def with_webhooks(attend: Attend, allowed: Allowed, pace: Pace | None = None) -> Attend:
    """What a service gives as `attend`: this, and webhooks beside it.

    Told to stop, it ends once the posts on their way are recorded: within the time limit of one post.
    """

    async def both(desk: Desk[Any]) -> None:
        outlet = make_outlet(desk, allowed, pace)
        running = asyncio.create_task(outlet.run())
        try:
            await attend(desk)
        finally:
            outlet.stop()
            while not running.done():
                with contextlib.suppress(asyncio.CancelledError):  # told again and again while it stops
                    await asyncio.wait([running])

    return both
