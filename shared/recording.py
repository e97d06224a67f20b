"""Recorded events: JSON lines, one event of a platform each, read whole and checked before anything is sent.

Raises `RecordingError`, which names the file, the line and what to mend.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Instant, PatientId, Stream

T = TypeVar("T")

PLATFORM_STREAMS = (Stream.INTAKES, Stream.SESSIONS, Stream.DECISIONS, Stream.PATIENTS)
"""What a platform writes; the rest is written by the services."""

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_PATIENT: TypeAdapter[str] = TypeAdapter(PatientId)


class RecordingError(Exception):
    """A recording cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event, as bytes: whether its data is valid is for the services to say."""

    time: datetime
    event_id: str
    subject: str
    event_type: str
    stream: Stream
    raw: bytes


def read_recording(paths: Iterable[Path]) -> list[Recorded]:
    """All events of the files in order of their time, then id. A line with the key `journey` is a head."""
    events = [event for path in paths for event in _read(path)]
    return sorted(events, key=lambda event: (event.time, event.event_id))


def salvage_recording(paths: Iterable[Path]) -> tuple[list[Recorded], list[RecordingError]]:
    """The events that can be read, in no order, and what is wrong with the other lines. Raises for a whole file."""
    events: list[Recorded] = []
    errors: list[RecordingError] = []
    for path in paths:
        for line, place in _lines(path):
            try:
                event = parse_event(line, place)
            except RecordingError as error:
                errors.append(error)
            else:
                events.extend([event] if event is not None else [])
    return events, errors


def _read(path: Path) -> Iterator[Recorded]:
    for line, place in _lines(path):
        event = parse_event(line, place)
        if event is not None:
            yield event


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, and where it stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} cannot be read: {_reason(error)}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield line, f"{path}, line {number}"


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"


def parse_event(line: str, place: str) -> Recorded | None:
    """One event of a platform; None for the head of a journey. Raises RecordingError, which names the place."""
    try:
        content: Any = json.loads(line)
    except ValueError as error:
        raise RecordingError(f"{place}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise RecordingError(f"{place}: an event is a JSON object")
    if "journey" in content and "specversion" not in content:
        return None
    event_type = content.get("type")
    payload = PAYLOAD_BY_TYPE.get(event_type) if isinstance(event_type, str) else None
    if payload is None:
        raise RecordingError(f"{place}: type {event_type!r} is none of the contract's")
    if payload.stream not in PLATFORM_STREAMS:
        raise RecordingError(f"{place}: {event_type} is written by the services, not by a platform")
    subject = _validate(_PATIENT, content.get("subject"), f"{place}: subject")
    time = _validate(_INSTANT, content.get("time"), f"{place}: time")
    return Recorded(time, str(content.get("id", "")), subject, payload.event_type, payload.stream, line.encode())


def _validate(adapter: TypeAdapter[T], value: object, place: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise RecordingError(f"{place}: {error.errors()[0]['msg']}") from None
