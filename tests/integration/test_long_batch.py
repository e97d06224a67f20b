"""A batch that takes long holds up nothing else in its process."""

import asyncio
import time
from typing import Any

from shared.event.wire import Stream
from shared.stream.idle import wait_until_idle
from tests.integration.test_exactly_once import reported
from tests.support.running import client_for, publish, running
from tests.support.toy import count, toy

PATIENTS = 100
DECISION_S = 0.02


async def test_emergencies_and_health_checks_wait_for_no_batch(redis_url: str) -> None:
    """A hundred slow decisions are one batch, and take two seconds; all else gets its turn in between."""

    def decide(*given: Any) -> Any:
        time.sleep(DECISION_S)
        return count(*given)

    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, *(reported(n, patient=f"patient-{n}") for n in range(PATIENTS)))
        async with running([toy(decide=decide)], redis_url, batch_size=PATIENTS):
            longest_s, done = 0.0, asyncio.create_task(wait_until_idle(client, 1, poll_s=0.1))
            while not done.done():
                begun = time.monotonic()
                await asyncio.sleep(0.001)
                longest_s = max(longest_s, time.monotonic() - begun)
            await done
    assert longest_s < PATIENTS * DECISION_S / 2
