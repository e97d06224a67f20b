"""A patient's events, as they came in, a page at a time, out of the streams of the patient's partition.

Entry ids are Redis's own clock, so the order of arrival is the same for all streams and puts causes before what
follows from them. A page reads a bounded number of entries and says from where the next one goes on; the streams
hold what CARE_RETENTION_DAYS keeps.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from pydantic import Field, ValidationError
from redis.asyncio import Redis

from shared.event.patient import PatientErased
from shared.event.registry import adapter
from shared.event.upcast import unwrap
from shared.event.wire import Identifier, Stream, Wire
from shared.stream.key import DATA_FIELD, stream_key

CHUNK = 100
"""Entries of one stream that are read in one round trip."""
ENTRIES_AT_MOST = 10_000
"""Read for one page."""
PAGE_S = 1.0
"""After so long a page ends where it is."""
ERASURES_AT_MOST = 100_000
"""Entries of `patients` looked through for an erasure."""
PAGE = 100
LONGEST_PAGE = 500
ORDER = tuple(Stream)
LEFT_OUT = {
    "care.patient.updated.v1": ("contact",),
    "care.program.stopped.v1": ("reason",),
    "care.clinician.decided.v1": ("rationale",),
    "care.event.rejected.v1": ("original",),
}
"""Fields of `data` that may name a person or are somebody's own words; `notes` is left out everywhere."""

_ENVELOPE = ("specversion", "id", "source", "type", "subject", "time")
_ESCAPE = b"\\u"
"""JSON may spell a letter of the pseudonym so."""
Position = tuple[int, int, int]
"""Milliseconds and number of an entry id, and the stream's place in `ORDER`."""


class TimelinePage(Wire):
    """Events in the order of arrival, without free text and contact data."""

    events: tuple[dict[str, Any], ...]
    next: Identifier | None = Field(description="The value of `after` for the next page; null at the end.")


class CursorError(Exception):
    """The value of `after` is none that a page gave."""


class TooManyError(Exception):
    """So many entries would have to be looked through that it cannot be said whether the patient was erased."""


@dataclass(slots=True)
class _Reach:
    """How far one stream has been read."""

    key: str
    place: int
    at: Position
    """All up to here is read."""
    is_done: bool = False
    found: list[tuple[Position, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Reads one partition's streams for one patient."""

    client: Redis
    partition: int
    subject: str

    async def page(self, after: str | None, limit: int, erased_at: datetime | None) -> TimelinePage:
        """`erased_at`: an erasure that is known already; what it concerns is left out.

        Raises CursorError, TooManyError and what Redis does.
        """
        start = _position(after)
        newest = await self._erasure(start)
        erased_at = max((at for at in (erased_at, newest) if at is not None), default=None)
        reaches = [_Reach(stream_key(self.partition, stream), place, start) for place, stream in enumerate(ORDER)]
        begun, entries = time.monotonic(), 0
        while True:
            running = [reach for reach in reaches if not reach.is_done]
            frontier = min((reach.at for reach in running), default=None)
            found = sorted(one for reach in reaches for one in reach.found if frontier is None or one[0] <= frontier)
            is_over = entries >= ENTRIES_AT_MOST or time.monotonic() - begun > PAGE_S
            if frontier is None or len(found) > limit or (is_over and frontier > start):
                break
            # Streams that were at their end are looked at again: what came since may lie before what others hold.
            entries += await self._read_on([r for r in reaches if r.is_done or r.at == frontier], start, erased_at)
        end = found[limit - 1][0] if len(found) > limit else frontier
        events = []
        for _, raw in found[:limit]:
            events.append(_shown(raw))
            await asyncio.sleep(0)  # the subscribers share this loop
        return TimelinePage(events=tuple(events), next=None if end is None else _cursor(end))

    async def _read_on(self, reaches: list[_Reach], start: Position, erased_at: datetime | None) -> int:
        """One chunk more of each, all of one instant. Returns how many entries that were."""
        async with self.client.pipeline(transaction=True) as transaction:
            for reach in reaches:
                ms, number, place = reach.at
                # Of the very entry id that a page ended at, streams later in the order may still hold one.
                is_past = reach.at != start or reach.place <= place
                transaction.xrange(reach.key, min=f"{'(' if is_past else ''}{ms}-{number}", count=CHUNK)
            answers: list[Any] = await transaction.execute()
        needle = self.subject.encode()
        for reach, rows in zip(reaches, answers, strict=True):
            reach.is_done = len(rows) < CHUNK
            for entry_id, fields in rows:
                reach.at = (*_entry(entry_id), reach.place)
                raw = unwrap(fields.get(DATA_FIELD, b""))
                if (needle in raw or _ESCAPE in raw) and self._is_held(raw, erased_at):
                    reach.found.append((reach.at, raw))
        return sum(map(len, answers))

    def _is_held(self, raw: bytes, erased_at: datetime | None) -> bool:
        """It is about the patient, and from after an erasure."""
        event = _event(raw)
        if event.get("subject") != self.subject:
            return False
        happened = _instant(event.get("time"))
        return erased_at is None or (happened is not None and happened > erased_at)

    async def _erasure(self, start: Position) -> datetime | None:
        """The newest erasure of the patient that is in the stream, handled yet or not."""
        key = stream_key(self.partition, Stream.PATIENTS)
        low, read, newest = f"{start[0]}-{start[1]}", 0, None
        while True:
            rows: Any = await self.client.xrange(key, min=low, count=10 * CHUNK)
            for _, fields in rows:
                raw = unwrap(fields.get(DATA_FIELD, b""))
                if PatientErased.event_type.encode() not in raw:
                    continue
                event = _event(raw)
                at = _instant(event.get("time"))
                if event.get("type") == PatientErased.event_type and event.get("subject") == self.subject and at:
                    newest = max(newest or at, at)
            if len(rows) < 10 * CHUNK:
                return newest
            read += len(rows)
            if read >= ERASURES_AT_MOST:
                raise TooManyError
            low = f"({rows[-1][0].decode()}"


def _shown(raw: bytes) -> dict[str, Any]:
    """As the contract has it: what a producer put beside it, free text and contact data are left out.

    Of what is no valid event only the envelope is shown; why it is none stands in its dead letter.
    """
    event = _event(raw)
    event_type = str(event.get("type"))
    left_out = {"notes", *LEFT_OUT.get(event_type, ())}
    try:
        known = adapter(event_type).validate_json(raw)
    except (KeyError, ValidationError):
        return {name: event[name] for name in _ENVELOPE if isinstance(event.get(name), str)}
    shown: dict[str, Any] = adapter(event_type).dump_python(known, mode="json", exclude={"data": left_out})
    return shown


def _event(raw: bytes) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _entry(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.decode().partition("-")
    return int(ms), int(number)


def _cursor(at: Position) -> str:
    return "-".join(map(str, at))


def _position(after: str | None) -> Position:
    if after is None:
        return 0, 0, len(ORDER)
    parts = after.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts):
        raise CursorError
    ms, number, place = map(int, parts)
    if max(ms, number) >= 1 << 64:
        raise CursorError
    return ms, number, place
