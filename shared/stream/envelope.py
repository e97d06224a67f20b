"""Gives what a decision drafts its envelope: derived id, source, correlation and causation."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from pydantic import TypeAdapter, ValidationError

from shared.decision import Draft, Incoming, Numbering, Origin
from shared.event.envelope import Event, derive_id
from shared.event.registry import adapter
from shared.event.rejection import ErrorCode, EventRejected, RejectionError
from shared.event.wire import Identifier, Payload, Stream

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_NUMBER = re.compile(rb'"prescription_seq":0(?=[,}])')


class _Named(msgspec.Struct):
    id: Any = None
    correlationid: Any = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded event. A numbered one is cut in two where the commit puts the number."""

    stream: Stream
    prefix: bytes
    suffix: bytes = b""
    program_id: str = ""
    numbering: Literal["", "next", "current"] = ""
    place: str = ""
    """Of a dead letter: the entry that it is about. Several services may wait in vain for what one entry names, each
    for something else; the first of them tells."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an outgoing event follows from."""

    id: str
    correlation_id: str

    @classmethod
    def of(cls, incoming: Incoming) -> "Cause":
        return cls(incoming.id, incoming.correlation_id)


def source_of(service: str) -> str:
    """The `source` of a service's events."""
    return f"//adaptive-care/{service}"


def seal(service: str, subject: str, cause: Cause, draft: Draft) -> Outgoing:
    """A draft as it goes out. The same draft of the same cause always gives the same bytes."""
    body = _encode(service, subject, cause, draft.data, draft.time, draft.key)
    stream = draft.data.stream
    if draft.numbering is None:
        return Outgoing(stream, body)
    cut = _NUMBER.search(body)
    program_id = getattr(draft.data, "program_id", None)
    if cut is None or not isinstance(program_id, str):
        raise ValueError(f"{draft.data.event_type} cannot be numbered: leave prescription_seq 0")
    mode: Literal["next", "current"] = "next" if draft.numbering is Numbering.NEXT else "current"
    return Outgoing(stream, body[: cut.end() - 1], body[cut.end() :], program_id, mode)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an entry goes to the dead letters."""

    origin: Origin
    code: ErrorCode
    path: str
    message: str
    attempts: int = 1


def letter(service: str, subject: str | None, cause: Cause | None, refusal: Refusal, time: datetime) -> bytes:
    """A dead letter. Its id follows from who rejects which bytes: the same input has the same dead letter.

    `cause`: where the original names no event id, what led to the rejection.
    """
    origin = refusal.origin
    digest = hashlib.sha256(origin.raw).hexdigest()
    rejected = EventRejected(
        origin_stream=origin.stream,
        entry_id=origin.entry_id,
        service=service,
        error=RejectionError(code=refusal.code, path=refusal.path, message=refusal.message),
        original=base64.b64encode(origin.raw).decode(),
        attempts=refusal.attempts,
    )
    cause = cause_of_original(origin.raw) or cause or Cause(digest, digest)
    return _encode(service, subject or "unknown", cause, rejected, time, f"{origin.stream}/{digest}")


def cause_of_original(raw: bytes) -> Cause | None:
    """The rejected event itself, where its bytes name an id."""
    try:
        named = msgspec.json.decode(raw, type=_Named)
        event_id: str = _IDENTIFIER.validate_python(named.id, strict=True)
    except (msgspec.MsgspecError, ValidationError, UnicodeDecodeError, RecursionError):
        return None
    try:
        return Cause(event_id, _IDENTIFIER.validate_python(named.correlationid, strict=True))
    except ValidationError:
        return Cause(event_id, event_id)


def _encode(service: str, subject: str, cause: Cause, data: Payload, time: datetime, key: str) -> bytes:
    source = source_of(service)
    payload: Any = type(data)
    event = Event[payload](
        id=derive_id(source, cause.id, data.event_type, key),
        source=source,
        type=data.event_type,
        subject=subject,
        time=time,
        datacontenttype="application/json",
        correlationid=cause.correlation_id,
        causationid=cause.id,
        data=data,
    )
    return adapter(data.event_type).dump_json(event)
