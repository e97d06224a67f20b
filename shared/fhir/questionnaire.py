"""The intake as a Questionnaire, generated from the vocabulary: every `linkId` is a public id of the contract."""

from typing import get_args

from fhir.resources.R4B.questionnaire import Questionnaire

from shared.event.intake import Answer, Equipment, Onset, Sex, Side
from shared.event.vocabulary import vocabulary
from shared.fhir.code import OWN, Json, own, words

URL = f"{OWN}:questionnaire:intake"
ANSWERS = "answer"
"""Code system of `present`, `absent` and `unknown`."""
CHOICES: dict[str, tuple[str, ...]] = {
    "sex": get_args(Sex),
    "side": get_args(Side),
    "onset": get_args(Onset),
    "red_flag_screen": ("complete", "partial"),
    "equipment": get_args(Equipment),
}
"""Items that are answered with a code of their own, and the codes."""


def canonical() -> str:
    """The questionnaire and its version, which is the vocabulary's."""
    return f"{URL}|{vocabulary().version}"


def intake_questionnaire() -> Questionnaire:
    """What a platform may ask before care begins. Whatever is not answered counts as unknown."""
    known = vocabulary()
    about = [
        _asked("age_years", "integer", "Age in years (0 to 120)", required=True),
        _choice("sex", "Sex", CHOICES["sex"], required=True),
        _choice("side", "Side of the pain", CHOICES["side"], required=True),
        _choice("onset", "How it began", CHOICES["onset"], required=True),
        _asked("duration_weeks", "decimal", "For how many weeks", required=True),
    ]
    screen = _choice(
        "red_flag_screen",
        "Was every red flag asked? After `complete`, one without an answer counts as absent; else as unknown",
        CHOICES["red_flag_screen"],
    )
    red_flags = [_answered(flag.red_flag_id, flag.label) for flag in known.red_flags.values()]
    findings = [_answered(finding.finding_id, finding.label) for finding in known.findings.values()]
    measures = [
        _asked(
            one.instrument,
            "decimal",
            f"{one.label} ({one.minimum:g} to {one.maximum:g})",
            required=one.instrument == "NPRS",
            repeats=True,
        )
        | {"item": [_asked(f"{one.instrument}.taken_at", "dateTime", "When, if not with this questionnaire")]}
        for one in known.instruments.values()
    ]
    modifiers = _asked("modifiers", "choice", "What else holds for the patient", repeats=True) | {
        "answerOption": [{"valueCoding": own("modifier", one, label)} for one, label in known.modifiers.items()]
    }
    wishes = [
        modifiers,
        _asked("activity_goals", "string", "What the patient wants to do again (up to 10)", repeats=True),
        _asked("sessions_per_week", "integer", "Sessions a week that the patient can do (1 to 7; 3 if not told)"),
        _choice("equipment", "What there is to exercise with", CHOICES["equipment"], repeats=True),
        *(
            _asked(f"load_steps_kg.{one}", "decimal", f"Loads in kg that exist: {words(one)}", repeats=True)
            for one in CHOICES["equipment"]
        ),
        _asked("notes", "text", "Anything else, in free words (up to 4000 characters)"),
    ]
    return Questionnaire(
        id="adaptive-care-intake",
        url=URL,
        version=known.version,
        name="AdaptiveCareIntake",
        title="Intake for buttock pain",
        status="active",
        subjectType=["Patient"],
        item=[
            _group("about", "About the patient and the pain", about),
            _group("red_flags", "Red flags", [screen, *red_flags]),
            _group("findings", "History and examination", findings),
            _group("measures", "Measures at the start", measures),
            _group("wishes", "What care must fit", wishes),
        ],
    )


def _group(link_id: str, text: str, items: list[Json]) -> Json:
    return {"linkId": link_id, "text": text, "type": "group", "item": items}


def _asked(link_id: str, kind: str, text: str, *, required: bool = False, repeats: bool = False) -> Json:
    flags = {name: True for name, is_set in (("required", required), ("repeats", repeats)) if is_set}
    return {"linkId": link_id, "text": text, "type": kind} | flags


def _choice(link_id: str, text: str, codes: tuple[str, ...], *, required: bool = False, repeats: bool = False) -> Json:
    options = [{"valueCoding": own(link_id, code, words(code))} for code in codes]
    return _asked(link_id, "choice", text, required=required, repeats=repeats) | {"answerOption": options}


def _answered(link_id: str, text: str) -> Json:
    options = [{"valueCoding": own(ANSWERS, code, code)} for code in get_args(Answer)]
    return _asked(link_id, "choice", text) | {"answerOption": options}
