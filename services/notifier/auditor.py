"""Watches the watcher: each minute it proves from Redis that nobody who must be told is forgotten.

Only then does it touch the outward heartbeat. It trusts no other part of this process, and when it fails itself, that
is a failed audit. Each replica audits; one that sees all well is enough for the heartbeat, since all see one Redis.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr

from services.notifier.domain.policy import WatchPolicy
from services.notifier.domain.watch import Complaint, Due, Look, Queue, judge
from services.notifier.heartbeat import Heartbeat, make_heartbeat
from shared.log import logger
from shared.stream.connection import PASSING
from shared.stream.desk import Desk, Listed
from shared.stream.discovery import ORDER
from shared.stream.error import ClockError
from shared.stream.key import Lane

PERIOD_S = 60.0
FIRST_S = 10.0
"""After the start, so that a restart does not silence the heartbeat for two periods."""
ANSWER_WITHIN_S = 10.0
"""For everything that one audit asks of Redis."""
OPEN = "open"
"""The list of all open escalations, by the instant of their next step."""
SERVICE = "notifier"
NOT_ANSWERING: tuple[type[Exception], ...] = (*PASSING, TimeoutError)
LANES = (*((service, Lane.DUE) for service in ORDER), (SERVICE, Lane.URGENT))


class Auditor:
    """One replica's. The cost of an audit depends on the number of partitions alone."""

    def __init__(
        self,
        desk: Desk[Any],
        policy: WatchPolicy,
        heartbeat: Heartbeat | None,
        *,
        period_s: float = PERIOD_S,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._desk = desk
        self._policy = policy
        self._heartbeat = heartbeat
        self._period_s = period_s
        self._answer_within_s = answer_within_s
        self._is_replay = desk.settings.clock == "replay"
        self._before: Look | None = None
        self._last: frozenset[tuple[str, str]] | None = None

    async def attend(self) -> None:
        """Audits for ever. Raises ClockError where the replay's clock cannot be used any more."""
        if self._heartbeat is None:
            logger().warning(
                "no_heartbeat", setting="CARE_HEARTBEAT_URL", consequence="nobody outside hears when this system stops"
            )
        # Whether a replay's clock moves takes a period to see.
        await asyncio.sleep(self._period_s if self._is_replay else min(self._period_s, FIRST_S))
        while True:
            begun = time.monotonic()
            await self.audit()
            await asyncio.sleep(max(0.0, self._period_s - (time.monotonic() - begun)))

    async def audit(self) -> tuple[Complaint, ...]:
        """One audit, with all that follows from it. Empty: all is proved well."""
        before, self._before = self._before, None
        try:
            async with asyncio.timeout(self._answer_within_s):
                look = await self._look()
            complaints = judge(self._policy, look, before)
            self._before = look
        except ClockError:
            raise
        except NOT_ANSWERING as error:
            complaints = (Complaint("no_answer", type(error).__name__),)
        except Exception as error:  # whatever it is, it must not end the audits unheard
            complaints = (Complaint("audit_broken", type(error).__name__),)
        self._report(complaints)
        if not complaints and self._heartbeat is not None and await self._heartbeat.beat(look.redis_at):
            self._measure_heartbeat(look)
        return complaints

    async def _look(self) -> Look:
        desk = self._desk
        now = await desk.now()
        redis_at, monotonic_s = await desk.redis_time(), time.monotonic()
        first = await desk.listed(OPEN, limit=1)
        timers = await desk.next_timers(ORDER)
        backlog = await desk.backlog(LANES)
        return Look(
            now=now,
            redis_at=redis_at,
            monotonic_s=monotonic_s,
            is_replay=self._is_replay,
            next_step=_due(first[0]) if first else None,
            next_timers={service: _due(timer) for service, timer in timers.items()},
            queues=tuple(_queue(group.stream, group.group, group.exists, group.waiting_s) for group in backlog),
            absent_s=await desk.absent_s(ORDER),
        )

    def _report(self, complaints: tuple[Complaint, ...]) -> None:
        """A line where the verdict has changed, and the gauge."""
        if self._desk.metrics is not None:
            self._desk.metrics.audit_passed.labels(SERVICE).set(0 if complaints else 1)
        verdict = frozenset((complaint.kind, complaint.where) for complaint in complaints)
        if verdict == self._last:
            return
        self._last = verdict
        if complaints:
            logger().error("audit_failed", reasons=[str(complaint) for complaint in complaints])
        else:
            logger().info("audit_passed")

    def _measure_heartbeat(self, look: Look) -> None:
        if self._desk.metrics is not None:
            self._desk.metrics.heartbeat.labels(SERVICE).set(look.redis_at.timestamp())


def make_attend(
    policy: WatchPolicy, heartbeat_url: SecretStr | None, **options: float
) -> Callable[[Desk[Any]], Awaitable[None]]:
    """What a service gives as `attend`. `options`: those of Auditor, in seconds."""
    heartbeat = make_heartbeat(heartbeat_url)
    return lambda desk: Auditor(desk, policy, heartbeat, **options).attend()


def _due(listed: Listed) -> Due:
    return Due(listed.subject, listed.item, listed.at)


def _queue(key: str, group: str, exists: bool, waiting_s: float) -> Queue:
    """`care:{3}:sessions` is `sessions` of partition 3."""
    _, partition, stream = key.split(":", 2)
    return Queue(stream, int(partition.strip("{}")), group, exists, waiting_s)
