"""Replays recorded events in order of their time, moving the replay clock where there is one.

Before each short span of events the clock moves to just before it: everything published so far has been
handled, and what falls due until then fires, as it does in life. Then the span is published.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.recording import Recorded
from shared.stream.idle import busy_groups
from shared.stream.key import CLOCK, CLOCK_HANDLED, partition_of, stream_key

SPAN = timedelta(minutes=30)
"""Events this close together are published at once."""
INSTANT = timedelta(milliseconds=1)
POLL_S = 0.004
SEEN_WITHIN_MS = 10_000
"""A consumer that asked for entries this recently belongs to a running service."""


class ReplayStalledError(Exception):
    """The services do not catch up; the message says which of them, and on what."""


async def replay(
    client: Redis,
    events: Sequence[Recorded],
    *,
    partitions: int,
    move_clock: bool,
    until: datetime | None = None,
    timeout_s: float = 120.0,
    progress: Callable[[Recorded], None] = lambda event: None,
) -> None:
    """Publishes all events, which must be in order of time; then moves the clock to `until`, if given.

    Raises ReplayStalledError where a step takes longer than `timeout_s`.
    """
    for span in _spans(events, SPAN if move_clock else timedelta.max):
        if move_clock:
            # What is due before an event fires before it, as it does in life.
            await _step(client, span[0].time - INSTANT, partitions, timeout_s)
        for event in span:
            key = stream_key(partition_of(event.subject, partitions), event.stream)
            await client.xadd(key, {"__data__": event.raw})
            progress(event)
    ends = [*([events[-1].time] if events else []), *([until] if until else [])]
    if move_clock and ends:
        await _step(client, max(ends), partitions, timeout_s)


def _spans(events: Sequence[Recorded], length: timedelta) -> Iterator[list[Recorded]]:
    span: list[Recorded] = []
    for event in events:
        if span and event.time - span[0].time > length:
            yield span
            span = []
        span.append(event)
    if span:
        yield span


async def _step(client: Redis, to: datetime, partitions: int, timeout_s: float) -> None:
    """One step of the clock. While the clock is unset the services wait, so the first step sets it first."""
    try:
        async with asyncio.timeout(timeout_s) as limit:
            if await client.exists(CLOCK):
                await _wait_idle(client, partitions, limit)
            await _move(client, to)
            await _wait_idle(client, partitions, limit)
            await _wait_handled(client, to, partitions, limit)
    except TimeoutError:
        busy = ", ".join(await busy_groups(client, partitions)) or "a timer that does not end"
        raise ReplayStalledError(
            f"the services did not catch up with {to.isoformat()} within {timeout_s:g} s, waiting for: {busy}. "
            "Does `adaptive-care run` run with CARE_CLOCK=replay on the same Redis?"
        ) from None


async def _clock(client: Redis) -> datetime | None:
    raw: Any = await client.get(CLOCK)
    return datetime.fromisoformat(raw.decode()) if raw is not None else None


async def _move(client: Redis, to: datetime) -> None:
    current = await _clock(client)
    if current is not None and current >= to:
        return
    await client.set(CLOCK, to.astimezone(UTC).isoformat())


async def _wait_idle(client: Redis, partitions: int, limit: asyncio.Timeout) -> None:
    while await busy_groups(client, partitions):
        await _pause(limit)


async def _pause(limit: asyncio.Timeout) -> None:
    """Raises TimeoutError where time is up: a client that is just connecting may swallow the cancellation."""
    if limit.expired():
        raise TimeoutError
    await asyncio.sleep(POLL_S)


async def _wait_handled(client: Redis, to: datetime, partitions: int, limit: asyncio.Timeout) -> None:
    running = await _running_services(client)
    while True:
        handled: Any = await client.hgetall(CLOCK_HANDLED)
        fields = {name.decode(): datetime.fromisoformat(value.decode()) for name, value in handled.items()}
        expected = running | fields.keys()
        caught_up = bool(expected) and all(name in fields and fields[name] >= to for name in expected)
        if caught_up and not await busy_groups(client, partitions):
            return
        await _pause(limit)


async def _running_services(client: Redis) -> set[str]:
    """Services with a consumer that asked for entries lately; all services read `patients`."""
    key = stream_key(0, Stream.PATIENTS)
    running = set()
    for group in await client.xinfo_groups(key) if await client.exists(key) else []:
        consumers = await client.xinfo_consumers(key, group["name"])
        if any(consumer["idle"] < SEEN_WITHIN_MS for consumer in consumers):
            running.add(group["name"].decode())
    return running
