"""The small vocabulary of types that every event on the wire is made of.

Input is validated strictly: nothing is coerced, clipped or guessed. A value outside its
bounds raises `pydantic.ValidationError`, which the decoder turns into a dead letter.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

T = TypeVar("T")

EARLIEST_YEAR = 2000
"""An event before this year is a broken clock, not history."""

_RFC_3339 = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$")


class Stream(StrEnum):
    """The streams of the contract; a key is `care:{<partition>}:<stream>`."""

    INTAKES = "intakes"
    SESSIONS = "sessions"
    DECISIONS = "decisions"
    PATIENTS = "patients"
    CLASSIFICATIONS = "classifications"
    PROGRAMS = "programs"
    ADJUSTMENTS = "adjustments"
    ESCALATIONS = "escalations"
    REMINDERS = "reminders"
    NOTIFICATIONS = "notifications"
    DEAD_LETTERS = "dead-letters"


def _is_none(value: object) -> bool:
    return value is None


def _rfc_3339(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC_3339.match(value):
        raise PydanticCustomError(
            "invalid_instant", "an instant must be RFC 3339 with an offset, such as 2026-03-01T09:30:00Z"
        )
    return datetime.fromisoformat(value.upper().replace(" ", "T"))


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise PydanticCustomError("invalid_instant", "an instant needs an offset")
    if value.year < EARLIEST_YEAR:
        raise PydanticCustomError("impossible_time", "an instant before {year} is impossible", {"year": EARLIEST_YEAR})
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("impossible_time", "an instant beyond the calendar is impossible") from None


PATIENT_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
PatientId = Annotated[str, StringConstraints(pattern=PATIENT_ID_PATTERN)]
"""An opaque pseudonym."""
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""An id chosen by a producer: no whitespace, no control characters."""
Instant = Annotated[datetime, BeforeValidator(_rfc_3339), AfterValidator(_to_utc)]
"""RFC 3339 on the wire, an aware UTC datetime in memory."""
Nprs = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
"""Pain on the 0 to 10 numeric pain rating scale."""
Rpe = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
"""Effort on Borg's CR10 scale."""
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
FreeText = Annotated[str, StringConstraints(max_length=4000)]
"""A patient's or clinician's own words: never logged, never copied into another event."""
Omittable = Annotated[T | None, Field(exclude_if=_is_none)]
"""A field that is left out, not null, where it has no value."""


class Wire(BaseModel):
    """Anything that goes over the wire: frozen, strict, and blind to fields that it does not know."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class Payload(Wire):
    """The `data` of one event type."""

    event_type: ClassVar[str]
    stream: ClassVar[Stream]
    identity: ClassVar[str | None] = None
    """The field beside the event id that identifies the same thing reported twice, if there is one."""
