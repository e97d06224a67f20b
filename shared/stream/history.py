"""Reads what lies in the streams, for people: traces, dead letters, summaries. It changes nothing."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.event.upcast import unwrap
from shared.event.wire import Stream
from shared.stream.key import DATA_FIELD, stream_key

CHUNK = 500
"""Entries read in one round trip."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream. `event` is None where its bytes are no JSON object."""

    stream: Stream
    key: str
    entry_id: str
    raw: bytes
    event: dict[str, Any] | None

    def get(self, *path: str) -> Any:
        """A value within the event, or None where a step of the path is missing."""
        value: Any = self.event
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value


async def read_history(
    client: Redis, partitions: int, streams: Iterable[Stream] = tuple(Stream)
) -> AsyncIterator[Entry]:
    """Every entry of the given streams, stream by stream, in the order of the stream."""
    for stream in streams:
        for partition in range(partitions):
            async for entry in read_partition(client, partition, (stream,)):
                yield entry


async def read_partition(client: Redis, partition: int, streams: Iterable[Stream]) -> AsyncIterator[Entry]:
    """The same of one partition, which holds everything of its patients."""
    for stream in streams:
        key = stream_key(partition, stream)
        start = "-"
        while True:
            rows: Any = await client.xrange(key, min=start, count=CHUNK)
            if not rows:
                break
            for entry_id, fields in rows:
                yield _entry(stream, key, entry_id.decode(), fields)
            start = f"({rows[-1][0].decode()}"


def subjects(entries: Iterable[Entry]) -> list[str]:
    """The patients that entries name, as far as that can be told: `unknown` is none."""
    named = {entry.get("subject") for entry in entries}
    return sorted(name for name in named if isinstance(name, str) and name != "unknown")


def _entry(stream: Stream, key: str, entry_id: str, fields: dict[bytes, bytes]) -> Entry:
    raw = unwrap(fields.get(DATA_FIELD, b""))
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):  # whatever was rejected lies in the streams, too
        event = None
    return Entry(stream, key, entry_id, raw, event if isinstance(event, dict) else None)
