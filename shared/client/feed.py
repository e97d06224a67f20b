"""An endless row of events, in the order of each stream, that can be taken up again where it was left."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from typing import Any, Generic, TypeVar

from shared.client.cursor import Cursor
from shared.client.error import GapError
from shared.client.reader import Unrecognised, read_event
from shared.client.redis_transport import Entry, RedisTransport
from shared.event.envelope import Event
from shared.event.wire import Payload, Stream
from shared.recording import PLATFORM_STREAMS
from shared.stream.key import partition_of, stream_key

P = TypeVar("P", bound=Payload)

OUTPUTS = tuple(stream for stream in Stream if stream not in (*PLATFORM_STREAMS, Stream.DEAD_LETTERS))
"""What is read where no type is named. Dead letters hold the original bytes of an input, contact details included."""
_UNREADABLE = "an entry that is no event was passed over: %s %s"


class Feed(Generic[P]):
    """An async iterator of events. `cursor` is the resume token; keep it once an event has been dealt with.

    Within one partition of a stream the order is that of the stream, so one patient's events of one stream never
    change places. Across streams it is by time of arrival, as far as it was read in one go.
    """

    def __init__(
        self,
        transport: RedisTransport,
        *,
        types: Collection[type[P]],
        patient: str | None,
        after: str | None,
        wait_s: float | None,
    ) -> None:
        self._transport = transport
        self._types = {payload.event_type for payload in types}
        self._streams = [stream for stream in Stream if any(payload.stream is stream for payload in types)]
        self._patient = patient
        self._after = after
        self._wait_s = wait_s
        self._cursor: Cursor | None = None
        self._keys: list[str] = []
        self._buffer: deque[Entry] = deque()

    @property
    def cursor(self) -> str | None:
        """The token behind the event handed out last; before the first, the one that it began with."""
        return self._after if self._cursor is None else self._cursor.token()

    def __aiter__(self) -> "Feed[P]":
        return self

    async def __anext__(self) -> Event[P | Unrecognised]:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self) -> Event[Any] | None:
        """The next event, or None where none came within `wait_s`.

        Raises GapError, after which the next call goes on behind the gap, CursorError and UnavailableError, after
        which it tries again from where it stood.
        """
        cursor = await self._opened()
        clock = asyncio.get_running_loop().time
        patience = None if self._wait_s is None else clock() + self._wait_s
        while True:
            while self._buffer:
                entry = self._buffer.popleft()
                cursor.move(entry.key, entry.entry_id, entry.count)
                event = self._chosen(entry)
                if event is not None:
                    return event
            left_s = 60.0 if patience is None else max(patience - clock(), 0.0)
            news = await self._transport.news(cursor, self._keys, left_s)
            if news:
                await self._fill(cursor, news)
            elif patience is not None and clock() >= patience:
                return None

    async def _opened(self) -> Cursor:
        if self._cursor is None:
            partitions = await self._transport.partitions()
            cursor = Cursor(partitions) if self._after is None else Cursor.parse(self._after, partitions)
            numbers = range(partitions) if self._patient is None else (partition_of(self._patient, partitions),)
            self._keys = [stream_key(number, stream) for number in numbers for stream in self._streams or OUTPUTS]
            extents = await self._transport.extents(self._keys) if self._after is not None else {}
            self._cursor = cursor
            _be_loud(cursor, [gap for key, extent in extents.items() if (gap := cursor.gap(key, extent))])
        return self._cursor

    async def _fill(self, cursor: Cursor, keys: list[str]) -> None:
        found = await self._transport.read(cursor, keys)
        _be_loud(cursor, [gap for key, (extent, _) in found.items() if (gap := cursor.gap(key, extent))])
        entries = [entry for _, entries in found.values() for entry in entries]
        self._buffer.extend(sorted(entries, key=_arrival))

    def _chosen(self, entry: Entry) -> Event[Any] | None:
        try:
            event = read_event(entry.raw or b"")
        except ValueError:
            logging.getLogger(__name__).warning(_UNREADABLE, entry.key, entry.entry_id)
            return None
        if self._types and event.type not in self._types:
            return None
        return event if self._patient in (None, event.subject) else None


def _arrival(entry: Entry) -> tuple[int, int]:
    milliseconds, _, number = entry.entry_id.partition("-")
    return int(milliseconds), int(number)


def _be_loud(cursor: Cursor, gaps: list[Any]) -> None:
    if gaps:
        raise GapError(gaps, cursor.token())
