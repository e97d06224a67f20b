"""The client against the real HTTP API of real services; left out, aloud, where the API is not installed."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.client import (
    AsyncCareClient,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnauthorisedError,
    new_event,
)
from shared.event.program import ProgramPlanned
from tests.support.client_case import intake, morning
from tests.support.running import command, environment_for, wait_ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("shared.door") is None, reason="the HTTP API is not installed"),
]


@asynccontextmanager
async def services(redis_url: str, folder: Path) -> AsyncIterator[dict[str, str]]:
    """All four as one real process on four partitions; gives its environment."""
    environment = environment_for(folder, CARE_REDIS_URL=redis_url, CARE_PARTITIONS="4")
    async with command("run", environment=environment, log=folder / "log.txt") as process:
        await wait_ready(environment, process)
        yield environment


async def key(environment: dict[str, str], *arguments: str) -> str:
    """A new API key, by the operator's own command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shared.cli.main",
        "keys",
        "create",
        "platform",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, told = await process.communicate()
    assert process.returncode == 0, told
    return printed.decode().strip()


async def program_of(care: AsyncCareClient, patient: str) -> ProgramPlanned:
    """Once there is one."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await care.program(patient)
            except NotFoundError:
                await asyncio.sleep(0.2)


async def test_a_platform_without_redis_sends_reads_and_hears_why_not(redis_url: str, tmp_path: Path) -> None:
    """Batches, refusals by the place of the event, views, keys and limits, as the client promises them."""
    async with services(redis_url, tmp_path) as environment:
        url = f"http://127.0.0.1:{environment['CARE_HTTP_PORT']}"
        whole = await key(environment, "--scope", "care.*", "--scope", "read")
        async with AsyncCareClient(url, api_key=whole, patience_s=60) as care:
            patients = [f"patient-{number}" for number in range(120)]
            sent = [new_event(intake(f"intake-{patient}"), patient=patient) for patient in patients]
            assert await care.submit_all(sent) == [event.id for event in sent]
            program = await program_of(care, "patient-119")
            assert (await care.classification("patient-119")).primary == "gluteal_tendinopathy"
            assert len((await care.prescription("patient-119"))["prescription"]) == len(program.prescription)
            assert await program_of(care, "patient-119") == program
            assert (await care.timeline("patient-119"))["events"]
            late = morning("too-early", reported_at=datetime.now(UTC) + timedelta(days=3))
            good = new_event(morning("right", reported_at=datetime.now(UTC)), patient="patient-1")
            with pytest.raises(RefusedError) as refused:
                await care.submit_all([good, new_event(late, patient="patient-1")])
            assert refused.value.accepted == (good.id,)
            assert [(one.index, one.code, one.path) for one in refused.value.refusals] == [
                (1, "impossible_time", "$.data.reported_at")
            ]
            with pytest.raises(NotFoundError):
                await care.program("nobody")
        narrow = await key(environment, "--scope", "care.checkin.*", "--per-minute", "2")
        async with AsyncCareClient(url, api_key=narrow, patience_s=0) as care:
            with pytest.raises(UnauthorisedError):
                await care.program("patient-1")
            assert await care.submit(morning("second", reported_at=datetime.now(UTC)), patient="patient-1")
            with pytest.raises(RateLimitedError) as limited:
                await care.submit(morning("third", reported_at=datetime.now(UTC)), patient="patient-1")
            assert 0 < limited.value.retry_after_s <= 60
