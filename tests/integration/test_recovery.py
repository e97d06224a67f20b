"""What a process left unfinished is finished."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.event.wire import Stream
from shared.stream.error import LostGroupError, StreamError, UnsuitableError
from shared.stream.idle import busy_groups, is_idle
from shared.stream.key import READERS, stream_key
from shared.stream.retention import trim
from shared.stream.script import Script
from tests.integration.test_exactly_once import pump_for, reported, taken
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import toy

SESSIONS = stream_key(0, Stream.SESSIONS)


async def prepared(client: Any, consumer: str) -> None:
    """Leaves two entries pending with a consumer that is gone."""
    await client.xgroup_create(SESSIONS, "progression", id="0", mkstream=True)
    await publish(client, Stream.SESSIONS, reported(1), reported(2))
    await taken(client, consumer)


async def test_a_replica_finishes_what_it_left_pending_when_it_ended(redis_url: str) -> None:
    """A restart under the same name takes up where it stopped, at once."""
    async with client_for(redis_url) as client:
        await prepared(client, "test-0")
        async with running([toy()], redis_url):
            await until_idle(client, 2)
        assert len(await read(client, Stream.ADJUSTMENTS)) == 2


async def test_what_a_dead_replica_left_is_taken_over(redis_url: str) -> None:
    """Work of a machine that never comes back is done by another."""
    async with client_for(redis_url) as client:
        await prepared(client, "gone")
        async with running([toy()], redis_url, claim_idle_s=0.2):
            await until_idle(client, 2)
        assert len(await read(client, Stream.ADJUSTMENTS)) == 2


async def test_an_entry_that_killed_its_processes_is_put_aside_untried(redis_url: str) -> None:
    """What ends a process each time does not end it for ever."""
    async with client_for(redis_url) as client:
        await prepared(client, "test-0")
        entries: Any = await client.xrange(SESSIONS, count=1)
        first = entries[0][0]
        await client.xclaim(SESSIONS, "progression", "test-0", 0, [first], retrycount=5)
        async with running([toy()], redis_url):
            await until_idle(client, 1)
        (dead,) = await read(client, Stream.DEAD_LETTERS)
        assert (dead["data"]["entry_id"], dead["data"]["error"]["code"]) == (first.decode(), "handler_failed")
        assert [event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)] == ["e2"]


async def test_a_consumer_is_removed_only_when_it_left_nothing(redis_url: str) -> None:
    """Cleaning up never loses what is pending."""
    async with client_for(redis_url) as client:
        await prepared(client, "gone")
        await client.xgroup_createconsumer(SESSIONS, "progression", "empty")
        assert await Script("retire.lua")(client, [SESSIONS], ["progression", 0]) == 1
        left = await client.xinfo_consumers(SESSIONS, "progression")
        assert [consumer["name"] for consumer in left] == [b"gone"]


async def test_another_number_of_partitions_is_refused(redis_url: str) -> None:
    """Nobody splits the patients in another way by accident."""
    async with client_for(redis_url) as client:
        await client.set("care:partitions", 4)
        with pytest.raises(UnsuitableError, match="holds 4 partitions, CARE_PARTITIONS says 1"):
            async with running([toy()], redis_url):
                pass


async def test_losing_the_group_ends_the_process(redis_url: str) -> None:
    """A process without its group would only look healthy."""
    async with client_for(redis_url) as client:
        with pytest.raises(StreamError):  # noqa: PT012  # raised at the end of the block it guards
            async with running([toy()], redis_url) as application:
                await client.xgroup_destroy(SESSIONS, "progression")
                await asyncio.wait_for(application.engine.failed.wait(), 8)
                assert not await application.engine.is_ready()
        assert issubclass(LostGroupError, StreamError)


async def test_idleness_sees_what_waits_and_what_is_pending(redis_url: str) -> None:
    """A replayer never goes on over unfinished work."""
    async with client_for(redis_url) as client:
        assert await is_idle(client, 1)
        await client.xgroup_create(SESSIONS, "progression", id="0", mkstream=True)
        await publish(client, Stream.SESSIONS, reported(1))
        assert await busy_groups(client, 1) == [f"progression on {SESSIONS} (0 pending, 1 to come)"]
        ids, rows = await taken(client)
        assert await busy_groups(client, 1) == [f"progression on {SESSIONS} (1 pending, 0 to come)"]
        await pump_for(client, redis_url).process(ids, rows)
        assert await is_idle(client, 1)


async def test_only_what_every_group_has_handled_and_is_old_enough_is_trimmed(redis_url: str) -> None:
    """Streams do not grow for ever, and nothing goes before all have seen it."""
    old = datetime(2026, 1, 1, tzinfo=UTC)
    now, month = old + timedelta(days=60), timedelta(days=30)
    base = int(old.timestamp() * 1000)

    async def length() -> int:
        await trim(client, 1, month, now)
        return int(await client.xlen(SESSIONS))

    async with client_for(redis_url) as client:
        for n in range(10):
            await client.xadd(SESSIONS, {"__data__": reported(n)}, id=f"{base + n}-0")
        await client.xadd(SESSIONS, {"__data__": reported(99)}, id=f"{base + 50 * 86_400_000}-0")
        assert await length() == 11
        for group in READERS[Stream.SESSIONS]:
            assert await length() == 11
            await client.xgroup_create(SESSIONS, group, id=f"{base + 9}-0")
        await client.xgroup_create(SESSIONS, "platform", id="0")
        assert await length() == 11
        await client.xreadgroup("platform", "p", {SESSIONS: ">"}, count=6)
        assert await length() == 11
        await client.xack(SESSIONS, "platform", *(f"{base + n}-0" for n in range(4)))
        assert await length() == 7
        await client.xgroup_setid(SESSIONS, "platform", "$")
        await client.xack(SESSIONS, "platform", *(f"{base + n}-0" for n in range(10)))
        assert await length() == 1
