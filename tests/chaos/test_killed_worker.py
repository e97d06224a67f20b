"""Whatever process is killed at whatever moment, nothing is lost and nothing happens twice."""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest

from shared.event.wire import Stream
from tests.integration.test_exactly_once import reported
from tests.support.running import client_for, command, environment_for, publish, read, until_idle_or_dead, wait_ready

WORKER = "tests.support.worker"


@pytest.mark.slow
async def test_killed_workers_lose_nothing_and_double_nothing(redis_url: str, tmp_path: Path) -> None:
    """Workers die in the middle of their work, again and again; in the end each session counts once."""
    rng = random.Random(7)  # noqa: S311  # a test's dice
    events = [reported(n, patient=f"patient-{n % 20}", event_id=f"e{n}") for n in range(1500)]
    sent = events + rng.sample(events, 200)
    rng.shuffle(sent)
    changes = {
        "CARE_REDIS_URL": redis_url,
        "CARE_CONSUMER": "worker-0",
        "CARE_BATCH_SIZE": "20",
        "CARE_CLAIM_IDLE_S": "1",
        "CARE_MAX_DELIVERIES": "50",
    }
    async with client_for(redis_url) as client:
        for kills in range(4):
            environment, log = environment_for(tmp_path, **changes), tmp_path / f"log-{kills}"
            async with command("progression", environment=environment, log=log, module=WORKER) as process:
                await wait_ready(environment, process, port_offset=3)
                portion = sent[kills::4]
                feeder = asyncio.create_task(publish(client, Stream.SESSIONS, *portion))
                await asyncio.sleep(rng.uniform(0.02, 0.1))
                process.kill()
                await feeder
        environment, log = environment_for(tmp_path, **changes), tmp_path / "log-last"
        async with command("progression", environment=environment, log=log, module=WORKER) as process:
            await until_idle_or_dead(client, process, log)
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            assert await process.wait() == 0
        outputs = await read(client, Stream.ADJUSTMENTS)
        assert sorted(event["causationid"] for event in outputs) == sorted(f"e{n}" for n in range(1500))
        for patient in range(20):
            counts = [event["data"]["value"] for event in outputs if event["subject"] == f"patient-{patient}"]
            assert counts == list(range(1, 76))
        assert await read(client, Stream.DEAD_LETTERS) == []


@pytest.mark.slow
async def test_an_event_that_kills_its_process_is_put_aside_alone(redis_url: str, tmp_path: Path) -> None:
    """A supervisor that restarts a dying process ends up with one dead letter and all other work done."""
    events = [reported(n, patient=f"patient-{n}", event_id=f"e{n}") for n in range(10)]
    events[4] = reported(4, patient="patient-4", event_id="e4", notes="kill")
    changes = {"CARE_REDIS_URL": redis_url, "CARE_CONSUMER": "worker-0", "CARE_MAX_DELIVERIES": "2"}
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, *events)
        for life in range(3):
            environment, log = environment_for(tmp_path, **changes), tmp_path / f"log-{life}"
            async with command("progression", environment=environment, log=log, module=WORKER) as process:
                async with asyncio.timeout(60):
                    while process.returncode is None and not await client.exists("care:{0}:dead-letters"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
        (dead,) = await read(client, Stream.DEAD_LETTERS)
        assert (dead["causationid"], dead["data"]["error"]["code"]) == ("e4", "handler_failed")
        causes = {event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)}
        assert causes >= {f"e{n}" for n in range(4)}
