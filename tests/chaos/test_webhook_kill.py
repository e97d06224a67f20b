"""Whoever sends is killed at any moment: every event arrives, in order, and twice only where the answer was unknown."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from services.notifier.webhook.endpoint import PLACES
from shared.stream.webhook.route import Delivery
from tests.support.running import command, environment_for
from tests.support.webhook_case import Platform, http_server, output, until, webhook_case

WORKER = "tests.support.webhook_worker"
PATIENTS = 15
EVENTS = 300
KILLS = 4


@pytest.mark.slow
async def test_killed_senders_lose_nothing_and_keep_the_order(redis_url: str, tmp_path: Path) -> None:
    """One sender after the other dies in the middle; the ledger has each event once."""
    rng = random.Random(11)  # noqa: S311  # a test's dice
    platform = Platform(delay_s=0.02)
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url)
    on_their_way = 0
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        platform.keys = list(one.keys)
        await case.publish(*(output(n, f"patient-{n % PATIENTS}") for n in range(EVENTS)))
        for kill in range(KILLS):
            known, log = len(platform.taken), tmp_path / f"log-{kill}"
            async with command(environment=environment, log=log, module=WORKER) as process:
                await until(lambda known=known: len(platform.taken) > known + 5)  # type: ignore[misc]
                await asyncio.sleep(rng.uniform(0, 0.2))
                process.kill()
                await process.wait()
                on_their_way += PLACES
        async with command(environment=environment, log=tmp_path / "log-last", module=WORKER) as process:
            await until(lambda: len(set(platform.ids())) == EVENTS, 180)
            process.terminate()
            assert await process.wait() == 0
        for patient in range(PATIENTS):
            numbers = list(dict.fromkeys(platform.numbers(f"patient-{patient}")))
            assert numbers == list(range(patient, EVENTS, PATIENTS))
        assert len(platform.taken) - EVENTS <= on_their_way
        rows: list[Delivery] = [row async for row in case.office.route(one.id, 0).deliveries()]
        assert max(Counter(row.event_id for row in rows).values()) == 1
        assert {row.outcome for row in rows} == {"delivered"}
        assert len(rows) == EVENTS


@pytest.mark.slow
async def test_a_sender_that_is_told_to_stop_repeats_nothing(redis_url: str, tmp_path: Path) -> None:
    """A release, a scale-down: what is on its way is recorded first, and the next process goes on behind it."""
    platform = Platform(delay_s=0.05)
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url, TEST_LEASE_S="40")
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        await case.subscribe(port)
        await case.publish(*(output(n, f"patient-{n % PATIENTS}") for n in range(150)))
        for turn in range(3):
            known = len(platform.taken)
            async with command(environment=environment, log=tmp_path / f"log-{turn}", module=WORKER) as process:
                await until(lambda known=known: len(platform.taken) > known + 10)  # type: ignore[misc]
                process.terminate()
                assert await process.wait() == 0
        async with command(environment=environment, log=tmp_path / "log-last", module=WORKER):
            await until(lambda: len(platform.taken) >= 150, 180)
        assert len(platform.taken) == 150
        for patient in range(PATIENTS):
            assert platform.numbers(f"patient-{patient}") == list(range(patient, 150, PATIENTS))
