"""The client over Redis: what a platform's backend relies on when it publishes and reads."""

import asyncio
import inspect
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.client import (
    AsyncCareClient,
    CareClient,
    CursorError,
    GapError,
    RefusedError,
    UnauthorisedError,
    UnavailableError,
    Unrecognised,
    UnsupportedError,
    new_event,
)
from shared.embedded import EmbeddedServer
from shared.event.adjustment import GoalReached
from shared.event.classification import ConditionClassified
from shared.event.program import ProgramPlanned
from shared.event.wire import Stream
from shared.stream.key import PARTITIONS, partition_of, stream_key
from tests.support.client_case import intake, morning, reached, session, write
from tests.support.four_services import four_services
from tests.support.redis_cluster import redis_cluster
from tests.support.running import client_for, read, running

ADJUSTMENTS = stream_key(0, Stream.ADJUSTMENTS)


async def prepare(client: Any, partitions: int = 1) -> None:
    """What services write at their first start."""
    await client.set(PARTITIONS, partitions)


def goals(events: list[Any]) -> list[str]:
    return [event.data.goal_id for event in events]


async def test_a_platform_sends_an_intake_and_reads_what_it_has_and_what_to_do(redis_url: str) -> None:
    """The first ten lines of an integration, against the real services; no reader's group is left behind."""
    async with running(four_services(), redis_url), AsyncCareClient(redis_url, source="//platform/app") as care:
        event_id = await care.submit(intake(), patient="patient-1", correlation_id="visit-7")
        feed = care.events(ConditionClassified, ProgramPlanned, patient="patient-1", wait_s=60)
        classified, planned = await anext(feed), await anext(feed)
    assert isinstance(classified.data, ConditionClassified)
    assert classified.data.primary == "gluteal_tendinopathy"
    assert classified.causationid == event_id
    assert isinstance(planned.data, ProgramPlanned)
    assert planned.data.prescription
    assert planned.correlationid == "visit-7"
    async with client_for(redis_url) as client:
        groups = {group["name"].decode() for group in await client.xinfo_groups(stream_key(0, Stream.PROGRAMS))}
        (sent,) = await read(client, Stream.INTAKES)
    assert groups == {"planner", "progression", "notifier"}
    assert (sent["id"], sent["source"], sent["subject"]) == (event_id, "//platform/app", "patient-1")


async def test_every_patient_is_written_to_the_partition_the_services_read(redis_url: str) -> None:
    """The client asks Redis how many there are, and a batch finds all their places."""
    patients = [f"patient-{number}" for number in range(30)]
    async with running(four_services(), redis_url, partitions=8), AsyncCareClient(redis_url) as care:
        ids = await care.submit_all(
            new_event(intake(f"intake-{patient}"), patient=patient, id=f"id-{patient}") for patient in patients
        )
        seen: set[str] = set()
        async for event in care.events(ConditionClassified, wait_s=60):
            seen.add(event.subject)
            if len(seen) == len(patients):
                break
        assert seen == set(patients)
        feed = care.events(patient="patient-3", wait_s=0)
        assert {event.subject async for event in feed} == {"patient-3"}
    assert ids == [f"id-{patient}" for patient in patients]
    async with client_for(redis_url) as client:
        for partition in range(8):
            written = await read(client, Stream.INTAKES, partition)
            assert all(partition_of(event["subject"], 8) == partition for event in written)
            assert await client.xlen(stream_key(partition, Stream.DEAD_LETTERS)) == 0


async def test_what_the_services_would_reject_does_not_leave(redis_url: str) -> None:
    """A mistake is told with its code and place where it is made, for every event at once; nothing was sent."""
    broken = session().model_copy(update={"pain_during": 11})
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        with pytest.raises(RefusedError) as refused:
            await care.submit(broken, patient="patient-1")
        assert (refused.value.refusals[0].code, refused.value.refusals[0].path) == (
            "out_of_range",
            "$.data.pain_during",
        )
        with pytest.raises(RefusedError) as refused:
            await care.submit(session(), patient="no such id")
        assert refused.value.refusals[0].path == "$.subject"
        with pytest.raises(RefusedError) as refused:
            await care.submit(reached(1).data, patient="patient-1")
        assert refused.value.refusals[0].code == "wrong_stream"
        good = new_event(session(), patient="patient-1")
        with pytest.raises(RefusedError) as refused:
            await care.submit_all([good, good.model_copy(update={"data": broken}), reached(1)])
        assert [one.index for one in refused.value.refusals] == [1, 2]
        assert refused.value.accepted == ()
        assert await client.exists(stream_key(0, Stream.SESSIONS)) == 0


