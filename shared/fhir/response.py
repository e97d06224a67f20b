"""An intake as a QuestionnaireResponse to the intake's questionnaire."""

from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import category

from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from shared.event.envelope import Event
from shared.event.intake import IntakeSubmitted
from shared.event.measure import Measure
from shared.event.vocabulary import vocabulary
from shared.fhir.code import Json, own
from shared.fhir.course import Course, Derived
from shared.fhir.identity import People, identifier, resource_id
from shared.fhir.questionnaire import ANSWERS, CHOICES, canonical


def responses_of(course: Course, people: People) -> list[Derived]:
    """The last version of each intake, without the patient's notes."""
    resubmitted = [event.data.intake_id for event in course.of(IntakeSubmitted)]
    return [
        Derived(
            intake_response(event, people, has_notes=False, is_amended=resubmitted.count(event.data.intake_id) > 1),
            (event,),
        )
        for event in course.intakes.values()
    ]


def intake_response(
    event: Event[IntakeSubmitted], people: People, *, has_notes: bool = True, is_amended: bool = False
) -> QuestionnaireResponse:
    """All that the intake says. What it leaves out stays out.

    Of text, what FHIR cannot carry is left out: text without a visible character, and control characters.
    """
    data = event.data
    about = [
        _item("age_years", [{"valueInteger": data.age_years}]),
        *(_coded(name, [getattr(data, name)]) for name in ("sex", "side", "onset")),
        _item("duration_weeks", [{"valueDecimal": data.duration_weeks}]),
    ]
    wishes = [
        _item("activity_goals", _texts(data.activity_goals)),
        _item("sessions_per_week", [{"valueInteger": data.sessions_per_week}]),
        _coded("equipment", data.equipment),
        *(
            _item(f"load_steps_kg.{name}", [{"valueDecimal": step} for step in steps])
            for name in CHOICES["equipment"]
            for owned, steps in data.load_steps_kg.items()
            if owned == name
        ),
        _item("notes", _texts([data.notes] if data.notes and has_notes else [])),
    ]
    groups = {
        "about": about,
        "red_flags": [_coded("red_flag_screen", [data.red_flag_screen]), *_answers(data.red_flags)],
        "findings": list(_answers(data.findings)),
        "measures": list(_measures(data.measures)),
        "wishes": [_coded("modifiers", data.modifiers), *wishes],
    }
    return QuestionnaireResponse(
        id=resource_id("QuestionnaireResponse", event.subject, data.intake_id),
        identifier=identifier("intake", data.intake_id),
        questionnaire=canonical(),
        status="amended" if is_amended else "completed",
        subject=people.reference,
        authored=event.time,
        item=[
            {"linkId": name, "item": filled}
            for name, items in groups.items()
            if (filled := [item for item in items if item["answer"]])
        ],
    )


def _item(link_id: str, answers: list[Json]) -> Json:
    return {"linkId": link_id, "answer": answers}


def _coded(link_id: str, codes: Iterable[str]) -> Json:
    return _item(link_id, [{"valueCoding": own(CODED.get(link_id, link_id), code)} for code in codes])


CODED = {"modifiers": "modifier"}
"""Where the code system is not called as the item is."""


def _answers(answers: Mapping[str, str]) -> Iterable[Json]:
    """In the order of the vocabulary, which is that of the questionnaire."""
    known = [*vocabulary().red_flags, *vocabulary().findings]
    for link_id in known:
        if link_id in answers:
            yield _item(link_id, [{"valueCoding": own(ANSWERS, answers[link_id])}])


def _measures(measures: Iterable[Measure]) -> Iterable[Json]:
    found: dict[str, list[Json]] = {}
    for measure in measures:
        answer: dict[str, Any] = {"valueDecimal": measure.value}
        if measure.taken_at is not None:
            taken = {"linkId": f"{measure.instrument}.taken_at", "answer": [{"valueDateTime": measure.taken_at}]}
            answer["item"] = [taken]
        found.setdefault(measure.instrument, []).append(answer)
    for instrument in vocabulary().instruments:
        if instrument in found:
            yield _item(instrument, found[instrument])


def _texts(texts: Iterable[str]) -> list[Json]:
    cleaned = ("".join(one for one in text if one in "\t\n\r" or category(one) not in ("Cc", "Cs")) for text in texts)
    return [{"valueString": text} for text in cleaned if text.strip()]
