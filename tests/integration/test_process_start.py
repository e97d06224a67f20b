"""A process starts whole or not at all: never with subscribers that read and nothing beside them."""

import asyncio
import os
import signal
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.event.wire import Stream
from shared.stream.application import build_application
from shared.stream.error import StreamError
from shared.stream.idle import wait_until_idle
from shared.stream.key import partition_of
from tests.integration.test_exactly_once import reported
from tests.support.running import client_for, free_port, publish, settings_for
from tests.support.toy import count, toy

PARTITIONS = 32
"""So many that the first reads before the last has begun."""
PATIENTS = [name for name in (f"patient-{n}" for n in range(1000)) if partition_of(name, PARTITIONS) == 0]


async def test_nothing_is_handled_before_all_has_started(redis_url: str) -> None:
    """After a pause the first batch takes long; had FastStream to wait for it, the process would start in parts."""
    started: list[bool] = []

    def decide(*given: Any) -> Any:
        started.append(application.engine.started.is_set())
        return count(*given)

    application = build_application([toy(decide=decide)], settings_for(redis_url, partitions=PARTITIONS))
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, *(reported(n, patient=name) for n, name in enumerate(PATIENTS)))
        async with application.started():
            await wait_until_idle(client, PARTITIONS)
    assert started == [True] * len(PATIENTS)


@pytest.mark.slow
async def test_a_start_that_fails_ends_the_process(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails after the port is taken: a supervisor must see it, and nothing may go on as if it were well."""
    application = build_application([toy("progression")], settings_for(redis_url))

    async def fail(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(application.brokers[0], "start", fail)
    with pytest.raises(StreamError, match=r"could not start \(TimeoutError\)"):
        await application.serve(port=free_port())


async def test_a_stop_that_meets_an_error_still_ends_well(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost by it, what was begun goes to another process; so the log tells of it and the status is 0."""
    application = build_application([toy("progression")], settings_for(redis_url))

    async def fail(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(application.brokers[0], "stop", fail)
    with capture_logs() as lines:
        serving = asyncio.create_task(application.serve(port=free_port()))
        await application.engine.started.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 30)
    assert [line["error"] for line in lines if line["event"] == "stopped with an error"] == ["TimeoutError"]
    assert lines[-1]["event"] == "stopped"
