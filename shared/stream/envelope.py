"""Gives what a decision drafts its envelope: derived id, source, correlation and causation."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.decision import Draft, Incoming, Numbering, Origin
from shared.event.envelope import Event, derive_id
from shared.event.registry import adapter
from shared.event.rejection import ErrorCode, EventRejected, RejectionError
from shared.event.wire import Payload, Stream

_NUMBER = re.compile(rb'"prescription_seq":0(?=[,}])')


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded event. A numbered one is cut in two where the commit puts the number."""

    stream: Stream
    prefix: bytes
    suffix: bytes = b""
    program_id: str = ""
    numbering: Literal["", "next", "current"] = ""


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
    """A dead letter. Its id follows from the entry, so that the entry has one only."""
    origin = refusal.origin
    rejected = EventRejected(
        origin_stream=origin.stream,
        entry_id=origin.entry_id,
        service=service,
        error=RejectionError(code=refusal.code, path=refusal.path, message=refusal.message),
        original=base64.b64encode(origin.raw).decode(),
        attempts=refusal.attempts,
    )
    entry = f"{origin.stream}/{origin.entry_id}"
    return _encode(service, subject or "unknown", cause or Cause(entry, entry), rejected, time, entry)


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
