"""An intake from FHIR: a QuestionnaireResponse to the intake's questionnaire, alone or in a Bundle with Observations.

Raises FhirError with everything that is wrong. What is only not used (other resources of a bundle, measures taken
later) comes back as notices.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse
from pydantic import TypeAdapter, ValidationError

from shared.event.envelope import Event, derive_id
from shared.event.intake import IntakeSubmitted
from shared.event.registry import adapter
from shared.event.vocabulary import vocabulary
from shared.event.wire import Identifier, PatientId
from shared.fhir.answer import Answers
from shared.fhir.code import INSTRUMENT_LOINC, LOINC, MINUTES, system
from shared.fhir.problem import FhirError, Problem, path_of
from shared.fhir.questionnaire import URL

LARGEST_BYTES = 8 * 1024 * 1024
SOURCE = "//adaptive-care/fhir"
"""`source` of an event that came in this way."""
ROOT = "QuestionnaireResponse"


@dataclass(frozen=True, slots=True)
class Imported:
    """The event, and what was not used for it."""

    event: Event[IntakeSubmitted]
    notices: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The one response of a file, where it stands, and what comes with it."""

    response: Any
    path: str
    url: str | None
    observations: tuple[tuple[str, Any], ...] = ()
    notices: tuple[Problem, ...] = ()


def read_intake(raw: bytes) -> Imported:
    """One intake. The same resource gives the same event id, so that sending it twice has no second effect."""
    found = _find(_parse(raw))
    answers = Answers()
    patient, intake_id, authored = _head(found, answers)
    answers.read(found.response.item, found.path)
    notices = list(found.notices)
    if patient is not None and authored is not None:
        for path, observation in found.observations:
            notices += _take_observation(observation, path, found, patient, authored, answers)
    if answers.problems or patient is None or intake_id is None or authored is None:
        raise FhirError(answers.problems)
    data = {name: value for name, value in answers.data.items() if value != {}} | {"intake_id": intake_id}
    event_id = derive_id(SOURCE, patient, authored.isoformat(), json.dumps(data, sort_keys=True))
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": IntakeSubmitted.event_type,
        "subject": patient,
        "time": authored.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    try:
        event = adapter(IntakeSubmitted.event_type).validate_json(json.dumps(envelope))
    except ValidationError as error:
        raise FhirError([_problem(one, answers, found) for one in error.errors(include_url=False)]) from None
    return Imported(event, tuple(notices))


