"""arq: one job for each session, without kept results."""

import asyncio
import sys
from typing import Any, ClassVar

import redis.asyncio
from arq import create_pool, run_worker
from arq.connections import RedisSettings

from bench.worker.plain import URL, handle, sessions

SETTINGS = RedisSettings.from_dsn(URL)


async def start(context: dict[str, Any]) -> None:
    context["client"] = redis.asyncio.Redis.from_url(URL)


async def on_session(context: dict[str, Any], raw: bytes) -> None:
    await handle(context["client"], raw)


class Worker:
    """The settings that arq reads."""

    functions: ClassVar = [on_session]
    on_startup = start
    redis_settings = SETTINGS
    max_jobs = 100
    poll_delay = 0.05
    keep_result = 0


async def feed() -> None:
    pool = await create_pool(SETTINGS)
    for raw in sessions():
        await pool.enqueue_job("on_session", raw)
    await pool.aclose()


if __name__ == "__main__":
    if sys.argv[1] == "feed":
        asyncio.run(feed())
    else:
        asyncio.set_event_loop(asyncio.new_event_loop())
        run_worker(Worker)
