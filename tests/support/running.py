"""Runs services for tests: in this process against a real Redis, or as the real command."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings
from shared.stream.application import build_application
from shared.stream.connection import connect
from shared.stream.idle import is_idle, wait_until_idle
from shared.stream.key import CLOCK, CLOCK_HANDLED, stream_key
from shared.stream.server import CareApplication


def settings_for(redis_url: str, **changes: Any) -> Settings:
    """Settings for one test, without a look at the environment's."""
    values: dict[str, Any] = {"redis_url": redis_url, "consumer": "test-0", "log_format": "json"} | changes
    return Settings(**values)


@contextlib.asynccontextmanager
async def running(services: Sequence[Service[Any]], redis_url: str, **changes: Any) -> AsyncIterator[CareApplication]:
    """The services within this process, with the wall clock unless `clock="replay"`."""
    application = build_application(services, settings_for(redis_url, **changes))
    async with application.started():
        yield application


@contextlib.asynccontextmanager
async def client_for(redis_url: str) -> AsyncIterator[Redis]:
    """A client that is closed in the end."""
    client = connect(redis_url)
    try:
        yield client
    finally:
        await client.aclose()


async def move_clock(
    client: Redis, to: datetime, services: Sequence[str], *, partitions: int = 1, timeout_s: float = 5
) -> None:
    """One step of a replay: all that was published is handled, then the clock moves, then all timers have fired."""
    text = to.astimezone(UTC).isoformat()
    if await client.exists(CLOCK):
        await wait_until_idle(client, partitions, timeout_s=timeout_s)
    await client.set(CLOCK, text)
    async with asyncio.timeout(timeout_s):
        while True:
            handled = await client.hgetall(CLOCK_HANDLED)
            reached = all(handled.get(name.encode()) == text.encode() for name in services)
            if reached and await is_idle(client, partitions):
                return
            await asyncio.sleep(0.005)


_TURNS = itertools.count(random.SystemRandom().randrange(1200))


def free_port() -> int:
    """A TCP port for which, and the five after it, nobody listens.

    From below those that the system hands out by itself: between this look and the start of whoever is to listen,
    no outgoing connection can take it. And 10,000 above it there is room for the bus of a Redis Cluster. One after
    the other, since whoever got the last one may take seconds until it listens; and test processes that run side by
    side (pytest-xdist) never look at the same ports.
    """
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    places = range(10_000 + 10 * own, 22_000, 10 * count)
    for turn in itertools.islice(_TURNS, 100):
        first = places[turn % len(places)]
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + 6):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no free ports")


def environment_for(data_dir: Path, **changes: str) -> dict[str, str]:
    """The environment of the real command, free of the caller's CARE_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARE_")}
    own = {"CARE_DATA_DIR": str(data_dir), "CARE_HTTP_PORT": str(free_port()), "CARE_LOG_FORMAT": "json"}
    return inherited | own | changes


@contextlib.asynccontextmanager
async def command(
    *arguments: str, environment: Mapping[str, str], log: Path, module: str = "shared.cli.main"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`adaptive-care ...` as a real process; its output goes to `log`. Killed in the end if it still runs."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            env=dict(environment),
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def wait_ready(
    environment: Mapping[str, str], process: asyncio.subprocess.Process, *, port_offset: int = 0
) -> None:
    """Returns once /ready says so. Raises where the process ends first, or after two minutes."""
    port = int(environment["CARE_HTTP_PORT"]) + port_offset
    async with asyncio.timeout(120):  # a machine that does much else starts Python slowly
        while process.returncode is None:
            with contextlib.suppress(OSError):
                status, _ = await http_get(port, "/ready")
                if status == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError(f"ended with status {process.returncode} before it was ready")


async def http_get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of one GET on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def publish(client: Redis, stream: Stream, *raws: bytes, partition: int = 0) -> list[bytes]:
    """Writes entries as a platform does. Returns their ids."""
    ids: list[Any] = [await client.xadd(stream_key(partition, stream), {"__data__": raw}) for raw in raws]
    return ids


async def read(client: Redis, stream: Stream, partition: int = 0) -> list[dict[str, Any]]:
    """All events of a stream, decoded."""
    entries: Any = await client.xrange(stream_key(partition, stream))
    return [json.loads(fields[b"__data__"]) for _, fields in entries]


async def until_idle_or_dead(
    client: Redis, process: asyncio.subprocess.Process, log: Path, *, partitions: int = 1, timeout_s: float = 120.0
) -> None:
    """Waits until nothing is left to do for a command that runs. Where it ends first, its last words are the error."""
    waiting = asyncio.create_task(wait_until_idle(client, partitions, timeout_s=timeout_s, poll_s=0.05))
    ended = asyncio.create_task(process.wait())
    await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not waiting.done():
        waiting.cancel()
        said = await asyncio.to_thread(log.read_text)
        raise AssertionError(f"ended with status {process.returncode}: {said[-2000:]}")
    waiting.result()


async def until_idle(client: Redis, count: int | None = None, stream: Stream = Stream.ADJUSTMENTS) -> None:
    """Waits until nothing is left to do, and for so many events of a stream, if told how many."""
    await wait_until_idle(client, 1, timeout_s=10)
    async with asyncio.timeout(10):
        while count is not None and await client.xlen(stream_key(0, stream)) < count:  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.01)
