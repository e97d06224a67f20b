"""Works one subscription in one partition for as long as this process has the lease.

An event is posted, and what came of it is recorded in one step with the cursor, under the token of the lease. Where
the process dies between the two, or the answer is missing, the event is posted again: the receiver knows it by its id.
Any other second post is ruled out by the lease: who has lost it records nothing, and posts nothing near its end.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.notifier.channels.channel import DeliveryError, PassingError, Receipt, RefusedError
from services.notifier.webhook.backlog import Backlog, Item, Moved
from services.notifier.webhook.endpoint import PLACES, Endpoint
from services.notifier.webhook.pace import Pace
from shared.event.wire import Stream
from shared.log import logger
from shared.metric import Metrics
from shared.stream.connection import PASSING
from shared.stream.webhook.feed import Head
from shared.stream.webhook.office import Office
from shared.stream.webhook.route import Delivery, LeaseLostError, Progress, Resend, Route, Tries
from shared.stream.webhook.standing import Change, Standing, Turn
from shared.stream.webhook.subscription import Subscription

QUIET_S = 1.0
"""At most, between looks at a subscription that may not be sent to now: others may find it well again."""
EMERGENCY = "emergency"
PAGES = 10
"""Read in one go before what came of posts is looked at again."""


@dataclass(slots=True)
class _Feed:
    """What is read, in order, and how far that is."""

    backlog: Backlog
    positions: dict[Stream, str]
    tries: dict[str, Tries]
    resend: Resend | None = None
    look_at_s: float = 0.0
    is_read: bool = False
    """There was nothing more when it was last looked."""

    @property
    def name(self) -> str:
        return self.resend.id if self.resend else ""

    def until(self) -> dict[Stream, str]:
        return self.resend.until if self.resend else {}

    def includes(self, head: Head) -> bool:
        return self.resend is None or self.resend.includes(head.time)


@dataclass(slots=True)
class Courier:
    """`leased_until_s`: on the monotonic clock; whoever renews the lease moves it on."""

    office: Office
    subscription: Subscription
    partition: int
    endpoint: Endpoint
    pace: Pace
    token: str
    leased_until_s: float
    now: Callable[[], Awaitable[datetime]]
    """The instant that decisions are made at, for what people read."""
    metrics: Metrics | None = None
    poll_s: float = 0.0
    """Between looks at a partition in which nothing is new."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _recording: asyncio.Lock = field(default_factory=asyncio.Lock)
    _feeds: list[_Feed] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _quiet_until_s: float = 0.0
    _resends_at_s: float = 0.0

    @property
    def _route(self) -> Route:
        return self.office.route(self.subscription.id, self.partition)

    @property
    def _standing(self) -> Standing:
        return self.office.standing(self.subscription.id, self.pace.tempo)

    @property
    def is_posting(self) -> bool:
        """Something is on its way, or not recorded yet."""
        return bool(self._tasks)

    def stop(self) -> None:
        """Nothing new is posted; `run` ends once what is on its way is recorded."""
        self._stopping.set()

    def oldest_ms(self) -> int | None:
        """When the oldest event was written that waits, as far as is known."""
        return self._feeds[0].backlog.oldest_ms() if self._feeds else None

    async def run(self) -> None:
        """Raises LeaseLostError, or what Redis raises."""
        self._feeds = [await self._open(None)]
        try:
            while not self._stopping.is_set():
                is_fresh = await self._fill()
                self._start()
                await self._rest(0.0 if is_fresh else self.poll_s)
        finally:
            await self._drain()
        self._collect()
        for feed in self._feeds:
            await self._flush(feed)

    # ---- what is to be sent ----

    async def _open(self, resend: Resend | None) -> _Feed:
        one = self.subscription
        place = await self._route.place(resend.id if resend else "")
        starts = resend.after if resend else dict.fromkeys(one.streams(), one.start())
        return _Feed(Backlog(place.ahead), starts | place.cursors, place.tries, resend)

    async def _fill(self) -> bool:
        """Reads what there is room for. True if there may be more."""
        now_s = time.monotonic()
        if now_s >= self._resends_at_s and len(self._feeds) == 1:
            self._resends_at_s = now_s + self.pace.tick_s
            self._feeds += [await self._open(resend) for resend in (await self._route.resends())[:1]]
        is_fresh = any([await self._read_ahead(feed) for feed in self._feeds])
        for feed in self._feeds[1:]:
            if feed.is_read and not feed.backlog.size:
                await self._flush(feed)
                await self._route.end_resend(feed.name)
                self._feeds.remove(feed)
                logger().info("webhook_resent", subscription=self.subscription.id, partition=self.partition)
        return is_fresh

    async def _read_ahead(self, feed: _Feed) -> bool:
        """What waits is read faster than it is sent, so that emergencies are found. True if there may be more."""
        if time.monotonic() < feed.look_at_s:
            return False
        room = len(feed.positions) * self.pace.page
        for _ in range(PAGES):
            if feed.backlog.size > self.pace.read_ahead - room or feed.backlog.span > self.pace.span - room:
                return False
            if not await self._read(feed):
                return False
        return True

    async def _read(self, feed: _Feed) -> bool:
        page = await self.office.page(self.partition, feed.positions, feed.until(), self.pace.page)
        for row in page.rows:
            feed.positions[row.stream] = row.entry_id
            head = row.head
            if (
                head is None
                or not self.subscription.wants(head.type, head.subject)
                or not feed.includes(head)
                or feed.backlog.is_done(row.stream, row.entry_id)
            ):
                feed.backlog.pass_over(row.stream, row.entry_id)
                continue
            is_urgent = row.stream is Stream.ESCALATIONS and head.data.severity == EMERGENCY
            feed.backlog.add(Item(row.stream, row.entry_id, head.subject, head.id, head.type, is_urgent))
        feed.is_read = page.is_last
        if page.is_last:
            feed.look_at_s = time.monotonic() + self.poll_s
            if not feed.backlog.size:  # else it goes with the next delivery
                await self._flush(feed)
        return not page.is_last

    async def _flush(self, feed: _Feed) -> None:
        """Records how far it is where nothing was delivered: streams are kept for what no subscription has passed."""
        async with self._recording:
            moved = feed.backlog.moved()
            await self._settle(feed, Progress(moved.cursors, passed=moved.passed))

    # ---- sending ----

    def _start(self) -> None:
        now_s = time.monotonic()
        at_once = max(2, PLACES // self.office.partitions)
        turn = 0
        while len(self._tasks) < at_once and now_s >= self._quiet_until_s and not self._stopping.is_set():
            for feed in (self._feeds[(turn + offset) % len(self._feeds)] for offset in range(len(self._feeds))):
                if item := feed.backlog.take(now_s):
                    self._tasks.add(asyncio.create_task(self._deliver(feed, item)))
                    break
            else:
                return
            turn += 1

    async def _rest(self, longest_s: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        elif longest_s:
            try:
                await asyncio.wait_for(self._stopping.wait(), longest_s)
            except TimeoutError:
                return

    async def _drain(self) -> None:
        """Posts are seen to their end, unless this is cancelled meanwhile."""
        try:
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                if not task.cancel() and not task.cancelled():
                    task.exception()  # of several that fail at once the first is raised

    def _collect(self) -> None:
        done = {task for task in self._tasks if task.done()}
        self._tasks -= done
        for task in done:
            task.result()

    async def _deliver(self, feed: _Feed, item: Item) -> None:
        async with self.endpoint.place:
            if not self._may_post():
                self._wait(feed, item, self.poll_s)
                return
            turn = await self._standing.turn(self.endpoint.timeout_s)
            if turn.wait_s or turn.status not in ("active", "paused"):
                self._wait(feed, item, turn.wait_s or QUIET_S)
                return
            at = await self.now()  # now: after the post nothing may fail before it is recorded
            event = await self.office.event(self.partition, item.stream, item.entry_id)
            if event is None:
                await self._record(feed, item, at, "missing", "it was trimmed from its stream")
                return
            failure = None
            try:
                receipt = await self.endpoint.post(item.event_id, event)
            except DeliveryError as error:
                failure = error
        if failure is None:
            await self._taken(feed, item, at, turn, receipt)
        else:
            await self._not_taken(feed, item, at, turn, failure)

    def _wait(self, feed: _Feed, item: Item, longest_s: float) -> None:
        self._quiet_until_s = time.monotonic() + min(longest_s, QUIET_S)
        feed.backlog.put_back(item, first=True)

    def _may_post(self) -> bool:
        """The lease outlasts the post, and leaves time to record it."""
        until_s = time.monotonic() + self.endpoint.timeout_s + self.pace.tick_s
        return until_s < self.leased_until_s and not self._stopping.is_set()

    async def _taken(self, feed: _Feed, item: Item, at: datetime, turn: Turn, receipt: Receipt) -> None:
        await self._record(feed, item, at, "delivered", receipt.code)
        change = await self._standing.answer("ok", turn, at=at)
        self._quiet_until_s = 0.0
        if change.to == "resumed":
            logger().info("webhook_resumed", subscription=self.subscription.id, paused_since=change.since)

    async def _not_taken(self, feed: _Feed, item: Item, at: datetime, turn: Turn, failure: DeliveryError) -> None:
        is_gone = isinstance(failure, RefusedError) and failure.address_is_dead
        wait_s = failure.retry_after_s if isinstance(failure, PassingError) else None
        outcome: Literal["gone", "failed"] = "gone" if is_gone else "failed"
        change = await self._standing.answer(outcome, turn, at=at, cause=failure.cause, wait_s=wait_s)
        self._tell(change, failure.cause)
        tries = _after(feed.tries.get(item.member, Tries()), change)
        feed.tries[item.member] = tries
        if self._is_hopeless(feed, tries, change):
            await self._record(feed, item, at, "given_up", failure.cause)
            logger().warning("webhook_given_up", subscription=self.subscription.id, event_id=item.event_id)
            return
        told = "refused_for_good" if is_gone else "failed"
        self._count(told)
        delivery = self._delivery(feed, item, at, told, failure.cause)
        async with self._recording:
            await self._settle(feed, Progress(tried={item.member: tries}, delivery=delivery))
        rest_s = min(self.pace.longest_rest_s, self.pace.tempo.first_s * 2 ** min(tries.alone, 20))
        feed.backlog.put_back(item, rest_until_s=time.monotonic() + rest_s if tries.alone else 0.0)
        if is_gone:
            self.stop()

    def _is_hopeless(self, feed: _Feed, tries: Tries, change: Change) -> bool:
        """Others were taken all the time, so it is this event; for a day, or until too much is done beyond it."""
        is_old = change.now_ms - tries.alone_ms >= self.pace.give_up_s * 1000
        return tries.alone >= self.pace.give_up_tries and (is_old or feed.backlog.span > self.pace.span // 2)

    def _tell(self, change: Change, cause: str) -> None:
        """The one line of an incident: whoever has changed the standing writes it."""
        if change.to == "paused":
            logger().warning("webhook_paused", subscription=self.subscription.id, cause=cause)
        elif change.to == "ended":
            logger().warning("webhook_ended", subscription=self.subscription.id, cause=cause)

    # ---- recording ----

    async def _record(self, feed: _Feed, item: Item, at: datetime, outcome: str, cause: str) -> None:
        """It is over for this event."""
        delivery = self._delivery(feed, item, at, outcome, cause)
        self._count(outcome)
        async with self._recording:
            tried = {item.member: None} if feed.tries.pop(item.member, None) else {}
            moved: Moved = feed.backlog.finish(item)
            await self._settle(feed, Progress(moved.cursors, moved.ahead, moved.passed, tried, delivery))

    def _delivery(self, feed: _Feed, item: Item, at: datetime, outcome: str, cause: str) -> Delivery:
        tries = feed.tries.get(item.member, Tries()).count + (outcome == "delivered")
        when = at.isoformat(timespec="seconds")
        return Delivery(item.event_id, item.type, item.stream, item.entry_id, tries, outcome, cause, when, feed.name)

    async def _settle(self, feed: _Feed, progress: Progress) -> None:
        """Tries for as long as the lease lasts: what was posted shall be known. Within `_recording`."""
        if progress.is_empty():
            return
        while True:
            try:
                await self._route.settle(self.token, feed.name, progress)
                return
            except PASSING:
                if time.monotonic() > self.leased_until_s:
                    raise
                await asyncio.sleep(self.poll_s)
            except LeaseLostError:
                self.stop()
                raise

    def _count(self, outcome: str) -> None:
        if self.metrics is not None:
            self.metrics.webhook_deliveries.labels(self.subscription.id, outcome).inc()


def _after(tries: Tries, change: Change) -> Tries:
    """One more failure."""
    is_alone = change.ok_ms > tries.failed_ms > 0
    return Tries(
        tries.count + 1,
        change.now_ms,
        tries.alone + is_alone,
        tries.alone_ms or (change.now_ms if is_alone else 0),
    )
