"""A short form of the fuzzing of the running services."""

import json
from pathlib import Path

import pytest

from tests.fuzz.service import fuzz_services
from tests.support.running import client_for, command, environment_for, wait_ready

EVENTS = 1000


@pytest.mark.slow
async def test_spoilt_events_stop_no_service_and_lose_no_event(redis_url: str, tmp_path: Path) -> None:
    """All four services, a thousand spoilt events: each is handled or dead-lettered once, valid ones are answered."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url, CARE_CONSUMER="fuzz-0")
    log = tmp_path / "log"
    async with (
        client_for(redis_url) as client,
        command("run", environment=environment, log=log) as process,
    ):
        await wait_ready(environment, process)
        report = await fuzz_services(client, EVENTS, seed=5, spoilt_per_s=50, valid_per_s=3)
        assert process.returncode is None, "a service ended"
    assert report.spoilt == EVENTS
    assert sum(report.dead.values()) > EVENTS / 4
    # That each valid session was answered is shown by there being a figure; `make fuzz` holds it to twice the calm.
    assert report.disturbed_p99_ms > 0
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert not [line for line in lines if line.get("outcome") == "failed"]
    assert not [line for line in lines if "Traceback" in json.dumps(line)]
