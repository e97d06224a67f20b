"""Whether each file has the form that the services read: every deviation, not the first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.event.vocabulary import vocabulary
from shared.protocol.condition import ConditionProtocol
from shared.protocol.document import Document, Place, file_names, read_document
from shared.protocol.education import EducationLibrary
from shared.protocol.exercise import ExerciseLibrary
from shared.protocol.library import ProtocolError
from shared.protocol.lint.problem import Problem, nearest
from shared.protocol.mix import MixRules
from shared.protocol.modifier import ModifierRules
from shared.protocol.progression import ProgressionRules
from shared.protocol.red_flag import RedFlagRules
from shared.protocol.screening import ScreeningRules
from shared.protocol.source import EvidenceRow, Record
from shared.protocol.start_program import StartProgram

EVIDENCE = "evidence.yaml"
FILES: Final[Mapping[str, type[BaseModel]]] = {
    "red_flags.yaml": RedFlagRules,
    "screening.yaml": ScreeningRules,
    "exercises.yaml": ExerciseLibrary,
    "education.yaml": EducationLibrary,
    "modifiers.yaml": ModifierRules,
    "mixes.yaml": MixRules,
    "progression.yaml": ProgressionRules,
    "start_program.yaml": StartProgram,
}
"""What every folder holds beside its conditions and its evidence."""

_EVIDENCE: TypeAdapter[dict[str, EvidenceRow]] = TypeAdapter(dict[str, EvidenceRow])

_REMEDIES: Final[Mapping[str, str]] = {
    "missing": "Add it",
    "too_short": "Add what is missing",
    "too_long": "Take some of it out",
    "string_pattern_mismatch": "Write it in that form",
    "value_error": "Change one of the two, so that they fit",
    "int_from_float": "Write a whole number",
    "int_parsing": "Write a whole number",
    "int_type": "Write a whole number",
    "float_parsing": "Write a number",
    "float_type": "Write a number",
    "bool_type": "Write true or false",
    "bool_parsing": "Write true or false",
    "string_type": "Write a text",
    "tuple_type": "Write a list",
    "model_type": "Write a mapping of keys to values",
    "dict_type": "Write a mapping of keys to values",
}


def read_all(folder: Path) -> tuple[dict[str, Document], list[Problem]]:
    """Every file that can be read, and what stands against the others. Raises ProtocolError for no folder."""
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    names = file_names(folder)
    for name in names:
        try:
            documents[name] = read_document(folder, name)
        except ProtocolError as error:
            reason = str(error).removeprefix(f"{folder / name} ")
            problems.append(Problem(name, (), reason, "Mend the file so that it is a YAML mapping in UTF-8"))
    missing = [name for name in (EVIDENCE, *FILES) if name not in names]
    problems.extend(Problem(name, (), "the file is missing", "Add it, e.g. as it is shipped") for name in missing)
    if not any(map(is_condition, names)):
        problems.append(Problem("conditions", (), "there is no condition", "Add conditions/<id>.yaml"))
    for name in names:
        if name != EVIDENCE and name not in FILES and not is_condition(name):
            remedy = "Move it to conditions/, or take it out"
            problems.append(Problem(name, (), "nothing reads this file", remedy, "warning"))
    return documents, problems


def is_condition(name: str) -> bool:
    """Whether the file holds a condition."""
    return name.startswith("conditions/") and name.count("/") == 1


def validate(document: Document) -> tuple[BaseModel | None, list[Problem]]:
    """The file as the services read it, or what stands against it."""
    model = ConditionProtocol if is_condition(document.name) else FILES.get(document.name)
    problems = [
        Problem(document.name, place, "the key stands twice, and the last one counts", "Rename or remove one of them")
        for place in document.repeated
    ]
    if model is None:
        return None, problems
    try:
        return model.model_validate(document.content), problems
    except ValidationError as error:
        return None, [*problems, *_explain(document, error)]


def validate_evidence(document: Document) -> tuple[dict[str, EvidenceRow] | None, list[Problem]]:
    """The rows of the evidence, or what stands against them."""
    _, problems = validate(document)
    try:
        return _EVIDENCE.validate_python(document.content), problems
    except ValidationError as error:
        return None, [*problems, *_explain(document, error)]


def _explain(document: Document, error: ValidationError) -> Iterator[Problem]:
    for one in error.errors(include_url=False):
        message = one["msg"].removeprefix("Value error, ")
        place = _place(document.content, one["loc"])
        yield Problem(document.name, place, f"{message[:1].lower()}{message[1:]}", _remedy(one))


def _place(content: Any, location: Place) -> Place:
    """The part of a location that exists in the file; the last step may be what is missing."""
    place: Place = ()
    for step in location:
        exists = isinstance(content, dict) and step in content
        if not exists and not (isinstance(content, list) and isinstance(step, int) and step < len(content)):
            return (*place, step) if isinstance(content, dict) and step != "[key]" else place
        place, content = (*place, step), content[step]
    return place


def _remedy(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return nearest(str(error["loc"][-1]), _keys(), "Remove it")
    if kind == "unknown_id":
        known = vocabulary().ids(context["kind"])
        return nearest(context["id"], known, f"Use an id of the vocabulary's {context['kind'].replace('_', ' ')}")
    if kind in ("literal_error", "enum"):
        return f"Use one of {context['expected']}"
    if kind.startswith(("greater_than", "less_than")):
        return "Choose a value within the limit"
    return _REMEDIES.get(kind, "Write it as docs/protocols.md says")


def _keys() -> set[str]:
    return set(_keys_of(Record))


def _keys_of(kind: type[Record]) -> Iterator[str]:
    yield from kind.model_fields
    for narrower in kind.__subclasses__():
        yield from _keys_of(narrower)
