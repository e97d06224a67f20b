"""A right that a Redis user lacks ends a service where care depends on it, and is told where it does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.event.wire import Stream
from shared.stream.error import LostGroupError
from shared.stream.key import stream_key
from tests.integration.test_exactly_once import reported
from tests.integration.test_metric import scrape, value
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import toy


@contextlib.asynccontextmanager
async def user_without(redis_url: str, *rights: str) -> AsyncIterator[str]:
    """The URL of a user who may do everything but this."""
    async with client_for(redis_url) as client:
        send: Any = client.execute_command  # redis-py leaves it untyped
        await send("ACL", "SETUSER", "narrow", "on", ">narrow", "~*", "&*", "+@all", *rights)
        parts = urlsplit(redis_url)
        host = parts.netloc.rpartition("@")[2]
        try:
            yield urlunsplit(parts._replace(netloc=f"narrow:narrow@{host}"))
        finally:
            await send("ACL", "DELUSER", "narrow")


async def test_a_service_that_may_not_trim_says_so_and_goes_on(redis_url: str) -> None:
    """Streams grow, which memory's alert tells; nobody's emergency waits for it."""
    async with client_for(redis_url) as client, user_without(redis_url, "-xtrim") as narrow:
        await publish(client, Stream.SESSIONS, reported(1))
        async with running([toy()], redis_url):
            await until_idle(client, 1)
        await client.xgroup_create(stream_key(0, Stream.SESSIONS), "notifier", id="$")  # who must have handled it, too
        with capture_logs() as logs:
            async with running([toy()], narrow) as application, asyncio.timeout(60):
                while not any(line["event"] == "not trimmed" for line in logs):  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.05)
                await publish(client, Stream.SESSIONS, reported(2))
                while len(await read(client, Stream.ADJUSTMENTS)) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert application.engine.failure is None
                assert await application.engine.is_ready()


async def test_a_gauge_that_may_not_be_read_is_left_out_and_redis_counts_as_well(redis_url: str) -> None:
    """Nobody is called for a Redis that answers; the other gauges are shown, and the log says once what is missing."""
    async with user_without(redis_url, "-zcount", "-pttl") as narrow:
        with capture_logs() as logs:
            async with running([toy()], narrow) as application:
                for _ in range(2):
                    samples = await scrape(application)
                assert application.engine.failure is None
        assert value(samples, "care_redis_up") == 1
        assert value(samples, "care_pending_entries", service="progression", stream="sessions") == 0
        assert value(samples, "care_timers", service="progression") is None
        assert value(samples, "care_service_absent_seconds", service="progression") is None
        refused = [line["subject"] for line in logs if line["event"] == "gauges_refused"]
        assert refused == ["timers", "presence"]


async def test_a_service_that_may_not_read_its_stream_does_not_look_healthy(redis_url: str) -> None:
    """What care depends on is no side matter: the process ends, and its supervisor tells."""

    async def run(client: Redis, narrow: str) -> None:
        async with running([toy()], narrow) as application:
            send: Any = client.execute_command  # redis-py leaves it untyped
            await send("ACL", "SETUSER", "narrow", "-xinfo")
            await asyncio.wait_for(application.engine.failed.wait(), 60)

    async with user_without(redis_url) as narrow, client_for(redis_url) as client:
        with pytest.raises(LostGroupError, match="no permissions"):
            await run(client, narrow)
