"""Lets timers come due: one script moves them from their sorted set to the service's due streams."""

import asyncio
from datetime import datetime

from redis.asyncio import Redis

from shared.stream.clock import Clock, ReplayClock
from shared.stream.key import CLOCK_HANDLED, Lane, lane_key, timers_key
from shared.stream.record import to_ms
from shared.stream.script import Script

WALL_PERIOD_S = 0.25
REPLAY_PERIOD_S = 0.005
REPLAY_REST_S = 0.02
"""While the clock stands still."""
CHUNK = 500
_PROMOTE = Script("promote.lua")


class TimerPromoter:
    """The timers of one service. Any number of replicas may run one."""

    def __init__(self, client: Redis, clock: Clock, service: str, partitions: int) -> None:
        self._client = client
        self._clock = clock
        self._service = service
        self._partitions = partitions

    async def run(self) -> None:
        """Promotes for ever. In a replay also says up to when all timers have been handled."""
        if not isinstance(self._clock, ReplayClock):
            while True:
                await self.promote(await self._clock.now())
                await asyncio.sleep(WALL_PERIOD_S)
        while True:
            now = await self._clock.now()
            text = self._clock.text
            fresh = await self._client.hget(CLOCK_HANDLED, self._service) != text
            if fresh and await self.promote(now):
                await self._client.hset(CLOCK_HANDLED, self._service, text)
            await asyncio.sleep(REPLAY_PERIOD_S if fresh else REPLAY_REST_S)

    async def promote(self, now: datetime) -> bool:
        """Moves what is due. True if after that nothing due is left: not set, not delivered, not pending."""
        drained = True
        for partition in range(self._partitions):
            lanes = [lane_key(partition, self._service, lane) for lane in (Lane.DUE, Lane.URGENT)]
            keys = [timers_key(partition, self._service), *lanes]
            moved, is_drained = 1, 0
            while moved:
                moved, is_drained = await _PROMOTE(self._client, keys, [to_ms(now), CHUNK, self._service])
            drained = drained and bool(is_drained)
        return drained

    async def stop(self) -> None:
        """A stopping service no longer answers for any instant."""
        if isinstance(self._clock, ReplayClock):
            await self._client.hdel(CLOCK_HANDLED, self._service)
