"""From an entry's bytes to an event, or to the reason why not.

The first error decides code and path. Messages quote ids at most, never a patient's words.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError

from shared.decision import Arrival, FlagsSalvaged, Origin
from shared.event.registry import PAYLOAD_BY_TYPE, adapter
from shared.event.rejection import ErrorCode
from shared.event.upcast import UPCASTS, unwrap, upcast
from shared.event.wire import Identifier, PatientId, Stream
from shared.stream.key import DATA_FIELD, partition_of
from shared.stream.salvage import salvage

MAX_BYTES = 256 * 1024
_REPORTED_AT = ("started_at", "reported_at")
_OWN_CODES: dict[str, ErrorCode] = {
    "unknown_id": "unknown_id",
    "out_of_range": "out_of_range",
    "impossible_time": "impossible_time",
    "json_invalid": "invalid_json",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
}
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_PATIENT: TypeAdapter[str] = TypeAdapter(PatientId)
_ID_LIKE = re.compile(r"^[A-Za-z0-9_.:-]{1,80}$")
_KEY_LIKE = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")


class _Peek(msgspec.Struct):
    type: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where entries are read, and what bounds their time."""

    partition: int
    partitions: int
    stream: Stream
    key: str
    max_ahead: timedelta


@dataclass(frozen=True, slots=True)
class Undecodable:
    """An entry that is no event: its place is the dead letters. `subject`: whose it is, if that can be said."""

    origin: Origin
    code: ErrorCode
    path: str
    message: str
    event_id: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    salvage: FlagsSalvaged | None = None


class _RejectedError(Exception):
    def __init__(self, code: ErrorCode, path: str, message: str) -> None:
        super().__init__(code)
        self.code, self.path, self.message = code, path, message


def payload_bytes(fields: Mapping[bytes, bytes]) -> bytes | None:
    """The JSON of an entry, out of whatever envelope it came in; None where there is none."""
    raw = fields.get(DATA_FIELD)
    return None if raw is None else unwrap(raw)


def decode(entry_id: str, fields: Mapping[bytes, bytes], source: Source, now: datetime) -> Arrival | Undecodable:
    """One entry. Never raises for what a producer wrote."""
    raw = fields.get(DATA_FIELD)
    if raw is None:
        shown = {_text(name): _text(value) for name, value in fields.items()}
        origin = Origin(source.key, entry_id, json.dumps(shown).encode())
        return Undecodable(origin, "missing_data", "$", "the entry has no field __data__")
    origin = Origin(source.key, entry_id, raw)
    body = unwrap(raw)
    try:
        return Arrival(_event(body, source, now), origin)
    except _RejectedError as error:
        return _undecodable(origin, body, error, source, now)


def _event(body: bytes, source: Source, now: datetime) -> Any:
    if len(body) > MAX_BYTES:
        raise _RejectedError("too_large", "$", f"larger than {MAX_BYTES} bytes")
    event_type = _type_of(body)
    if event_type in UPCASTS:
        body = _upcast(body)
        event_type = _type_of(body)
    payload = PAYLOAD_BY_TYPE.get(event_type)
    if payload is None:
        raise _RejectedError("unknown_type", "$.type", "no event type of this contract")
    if payload.stream is not source.stream:
        raise _RejectedError("wrong_stream", "$.type", f"belongs to the stream {payload.stream.value}")
    try:
        event = adapter(event_type).validate_json(body)
    except ValidationError as error:
        raise _rejected(error) from None
    home = partition_of(event.subject, source.partitions)
    if home != source.partition:
        raise _RejectedError("wrong_partition", "$.subject", f"this patient's partition is {home}")
    latest = now + source.max_ahead
    for name, path in (("time", "$.time"), *((name, f"$.data.{name}") for name in _REPORTED_AT)):
        instant = getattr(event if name == "time" else event.data, name, None)
        if instant is not None and instant > latest:
            hours = source.max_ahead / timedelta(hours=1)
            raise _RejectedError("impossible_time", path, f"more than {hours:g} hours ahead of now")
    return event


def _type_of(body: bytes) -> str:
    try:
        kind = msgspec.json.decode(body, type=_Peek).type
    except msgspec.ValidationError:
        raise _RejectedError("invalid_envelope", "$", "an event is a JSON object") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _RejectedError("invalid_json", "$", "not JSON in UTF-8") from None
    if not isinstance(kind, str):
        raise _RejectedError("invalid_envelope", "$.type", "a string is required")
    return kind


def _upcast(body: bytes) -> bytes:
    try:
        return json.dumps(upcast(json.loads(body))).encode()
    except Exception as error:  # it met what no valid event of the older type holds
        raise _RejectedError("invalid_data", "$.data", f"not of this older type: {type(error).__name__}") from None


def _rejected(error: ValidationError) -> _RejectedError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = first["loc"]
    default: ErrorCode = "invalid_data" if place[:1] == ("data",) else "invalid_envelope"
    message = first["msg"]
    if first["type"] == "unknown_id" and not _ID_LIKE.match(str(first.get("ctx", {}).get("id", ""))):
        message = f"no id of {first.get('ctx', {}).get('kind', 'the vocabulary')}"
    return _RejectedError(_OWN_CODES.get(first["type"], default), json_path(place), message)


def json_path(place: Sequence[str | int]) -> str:
    """A JSONPath such as `$.data.exercises[0].sets[1].rpe`; a key that could be free text becomes `[*]`."""
    path = "$"
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "[key]":
            path += f".{step}" if _KEY_LIKE.match(step) else "[*]"
    return path


def _undecodable(origin: Origin, body: bytes, error: _RejectedError, source: Source, now: datetime) -> Undecodable:
    content = _content(body)
    subject = _valid(_PATIENT, content.get("subject"))
    event_id = _valid(_IDENTIFIER, content.get("id"))
    correlation_id = _valid(_IDENTIFIER, content.get("correlationid")) or event_id
    at_home = subject is not None and partition_of(subject, source.partitions) == source.partition
    saved = None
    if subject is not None:
        saved = salvage(
            content,
            stream=source.stream,
            subject=subject,
            cause=event_id or f"{origin.stream}/{origin.entry_id}",
            correlation_id=correlation_id,
            latest=now + source.max_ahead,
            now=now,
        )
    return Undecodable(
        origin=origin,
        code=error.code,
        path=error.path,
        message=error.message,
        event_id=event_id,
        correlation_id=correlation_id,
        subject=subject if at_home or saved else None,
        salvage=saved,
    )


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _valid(kind: TypeAdapter[str], value: object) -> str | None:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError:
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