def _parse(raw: bytes) -> Any:
    if len(raw) > LARGEST_BYTES:
        raise FhirError([Problem("$", f"larger than {LARGEST_BYTES} bytes: send one intake at a time")])
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise FhirError([Problem("$", "not JSON in UTF-8")]) from None
    kind = content.get("resourceType") if isinstance(content, dict) else None
    models: dict[str, Any] = {ROOT: QuestionnaireResponse, "Bundle": Bundle}
    if not isinstance(kind, str) or kind not in models:
        raise FhirError([Problem("resourceType", f"must be {ROOT}, or Bundle with one in it, not {kind!r}"[:200])])
    try:
        return models[kind].model_validate(content)
    except RecursionError:
        raise FhirError([Problem(kind, "nested too deeply: put the items into the questionnaire's groups")]) from None
    except ValidationError as error:
        problems = [
            Problem(path_of(kind, one["loc"]), " ".join(one["msg"].split()))
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise FhirError(problems) from None


def _find(resource: Any) -> _Found:
    """The response to the intake's questionnaire, which must be the only one."""
    if isinstance(resource, QuestionnaireResponse):
        return _checked(_Found(resource, ROOT, None))
    mine: list[_Found] = []
    observations: list[tuple[str, Any]] = []
    unused: Counter[str] = Counter()
    for number, entry in enumerate(resource.entry or ()):
        path = f"Bundle.entry[{number}].resource"
        kind = entry.resource.get_resource_type() if entry.resource is not None else "entry without a resource"
        if kind == ROOT and _is_mine(entry.resource):
            mine.append(_Found(entry.resource, path, entry.fullUrl))
        elif kind == "Observation":
            observations.append((path, entry.resource))
        else:
            unused[kind] += 1
    if len(mine) != 1:
        told = "none" if not mine else f"{len(mine)}, at {', '.join(one.path for one in mine)}"
        raise FhirError([Problem("Bundle.entry", f"must hold one {ROOT} to {URL}; there is {told}")])
    notices = tuple(Problem("Bundle.entry", f"{count} × {kind}: not read") for kind, count in sorted(unused.items()))
    return _checked(_Found(mine[0].response, mine[0].path, mine[0].url, tuple(observations), notices))


def _is_mine(response: Any) -> bool:
    return str(response.questionnaire or URL).partition("|")[0] == URL


def _checked(found: _Found) -> _Found:
    problems = []
    if not _is_mine(found.response):
        told = f"answers {found.response.questionnaire}; it must answer {URL}"
        problems.append(Problem(f"{found.path}.questionnaire", told))
    if found.response.status not in ("completed", "amended"):
        told = f"is {found.response.status}: send it when it is completed or amended"
        problems.append(Problem(f"{found.path}.status", told))
    if problems:
        raise FhirError(problems)
    return found


def _head(found: _Found, answers: Answers) -> tuple[str | None, str | None, datetime | None]:
    """Whose intake, which, and when; None where that is a problem."""
    response, path = found.response, found.path
    patient = _pseudonym(response.subject)
    if patient is None or not _is_valid(_PATIENT, patient):
        told = (
            f"give the patient's pseudonym as identifier.value of {system('patient')}: 1 to 128 of A-Z a-z 0-9 . _ : -"
        )
        answers.problems.append(Problem(f"{path}.subject", told))
        patient = None
    intake_id = response.identifier.value if response.identifier is not None else response.id
    if intake_id is None or not _is_valid(_IDENTIFIER, intake_id):
        told = "give the intake's own id, the same if it is sent again: 1 to 256 characters without blanks"
        answers.problems.append(Problem(f"{path}.identifier", told))
        intake_id = None
    answers.places[("time",)] = f"{path}.authored"
    return patient, intake_id, answers.instant(response.authored, f"{path}.authored")


_PATIENT: TypeAdapter[str] = TypeAdapter(PatientId)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


def _is_valid(wanted: TypeAdapter[str], value: str) -> bool:
    try:
        wanted.validate_python(value)
    except ValidationError:
        return False
    return True


def _pseudonym(subject: Any) -> str | None:
    identifier = subject.identifier if subject is not None else None
    if identifier is None or identifier.system not in (None, system("patient")):
        return None
    return str(identifier.value) if identifier.value is not None else None


def _take_observation(
    observation: Any, path: str, found: _Found, patient: str, authored: datetime, answers: Answers
) -> list[Problem]:
    """Adds a measure, or says why it is none of this intake; what contradicts is a problem."""
    if found.url is not None and any(one.reference == found.url for one in observation.derivedFrom or ()):
        return []  # repeats an answer of the response
    instrument = _instrument(observation)
    if instrument is None:
        return [Problem(f"{path}.code", "no code of a measure of the intake: not used")]
    if observation.status not in ("final", "amended", "corrected"):
        return [Problem(f"{path}.status", f"is {observation.status}: not used")]
    taken = answers.instant(observation.effectiveDateTime, f"{path}.effectiveDateTime")
    if taken is None:
        return []
    if taken > authored:
        return [Problem(f"{path}.effectiveDateTime", "after the questionnaire was answered: not used for the intake")]
    if _pseudonym(observation.subject) != patient:
        told = f"must name the same patient as the response, by identifier of {system('patient')}"
        answers.problems.append(Problem(f"{path}.subject", told))
        return []
    quantity = observation.valueQuantity
    units = ("min",) if instrument == MINUTES else (None, "{score}", "1", *(["%"] if instrument == "ODI" else []))
    if quantity is None or quantity.value is None or quantity.code not in units:
        told = f"give {instrument} as a number with the code {units[-1 if instrument == MINUTES else 1]!r}"
        answers.problems.append(Problem(f"{path}.valueQuantity", told))
        return []
    answers.add_measure(instrument, float(quantity.value), taken, f"{path}.valueQuantity")
    return []


def _instrument(observation: Any) -> str | None:
    """The outcome measure that a code names: the public id, or a code of LOINC that means the same."""
    by_loinc = {coding["code"]: instrument for instrument, coding in INSTRUMENT_LOINC.items()}
    for coding in observation.code.coding or ():
        if coding.system == system("instrument") and coding.code in vocabulary().instruments:
            return str(coding.code)
        if coding.system == LOINC and coding.code in by_loinc:
            return by_loinc[coding.code]
    return None


def _problem(error: Any, answers: Answers, found: _Found) -> Problem:
    """Where in the resource a value stands that the contract refuses."""
    location = tuple(error["loc"][1:]) if error["loc"][:1] == ("data",) else tuple(error["loc"])
    if error["type"] == "missing_baseline":
        return Problem(found.path, "no answer to NPRS: the baseline of pain is required")
    if error["type"] == "missing":
        return Problem(found.path, f"no answer to {location[-1]}: add an item with that linkId")
    while location and location not in answers.places:
        location = location[:-1]
    return Problem(answers.places.get(location, found.path), error["msg"])
