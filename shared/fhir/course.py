"""A patient's course: the events that count, once each, in order, and what they are about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from fhir.resources.R4B.resource import Resource

from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.envelope import Event
from shared.event.intake import IntakeSubmitted
from shared.event.patient import PatientErased
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.wire import Payload
from shared.fhir.code import Json
from shared.fhir.identity import refer

P = TypeVar("P", bound=Payload)


class SeveralPatientsError(ValueError):
    """The events are not of one patient."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A resource and the events that it rests on, for its Provenance."""

    resource: Resource
    events: tuple[Event[Any], ...]


@dataclass(frozen=True)
class Course:
    """Events of one patient in order of time, then id. What was reported twice is there once."""

    patient: str
    events: tuple[Event[Any], ...]

    def of(self, payload: type[P]) -> list[Event[P]]:
        """All events with that payload, in order."""
        return [event for event in self.events if isinstance(event.data, payload)]

    @cached_property
    def decisions(self) -> dict[str, Event[ClinicianDecided]]:
        """Clinicians' decisions by the id of their event, which is the `causationid` of what followed."""
        return {event.id: event for event in self.of(ClinicianDecided)}

    @cached_property
    def intakes(self) -> dict[str, Event[IntakeSubmitted]]:
        """By `intake_id` the last that was submitted: it replaces the earlier ones."""
        return {event.data.intake_id: event for event in self.of(IntakeSubmitted)}

    @cached_property
    def classifications(self) -> dict[str, Event[ConditionClassified]]:
        """By `intake_id` the last classification."""
        return {event.data.intake_id: event for event in self.of(ConditionClassified)}

    @cached_property
    def programs(self) -> dict[str, list[Event[Any]]]:
        """By `program_id` everything published of the program, in the order of its versions."""
        found: dict[str, list[Event[Any]]] = {}
        for event in self.events:
            if isinstance(event.data, ProgramPlanned | ProgramChanged):
                found.setdefault(event.data.program_id, []).append(event)
        for versions in found.values():
            versions.sort(key=lambda event: (event.data.version, event.data.prescription_seq))
        return found

    def program_of(self, intake_id: str) -> Event[Any] | None:
        """The newest version of the program that an intake led to."""
        for versions in self.programs.values():
            if versions[-1].data.intake_id == intake_id:
                return versions[-1]
        return None


def care_plan_references(course: Course, program_id: str | None) -> list[Json]:
    """A reference to a program's CarePlan; none where the program is not among the events."""
    return [refer("CarePlan", course.patient, program_id)] if program_id and program_id in course.programs else []


def course_of(events: Iterable[Event[Any]]) -> Course | None:
    """Sorts out what counts; None where nothing is left.

    The same event id, or the same session, check-in or decision under two ids, counts once. What came before an
    erasure is not exported, also where it still lies in a stream. Raises SeveralPatientsError.
    """
    ordered = sorted({event.id: event for event in events}.values(), key=lambda event: (event.time, event.id))
    patients = sorted({event.subject for event in ordered})
    if len(patients) > 1:
        raise SeveralPatientsError(f"these are events of {len(patients)} patients; a bundle is about one")
    erased = max((event.time for event in ordered if isinstance(event.data, PatientErased)), default=None)
    kept = [event for event in ordered if _counts(event, erased)]
    seen: set[tuple[str, str]] = set()
    once = []
    for event in kept:
        if event.data.identity is not None:
            key = (event.type, str(getattr(event.data, event.data.identity)))
            if key in seen:
                continue
            seen.add(key)
        once.append(event)
    return Course(patients[0], tuple(once)) if once else None


def _counts(event: Event[Any], erased: datetime | None) -> bool:
    return erased is None or event.time > erased
