"""What the one-at-a-time contenders do with a session: state out of Redis, a step, state and adjustment back.

The plain way: no compare-and-set, so two workers with one patient would lose updates; that is not measured here.
"""

import os
import sys
from datetime import datetime
from typing import Any

from bench.step import Step
from shared.event.wire import Stream
from shared.stream.key import prescriptions_key, seen_key, state_key, stream_key

URL = os.environ.get("BENCH_REDIS_URL", "")
STEP = Step(datetime.fromisoformat(os.environ.get("BENCH_NOW", "2026-01-05T08:00:00+00:00")))


async def handle(redis: Any, raw: bytes) -> None:
    """One session, with an asyncio client of redis-py."""
    arrival = STEP.decode("0-1", raw)
    subject = arrival.subject
    seen, state = seen_key(0, "progression", subject), state_key(0, "progression", subject)
    marks = list(STEP.marks(arrival))
    if any(score is not None for score in await redis.zmscore(seen, marks)):
        return
    stepped = STEP.take("0-1", arrival, await redis.get(state))
    number = await redis.hincrby(prescriptions_key(0, subject), stepped.events[0].program_id, 1)
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.set(state, stepped.record)
        pipeline.zadd(seen, dict.fromkeys(stepped.marks, 0))
        for event in stepped.events:
            body = event.prefix + (b"%d" % number) + event.suffix if event.numbering else event.prefix
            pipeline.xadd(stream_key(0, Stream(event.stream)), {"__data__": body})
        await pipeline.execute()


def handle_blocking(redis: Any, raw: bytes) -> None:
    """The same with a blocking client."""
    arrival = STEP.decode("0-1", raw)
    subject = arrival.subject
    seen, state = seen_key(0, "progression", subject), state_key(0, "progression", subject)
    marks = list(STEP.marks(arrival))
    if any(score is not None for score in redis.zmscore(seen, marks)):
        return
    stepped = STEP.take("0-1", arrival, redis.get(state))
    number = redis.hincrby(prescriptions_key(0, subject), stepped.events[0].program_id, 1)
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.set(state, stepped.record)
        pipeline.zadd(seen, dict.fromkeys(stepped.marks, 0))
        for event in stepped.events:
            body = event.prefix + (b"%d" % number) + event.suffix if event.numbering else event.prefix
            pipeline.xadd(stream_key(0, Stream(event.stream)), {"__data__": body})
        pipeline.execute()


def sessions() -> list[bytes]:
    """What the feeder is given on its standard input: one session a line."""
    return sys.stdin.buffer.read().splitlines()
