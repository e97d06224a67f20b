"""Entries that no service can accept, one of every kind of the contract. Each is unique by its mark."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.event.wire import Stream
from tests.support.black_box import checkin, decision, event, intake, session

Json = dict[str, Any]
AHEAD = timedelta(days=60)
"""Further than CARE_MAX_AHEAD in any run."""


@dataclass(frozen=True, slots=True)
class Poison:
    """One entry: where it is written, and the error code that its dead letter must name."""

    stream: Stream
    fields: Mapping[bytes, bytes]
    code: str
    away: bool = False
    """To be written to a partition that is not the patient's."""


Recipe = Callable[[str, str, datetime], Poison]
"""Mark, patient and instant to an entry."""


def _raw(stream: Stream, raw: bytes, code: str, *, away: bool = False) -> Poison:
    return Poison(stream, {b"__data__": raw}, code, away)


def _told(stream: Stream, told: Json, mark: str, code: str, *, away: bool = False) -> Poison:
    return _raw(stream, json.dumps(told | {"id": mark}).encode(), code, away=away)


def no_json(mark: str, patient: str, at: datetime) -> Poison:
    return _raw(Stream.SESSIONS, b'{"id": "%s", ' % mark.encode(), "invalid_json")


def no_utf8(mark: str, patient: str, at: datetime) -> Poison:
    return _raw(Stream.INTAKES, b'{"id": "%s", "type": "\xff\xfe"}' % mark.encode(), "invalid_json")


def too_deep(mark: str, patient: str, at: datetime) -> Poison:
    return _raw(Stream.SESSIONS, b'{"id": "%s", "data": ' % mark.encode() + b"[" * 20_000, "invalid_json")


def no_object(mark: str, patient: str, at: datetime) -> Poison:
    return _raw(Stream.DECISIONS, json.dumps([mark]).encode(), "invalid_envelope")


def no_data(mark: str, patient: str, at: datetime) -> Poison:
    return Poison(Stream.SESSIONS, {b"payload": mark.encode()}, "missing_data")


def no_type(mark: str, patient: str, at: datetime) -> Poison:
    told = checkin(patient, at)
    del told["type"]
    return _told(Stream.SESSIONS, told, mark, "invalid_envelope")


def no_subject(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.SESSIONS, checkin(patient, at) | {"subject": "two words"}, mark, "invalid_envelope")


def no_offset(mark: str, patient: str, at: datetime) -> Poison:
    told = checkin(patient, at) | {"time": f"{at:%Y-%m-%dT%H:%M:%S}"}
    return _told(Stream.SESSIONS, told, mark, "invalid_envelope")


def unknown_type(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.INTAKES, event("weather.reported", patient, at, {}), mark, "unknown_type")


def wrong_stream(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.DECISIONS, session(patient, at), mark, "wrong_stream")


def wrong_partition(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.SESSIONS, checkin(patient, at), mark, "wrong_partition", away=True)


def missing_field(mark: str, patient: str, at: datetime) -> Poison:
    told = session(patient, at)
    del told["data"]["pain_during"]
    return _told(Stream.SESSIONS, told, mark, "invalid_data")


def out_of_range(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.SESSIONS, session(patient, at, pain_during=11), mark, "out_of_range")


def unknown_finding(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.INTAKES, intake(patient, at, findings={"green_ears": "present"}), mark, "unknown_id")


def impossible_time(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.SESSIONS, checkin(patient, at + AHEAD), mark, "impossible_time")


def too_large(mark: str, patient: str, at: datetime) -> Poison:
    return _told(Stream.SESSIONS, checkin(patient, at, notes="x" * 300_000), mark, "too_large")


def unknown_condition(mark: str, patient: str, at: datetime) -> Poison:
    told = decision(patient, at, "reclassify", conditions=["sore_ear"], intake_id=f"in-{patient}", decision_id=mark)
    return _told(Stream.DECISIONS, told, mark, "unknown_condition")


def unknown_program(mark: str, patient: str, at: datetime) -> Poison:
    """Waits for its program until the late window is over; only then is it a dead letter."""
    told = session(patient, at, program_id=f"nowhere-{mark}", session_id=mark)
    return _told(Stream.SESSIONS, told, mark, "unknown_program")


def red_flag_in_ruins(mark: str, patient: str, at: datetime) -> Poison:
    """Rejected, and yet its red flag must reach a clinician: of a patient of whom nothing else is known."""
    told = session(f"flag-{mark}", at, pain_during=11, symptoms=["saddle_anaesthesia"])
    return _told(Stream.SESSIONS, told, mark, "out_of_range")


RECIPES: tuple[Recipe, ...] = (
    unknown_program,
    no_json,
    no_utf8,
    too_deep,
    no_object,
    no_data,
    no_type,
    no_subject,
    no_offset,
    unknown_type,
    wrong_stream,
    wrong_partition,
    missing_field,
    out_of_range,
    unknown_finding,
    impossible_time,
    unknown_condition,
    red_flag_in_ruins,
    too_large,
)
