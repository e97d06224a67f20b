"""A patient with very many events, or one whose events fail, keeps nobody else waiting."""

import asyncio
import contextlib

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.idle import wait_until_idle
from shared.stream.key import stream_key
from tests.integration.test_exactly_once import reported
from tests.support.running import client_for, publish, read, running
from tests.support.toy import toy

HOT = 400
OTHERS = 40


async def test_a_hot_patient_of_two_replicas_is_counted_once_and_delays_nobody(redis_url: str) -> None:
    """Hundreds of events of one patient, handled by two replicas at the same time: all count once, in few retries."""
    hot = [reported(n, event_id=f"hot-{n}", patient="hot") for n in range(HOT)]
    others = [reported(n, event_id=f"other-{n}", patient=f"other-{n}") for n in range(OTHERS)]
    async with client_for(redis_url) as client:
        async with contextlib.AsyncExitStack() as stack:
            replicas = [
                await stack.enter_async_context(running([toy()], redis_url, consumer=f"test-{n}", batch_size=20))
                for n in range(2)
            ]
            await publish(client, Stream.SESSIONS, *hot[: HOT // 2], *others, *hot[HOT // 2 :])
            await wait_until_idle(client, 1, timeout_s=60)
            conflicts = [
                sample.value
                for replica in replicas
                for metric in replica.engine.metrics.registry.collect()
                for sample in metric.samples
                if sample.name == "care_commit_conflicts_total"
            ]
        outputs = await read(client, Stream.ADJUSTMENTS)
        assert sorted(event["causationid"] for event in outputs if event["subject"] == "hot") == sorted(
            f"hot-{n}" for n in range(HOT)
        )
        counts = [event["data"]["value"] for event in outputs if event["subject"] == "hot"]
        assert counts == list(range(1, HOT + 1))
        # Whoever loses folds its batch anew, not event by event.
        assert sum(conflicts) < HOT / 2
        positions = [n for n, event in enumerate(outputs) if event["subject"] != "hot"]
        assert len(positions) == OTHERS
        assert max(positions) < HOT, "others waited for all of the hot patient's events"


async def test_a_patient_whose_events_fail_leaves_the_others_their_pace(redis_url: str) -> None:
    """Events that fail again and again stay behind by themselves; those after them are handled at once."""
    failing = [reported(n, event_id=f"bad-{n}", patient="bad", notes="raise") for n in range(60)]
    others = [reported(n, event_id=f"good-{n}", patient=f"good-{n}") for n in range(OTHERS)]
    async with client_for(redis_url) as client, running([toy()], redis_url, batch_size=20, max_deliveries=100):
        await publish(client, Stream.SESSIONS, *failing, *others)
        await _until(client, OTHERS)
        causes = {event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)}
        assert causes == {f"good-{n}" for n in range(OTHERS)}
        assert await client.xlen(stream_key(0, Stream.DEAD_LETTERS)) == 0


async def _until(client: Redis, count: int) -> None:
    async with asyncio.timeout(60):
        while await client.xlen(stream_key(0, Stream.ADJUSTMENTS)) < count:  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.02)
