"""taskiq on its Redis stream broker: one task for each session."""

import asyncio
import sys

import redis.asyncio
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from bench.worker.plain import URL, handle, sessions

broker = RedisStreamBroker(URL, queue_name="bench:taskiq")
client = redis.asyncio.Redis.from_url(URL)


@broker.task
async def on_session(raw: str) -> None:
    await handle(client, raw.encode())


async def feed() -> None:
    await broker.startup()
    for raw in sessions():
        await on_session.kiq(raw.decode())
    await broker.shutdown()


async def work() -> None:
    broker.is_worker_process = True
    await broker.startup()
    await run_receiver_task(broker, run_startup=False)


if __name__ == "__main__":
    asyncio.run(feed() if sys.argv[1] == "feed" else work())
