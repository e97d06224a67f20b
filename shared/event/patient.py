"""What the platform tells of a patient outside clinical care: contact, consent, absence, erasure."""

from datetime import date
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.event.wire import FreeText, Identifier, Omittable, Payload, Stream, Wire


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("unknown_timezone", "timezone must be an IANA name such as Europe/Lisbon") from None
    return value


def _calendar_date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("invalid_date", "a date must be YYYY-MM-DD") from None
    return value


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""HH:MM on the patient's clock."""
LocalDate = Annotated[date, BeforeValidator(_calendar_date)]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=320)]
"""Identifying: stays in `patients` events and the notifier's state."""


class QuietHours(Wire):
    """No reminder between the two; past midnight where `end` is before `start`."""

    start: LocalTime
    end: LocalTime


class Consent(Wire):
    reminders: bool


class Away(Wire):
    """Local dates, both inclusive: no session is due, no silence counts."""

    from_: Annotated[LocalDate, Field(alias="from")]
    to: LocalDate

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            raise PydanticCustomError("contradiction", "away ends before it begins")
        return self


class PatientUpdated(Payload):
    """What is left out stays as it was."""

    event_type: ClassVar[str] = "care.patient.updated.v1"
    stream: ClassVar[Stream] = Stream.PATIENTS

    timezone: Omittable[TimeZone] = None
    quiet_hours: Omittable[QuietHours] = None
    contact: Omittable[Annotated[dict[ChannelName, Address], Field(max_length=10)]] = None
    consent: Omittable[Consent] = None
    care_team: Omittable[Identifier] = None
    language: Omittable[Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]] = None
    away: Omittable[Away] = None


class ProgramStopped(Payload):
    """The patient ends the program. `reason` is free text."""

    event_type: ClassVar[str] = "care.program.stopped.v1"
    stream: ClassVar[Stream] = Stream.PATIENTS

    program_id: Identifier
    reason: Omittable[FreeText] = None


class PatientErased(Payload):
    """Every service deletes what it holds of the patient. The runtime does it for all of them."""

    event_type: ClassVar[str] = "care.patient.erased.v1"
    stream: ClassVar[Stream] = Stream.PATIENTS
