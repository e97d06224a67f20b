"""Observations of what patients reported: outcome measures, pain around sessions, sessions, symptoms."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from fhir.resources.R4B.observation import Observation

from shared.event.envelope import Event
from shared.event.measure import Measure
from shared.event.session import CheckinReported, PerformedExercise, PerformedSet, SessionReported
from shared.fhir.code import (
    PAIN_RATING,
    Json,
    concept,
    hl7,
    instrument_concept,
    own,
    points,
    quantity,
    symptom_concept,
    words,
)
from shared.fhir.course import Course, Derived, care_plan_references
from shared.fhir.identity import People, refer, resource_id

_PAIN = {
    "pain_before": ("Pain before the session", True),
    "pain_during": ("Worst pain during the session", False),
    "pain_after": ("Pain after the session", True),
    "next_morning_pain": ("Pain the morning after", True),
}
"""Field, how it reads, and whether it is a rating of one moment, which the code of LOINC is about."""


def reports_of(course: Course, people: People) -> list[Derived]:
    """One Observation for each value: of the last version of each intake, of sessions and of check-ins."""
    found: list[Derived] = []
    for intake in course.intakes.values():
        answered = refer("QuestionnaireResponse", course.patient, intake.data.intake_id)
        found += _measures(intake, intake.data.measures, intake.time, people, [answered])
    for session in course.of(SessionReported):
        found += _session(course, session, people)
    for checkin in course.of(CheckinReported):
        at = checkin.data.reported_at
        found += _measures(checkin, checkin.data.measures, at, people)
        found += _pains(checkin, ("next_morning_pain",), at, people)
        found += _symptoms(checkin, checkin.data.symptoms, at, people)
    return found


def _measures(
    event: Event[Any], measures: Iterable[Measure], at: datetime, people: People, source: list[Json] | None = None
) -> list[Derived]:
    return [
        _observation(
            event,
            f"measure-{number}",
            people,
            category=[hl7("observation-category", "survey")],
            code=instrument_concept(measure.instrument),
            effectiveDateTime=measure.taken_at or at,
            valueQuantity=points(measure.instrument, measure.value),
            derivedFrom=source,
        )
        for number, measure in enumerate(measures)
    ]


def _session(course: Course, event: Event[SessionReported], people: People) -> list[Derived]:
    data = event.data
    pains = _pains(event, ("pain_before", "pain_during", "pain_after"), data.started_at, people)
    symptoms = _symptoms(event, data.symptoms, data.started_at, people)
    session = _observation(
        event,
        "session",
        people,
        basedOn=care_plan_references(course, data.program_id),
        category=[hl7("observation-category", "activity")],
        code=concept(own("report", "session_completed", "Exercise session completed")),
        effectiveDateTime=data.started_at,
        valueBoolean=data.completed,
        component=[_performed(exercise) for exercise in data.exercises],
        hasMember=[{"reference": f"urn:uuid:{one.resource.id}", "type": "Observation"} for one in (*pains, *symptoms)],
    )
    return [session, *pains, *symptoms]


def _performed(exercise: PerformedExercise) -> Json:
    component: Json = {"code": concept(own("exercise", exercise.exercise_id, words(exercise.exercise_id)))}
    if exercise.skipped:
        return component | {"dataAbsentReason": hl7("data-absent-reason", "not-performed")}
    return component | {"valueString": "; ".join(_set(one) for one in exercise.sets)}


def _set(one: PerformedSet) -> str:
    parts = [
        f"{one.reps} × {one.hold_s:g} s" if one.hold_s is not None else f"{one.reps} reps",
        f"{one.load_kg:g} kg" if one.load_kg is not None else "",
        f"level {one.load_level}" if one.load_level is not None else "",
        f"RPE {one.rpe:g}" if one.rpe is not None else "",
        f"pain {one.pain:g}/10" if one.pain is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _pains(event: Event[Any], fields: Sequence[str], at: datetime, people: People) -> list[Derived]:
    found = []
    for name in fields:
        value = getattr(event.data, name)
        if value is not None:
            label, is_moment = _PAIN[name]
            codings = [own("report", name, label), *([PAIN_RATING] if is_moment else [])]
            found.append(
                _observation(
                    event,
                    name,
                    people,
                    category=[hl7("observation-category", "survey")],
                    code=concept(*codings),
                    effectiveDateTime=at,
                    valueQuantity=quantity(value, "points", "{score}"),
                )
            )
    return found


def _symptoms(event: Event[Any], symptoms: Iterable[str], at: datetime, people: People) -> list[Derived]:
    return [
        _observation(
            event,
            f"symptom-{symptom}",
            people,
            category=[hl7("observation-category", "survey")],
            code=symptom_concept(symptom),
            effectiveDateTime=at,
            valueBoolean=True,
        )
        for symptom in dict.fromkeys(symptoms)
    ]


def _observation(event: Event[Any], name: str, people: People, **elements: Any) -> Derived:
    filled = {key: value for key, value in elements.items() if value not in (None, [])}
    resource = Observation(
        id=resource_id("Observation", people.patient, event.id, name),
        status="final",
        subject=people.reference,
        performer=[people.reference],
        **filled,
    )
    return Derived(resource, (event,))
