"""Conditions: what the patient may have. A suspicion of a rule is `provisional` or `differential`, never `confirmed`.

Red flags are no diagnoses and become none.
"""

from collections.abc import Iterable

from fhir.resources.R4B.condition import Condition

from shared.event.classification import ConditionClassified, RatedCondition
from shared.event.envelope import Event
from shared.fhir.code import Json, condition_concept, hl7
from shared.fhir.course import Course, Derived
from shared.fhir.identity import People, refer, resource_id


def conditions_of(course: Course, people: People) -> list[Derived]:
    """One Condition for each that an intake made a working diagnosis, or that findings speak for.

    What is treated and what is primary is `provisional`: the diagnosis that care works with. What else has findings
    for it is `differential`. A condition that rests on its prior alone is in the assessment and no Condition; nor is
    any where an emergency or urgent red flag comes first, which may explain the same findings.
    """
    return [
        _condition(course, event, rated, people)
        for event in course.classifications.values()
        for rated in event.data.conditions
        if _is_listed(course, event.data, rated)
    ]


def condition_references(course: Course, intake_id: str, conditions: Iterable[str]) -> list[Json]:
    """References to those of the conditions that the bundle has a Condition for."""
    classified = course.classifications.get(intake_id)
    if classified is None:
        return []
    listed = {one.condition_id for one in classified.data.conditions if _is_listed(course, classified.data, one)}
    return [refer("Condition", course.patient, intake_id, one) for one in conditions if one in listed]


def _condition(course: Course, event: Event[ConditionClassified], rated: RatedCondition, people: People) -> Derived:
    data = event.data
    intake = course.intakes.get(data.intake_id)
    is_working = _is_working(course, data, rated.condition_id)
    evidence = [refer("Observation", course.patient, data.intake_id, "classification")]
    program = course.program_of(data.intake_id)
    resource = Condition(
        id=resource_id("Condition", course.patient, data.intake_id, rated.condition_id),
        clinicalStatus=hl7("condition-clinical", "active"),
        verificationStatus=hl7("condition-ver-status", "provisional" if is_working else "differential"),
        code=condition_concept(rated.condition_id),
        bodySite=[{"text": _SITES[data.intake.side]}],
        subject=people.reference,
        recordedDate=event.time,
        evidence=[{"detail": evidence}],
    )
    events = (intake, event, program if is_working else None)
    return Derived(resource, tuple(one for one in events if one is not None))


def _is_listed(course: Course, data: ConditionClassified, rated: RatedCondition) -> bool:
    is_safe = data.disposition not in ("emergency", "urgent_referral")
    return _is_working(course, data, rated.condition_id) or (is_safe and bool(rated.supporting))


def _is_working(course: Course, data: ConditionClassified, condition_id: str) -> bool:
    program = course.program_of(data.intake_id)
    if program is not None and condition_id in program.data.conditions:
        return True
    return data.primary == condition_id and data.disposition not in ("emergency", "urgent_referral")


_SITES = {"left": "left buttock region", "right": "right buttock region", "both": "both buttock regions"}
