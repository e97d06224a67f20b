"""The output streams of one partition, merged in the order in which their entries were written.

All streams of a partition lie in one Redis, whose clock gives the entries their ids. They are read at one instant, so
what was written before something that is seen is seen too. Within one millisecond the streams come in the order of
`OUTPUTS`: no event causes one of an earlier stream. Each stream has a cursor of its own, so that nothing is passed
over that is written within a millisecond that was read already, or after the clock was set back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.decode import payload_bytes
from shared.stream.key import stream_key
from shared.stream.webhook.subscription import OUTPUTS

END = "+"


class _Data(msgspec.Struct):
    severity: Any = None


class Head(msgspec.Struct):
    """What is read of an event to know where it belongs."""

    id: str
    type: str
    subject: str
    time: str = ""
    data: _Data = msgspec.field(default_factory=_Data)


_HEAD = msgspec.json.Decoder(Head)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. `head` is None where it is no event."""

    stream: Stream
    entry_id: str
    head: Head | None


@dataclass(frozen=True, slots=True)
class Page:
    """`is_last`: there is nothing behind it by now."""

    rows: tuple[Row, ...]
    is_last: bool


def parts(entry_id: str) -> tuple[int, int]:
    """Milliseconds and sequence."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence or 0)


def before(entry_id: str) -> str:
    """The id just before, to read from an entry on."""
    ms, sequence = parts(entry_id)
    return f"{ms}-{sequence - 1}" if sequence else f"{ms - 1}-18446744073709551615"


async def read_page(
    client: Redis, partition: int, after: Mapping[Stream, str], until: Mapping[Stream, str], count: int
) -> Page:
    """The next entries behind `after`, up to and with `until`: at most `count` of each stream."""
    pipeline = client.pipeline(transaction=True)
    for stream, position in after.items():
        pipeline.xrange(stream_key(partition, stream), f"({position}", until.get(stream, END), count=count)
    answers: list[Any] = await pipeline.execute()
    merged = [
        (_place(stream, entry_id.decode()), stream, entry_id.decode(), fields)
        for stream, rows in zip(after, answers, strict=True)
        for entry_id, fields in rows
    ]
    full = [
        _place(stream, rows[-1][0].decode()) for stream, rows in zip(after, answers, strict=True) if len(rows) == count
    ]
    if full:  # behind the first stream that was not read to its end the order is not known yet
        merged = [row for row in merged if row[0] <= min(full)]
    merged.sort(key=lambda row: row[0])
    return Page(tuple(Row(stream, entry_id, _head(fields)) for _, stream, entry_id, fields in merged), not full)


async def read_entry(client: Redis, partition: int, stream: Stream, entry_id: str) -> bytes | None:
    """The event, to the byte; None where it is gone."""
    rows: Any = await client.xrange(stream_key(partition, stream), entry_id, entry_id)
    return payload_bytes(rows[0][1]) if rows else None


def _place(stream: Stream, entry_id: str) -> tuple[int, int, int]:
    ms, sequence = parts(entry_id)
    return ms, OUTPUTS.index(stream), sequence


def _head(fields: Mapping[bytes, bytes]) -> Head | None:
    raw = payload_bytes(fields)
    if raw is None:
        return None
    try:
        return _HEAD.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