async def test_an_outage_of_redis_costs_time_and_nothing_else(private_server: Callable[[], EmbeddedServer]) -> None:
    """What is sent while Redis restarts arrives once it is back; what is read goes on where it was."""
    server = private_server()
    url = server.url
    async with client_for(url) as client:
        await prepare(client)
    async with AsyncCareClient(url, patience_s=60) as care:
        await care.submit(morning("checkin-1"), patient="patient-1")
        feed = care.events(wait_s=60)
        async with client_for(url) as client:
            await write(client, reached(1))
        assert goals([await anext(feed)]) == ["goal-1"]
        server.stop()
        sending = asyncio.create_task(care.submit(morning("checkin-2"), patient="patient-1", id="second"))
        reading = asyncio.create_task(feed.next())
        await asyncio.sleep(0.5)
        assert not sending.done()
        assert not reading.done()
        server.start()
        assert server.url == url
        assert await sending == "second"
        async with client_for(url) as client:
            await write(client, reached(2))
            assert {event["id"] for event in await read(client, Stream.SESSIONS)} >= {"second"}
        assert goals([await reading]) == ["goal-2"]


async def test_who_gives_up_says_so_and_the_same_id_may_be_sent_again(
    private_server: Callable[[], EmbeddedServer],
) -> None:
    """No Redis, or one on which no service has ever started: an error within the patience, no password in it."""
    async with AsyncCareClient("redis://:hunter2@127.0.0.1:1/0", patience_s=0.2) as care:
        with pytest.raises(UnavailableError) as gone:
            await care.submit(session(), patient="patient-1")
    assert "hunter2" not in f"{gone.value!r} {gone.value.__cause__!r}"
    server = private_server()
    async with AsyncCareClient(server.url, patience_s=0.2) as care:
        with pytest.raises(UnavailableError, match="care:partitions"):
            await care.submit(session(), patient="patient-1")
    async with client_for(server.url) as client:
        await client.config_set("requirepass", "secret")
    async with AsyncCareClient(server.url, patience_s=20) as care:
        with pytest.raises(UnauthorisedError):
            await care.submit(session(), patient="patient-1")


async def test_a_reader_goes_on_where_its_token_says(redis_url: str) -> None:
    """What was dealt with does not come again, what was not is not lost, whichever process reads on."""
    async with client_for(redis_url) as client:
        await prepare(client, 4)
        patients = [f"patient-{number % 7}" for number in range(100)]
        for number, patient in enumerate(patients):
            await write(client, reached(number, patient), partitions=4)
        got: list[Any] = []
        token = None
        for _ in range(10):
            async with AsyncCareClient(redis_url) as care:
                feed = care.events(GoalReached, after=token, wait_s=0)
                got += [await anext(feed) for _ in range(10)]
                token = feed.cursor
        assert sorted(goals(got)) == sorted(f"goal-{number}" for number in range(100))
        for patient in set(patients):
            mine = [event.time for event in got if event.subject == patient]
            assert mine == sorted(mine)
        async with AsyncCareClient(redis_url) as care:
            assert [event async for event in care.events(after=token, wait_s=0)] == []
            assert [event async for event in care.events(after=await care.newest(), wait_s=0)] == []
            with pytest.raises(CursorError):
                await care.events(after="nonsense", wait_s=0).next()
        await client.set(PARTITIONS, 8)
        async with AsyncCareClient(redis_url) as care:
            with pytest.raises(CursorError, match="4 partitions"):
                await care.events(after=token, wait_s=0).next()


async def test_a_token_of_other_types_is_kept_for_what_it_knows(redis_url: str) -> None:
    """Whoever wants more types later gets them from the beginning, and the others from where they were."""
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        await write(client, reached(1))
        feed = care.events(ConditionClassified, GoalReached, wait_s=0)
        assert len([event async for event in feed]) == 1
        narrow = care.events(ConditionClassified, after=feed.cursor, wait_s=0)
        assert await narrow.next() is None
        wide = care.events(after=narrow.cursor, wait_s=0)
        assert await wide.next() is None


