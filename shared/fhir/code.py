"""Code systems: the project's public ids, and those codes of LOINC, SNOMED CT and HL7 that were looked up.

A code of a foreign system stands here only with the page that says what it means; docs/fhir.md lists them. Where
none fits, the project's own id stands alone: a wrong code is worse than none.
"""

from typing import Any

from shared.event.vocabulary import vocabulary

Json = dict[str, Any]

OWN = "urn:adaptive-care"
"""Prefix of the project's own systems; the last part says what the code is, such as `urn:adaptive-care:finding`."""
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"

PAIN_RATING: Json = {
    "system": LOINC,
    "code": "72514-3",
    "display": "Pain severity - 0-10 verbal numeric rating [Score] - Reported",
}
"""A rating of pain at one moment. The contract's NPRS is the average of a week, and the worst pain of a session
is no moment either: neither carries this code."""
INSTRUMENT_LOINC: dict[str, Json] = {
    "ODI": {"system": LOINC, "code": "97909-6", "display": "Oswestry disability index score ODI"},
}
"""Of the vocabulary's instruments, those with a code for the same score on the same range."""
EXERCISE_THERAPY: Json = {"system": SNOMED, "code": "229065009", "display": "Exercise therapy"}

MINUTES = "SIT_TOLERANCE_MIN"
"""The one instrument that measures in a unit; the others count points."""


def system(kind: str) -> str:
    """The URI of one of the project's own code or identifier systems."""
    return f"{OWN}:{kind}"


def own(kind: str, code: str, display: str | None = None) -> Json:
    """A Coding of the project's own system of that kind."""
    return {"system": system(kind), "code": code} | ({"display": display} if display else {})


def concept(*codings: Json, text: str | None = None) -> Json:
    """A CodeableConcept; its text is that of the first coding where none is given."""
    words = text or (codings[0].get("display") if codings else None)
    return ({"coding": list(codings)} if codings else {}) | ({"text": words} if words else {})


def hl7(name: str, code: str) -> Json:
    """A CodeableConcept of a code system in HL7's terminology."""
    return {"coding": [{"system": f"{HL7}/{name}", "code": code}]}


def words(identifier: str) -> str:
    """A public id as a person reads it."""
    return identifier.replace("_", " ")


def instrument_concept(instrument: str) -> Json:
    """An outcome measure: the public id first, then the code of LOINC where one was found."""
    loinc = INSTRUMENT_LOINC.get(instrument)
    return concept(
        own("instrument", instrument, vocabulary().instruments[instrument].label), *([loinc] if loinc else [])
    )


def condition_concept(condition_id: str) -> Json:
    """A condition by its protocol's id. No code of SNOMED CT or ICD was found that means the same."""
    return concept(own("condition", condition_id, words(condition_id).capitalize()))


def symptom_concept(symptom: str) -> Json:
    """A reported symptom or red flag; an id that nobody knows stays text, as it was sent."""
    flag = vocabulary().red_flags.get(symptom)
    if flag is not None:
        return concept(own("red-flag", symptom, flag.label))
    label = vocabulary().symptoms.get(symptom)
    return concept(own("symptom", symptom, label)) if label else {"text": symptom}


def points(instrument: str, value: float) -> Json:
    """A Quantity in the instrument's own points, or in minutes."""
    unit, code = ("min", "min") if instrument == MINUTES else ("points", "{score}")
    return quantity(value, unit, code)


def quantity(value: float, unit: str, code: str) -> Json:
    """A Quantity in a unit of UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}
