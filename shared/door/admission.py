"""Judges one event: what a platform may send goes to its stream, the rest comes back as a problem.

Validation is the streams' own (`shared.stream.decode`), so that nothing is refused here that would be taken
there, and nothing taken that would end in the dead letters for its form. An event that is refused and yet
reports red flags is handed on all the same, as it came: the service that reads the stream rejects it and acts
on the flags (guarantee 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.door.credential import Credential
from shared.door.problem import Problem
from shared.event.registry import PAYLOAD_BY_TYPE, types_of
from shared.event.wire import Stream
from shared.recording import PLATFORM_STREAMS
from shared.settings import Settings
from shared.stream.decode import Source, Undecodable, decode
from shared.stream.key import DATA_FIELD, partition_of, stream_key

STATUS: Mapping[str, int] = {"invalid_json": 400, "too_large": 413}
"""Of a refusal by the decoder; every other code is 422."""


class _Peek(msgspec.Struct):
    """The little that is looked at before the decoder's word."""

    type: Any = None
    subject: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Shape(msgspec.Struct):
    intake_id: Any = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Taken:
    """An event on its way to its stream. `problem`: it goes there for its red flags alone, and is refused."""

    event_id: str
    key: str
    """Of the stream's partition."""
    raw: bytes
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What one key may send, at one instant."""

    credential: Credential
    settings: Settings
    now: datetime

    def judge(self, raw: bytes) -> Taken | Problem:
        """One event. Never raises for what was sent."""
        try:
            peek = msgspec.json.decode(raw, type=_Peek)
        except msgspec.ValidationError:
            return Problem(422, "invalid_envelope", "an event is a JSON object", "$")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return Problem(400, "invalid_json", "not JSON in UTF-8", "$")
        payload = PAYLOAD_BY_TYPE.get(peek.type) if isinstance(peek.type, str) else None
        if payload is not None and payload.stream not in PLATFORM_STREAMS:
            detail = f"{payload.event_type} is written by the services, not by a platform"
            return Problem(422, "output_type", detail, "$.type")
        if payload is not None and not self.credential.may_send(payload.event_type):
            scopes = ", ".join(self.credential.scopes)
            detail = f"this key may not send {payload.event_type}; its scopes are {scopes}"
            return Problem(403, "wrong_scope", detail, "$.type")
        return self._decoded(raw, peek, payload.stream if payload is not None else _stream_by_shape(peek.data))

    def _decoded(self, raw: bytes, peek: _Peek, stream: Stream) -> Taken | Problem:
        partitions = self.settings.partitions
        partition = partition_of(peek.subject, partitions) if _is_text(peek.subject) else 0
        key = stream_key(partition, stream)
        source = Source(partition, partitions, stream, key, timedelta(hours=self.settings.max_ahead))
        found = decode("", {DATA_FIELD: raw}, source, self.now)
        if not isinstance(found, Undecodable):
            return Taken(found.id, key, raw)
        problem = Problem(STATUS.get(found.code, 422), found.code, found.message, found.path)
        may_report = any(self.credential.may_send(event_type) for event_type in types_of(stream))
        if found.salvage is None or not may_report:
            return problem
        flags = [flag for flag, _ in found.salvage.red_flags]
        problem = Problem(
            problem.status,
            problem.code,
            f"{problem.detail}; the red flags that it reports were handed on and act all the same",
            problem.path,
            extra={"red_flags": flags},
        )
        return Taken(found.event_id or "", key, raw, problem)


def _stream_by_shape(data: msgspec.Raw) -> Stream:
    """Where a service would look for the red flags of an event whose type says nothing."""
    try:
        shape = msgspec.json.decode(data, type=_Shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Stream.SESSIONS
    return Stream.SESSIONS if shape.intake_id is msgspec.UNSET else Stream.INTAKES


def _is_text(value: object) -> bool:
    """Text that has bytes in UTF-8: JSON may spell half a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
