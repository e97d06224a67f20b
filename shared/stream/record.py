"""What Redis holds of a patient for one service: `<version>:` and one object, as MessagePack packed by zstd.

The version rises with every commit and never falls while marks against duplicates exist,
also over an erasure; so whoever read an older record cannot commit. A plain JSON object is read as well: so it was
written once, and so may whoever mends a record by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
import zstandard

from shared.service import Service

S = TypeVar("S")
_LEVEL = -3
"""Half the time of level 1, for a record that is a twenty-fifth larger."""
_UNREADABLE = (msgspec.MsgspecError, zstandard.ZstdError, MemoryError)
"""What reading a broken record raises; a size in it that nobody has memory for is one way to be broken."""


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
    state_version: int = 1
    """Of the service that wrote `state`; what was written before there were versions is of the first."""

    def is_empty(self) -> bool:
        """Nothing but the version is worth keeping, and that only as long as the marks."""
        return self.state is None and not self.timers


@dataclass(frozen=True, slots=True)
class Stored(Generic[S]):
    """A record as read, with the version to compare against."""

    version: int
    record: Record[S]
    unreadable: Exception | None = None
    """Why the state could not be decoded; it is then left as it is, and `record` holds all but the state."""


class NewerStateError(Exception):
    """A newer release wrote this state: whoever does not know its version neither reads nor writes it."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"the state is of version {found}, this release knows {known}")
        self.found = found


class _Kept(msgspec.Struct, omit_defaults=True):
    """A record whose state may be anybody's; the rest is the runtime's own, whatever the state's version."""

    state: Any = None
    timers: dict[str, Timer] = {}
    erased_at: datetime | None = None
    lists: dict[str, dict[str, int]] = {}
    state_version: int = 1

    def without_state(self) -> Record[Any]:
        return Record(None, self.timers, self.erased_at, self.lists, self.state_version)


def reader(service: Service[S]) -> Callable[[bytes | None], Stored[S]]:
    """The decoder for one service's records, which casts older states up to the version of the service."""
    kind: Any = Record[service.state_type]  # type: ignore[name-defined]  # a type made at run time
    decoders = {form: form.Decoder(kind) for form in (msgspec.msgpack, msgspec.json)}

    def read(raw: bytes | None) -> Stored[S]:
        if raw is None:
            return Stored(0, Record())
        version, _, body = raw.partition(b":")
        failure: Exception | None = None
        try:
            form, content = _opened(body)
            record = decoders[form].decode(content)
            if record.state_version == service.state_version:
                return Stored(int(version), record)
        except _UNREADABLE as error:
            failure = error
        return _cast(service, int(version), body, failure)

    return read


def _cast(service: Service[S], version: int, body: bytes, failure: Exception | None) -> Stored[S]:
    """A record of another version, or one that cannot be decoded."""
    try:
        form, content = _opened(body)
        kept = form.decode(content, type=_Kept)
    except _UNREADABLE as error:
        return Stored(version, Record(), failure or error)
    rest = kept.without_state()
    if kept.state is None:
        return Stored(version, rest)
    if kept.state_version > service.state_version:
        return Stored(version, rest, NewerStateError(kept.state_version, service.state_version))
    if kept.state_version == service.state_version:
        return Stored(version, rest, failure)
    try:
        state = msgspec.to_builtins(kept.state)  # upcasts are told of JSON, whatever it was packed in
        for older in range(kept.state_version, service.state_version):
            state = service.upcasts[older](state)
        decoded = msgspec.json.decode(msgspec.json.encode(state), type=service.state_type)
    except Exception as error:  # whatever an upcast raises is a bug in it; the record stays as it is
        return Stored(version, rest, error)
    return Stored(version, msgspec.structs.replace(rest, state=decoded, state_version=service.state_version))


def encode(record: Record[Any], version: int) -> bytes:
    """The record as it lies in Redis under this version."""
    return pack(version, msgspec.msgpack.encode(record))


def pack(version: int, content: bytes) -> bytes:
    """What lies in Redis for this MessagePack."""
    return b"%d:%b" % (version, zstandard.compress(content, _LEVEL))


def unpack(raw: bytes) -> tuple[int, bytes]:
    """Version and MessagePack of what `pack` has made."""
    version, _, body = raw.partition(b":")
    return int(version), zstandard.decompress(body)


def to_plain(raw: bytes) -> bytes:
    """The same record as a person may read it: its version and a JSON object. Raises ValueError for no record."""
    version, _, body = raw.partition(b":")
    try:
        form, content = _opened(body)
        return raw if form is msgspec.json else version + b":" + msgspec.json.encode(form.decode(content))
    except _UNREADABLE as error:
        raise ValueError(f"no record: {error}") from None


def _opened(body: bytes) -> tuple[Any, bytes]:
    """In which of msgspec's formats a record is, and its bytes in that."""
    if body.startswith(b"{"):
        return msgspec.json, body
    return msgspec.msgpack, zstandard.decompress(body)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up so that a timer never fires early."""
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return -(-(delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds) // 1000)


def from_ms(ms: int) -> datetime:
    """The instant, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
