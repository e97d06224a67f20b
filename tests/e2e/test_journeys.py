"""The shipped journeys through the real runtime on a real Redis: what the pure cores say is what comes out."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from shared.journey.library import Journey, shipped_journeys
from shared.recording import read_recording
from shared.stream.history import read_history
from shared.stream.key import stream_key
from shared.stream.pure_pipeline import PurePipeline, time_of
from shared.stream.replay import replay
from tests.journeys.build import new_pipeline
from tests.journeys.cases import CASES
from tests.journeys.course import last_adjustment, shuffled
from tests.journeys.patient import end_of
from tests.support.four_services import NAMES, four_services
from tests.support.running import client_for, move_clock, running

pytestmark = pytest.mark.slow

JOURNEYS = {journey.journey_id: journey for journey in shipped_journeys()}
ENDS = {case.journey: end_of(case) for case in CASES}
OUTPUTS = (Stream.CLASSIFICATIONS, Stream.PROGRAMS, Stream.ADJUSTMENTS, Stream.ESCALATIONS)


def pure(journey: Journey) -> PurePipeline:
    """The same file through the pure cores, with a clock that jumps from event to event as a replayer's does."""
    pipeline = new_pipeline(coarse=True)
    pipeline.replay(journey.events)
    pipeline.advance(ENDS[journey.journey_id])
    return pipeline


def said(raws: Sequence[bytes]) -> dict[str, dict[str, Any]]:
    """Events by id: services commit at the same time, so only the order of one service's is certain."""
    return {event["id"]: event for event in map(json.loads, raws)}


def told(raws: Sequence[bytes]) -> list[tuple[str, str, str]]:
    """Time, type and data: where the clock jumps, an event may have another cause, a report or a timer."""
    events = [json.loads(raw) for raw in raws]
    return sorted((e["time"], e["type"], json.dumps(e["data"], sort_keys=True)) for e in events)


async def published(client: Redis) -> dict[Stream, list[bytes]]:
    found: dict[Stream, list[bytes]] = {stream: [] for stream in (*OUTPUTS, Stream.DEAD_LETTERS)}
    async for entry in read_history(client, 1, tuple(found)):
        found[entry.stream].append(entry.raw)
    return found


async def step_through(client: Redis, raws: Sequence[bytes], until: datetime) -> None:
    """Publishes events in the order given; before each one the clock stands just before its time."""
    now = time_of(raws[0])
    await move_clock(client, now, NAMES)
    for raw in raws:
        just_before = time_of(raw) - timedelta(milliseconds=1)
        if just_before > now:
            now = just_before
            await move_clock(client, now, NAMES, timeout_s=20)
        stream = PAYLOAD_BY_TYPE[json.loads(raw)["type"]].stream
        await client.xadd(stream_key(0, stream), {"__data__": raw})
    await move_clock(client, until, NAMES, timeout_s=20)


@contextlib.asynccontextmanager
async def replaying(redis_url: str) -> AsyncIterator[Redis]:
    """The four services on the replay clock, and a client."""
    async with (
        running(four_services(), redis_url, clock="replay", log_level="error"),
        client_for(redis_url) as client,
    ):
        yield client


@pytest.mark.parametrize("journey_id", ["J02", "J06", "J18", "J21", "PAUL20"])
async def test_the_runtime_publishes_what_the_pure_cores_decide(journey_id: str, redis_url: str) -> None:
    """Redis, batches and timers add nothing to a decision and take nothing away: ids and data are the same."""
    journey = JOURNEYS[journey_id]
    async with replaying(redis_url) as client:
        await step_through(client, journey.events, ENDS[journey_id])
        found = await published(client)
    expected = pure(journey)
    assert found[Stream.DEAD_LETTERS] == []
    for stream in OUTPUTS:
        assert said(found[stream]) == said(expected.entries(stream)), stream


@pytest.mark.parametrize("journey_id", ["J06", "J18"])
async def test_the_replay_command_gives_each_patient_the_same_course(journey_id: str, redis_url: str) -> None:
    """What `adaptive-care replay` and the demonstration show is what the services decide, also after silent days."""
    journey = JOURNEYS[journey_id]
    async with replaying(redis_url) as client:
        events = read_recording([journey.path])
        await replay(client, events, partitions=1, move_clock=True, until=ENDS[journey_id])
        found = await published(client)
    expected = pure(journey)
    assert found[Stream.DEAD_LETTERS] == []
    for stream in OUTPUTS:
        assert told(found[stream]) == told(expected.entries(stream)), stream


async def test_a_shuffled_replay_ends_in_the_same_prescription(redis_url: str) -> None:
    """Sessions that were recorded offline and arrive in any order lead to the same load in the end."""
    journey = JOURNEYS["J02"]
    expected = last_adjustment(pure(journey).entries(Stream.ADJUSTMENTS))
    async with replaying(redis_url) as client:
        await step_through(client, shuffled(journey.events), ENDS["J02"])
        found = (await published(client))[Stream.ADJUSTMENTS]
    assert last_adjustment(found) == expected
