"""FastStream as its documentation shows it: one message at a time, acknowledged after the handler."""

import asyncio

import redis.asyncio
from faststream import FastStream
from faststream.redis import RedisBroker, StreamSub
from faststream.redis.annotations import RedisMessage

from bench.worker.plain import URL, handle
from shared.event.wire import Stream
from shared.stream.key import stream_key

broker = RedisBroker(URL, logger=None)  # type: ignore[arg-type]  # None silences it; its type does not say so

client = redis.asyncio.Redis.from_url(URL)


@broker.subscriber(stream=StreamSub(stream_key(0, Stream.SESSIONS), group="progression", consumer="one", last_id=">"))
async def on_session(message: RedisMessage) -> None:
    await handle(client, message.body)


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
