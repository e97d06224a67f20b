"""What a process left unfinished is finished."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.decision import Arrival, Decision, Incoming, Rejection
from shared.embedded import EmbeddedServer
from shared.event.patient import PatientUpdated
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.stream.error import LostGroupError, StreamError, UnreachableError, UnsuitableError
from shared.stream.idle import busy_groups, is_idle
from shared.stream.key import READERS, stream_key
from shared.stream.retention import trim
from shared.stream.script import Script
from shared.stream.standing import read_backlog
from tests.integration.test_exactly_once import pump_for, reported, taken
from tests.support.example import wire
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import count, toy

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


async def test_a_group_made_anew_repeats_nothing(redis_url: str) -> None:
    """After a group was lost its stream is read again: no event has a second effect, no poison a second letter."""
    broken = reported(2, pain_during=99, symptoms=["sudden_severe_pain"])
    patient = wire("care.patient.updated.v1", {"language": "xx"}, event_id="rejected", subject="patient-1")
    async with client_for(redis_url) as client:
        async with running([toy(decide=reject_updates)], redis_url):
            await publish(client, Stream.SESSIONS, reported(1), b"no event", broken)
            await publish(client, Stream.PATIENTS, patient)
            await until_idle(client, 2)
        before = [await read(client, stream) for stream in (Stream.ADJUSTMENTS, Stream.DEAD_LETTERS)]
        for stream in (Stream.SESSIONS, Stream.PATIENTS):
            await client.xgroup_destroy(stream_key(0, stream), "progression")
        async with running([toy(decide=reject_updates)], redis_url):
            await publish(client, Stream.SESSIONS, reported(3))
            await until_idle(client, 3)
        adjustments, letters = [await read(client, stream) for stream in (Stream.ADJUSTMENTS, Stream.DEAD_LETTERS)]
        assert (adjustments[:-1], letters) == (before[0], before[1])
        assert adjustments[-1]["causationid"] == "e3"
        assert len(letters) == 3


async def test_a_group_made_anew_leaves_alone_what_no_mark_tells_of(redis_url: str) -> None:
    """What was handled so long ago that its marks are gone is not taken for new; what is younger is read again."""
    window: dict[str, Any] = {"duplicate_days": 1, "late_window_days": 1}
    before = round((datetime.now(UTC) - timedelta(days=3)).timestamp() * 1000)
    async with client_for(redis_url) as client:
        await client.xadd(SESSIONS, {"__data__": reported(1)}, id=f"{before}-0")
        async with running([toy()], redis_url, **window):
            await until_idle(client, 1)
        await client.delete("care:{0}:progression:seen:patient-1")
        await client.xgroup_destroy(SESSIONS, "progression")
        await publish(client, Stream.SESSIONS, reported(2))
        async with running([toy()], redis_url, **window):
            await until_idle(client, 2)
        assert [event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)] == ["e1", "e2"]


async def test_a_group_lost_during_the_start_skips_nothing(redis_url: str) -> None:
    """Between the preparation and the first read a group may vanish: it begins at the beginning again."""
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, reported(1))

        async def lose_group() -> None:
            await client.xgroup_destroy(SESSIONS, "progression")

        async with running([replace(toy(), start_up=lose_group)], redis_url):
            await publish(client, Stream.SESSIONS, reported(2))
            await until_idle(client, 2)
        assert [event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)] == ["e1", "e2"]


async def test_a_start_waits_until_redis_has_memory_again(private_server: Callable[[], EmbeddedServer]) -> None:
    """A Redis that answers and takes nothing is waited for, like one that does not answer."""
    url = private_server().url
    async with client_for(url) as client:
        await publish(client, Stream.SESSIONS, reported(1))
        await client.config_set("maxmemory", 1)
        relief = asyncio.create_task(_give_memory(client, after_s=1.0))
        async with running([toy()], url):
            await until_idle(client, 1)
        await relief


async def test_a_start_ends_where_redis_takes_nothing_for_long(private_server: Callable[[], EmbeddedServer]) -> None:
    """It says so in a line, and a supervisor tries again."""
    url = private_server().url
    async with client_for(url) as client:
        await client.config_set("maxmemory", 1)
        with pytest.raises(UnreachableError, match="takes nothing for"):
            async with running([toy()], url, redis_patience_s=0.2):
                pass


async def test_a_redis_that_refuses_to_be_read_is_not_asked_without_end(
    private_server: Callable[[], EmbeddedServer],
) -> None:
    """Without its replicas Redis takes nothing: the service waits, and goes on by itself when they are back."""
    url = private_server().url
    async with client_for(url) as client, running([toy()], url):
        await client.config_set("min-replicas-to-write", 1)
        await asyncio.sleep(2)
        await client.config_set("min-replicas-to-write", 0)
        stats: Any = await client.info("commandstats")
        assert 0 < stats["cmdstat_xreadgroup"]["rejected_calls"] < 50
        await publish(client, Stream.SESSIONS, reported(1))
        await until_idle(client, 1)


async def test_a_step_waits_while_redis_may_not_write(private_server: Callable[[], EmbeddedServer]) -> None:
    """An outage of the replicas is no failure of the entries in hand: they are committed when it is over."""
    url = private_server().url
    async with client_for(url) as client:
        pump = pump_for(client, url)
        await client.xgroup_create(pump.key, "progression", id="0", mkstream=True)
        await publish(client, Stream.SESSIONS, reported(1))
        in_hand = await taken(client)
        await client.config_set("min-replicas-to-write", 1)
        step = asyncio.create_task(pump.process(*in_hand))
        await asyncio.sleep(0.5)
        assert not step.done()
        await client.config_set("min-replicas-to-write", 0)
        await asyncio.wait_for(step, 10)
        assert len(await read(client, Stream.ADJUSTMENTS)) == 1


async def _give_memory(client: Any, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await client.config_set("maxmemory", 0)


def reject_updates(state: Any, event: Incoming, protocols: Protocols, now: datetime) -> Decision[Any]:
    """A toy that rejects, as its core, whatever a patient says of themselves."""
    if isinstance(event, Arrival) and isinstance(event.event.data, PatientUpdated):
        return Decision(state, rejections=(Rejection("invalid_data", "$", "no", event.origin),), outcome="rejected")
    return count(state, event, protocols, now)


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
        await trim(client, 1, month, now=now)
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


async def test_a_wrong_lag_of_redis_is_no_backlog(redis_url: str) -> None:
    """After a crash Redis may count entries as undelivered for ever although the last one has been delivered."""
    key = "care:{0}:sessions"
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, *(reported(n) for n in range(5)))
        await client.xgroup_create(key, "progression", id="$", entries_read=2)
        (group,) = await client.xinfo_groups(key)
        assert group["lag"] == 3
        assert await is_idle(client, 1)
        (row,) = await read_backlog(client, [(key, "progression")])
        assert (row.pending, row.lag) == (0, 0)
        await publish(client, Stream.SESSIONS, reported(5))
        assert not await is_idle(client, 1)