async def test_a_reader_hears_of_what_was_trimmed_before_it_came(redis_url: str) -> None:
    """The loss is an error that counts it; then the same reader goes on with what is left."""
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        for number in range(10):
            await write(client, reached(number))
        feed = care.events(GoalReached, wait_s=0)
        await anext(feed)
        token = feed.cursor
        await client.xtrim(ADJUSTMENTS, maxlen=4, approximate=False)
        late = care.events(GoalReached, after=token, wait_s=0)
        with pytest.raises(GapError) as gap:
            await late.next()
        assert [(one.key, one.lost) for one in gap.value.gaps] == [(ADJUSTMENTS, 5)]
        rest = ["goal-6", "goal-7", "goal-8", "goal-9"]
        assert goals([event async for event in late]) == rest
        again = care.events(GoalReached, after=gap.value.cursor, wait_s=0)
        assert goals([event async for event in again]) == rest
        # Whoever begins without a token begins with what is kept.
        assert goals([event async for event in care.events(wait_s=0)]) == rest
        # A reader that had read all misses nothing when all of it is trimmed.
        await client.xtrim(ADJUSTMENTS, maxlen=0, approximate=False)
        await write(client, reached(10))
        assert goals([event async for event in care.events(after=again.cursor, wait_s=0)]) == ["goal-10"]
        # A stream that was begun anew is a gap, too.
        await client.delete(ADJUSTMENTS)
        await write(client, reached(11))
        anew = care.events(after=again.cursor, wait_s=0)
        with pytest.raises(GapError, match="begun anew"):
            await anew.next()
        assert goals([event async for event in anew]) == ["goal-11"]


@pytest.mark.parametrize("seed", range(8))
async def test_read_and_lost_add_up_to_all(redis_url: str, seed: int) -> None:
    """However writing, reading, trimming and starting over alternate, each event is read once or counted as lost."""
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        written, lost, got = 0, 0, list[str]()
        feed = care.events(GoalReached, after=await care.newest(), wait_s=0)
        for _ in range(60):
            match chance.choice(["write", "write", "read", "trim", "restart"]):
                case "write":
                    for _ in range(chance.randint(1, 8)):
                        await write(client, reached(written))
                        written += 1
                case "read":
                    for _ in range(chance.randint(1, 8)):
                        try:
                            event = await feed.next()
                        except GapError as gap:
                            lost += sum(one.lost or 0 for one in gap.gaps)
                        else:
                            got += goals([event] if event is not None else [])
                case "trim":
                    await client.xtrim(ADJUSTMENTS, maxlen=chance.randint(0, 10), approximate=False)
                case "restart":
                    feed = care.events(GoalReached, after=feed.cursor, wait_s=0)
        while True:
            try:
                got += goals([event async for event in feed])
                break
            except GapError as gap:
                lost += sum(one.lost or 0 for one in gap.gaps)
        assert len(got) == len(set(got))
        assert got == sorted(got, key=lambda goal: int(goal.removeprefix("goal-")))
        assert len(got) + lost == written


async def test_an_older_client_reads_what_a_newer_system_writes(redis_url: str) -> None:
    """Unknown fields are ignored, unknown types and values come as they are, rubbish stops nothing."""
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        known = json.loads(reached(1).data.model_dump_json())
        await write(client, reached(1), newattribute="x", data=known | {"new_field": {"a": 1}})
        await write(client, reached(2), type="care.goal.missed.v1", data={"goal_id": "goal-2", "deep": [1, 2]})
        await write(client, reached(3), data=known | {"horizon": "lifelong"})
        await client.xadd(ADJUSTMENTS, {"__data__": b"\xff no json"})
        await client.xadd(ADJUSTMENTS, {"something": "else"})
        await write(client, reached(4))
        first, second, third, fourth = [event async for event in care.events(wait_s=0)]
        assert isinstance(first.data, GoalReached)
        assert second.type == "care.goal.missed.v1"
        assert isinstance(second.data, Unrecognised)
        assert second.data.model_extra == {"goal_id": "goal-2", "deep": [1, 2]}
        assert isinstance(third.data, Unrecognised)
        assert (third.data.model_extra or {})["horizon"] == "lifelong"
        assert goals([fourth]) == ["goal-4"]
        typed = [event async for event in care.events(GoalReached, wait_s=0)]
        assert [event.id for event in typed] == ["output-1", "output-3", "output-4"]


async def test_ids_that_the_vocabulary_has_gained_since_are_read(redis_url: str) -> None:
    """A program with an exercise that this client has not heard of is still a program; sending it is still refused."""
    async with running(four_services(), redis_url), AsyncCareClient(redis_url) as care:
        await care.submit(intake(), patient="patient-1")
        planned = await anext(care.events(ProgramPlanned, wait_s=60))
        async with client_for(redis_url) as client:
            data = json.loads(planned.data.model_dump_json())
            data["prescription"][0]["exercise_id"] = "moon_walk"
            data["intake"]["measures"] = [{"instrument": "MOON", "value": 400}]
            await write(client, planned, data=data, id="newer")
        newer = [event async for event in care.events(ProgramPlanned, wait_s=0) if event.id == "newer"]
        assert isinstance(newer[0].data, ProgramPlanned)
        assert newer[0].data.prescription[0].exercise_id == "moon_walk"
        with pytest.raises(ValueError, match="no id of instruments"):
            intake(measures=({"instrument": "MOON", "value": 4},))


