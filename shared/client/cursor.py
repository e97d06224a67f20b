"""Where a reader stands in each stream: a resume token for the caller to keep.

It is JSON: for each Redis key the id of the last entry passed and how many entries the stream had been given up
to there. The count tells a trimmed entry that was read from one that was not.
"""

import re
from dataclasses import dataclass
from typing import Self

import msgspec

from shared.client.error import CursorError, Gap

START = "0-0"
_ENTRY_ID = re.compile(r"^\d{1,20}-\d{1,20}$")
_MAX_CHARACTERS = 4_000_000
"""1,024 partitions of eleven streams need less."""


class _Token(msgspec.Struct):
    v: int
    partitions: int
    at: dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Extent:
    """What a stream says of itself. A stream that does not exist has been given nothing."""

    length: int = 0
    added: int = 0
    """Entries that it was ever given, those trimmed since included."""
    newest: str = START
    """The id of the last of them."""

    @property
    def gone(self) -> int:
        return self.added - self.length


class Cursor:
    """Positions by stream key. What it has no position for is read from the oldest entry that is kept."""

    def __init__(self, partitions: int, at: dict[str, tuple[str, int]] | None = None) -> None:
        self._partitions = partitions
        self._at = at or {}

    @classmethod
    def parse(cls, token: str, partitions: int) -> Self:
        """Raises CursorError."""
        if len(token) > _MAX_CHARACTERS:
            raise CursorError("this is no resume token: it is too long")
        try:
            read = msgspec.json.decode(token, type=_Token)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise CursorError("this is no resume token of this client") from None
        if read.v != 1 or not all(_ENTRY_ID.match(entry_id) and count >= 0 for entry_id, count in read.at.values()):
            raise CursorError("this is no resume token that this version of the client reads")
        if read.partitions != partitions:
            raise CursorError(
                f"this resume token is of a system with {read.partitions} partitions; this one has {partitions}"
            )
        return cls(partitions, dict(read.at))

    def token(self) -> str:
        """What `parse` reads."""
        return msgspec.json.encode(_Token(1, self._partitions, self._at)).decode()

    def after(self, key: str) -> str:
        """The id behind which the stream is to be read on."""
        return self._at.get(key, (START, 0))[0]

    def count(self, key: str, extent: Extent) -> int:
        """How many entries the stream had been given up to the position."""
        return self._at[key][1] if key in self._at else extent.gone

    def move(self, key: str, entry_id: str, count: int) -> None:
        """The entry has been passed."""
        self._at[key] = (entry_id, count)

    def gap(self, key: str, extent: Extent) -> Gap | None:
        """What is no longer there behind the position. From then on the cursor stands behind the gap."""
        if key not in self._at:
            return None
        entry_id, count = self._at[key]
        if extent.added < count:
            del self._at[key]
            return Gap(key, entry_id, None)
        if extent.gone > count:
            self._at[key] = (entry_id, extent.gone)
            return Gap(key, entry_id, extent.gone - count)
        return None
