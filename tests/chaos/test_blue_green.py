"""Two releases of a service side by side on the same streams: forward, and back again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.idle import is_idle
from shared.stream.key import stream_key
from tests.integration.test_exactly_once import reported
from tests.support.running import client_for, command, environment_for, publish, read, wait_ready

RELEASE = "tests.support.upgrade"
PATIENTS = 12
ROUNDS_AHEAD = 5


def events(first: int, last: int, patients: range = range(PATIENTS)) -> list[bytes]:
    """Each patient's sessions from `first` to before `last`, in turn."""
    return [
        reported(number, patient=f"patient-{patient}", event_id=f"e{patient}-{number}")
        for number in range(first, last)
        for patient in patients
    ]


def environment(redis_url: str, folder: Path, consumer: str) -> dict[str, str]:
    """Impatient: what is pending is claimed soon, and tried but twice."""
    return environment_for(
        folder,
        CARE_REDIS_URL=redis_url,
        CARE_CONSUMER=consumer,
        CARE_BATCH_SIZE="5",
        CARE_CLAIM_IDLE_S="1",
        CARE_MAX_DELIVERIES="2",
    )


async def until(condition: Any, *arguments: Any) -> None:
    async with asyncio.timeout(120):
        while not await condition(*arguments):  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.05)


async def told_at_least(client: Redis, count: int) -> bool:
    return int(await client.xlen(stream_key(0, Stream.ADJUSTMENTS))) >= count


async def told_by(client: Redis, release: int) -> bool:
    newest: Any = await client.xrevrange(stream_key(0, Stream.ADJUSTMENTS), count=5 * PATIENTS)
    return any(json.loads(fields[b"__data__"])["data"]["week"] == release for _, fields in newest)


async def left_in(log: Path) -> bool:
    """The older release has met a patient of the newer one."""
    return '"outcome": "left"' in await asyncio.to_thread(log.read_text)


async def load(client: Redis, over: asyncio.Event) -> int:
    """Sessions of all patients, until it is over and thrice after that. Returns how many each patient has.

    As fast as they are counted: a few rounds ahead, so that a slow machine is as busy as a fast one, and no more.
    """
    number = rest = 0
    while rest < 3:
        rest += over.is_set()
        await publish(client, Stream.SESSIONS, *events(number, number + 1))
        number += 1
        await until(told_at_least, client, (number - ROUNDS_AHEAD) * PATIENTS)
    return number


async def stopped(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    assert await process.wait() == 0


async def assert_once_each(client: Redis, count: int) -> dict[str, list[dict[str, Any]]]:
    """Every patient's sessions were counted from 1 to `count`, each by one event, and nothing was put aside."""
    outputs = await read(client, Stream.ADJUSTMENTS)
    by_patient: dict[str, list[dict[str, Any]]] = {}
    for event in outputs:
        by_patient.setdefault(event["subject"], []).append(event)
    assert len(by_patient) == PATIENTS
    for found in by_patient.values():
        assert [event["data"]["value"] for event in found] == list(range(1, count + 1))
        assert len({event["causationid"] for event in found}) == count
    assert await read(client, Stream.DEAD_LETTERS) == []
    assert await is_idle(client, 1)
    return by_patient


@pytest.mark.slow
async def test_a_newer_release_takes_over_under_load(redis_url: str, tmp_path: Path) -> None:
    """Both run for a while; what the older one meets of the newer one's patients it leaves to it."""
    first, second = environment(redis_url, tmp_path, "blue"), environment(redis_url, tmp_path, "green")
    log_1, log_2 = tmp_path / "blue.log", tmp_path / "green.log"
    async with client_for(redis_url) as client, command("1", environment=first, log=log_1, module=RELEASE) as blue:
        await wait_ready(first, blue, port_offset=3)
        over = asyncio.Event()
        loading = asyncio.create_task(load(client, over))
        await until(told_at_least, client, 100)
        async with command("2", environment=second, log=log_2, module=RELEASE) as green:
            await wait_ready(second, green, port_offset=3)
            await until(told_by, client, 2)
            await until(left_in, log_1)
            await stopped(blue)
            over.set()
            count = await loading
            await until(is_idle, client, 1)
            told = await assert_once_each(client, count)
            await stopped(green)
    for found in told.values():
        releases = [event["data"]["week"] for event in found]
        assert releases == sorted(releases), "no patient went back to the older release"
        assert releases[-1] == 2


@pytest.mark.slow
async def test_after_a_rollback_nothing_is_lost_and_the_rest_goes_on(redis_url: str, tmp_path: Path) -> None:
    """The older release serves the patients that it knows; the others wait, whole, for the newer one's return."""
    first, second = environment(redis_url, tmp_path, "blue"), environment(redis_url, tmp_path, "green")
    new, old = range(PATIENTS // 2), range(PATIENTS // 2, PATIENTS)
    async with client_for(redis_url) as client:
        async with command("2", environment=second, log=tmp_path / "green.log", module=RELEASE) as green:
            await wait_ready(second, green, port_offset=3)
            await publish(client, Stream.SESSIONS, *events(0, 10, new))
            await until(told_at_least, client, 10 * len(new))
            async with command("1", environment=first, log=tmp_path / "blue.log", module=RELEASE) as blue:
                await wait_ready(first, blue, port_offset=3)
                await stopped(green)
                await publish(client, Stream.SESSIONS, *events(10, 20, new), *events(0, 20, old))
                await until(told_at_least, client, 10 * len(new) + 20 * len(old))

                async def is_left() -> bool:
                    summary: Any = await client.xpending("care:{0}:sessions", "progression")
                    names = [consumer["name"] for consumer in summary["consumers"] or ()]
                    return names == [b"state-version-2"] and summary["pending"] == 10 * len(new)

                await until(is_left)
                await asyncio.sleep(3)  # as long as it takes to try an entry to death; what came of it is asserted
                assert await is_left()
                assert await read(client, Stream.DEAD_LETTERS) == []
                await stopped(blue)
        async with command("2", environment=second, log=tmp_path / "again.log", module=RELEASE) as green:
            await wait_ready(second, green, port_offset=3)
            await publish(client, Stream.SESSIONS, *events(20, 21))
            await until(is_idle, client, 1)
            told = await assert_once_each(client, 21)
            await stopped(green)
    assert {event["data"]["week"] for event in told["patient-0"]} == {2}
    assert [event["data"]["week"] for event in told["patient-11"]] == [0] * 20 + [2]