async def test_a_reader_that_waits_is_woken(redis_url: str) -> None:
    """Without an end the iterator waits for what comes, and ends when its task does."""
    async with client_for(redis_url) as client, AsyncCareClient(redis_url) as care:
        await prepare(client)
        feed = care.events(GoalReached)
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(1.5)  # longer than one read waits
        assert not waiting.done()
        await write(client, reached(1))
        async with asyncio.timeout(60):
            assert goals([await waiting]) == ["goal-1"]
        stuck = asyncio.create_task(feed.next())
        await asyncio.sleep(0.05)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        await write(client, reached(2))
        assert goals([await anext(feed)]) == ["goal-2"]


async def test_on_a_cluster_every_partition_is_found(tmp_path: Path) -> None:
    """No command of the client touches two slots; order, tokens, gaps and waiting are as on one server."""
    with redis_cluster(tmp_path) as url:
        async with client_for(url) as client, AsyncCareClient(url) as care:
            await prepare(client, 4)
            patients = [f"patient-{number}" for number in range(20)]
            await care.submit_all([new_event(session(f"s-{one}"), patient=one) for one in patients])
            for partition in range(4):
                assert {event["subject"] for event in await read(client, Stream.SESSIONS, partition)} == {
                    patient for patient in patients if partition_of(patient, 4) == partition
                }
            for number, patient in enumerate(patients):
                await write(client, reached(number, patient), partitions=4)
            feed = care.events(wait_s=0)
            assert len([event async for event in feed]) == 20
            waiting = asyncio.create_task(care.events(after=feed.cursor).next())
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await write(client, reached(20), partitions=4)
            async with asyncio.timeout(60):
                assert goals([await waiting]) == ["goal-20"]
            key = stream_key(partition_of("patient-1", 4), Stream.ADJUSTMENTS)
            await client.xtrim(key, maxlen=0, approximate=False)
            with pytest.raises(GapError):
                await care.events(after=feed.cursor, wait_s=0).next()


async def test_the_synchronous_client_does_the_same(redis_url: str) -> None:
    """Without `await`: sent, read, resumed, refused, closed."""

    def use() -> list[str]:
        with CareClient(redis_url) as care:
            care.submit_all([new_event(session(f"session-{n}"), patient="patient-1") for n in range(3)])
            assert isinstance(care.submit(morning(), patient="patient-1"), str)
            with pytest.raises(RefusedError):
                care.submit(session(), patient="")
            with pytest.raises(UnsupportedError, match="HTTP"):
                care.program("patient-1")
            feed = care.events(GoalReached, wait_s=0)
            first = next(feed)
            rest = care.events(GoalReached, after=feed.cursor, wait_s=0)
            return goals([first, *rest])

    async with client_for(redis_url) as client:
        await prepare(client)
        for number in range(3):
            await write(client, reached(number))
        assert await asyncio.to_thread(use) == ["goal-0", "goal-1", "goal-2"]
        assert len(await read(client, Stream.SESSIONS)) == 4


def test_ctrl_c_ends_the_wait_and_loses_nothing(redis_url: str) -> None:
    """Whoever interrupts a reader and goes on reading gets what came meanwhile."""

    async def put(number: int | None) -> None:
        async with client_for(redis_url) as client:
            await prepare(client)
            if number is not None:
                await write(client, reached(number))

    asyncio.run(put(None))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with CareClient(redis_url) as care:
            feed = care.events(GoalReached, wait_s=60)
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(KeyboardInterrupt):
                next(feed)
            asyncio.run(put(1))
            assert goals([next(feed)]) == ["goal-1"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_program_that_forgets_to_close_still_ends(redis_url: str) -> None:
    """Nor does it hang in a process that forked after the first call: that is told."""
    script = f"""
import os
from shared.client import CareClient, UnavailableError
care = CareClient({redis_url!r}, patience_s=0.1)
try:
    care.newest()
except UnavailableError:
    print("no service yet", flush=True)
child = os.fork()
if child == 0:
    try:
        care.newest()
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    first, second = ended.stdout.splitlines()
    assert first == "no service yet"
    assert "forked" in second


def test_both_clients_have_the_same_face() -> None:
    """Whoever knows one knows the other."""
    for name, method in inspect.getmembers(AsyncCareClient, inspect.isfunction):
        if name.startswith("_") and name != "__init__":
            continue
        assert _face(getattr(CareClient, name)) == _face(method), name


def _face(method: Any) -> list[Any]:
    parameters = inspect.signature(method).parameters.values()
    return [(one.name, one.kind, one.default, str(one.annotation)) for one in parameters]


@pytest.mark.parametrize("url", ["localhost:6379", "ftp://localhost", ""])
def test_a_url_of_something_else_is_told_at_once(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="redis://"):
        CareClient(url)
