"""What Redis holds of a patient for one service: `<version>:` and one JSON object.

The version rises with every commit and never falls while marks against duplicates exist,
also over an erasure; so whoever read an older record cannot commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

S = TypeVar("S")


class Timer(msgspec.Struct, frozen=True, array_like=True):
    """When it is due and what it goes back to."""

    due_ms: int
    correlation_id: str


class Record(msgspec.Struct, Generic[S], frozen=True, omit_defaults=True):
    """One patient in one service."""

    state: S | None = None
    timers: dict[str, Timer] = {}
    erased_at: datetime | None = None
    """Events up to then are dropped: a tombstone that outlives the state."""
    lists: dict[str, dict[str, int]] = {}
    """List name to item to instant in ms."""

    def is_empty(self) -> bool:
        """Nothing but the version is worth keeping, and that only as long as the marks."""
        return self.state is None and not self.timers


@dataclass(frozen=True, slots=True)
class Stored(Generic[S]):
    """A record as read, with the version to compare against."""

    version: int
    record: Record[S]
    unreadable: Exception | None = None
    """Why the record could not be decoded; it is then left as it is."""


def reader(state_type: type[S]) -> Callable[[bytes | None], Stored[S]]:
    """The decoder for one service's records."""
    kind: Any = Record[state_type]  # type: ignore[valid-type]  # a type made at run time
    decoder = msgspec.json.Decoder(kind)

    def read(raw: bytes | None) -> Stored[S]:
        if raw is None:
            return Stored(0, Record())
        version, _, body = raw.partition(b":")
        try:
            return Stored(int(version), decoder.decode(body))
        except msgspec.MsgspecError as error:
            return Stored(int(version), Record(), error)

    return read


def encode(record: Record[Any]) -> bytes:
    """The JSON after the version."""
    return msgspec.json.encode(record)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up so that a timer never fires early."""
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return -(-(delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds) // 1000)


def from_ms(ms: int) -> datetime:
    """The instant, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
