"""All checks on one folder, in an order that lets each one trust those before it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.protocol.condition import ConditionProtocol
from shared.protocol.document import Document
from shared.protocol.library import Protocols
from shared.protocol.lint.course import check_conditions
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.mark import check_marks
from shared.protocol.lint.phase import check_phases
from shared.protocol.lint.problem import Problem
from shared.protocol.lint.reference import check_references
from shared.protocol.lint.room import check_room
from shared.protocol.lint.schema import EVIDENCE, FILES, is_condition, read_all, validate, validate_evidence
from shared.protocol.lint.threshold import check_thresholds
from shared.protocol.source import EvidenceRow


def lint(path: Path) -> tuple[Problem, ...]:
    """Everything that is wrong in a folder of protocol files, by file and line. Raises ProtocolError for no folder.

    What needs a sound file is left out while that file is not sound, and a warning says so.
    """
    documents, problems = read_all(path)
    evidence: dict[str, EvidenceRow] = {}
    valid: dict[str, Any] = {}
    for name, document in documents.items():
        if name == EVIDENCE:
            rows, found = validate_evidence(document)
            evidence = rows or {}
        else:
            valid[name], found = validate(document)
        problems.extend(found)
    if evidence:
        problems.extend(check_marks(documents, evidence))
    unsound = [name for name in FILES if valid.get(name) is None]
    conditions = {name: model for name, model in valid.items() if isinstance(model, ConditionProtocol)}
    if unsound or not conditions:
        message = "what hangs together was not checked: references, constraints, phases and thresholds"
        remedy = "Mend the errors of form first, then look again"
        problems.extend(Problem(name, (), message, remedy, "warning") for name in unsound if name in documents)
    else:
        problems.extend(_whole(_folder(documents, evidence, valid, conditions)))
    return _sorted(problems, documents)


def _whole(folder: Folder) -> Iterable[Problem]:
    yield from check_references(folder)
    yield from check_phases(folder)
    yield from check_thresholds(folder)
    yield from check_conditions(folder)
    yield from check_room(folder)


def _folder(
    documents: dict[str, Document],
    evidence: dict[str, EvidenceRow],
    valid: dict[str, Any],
    files: dict[str, ConditionProtocol],
) -> Folder:
    newest: dict[str, ConditionProtocol] = {}
    for protocol in sorted(files.values(), key=lambda p: (p.condition_id, tuple(map(int, p.version.split("."))))):
        newest[protocol.condition_id] = protocol
    shared = {name.removesuffix(".yaml"): valid[name] for name in FILES}
    protocols = Protocols(
        digest="",
        evidence=evidence,
        versions={(one.condition_id, one.version): one for one in files.values()},
        conditions=newest,
        **shared,
    )
    ids = (document.content.get("condition_id") for name, document in documents.items() if is_condition(name))
    return Folder(documents, evidence, protocols, files, frozenset(str(one) for one in ids if one))


def _sorted(problems: Iterable[Problem], documents: dict[str, Document]) -> tuple[Problem, ...]:
    placed = [
        replace(one, line=documents[one.file].line(one.place)) if one.file in documents else one for one in problems
    ]
    unique = dict.fromkeys(placed)
    return tuple(sorted(unique, key=lambda one: (one.file, one.line or 0, one.severity, one.message)))
