"""The services as real processes: they end when they must, with an honest status."""

import signal
import socket
from pathlib import Path

import pytest

from shared.event.wire import Stream
from tests.integration.test_exactly_once import reported
from tests.support.running import (
    client_for,
    command,
    environment_for,
    http_get,
    publish,
    read,
    until_idle,
    wait_ready,
)

WORKER = "tests.support.worker"
OFFSET = 3
"""A process that runs progression alone serves its health on this port after the first."""


async def test_a_told_process_finishes_its_work_and_ends_with_status_0(redis_url: str, tmp_path: Path) -> None:
    """Stopping a service is no accident."""
    environment, log = environment_for(tmp_path, CARE_REDIS_URL=redis_url), tmp_path / "log"
    async with (
        client_for(redis_url) as client,
        command("progression", environment=environment, log=log, module=WORKER) as process,
    ):
        await wait_ready(environment, process, port_offset=OFFSET)
        await publish(client, Stream.SESSIONS, *(reported(n) for n in range(50)))
        await until_idle(client, 50)
        port = int(environment["CARE_HTTP_PORT"]) + OFFSET
        status, metrics = await http_get(port, "/metrics")
        assert status == 200
        assert b'care_entries_handled_total{outcome="handled",service="progression",stream="sessions"} 50.0' in metrics
        assert (await http_get(port, "/live"))[0] == 200
        status, document = await http_get(port, "/asyncapi.json")
        assert status == 200
        assert b"care:{0}:sessions" in document
        assert (await http_get(port, "/docs/try"))[0] == 404
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert len(await read(client, Stream.ADJUSTMENTS)) == 50
    assert '"outcome": "handled"' in log.read_text()


async def test_a_process_whose_streams_were_deleted_ends_with_status_1(redis_url: str, tmp_path: Path) -> None:
    """A supervisor sees that it must be started anew."""
    environment, log = environment_for(tmp_path, CARE_REDIS_URL=redis_url), tmp_path / "log"
    async with (
        client_for(redis_url) as client,
        command("progression", environment=environment, log=log, module=WORKER) as process,
    ):
        await wait_ready(environment, process, port_offset=OFFSET)
        await client.flushall()
        assert await process.wait() == 1
    assert "lost" in log.read_text()


@pytest.mark.parametrize("arguments", [("run", "nobody"), ("run", "--nothing"), ("unheard-of",)])
async def test_wrong_usage_ends_with_status_2_and_no_traceback(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A typing error is answered in a line or two."""
    log = tmp_path / "log"
    async with command(*arguments, environment=environment_for(tmp_path), log=log) as process:
        assert await process.wait() == 2
    assert "Traceback" not in log.read_text()


async def test_an_unreachable_redis_ends_the_command_with_one_line(tmp_path: Path) -> None:
    """Who forgot to start Redis is told so."""
    environment = environment_for(tmp_path, CARE_REDIS_URL="redis://127.0.0.1:1", CARE_REDIS_PATIENCE_S="0.5")
    log = tmp_path / "log"
    async with command("run", "intake", environment=environment, log=log) as process:
        assert await process.wait() == 1
    assert log.read_text().splitlines()[-1].startswith("adaptive-care: Redis cannot be reached for 0.5 s")


async def test_a_taken_port_ends_the_command_with_one_line(redis_url: str, tmp_path: Path) -> None:
    """Two processes on one port are noticed before any work is done."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url, CARE_HTTP_PORT=str(port - 1))
        log = tmp_path / "log"
        async with command("run", "intake", environment=environment, log=log) as process:
            assert await process.wait() == 1
    assert f"cannot listen on 127.0.0.1:{port}" in log.read_text().splitlines()[-1]
