"""At-least-once in, exactly-once effect out."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.metric import Metrics
from shared.protocol.library import shipped_protocols
from shared.stream.clock import WallClock
from shared.stream.key import stream_key
from shared.stream.pump import Pump, Runtime
from tests.support.example import wire
from tests.support.running import client_for, publish, read, running, settings_for, until_idle
from tests.support.toy import session, toy

SESSION = "care.session.reported.v1"


def reported(number: int | str, *, event_id: str | None = None, patient: str = "patient-1", **data: Any) -> bytes:
    return wire(SESSION, session(number, **data), event_id=event_id or f"e{number}", subject=patient)


def pump_for(client: Redis, redis_url: str, **changes: Any) -> Pump:
    settings = settings_for(redis_url, **changes)
    runtime = Runtime(client, WallClock(), settings, shipped_protocols(), Metrics())
    return Pump(runtime, toy(), 0, Stream.SESSIONS)


async def taken(client: Redis, consumer: str = "a") -> tuple[list[bytes], list[Any]]:
    """Reads what is new into a consumer's hands."""
    key = stream_key(0, Stream.SESSIONS)
    answer: Any = await client.xreadgroup("progression", consumer, {key: ">"}, count=1000)
    entries = answer[0][1]
    return [entry[0] for entry in entries], [entry[1] for entry in entries]


async def test_events_from_before_the_first_start_are_handled(redis_url: str) -> None:
    """What a platform sent before the system was installed is not lost."""
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, reported(1), reported(2))
        async with running([toy()], redis_url):
            await until_idle(client, 2)
        assert [event["data"]["value"] for event in await read(client, Stream.ADJUSTMENTS)] == [1, 2]


async def test_an_event_or_session_sent_twice_counts_once(redis_url: str) -> None:
    """A platform may send again what it is not sure of."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url):
            await publish(client, Stream.SESSIONS, reported(1), reported(1), reported(1, event_id="other"))
            await until_idle(client, 1)
            await publish(client, Stream.SESSIONS, reported(1), reported(1, event_id="other"), reported(2))
            await until_idle(client, 2)
        goals = [event["data"]["goal_id"] for event in await read(client, Stream.ADJUSTMENTS)]
        assert goals == ["session-1", "session-2"]


async def test_an_output_names_its_cause_and_keeps_the_correlation(redis_url: str) -> None:
    """Every output can be traced to the report that it follows from."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url):
            await publish(client, Stream.SESSIONS, reported(1))
            await until_idle(client, 1)
        (output,) = await read(client, Stream.ADJUSTMENTS)
        assert (output["correlationid"], output["causationid"]) == ("e1", "e1")
        assert (output["source"], output["time"]) == ("//adaptive-care/progression", "2026-03-02T09:00:00Z")


async def test_two_replicas_in_contention_count_each_session_once(redis_url: str) -> None:
    """Two processes that work on the same patients at the same time lose nothing and double nothing."""
    events = [reported(n, patient=f"patient-{n % 3}", event_id=f"e{n}") for n in range(300)]
    async with client_for(redis_url) as client:
        async with (
            running([toy()], redis_url, consumer="a", batch_size=7),
            running([toy()], redis_url, consumer="b", batch_size=7),
        ):
            for start in range(0, 300, 20):
                await publish(client, Stream.SESSIONS, *events[start : start + 20], *events[start : start + 3])
            await until_idle(client, 300)
        outputs = await read(client, Stream.ADJUSTMENTS)
        assert len({event["id"] for event in outputs}) == len(outputs) == 300
        for patient in ("patient-0", "patient-1", "patient-2"):
            counts = [event["data"]["value"] for event in outputs if event["subject"] == patient]
            assert counts == list(range(1, 101))


async def test_a_zombie_that_commits_late_changes_nothing(redis_url: str) -> None:
    """A process that was frozen, and whose work another has done, does no harm when it wakes."""
    async with client_for(redis_url) as client:
        pump = pump_for(client, redis_url)
        await client.xgroup_create(pump.key, "progression", id="0", mkstream=True)
        await publish(client, Stream.SESSIONS, reported(1), reported(2), b"garbage")
        ids, rows = await taken(client)
        await asyncio.gather(*(pump_for(client, redis_url).process(ids, rows) for _ in range(4)))
        await pump.process(ids, rows)
        assert len(await read(client, Stream.ADJUSTMENTS)) == 2
        assert len(await read(client, Stream.DEAD_LETTERS)) == 1
        assert await client.zcard("care:{0}:progression:seen:patient-1") == 4


async def test_a_mark_is_forgotten_after_the_duplicate_window(redis_url: str) -> None:
    """What is remembered of a patient does not grow for ever."""
    async with client_for(redis_url) as client:
        seen = "care:{0}:progression:seen:patient-1"
        long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000
        await client.zadd(seen, {"id:old": long_ago})
        async with running([toy()], redis_url):
            await publish(client, Stream.SESSIONS, reported(1))
            await until_idle(client, 1)
        assert await client.zscore(seen, "id:old") is None
        assert 0 < await client.pttl(seen) <= 30 * 24 * 3600 * 1000
