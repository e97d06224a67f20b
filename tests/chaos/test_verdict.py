"""The judge of the chaos runs sees what it is there to see."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.key import stream_key
from tests.chaos.verdict import judge
from tests.chaos.workload import OUTPUTS, Workload, make_workload
from tests.support.black_box import partition_of
from tests.support.running import client_for

PARTITIONS = 2
Json = dict[str, Any]


@pytest.fixture(scope="module")
def workload() -> Workload:
    return make_workload(3, 140, PARTITIONS)


async def fill(client: Redis, workload: Workload) -> None:
    """Writes input and outputs as they would lie in Redis after a run without faults."""
    letters = []
    for entry in workload.entries:
        key = stream_key(entry.partition, entry.stream)
        fields: Any = dict(entry.fields)
        entry_id: Any = await client.xadd(key, fields)
        if entry.poison:
            original = base64.b64encode(entry.fields.get(b"__data__", b"")).decode()
            error = {"code": entry.poison, "path": "$", "message": ""}
            data = {"stream": key, "entry_id": entry_id.decode(), "error": error, "original": original}
            letters.append({"id": f"letter-{entry.number}", "type": "", "subject": "unknown", "data": data})
    told = {stream: workload.published[stream] for stream in OUTPUTS} | {Stream.DEAD_LETTERS: letters}
    for stream, events in told.items():
        for event in events:
            await put(client, stream, event)


async def put(client: Redis, stream: Stream, event: Json) -> None:
    key = stream_key(partition_of(event["subject"], PARTITIONS), stream)
    await client.xadd(key, {"__data__": json.dumps(event)})


async def take(client: Redis, stream: Stream, position: int = 0) -> Json:
    """Takes an entry out of a stream of partition 0, its newest with -1, and tells what it was."""
    key = stream_key(0, stream)
    rows: Any = await client.xrange(key)
    entry_id, fields = rows[position]
    await client.xdel(key, entry_id)
    return json.loads(fields[b"__data__"]) if fields[b"__data__"][:1] == b"{" else {}


async def lose_input(client: Redis) -> None:
    await take(client, Stream.PATIENTS)


async def lose_adjustment(client: Redis) -> None:
    await take(client, Stream.ADJUSTMENTS)


async def double_output(client: Redis) -> None:
    told = await take(client, Stream.CLASSIFICATIONS)
    await put(client, Stream.CLASSIFICATIONS, told)
    await put(client, Stream.CLASSIFICATIONS, told)


async def change_prescription(client: Redis) -> None:
    told = await take(client, Stream.ADJUSTMENTS, -1)
    told["data"]["prescription"][0]["reps"] += 1
    await put(client, Stream.ADJUSTMENTS, told)


async def miscount_sessions(client: Redis) -> None:
    told = await take(client, Stream.ADJUSTMENTS, -1)
    told["data"]["response"]["sessions_done"] += 1
    await put(client, Stream.ADJUSTMENTS, told)


async def lose_letter(client: Redis) -> None:
    await take(client, Stream.DEAD_LETTERS)


async def double_letter(client: Redis) -> None:
    told = await take(client, Stream.DEAD_LETTERS)
    await put(client, Stream.DEAD_LETTERS, told)
    await put(client, Stream.DEAD_LETTERS, told | {"id": "another"})


async def leave_pending(client: Redis) -> None:
    await client.xgroup_create(stream_key(1, Stream.SESSIONS), "progression", id="0")


async def test_a_run_without_faults_is_found_sound(redis_url: str, workload: Workload) -> None:
    """Nothing is held against what lies in the streams when nothing has failed."""
    async with client_for(redis_url) as client:
        await fill(client, workload)
        assert (await judge(client, workload)).violations == []


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (lose_input, "is gone from its stream"),
        (lose_adjustment, "are numbered"),
        (double_output, "comes 2 times"),
        (change_prescription, "prescription of"),
        (miscount_sessions, "response of"),
        (lose_letter, "has 0 dead letters"),
        (double_letter, "has 2 dead letters"),
        (leave_pending, "not handled"),
    ],
)
async def test_what_went_wrong_is_seen(
    redis_url: str, workload: Workload, harm: Callable[[Redis], Any], seen: str
) -> None:
    """Each kind of loss, repetition and difference is a violation that says what it is."""
    async with client_for(redis_url) as client:
        await fill(client, workload)
        await harm(client)
        found = (await judge(client, workload)).violations
        assert any(seen in violation for violation in found), found
