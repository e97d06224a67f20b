"""One step of progression without any runtime: decode, read the state, decide by the real rules, encode.

What every contender of the session hop runs, each within its own runtime. Knows nothing of Redis or FastStream, so it
also runs in the environment of the peers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.progression.domain.decide import decide
from services.progression.domain.state import State
from shared.decision import Arrival
from shared.event.wire import Stream
from shared.protocol.library import shipped_protocols
from shared.service import Service
from shared.stream.decode import Source, Undecodable
from shared.stream.decode import decode as decode_entry
from shared.stream.envelope import Outgoing
from shared.stream.fold import Entry, Fold, marks_of
from shared.stream.key import DATA_FIELD, stream_key
from shared.stream.record import encode, reader

LATE_WINDOW = timedelta(days=14)
MAX_AHEAD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stepped:
    """What is to be written."""

    version: int
    """Of the record that was read."""
    record: bytes
    """As it lies in Redis afterwards."""
    marks: list[str]
    events: list[Outgoing]


class Step:
    """For sessions of one partition, at one standing instant."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._source = Source(0, 1, Stream.SESSIONS, stream_key(0, Stream.SESSIONS), MAX_AHEAD)
        service = Service("progression", "", (), (), State, partial(decide, LATE_WINDOW))
        self._fold = Fold(service, shipped_protocols(), max_deliveries=1)
        self._read = reader(service)

    def decode(self, entry_id: str, raw: bytes) -> Arrival:
        """Parses and validates. Raises ValueError for what is no session."""
        content = decode_entry(entry_id, {DATA_FIELD: raw}, self._source, self._now)
        if isinstance(content, Undecodable):
            raise ValueError(content.message)
        return content

    def marks(self, arrival: Arrival) -> tuple[str, ...]:
        """Under which it would be known as a duplicate."""
        return marks_of(arrival, "progression")

    def take(self, entry_id: str, arrival: Arrival, record: bytes | None) -> Stepped:
        """Decides on one session."""
        change = self._fold(arrival.subject, self._read(record), (), [Entry(entry_id, arrival, 1)], self._now)
        return Stepped(change.version, encode(change.record, change.version + 1), change.marks, change.events)
