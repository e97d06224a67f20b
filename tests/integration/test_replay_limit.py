"""A replay ends when its time is up, whatever the client makes of it."""

import asyncio
import contextlib
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.recording import Recorded
from shared.stream.replay import ReplayStalledError, replay
from tests.support.example import EPOCH, wire


class Deaf(Redis):
    """Swallows the first cancellation, as a client may that is just connecting."""

    is_deaf = True

    async def exists(self, *names: Any) -> Any:
        if self.is_deaf:
            self.is_deaf = False
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(5)
        return await super().exists(*names)


async def test_a_replay_ends_though_the_client_swallows_its_cancellation(redis_url: str) -> None:
    """Without services it would else wait for ever."""
    raw = wire("care.patient.erased.v1", {}, event_id="e-1", time=EPOCH)
    event = Recorded(EPOCH, "e-1", "patient-1", "care.patient.erased.v1", Stream.PATIENTS, raw)
    client = Deaf.from_url(redis_url)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(ReplayStalledError):
                await replay(client, [event], partitions=1, move_clock=True, timeout_s=0.2)
    finally:
        await client.aclose()
