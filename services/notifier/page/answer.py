"""The decision form: what was typed becomes a `care.clinician.decided.v1`, or errors at their fields.

Nothing of what was typed is lost: an error shows the form as it was sent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.notifier.domain.state import NotifierState
from services.notifier.page.access import FormWord
from services.notifier.page.wording import WORDS_OF
from shared.event.decision import ClinicianDecided
from shared.event.envelope import Event, derive_id

SOURCE = "//adaptive-care/notifier/page"
LONGEST_REASON = 4000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FIELDS = {
    "rationale": "rationale",
    "conditions": "conditions",
    "changes": "changes",
    "decision": "decision",
}
"""Field of the event to field of the form."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One form as it was sent. `kind`: the decision, empty where it was none of the nine."""

    kind: str = ""
    rationale: str = ""
    useful: str = ""
    conditions: tuple[str, ...] = ()
    remove_exercises: tuple[str, ...] = ()
    sessions_per_week: str = ""
    load_percent: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An event to publish, or what is wrong: field of the form to a sentence."""

    typed: Typed
    event: Event[ClinicianDecided] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


def read_typed(pairs: Sequence[tuple[str, str]]) -> Typed:
    """The known fields of a posted form; others are ignored."""

    def one(name: str) -> str:
        return next((value for key, value in pairs if key == name), "")

    def many(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for key, value in pairs if key == name))

    kind = one("decision")
    return Typed(
        kind=kind if kind in WORDS_OF else "",
        rationale=one("rationale").replace("\r\n", "\n").replace("\r", "\n").strip(),
        useful=one("useful"),
        conditions=many("conditions"),
        remove_exercises=many("remove_exercises"),
        sessions_per_week=one("sessions_per_week").strip(),
        load_percent=one("load_percent").strip(),
    )


def decision_id_of(word: FormWord, typed: Typed) -> str:
    """The same form sent twice is one decision; another answer on the same form is another."""
    patient, escalation = word.place
    return derive_id(
        "page",
        word.nonce,
        word.recipient,
        patient,
        escalation,
        typed.kind,
        typed.rationale,
        typed.useful,
        typed.sessions_per_week,
        typed.load_percent,
        *typed.conditions,
        "",
        *typed.remove_exercises,
    )


def make_answer(word: FormWord, typed: Typed, state: NotifierState, now: datetime) -> Answer:
    """Checks what was typed, each error at its field."""
    errors: dict[str, str] = {}
    if not typed.kind:
        return Answer(typed, errors={"decision": "Choose one of the decisions."})
    words = WORDS_OF[typed.kind]
    if words.asks_reason and not typed.rationale:
        errors["rationale"] = "Give a reason: those who go on with the patient need it."
    elif len(typed.rationale) > LONGEST_REASON:
        errors["rationale"] = f"The reason has {len(typed.rationale)} characters; at most {LONGEST_REASON} are kept."
    elif _CONTROL.search(typed.rationale):
        errors["rationale"] = "The reason holds characters that are no text; please type it anew."
    if typed.useful not in ("", "yes", "no"):
        errors["useful"] = "Choose yes, no or no answer."
    if typed.kind == "reclassify" and not typed.conditions:
        errors["conditions"] = "Choose at least one condition."
    changes = _changes(typed, errors) if typed.kind == "modify" else None
    if errors:
        return Answer(typed, errors=errors)
    return _validated(word, typed, state, changes, now)


def _changes(typed: Typed, errors: dict[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if typed.remove_exercises:
        changes["remove_exercises"] = typed.remove_exercises
    if typed.sessions_per_week:
        days = _whole(typed.sessions_per_week)
        if days is None or not 1 <= days <= 7:
            errors["sessions_per_week"] = "Sessions a week: a whole number from 1 to 7."
        else:
            changes["sessions_per_week"] = days
    if typed.load_percent:
        percent = _whole(typed.load_percent.removesuffix("%").strip())
        if percent is None or not 10 <= percent <= 150:
            errors["load_percent"] = "Load: a whole number of percent from 10 to 150."
        else:
            changes["load_factor"] = percent / 100
    if not changes and not errors:
        errors["changes"] = "Change at least one thing: exercises, sessions a week or load."
    return changes


def _validated(
    word: FormWord, typed: Typed, state: NotifierState, changes: dict[str, Any] | None, now: datetime
) -> Answer:
    patient, escalation_id = word.place
    detail = next((one for one in state.chart.details if one.escalation_id == escalation_id), None)
    program_id = detail.program_id if detail else ""
    sheet = next((one for one in state.chart.sheets if one.program_id == program_id), None)
    decision_id = decision_id_of(word, typed)
    data: dict[str, Any] = {
        "decision_id": decision_id,
        "clinician_id": word.recipient,
        "decision": typed.kind,
        "escalation_id": escalation_id,
    }
    if program_id:
        data["program_id"] = program_id
    if sheet is not None and sheet.intake_id and typed.kind in ("approve", "reclassify"):
        data["intake_id"] = sheet.intake_id
    if typed.rationale:
        data["rationale"] = typed.rationale
    if typed.useful:
        data["useful"] = typed.useful == "yes"
    if typed.kind == "reclassify":
        data["conditions"] = typed.conditions
    if changes is not None:
        data["changes"] = changes
    try:
        event = Event[ClinicianDecided].model_validate(
            {
                "id": derive_id(SOURCE, decision_id),
                "source": SOURCE,
                "type": ClinicianDecided.event_type,
                "subject": patient,
                "time": now,
                "correlationid": (detail.correlation_id if detail else "") or None,
                "causationid": word.about or None,
                "data": data,
            }
        )
    except ValidationError as error:
        return Answer(typed, errors=_explained(error))
    return Answer(typed, event)


def _explained(error: ValidationError) -> dict[str, str]:
    """The model's own words, at the field that they are about."""
    errors: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        path = [str(step) for step in one["loc"] if step != "data"]
        name = "remove_exercises" if "remove_exercises" in path else _FIELDS.get(path[0] if path else "", "decision")
        errors.setdefault(name, f"{one['msg'][:1].upper()}{one['msg'][1:]}.")
    return errors


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None
