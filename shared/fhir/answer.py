"""Reads the answers of a QuestionnaireResponse into the fields of an intake, and remembers where each stood.

Nothing is guessed: an item that the questionnaire does not have is a problem and not left out, for it may be a red
flag that the sender calls otherwise. An item without an answer is as if it were not there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from shared.event.vocabulary import vocabulary
from shared.fhir.code import Json, system
from shared.fhir.problem import Problem
from shared.fhir.questionnaire import ANSWERS, CHOICES

Location = tuple[int | str, ...]
Field = tuple[str, ...]

GROUPS = ("about", "red_flags", "findings", "measures", "wishes")
NUMBERS = {"age_years": "valueInteger", "sessions_per_week": "valueInteger", "duration_weeks": "valueDecimal"}
LOAD_STEPS = "load_steps_kg."


@dataclass(slots=True)
class Answers:
    """What was read so far: the intake's fields, where each came from, and what is wrong."""

    data: Json = field(default_factory=lambda: {"findings": {}, "red_flags": {}, "measures": [], "load_steps_kg": {}})
    places: dict[Location, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def read(self, items: Iterable[Any] | None, path: str) -> None:
        """Every item below a path, in whatever groups they stand."""
        for number, item in enumerate(items or ()):
            place = f"{path}.item[{number}]"
            if item.linkId in GROUPS:
                if item.answer:
                    self._refuse(f"{place}.answer", f"{item.linkId} is a group: answer the items in it")
                self.read(item.item, place)
            elif item.linkId in self._seen:
                self._refuse(place, f"{item.linkId} stands at {self._seen[item.linkId]} already: answer it in one item")
            else:
                self._seen[item.linkId] = place
                self._read_item(item, place)

    def _read_item(self, item: Any, place: str) -> None:
        link_id, answers = item.linkId, item.answer or []
        if item.item:
            self._refuse(f"{place}.item", f"{link_id} is no group: nest nothing in it")
        known = vocabulary()
        if link_id in known.red_flags:
            self._choose(("red_flags", link_id), answers, place, ANSWERS, ("present", "absent", "unknown"))
        elif link_id in known.findings:
            self._choose(("findings", link_id), answers, place, ANSWERS, ("present", "absent", "unknown"))
        elif link_id in known.instruments:
            self._measure(link_id, answers, place)
        elif link_id in NUMBERS:
            self._one((link_id,), answers, place, NUMBERS[link_id])
        elif link_id == "modifiers":
            self._choose_some(link_id, answers, place, "modifier", tuple(known.modifiers))
        elif link_id == "equipment":
            self._choose_some(link_id, answers, place, link_id, CHOICES[link_id])
        elif link_id in CHOICES:
            self._choose((link_id,), answers, place, link_id, CHOICES[link_id])
        elif link_id == "notes":
            self._one((link_id,), answers, place, "valueString")
        elif link_id == "activity_goals":
            self._several((link_id,), answers, place, "valueString")
        elif link_id.startswith(LOAD_STEPS) and link_id.removeprefix(LOAD_STEPS) in CHOICES["equipment"]:
            self._several(("load_steps_kg", link_id.removeprefix(LOAD_STEPS)), answers, place, "valueDecimal")
        else:
            self._refuse(
                place,
                f"the linkId {link_id!r} is none of this questionnaire's: see `adaptive-care fhir questionnaire`",
            )

    def _measure(self, instrument: str, answers: list[Any], place: str) -> None:
        for number, answer in enumerate(answers):
            at = f"{place}.answer[{number}]"
            value = self._value(answer, at, "valueDecimal")
            taken = self._taken_at(instrument, answer, at)
            if value is not None:
                self.add_measure(instrument, value, taken, at)

    def add_measure(self, instrument: str, value: float, taken_at: datetime | None, place: str) -> None:
        """One value of an instrument, from an answer or an Observation."""
        measure = {"instrument": instrument, "value": value}
        self.places[("measures", len(self.data["measures"]))] = place
        self.data["measures"].append(measure | ({"taken_at": taken_at.isoformat()} if taken_at else {}))

    def _taken_at(self, instrument: str, answer: Any, place: str) -> datetime | None:
        taken: datetime | None = None
        for number, item in enumerate(answer.item or ()):
            at = f"{place}.item[{number}]"
            if item.linkId != f"{instrument}.taken_at" or item.item or len(item.answer or ()) != 1:
                self._refuse(at, f"only one answer to {instrument}.taken_at may stand here")
                continue
            taken = self.instant(item.answer[0].valueDateTime, f"{at}.answer[0].valueDateTime")
        return taken

    def instant(self, value: Any, place: str) -> datetime | None:
        """A dateTime down to the second with its offset; a date alone is no instant."""
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        self._refuse(place, "give date, time and offset, such as 2026-03-01T09:30:00Z")
        return None

    def _choose(self, where: Field, answers: list[Any], place: str, kind: str, codes: tuple[str, ...]) -> None:
        if answer := self._only(answers, place):
            code = self._code(answer, f"{place}.answer[0]", kind, codes)
            if code is not None:
                self._put(where, code, f"{place}.answer[0]")

    def _choose_some(self, name: str, answers: list[Any], place: str, kind: str, codes: tuple[str, ...]) -> None:
        chosen: list[str] = []
        for number, answer in enumerate(answers):
            at = f"{place}.answer[{number}]"
            code = self._code(answer, at, kind, codes)
            if code is not None:
                self.places[(name, len(chosen))] = at
                chosen.append(code)
        if chosen:
            self._put((name,), chosen, place)

    def _code(self, answer: Any, place: str, kind: str, codes: tuple[str, ...]) -> str | None:
        self._leaf(answer, place)
        coding = answer.valueCoding
        if coding is None or coding.code not in codes:
            told = "no valueCoding" if coding is None else f"{coding.code!r} is none of the codes"
            self._refuse(place, f"{told}: answer with a code of {system(kind)}: {_listed(codes)}")
            return None
        if coding.system not in (None, system(kind)):
            self._refuse(place, f"the code must be of {system(kind)}, not of {coding.system}")
            return None
        return str(coding.code)

    def _one(self, where: Field, answers: list[Any], place: str, element: str) -> None:
        if answer := self._only(answers, place):
            self._leaf(answer, f"{place}.answer[0]")
            value = self._value(answer, f"{place}.answer[0]", element)
            if value is not None:
                self._put(where, value, f"{place}.answer[0]")

    def _several(self, where: Field, answers: list[Any], place: str, element: str) -> None:
        values: list[Any] = []
        for number, answer in enumerate(answers):
            at = f"{place}.answer[{number}]"
            self._leaf(answer, at)
            value = self._value(answer, at, element)
            if value is not None:
                self.places[(*where, len(values))] = at
                values.append(value)
        if values:
            self._put(where, values, place)

    def _value(self, answer: Any, place: str, element: str) -> Any:
        value = getattr(answer, element)
        if value is None and element == "valueDecimal":
            value = answer.valueInteger  # a whole number is a decimal; nothing is guessed
        if value is None:
            self._refuse(place, f"answer with {element}")
            return None
        if element != "valueDecimal":
            return value
        if not isfinite(float(value)):
            self._refuse(place, "the number is too large")
            return None
        return float(value)

    def _only(self, answers: list[Any], place: str) -> Any:
        if len(answers) > 1:
            self._refuse(f"{place}.answer[1]", "this item takes one answer")
            return None
        return answers[0] if answers else None

    def _leaf(self, answer: Any, place: str) -> None:
        if answer.item:
            self._refuse(f"{place}.item", "nothing may be nested in this answer")

    def _put(self, where: Field, value: Any, place: str) -> None:
        self.places[where] = place
        if len(where) == 1:
            self.data[where[0]] = value
        else:
            self.data[where[0]][where[1]] = value

    def _refuse(self, place: str, message: str) -> None:
        self.problems.append(Problem(place, message))


def _listed(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) if len(codes) <= 10 else f"{', '.join(codes[:10])} and {len(codes) - 10} more"
