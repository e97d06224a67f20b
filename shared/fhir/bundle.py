"""A patient's events as one Bundle: a derived view, not a system of record."""

from collections.abc import Iterable
from typing import Any, Literal

from fhir.resources.R4B.bundle import Bundle

from shared.event.envelope import Event
from shared.fhir.assessment import assessments_of
from shared.fhir.care_plan import care_plans_of
from shared.fhir.code import Json
from shared.fhir.condition import conditions_of
from shared.fhir.course import Course, Derived, course_of
from shared.fhir.escalation import escalations_of
from shared.fhir.goal import goals_of
from shared.fhir.identity import People, resource_id
from shared.fhir.prescription import prescriptions_of
from shared.fhir.provenance import provenance_of
from shared.fhir.report import reports_of
from shared.fhir.response import responses_of

BundleType = Literal["collection", "transaction"]
MEDIA_TYPE = "application/fhir+json"


def bundle(events: Iterable[Event[Any]], kind: BundleType = "collection", people: People | None = None) -> bytes | None:
    """The Bundle as JSON; None where no event is left to tell of.

    `transaction`: each entry is a PUT of its own id, so that a store that takes it twice is as after the first time.
    Raises SeveralPatientsError.
    """
    course = course_of(events)
    if course is None:
        return None
    resource = make_bundle(course, kind, people or People(course.patient))
    return resource.model_dump_json().encode()


def make_bundle(course: Course, kind: BundleType, people: People) -> Bundle:
    """The same as a model. Its time is that of the newest event."""
    derived = resources_of(course, people)
    return Bundle(
        id=resource_id("Bundle", course.patient, kind),
        type=kind,
        timestamp=course.events[-1].time,
        entry=[_entry(one, kind) for one in derived] or None,
    )


def resources_of(course: Course, people: People) -> list[Derived]:
    """Every resource in the order of care, each with the events that it rests on; last who wrote those."""
    derived = [
        *responses_of(course, people),
        *assessments_of(course, people),
        *conditions_of(course, people),
        *care_plans_of(course, people),
        *goals_of(course, people),
        *prescriptions_of(course, people),
        *reports_of(course, people),
        *escalations_of(course, people),
    ]
    return [*derived, *provenance_of(derived, people)]


def _entry(one: Derived, kind: BundleType) -> Json:
    resource = one.resource
    entry: Json = {"fullUrl": f"urn:uuid:{resource.id}", "resource": resource}
    if kind == "transaction":
        entry["request"] = {"method": "PUT", "url": f"{resource.get_resource_type()}/{resource.id}"}
    return entry
