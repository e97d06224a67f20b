"""Observations of what the system computed: the classification of an intake, and how a patient responds to care.

They are not measured but inferred; each says with `note` why, and its Provenance names protocol and rules.
"""

from typing import Any

from fhir.resources.R4B.observation import Observation

from shared.event.adjustment import LoadAdjusted
from shared.event.classification import ConditionClassified
from shared.event.envelope import Event
from shared.event.vocabulary import vocabulary
from shared.fhir.code import Json, concept, condition_concept, own, quantity, words
from shared.fhir.course import Course, Derived, care_plan_references
from shared.fhir.identity import People, refer, resource_id


def assessments_of(course: Course, people: People) -> list[Derived]:
    """The last classification of each intake, and the response that each adjustment found."""
    found = [_classification(course, event, people) for event in course.classifications.values()]
    return found + [_response(course, event, people) for event in course.of(LoadAdjusted)]


def _classification(course: Course, event: Event[ConditionClassified], people: People) -> Derived:
    data = event.data
    intake = course.intakes.get(data.intake_id)
    flags = vocabulary().red_flags
    components: list[Json] = [
        {"code": condition_concept(rated.condition_id), "valueQuantity": _share(rated.probability)}
        for rated in data.conditions
    ]
    components += [
        {
            "code": concept(own("red-flag", flag.red_flag_id, flags[flag.red_flag_id].label)),
            "valueCodeableConcept": concept(own("red-flag-source", flag.source, flag.source)),
        }
        for flag in data.red_flags
    ]
    if data.referral_route is not None:
        components.append(
            {
                "code": concept(own("assessment", "referral_route", "Referral route")),
                "valueCodeableConcept": concept(own("referral-route", data.referral_route, data.referral_route)),
            }
        )
    resource = Observation(
        id=resource_id("Observation", course.patient, data.intake_id, "classification"),
        status="preliminary",
        code=concept(own("assessment", "classification", "Classification of an intake for buttock pain")),
        subject=people.reference,
        effectiveDateTime=event.time,
        valueCodeableConcept=concept(own("disposition", data.disposition, words(data.disposition))),
        note=[{"text": data.rationale}],
        derivedFrom=[refer("QuestionnaireResponse", course.patient, data.intake_id)] if intake else None,
        component=components,
    )
    return Derived(resource, (intake, event) if intake else (event,))


def _response(course: Course, event: Event[LoadAdjusted], people: People) -> Derived:
    response = event.data.response
    figures: list[tuple[str, str, float | None, Any]] = [
        ("week", "Whole weeks since the program began", response.week, ("weeks", "wk")),
        ("sessions_done", "Sessions done", response.sessions_done, ("sessions", "{sessions}")),
        ("adherence", "Sessions done over sessions due", response.adherence, _RATIO),
        ("adherence_4w", "The same, over the last four weeks", response.adherence_4w, _RATIO),
        ("pain_trend_per_week", "Trend of average pain", response.pain_trend_per_week, ("points/wk", "{score}/wk")),
        (
            "probability_of_meaningful_change",
            "Probability of a change that matters",
            response.probability_of_meaningful_change,
            _RATIO,
        ),
    ]
    resource = Observation(
        id=resource_id("Observation", course.patient, event.id, "response"),
        basedOn=care_plan_references(course, event.data.program_id) or None,
        status="preliminary",
        code=concept(own("assessment", "response", "Response to the program")),
        subject=people.reference,
        effectiveDateTime=event.time,
        valueCodeableConcept=concept(own("response-status", response.status, words(response.status))),
        note=[{"text": event.data.rationale}],
        component=[
            {"code": concept(own("assessment", name, label)), "valueQuantity": quantity(value, *unit)}
            for name, label, value, unit in figures
            if value is not None
        ],
    )
    return Derived(resource, (event,))


_RATIO = ("ratio", "1")


def _share(probability: float) -> Json:
    return quantity(probability, "probability", "1")
