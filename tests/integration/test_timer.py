"""Timers fire once, whatever stops and starts in between; the replay clock drives them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.event.wire import Stream
from shared.stream.error import ClockBackwardError
from shared.stream.key import CLOCK, CLOCK_HANDLED
from tests.integration.test_exactly_once import reported
from tests.support.example import EPOCH, wire
from tests.support.running import client_for, move_clock, publish, read, running, until_idle
from tests.support.toy import session, toy

NAMES = ["progression"]


def later(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


async def goals(client: Any) -> list[str]:
    return [event["data"]["goal_id"] for event in await read(client, Stream.ADJUSTMENTS)]


async def test_while_the_replay_clock_is_unset_nothing_is_handled(redis_url: str) -> None:
    """A replay begins when the replayer says so."""
    async with client_for(redis_url) as client, running([toy()], redis_url, clock="replay"):
        await publish(client, Stream.SESSIONS, reported(1))
        await asyncio.sleep(0.2)
        assert await goals(client) == []
        await client.set(CLOCK, EPOCH.isoformat())
        await until_idle(client, 1)


async def test_a_timer_fires_when_the_clock_reaches_it_and_not_before(redis_url: str) -> None:
    """A reminder comes at its time, once."""
    async with client_for(redis_url) as client, running([toy()], redis_url, clock="replay"):
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer review 60"))
        await move_clock(client, later(59), NAMES)
        assert await goals(client) == ["session-1"]
        await move_clock(client, later(60), NAMES)
        assert await goals(client) == ["session-1", "timer:review"]
        await move_clock(client, later(3600), NAMES)
        assert await goals(client) == ["session-1", "timer:review"]
        output = (await read(client, Stream.ADJUSTMENTS))[1]
        assert (output["time"], output["correlationid"]) == ("2026-03-02T09:01:00Z", "e1")


async def test_timers_that_timers_set_have_fired_when_the_instant_is_said_to_be_handled(redis_url: str) -> None:
    """The replayer goes on only when nothing more follows from an instant."""
    async with client_for(redis_url) as client, running([toy()], redis_url, clock="replay"):
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer chain 60"))
        await move_clock(client, later(61), NAMES)
        assert await goals(client) == ["session-1", "timer:chain", "timer:after"]
        assert await client.hget(CLOCK_HANDLED, "progression") == later(61).isoformat().encode()


async def test_a_stopping_service_no_longer_answers_for_the_clock(redis_url: str) -> None:
    """A replayer does not wait for who is gone."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url, clock="replay"):
            await move_clock(client, EPOCH, NAMES)
        assert await client.hgetall(CLOCK_HANDLED) == {}


async def test_a_clock_that_goes_backward_ends_the_process(redis_url: str) -> None:
    """Decisions already made would be wrong: better to stop."""
    async with client_for(redis_url) as client:
        with pytest.raises(ClockBackwardError):  # noqa: PT012  # raised at the end of the block it guards
            async with running([toy()], redis_url, clock="replay") as application:
                await move_clock(client, EPOCH, NAMES)
                await client.set(CLOCK, later(-1).isoformat())
                await asyncio.wait_for(application.engine.failed.wait(), 5)


async def test_a_cancelled_timer_does_not_fire_and_a_moved_one_fires_once(redis_url: str) -> None:
    """What is no longer wanted does not happen."""
    async with client_for(redis_url) as client, running([toy()], redis_url, clock="replay"):
        await client.set(CLOCK, EPOCH.isoformat())
        await publish(client, Stream.SESSIONS, reported(1, notes="timer a 60"), reported(2, notes="timer b 60"))
        await publish(client, Stream.SESSIONS, reported(3, notes="cancel a"), reported(4, notes="timer b 90"))
        await move_clock(client, later(80), NAMES)
        assert "timer:b" not in await goals(client)
        await move_clock(client, later(200), NAMES)
        assert [goal for goal in await goals(client) if goal.startswith("timer")] == ["timer:b"]


async def test_timers_survive_a_restart_and_fire_once_with_two_replicas(redis_url: str) -> None:
    """A reminder set yesterday comes today, once, whoever runs."""
    async with client_for(redis_url) as client:
        await client.set(CLOCK, EPOCH.isoformat())
        async with running([toy()], redis_url, clock="replay"):
            await publish(client, Stream.SESSIONS, *(reported(n, notes=f"timer t{n} {n}") for n in range(1, 21)))
            await until_idle(client, 20)
        async with (
            running([toy()], redis_url, clock="replay", consumer="a"),
            running([toy()], redis_url, clock="replay", consumer="b"),
        ):
            await move_clock(client, later(30), NAMES)
        fired = [goal for goal in await goals(client) if goal.startswith("timer")]
        assert sorted(fired) == sorted(f"timer:t{n}" for n in range(1, 21))


async def test_on_the_wall_clock_timers_fire_by_themselves(redis_url: str) -> None:
    """Live, nobody moves a clock."""
    now = datetime.now(UTC).replace(microsecond=0)
    raw = wire("care.session.reported.v1", session(1, notes="timer soon 1"), event_id="e1", time=now)
    async with client_for(redis_url) as client, running([toy()], redis_url):
        await publish(client, Stream.SESSIONS, raw)
        await until_idle(client, 2)
        assert await goals(client) == ["session-1", "timer:soon"]
