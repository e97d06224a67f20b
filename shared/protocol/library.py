"""Loads the protocol files: one folder, shared rules in its root, one file for each condition.

Raises `ProtocolError` with the file, the path within it and the reason. Loading is all or nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shared.protocol.condition import ConditionProtocol
from shared.protocol.education import EducationLibrary
from shared.protocol.exercise import ExerciseLibrary
from shared.protocol.mix import MixRules
from shared.protocol.modifier import ModifierRules
from shared.protocol.progression import ProgressionRules
from shared.protocol.red_flag import RedFlagRules
from shared.protocol.screening import ScreeningRules
from shared.protocol.source import EvidenceRow
from shared.protocol.start_program import StartProgram

M = TypeVar("M", bound=BaseModel)


class ProtocolError(Exception):
    """A protocol file cannot be used. The message names the file, the place and the reason."""


@dataclass(frozen=True, slots=True)
class Protocols:
    """All protocol files of one folder, immutable."""

    digest: str
    """Of all files together: names the exact content that a decision was made with."""
    evidence: Mapping[str, EvidenceRow]
    red_flags: RedFlagRules
    screening: ScreeningRules
    exercises: ExerciseLibrary
    education: EducationLibrary
    modifiers: ModifierRules
    mixes: MixRules
    progression: ProgressionRules
    start_program: StartProgram
    versions: Mapping[tuple[str, str], ConditionProtocol]
    """By condition id and version: an episode of care keeps the version that it began with."""
    conditions: Mapping[str, ConditionProtocol]
    """The newest version of each condition, by id, in the order of their ids."""

    def condition(self, condition_id: str, version: str | None = None) -> ConditionProtocol:
        """One condition's protocol, the newest where no version is asked for. Raises ProtocolError."""
        wanted = self.conditions.get(condition_id)
        found = wanted if version is None else self.versions.get((condition_id, version))
        if found is None:
            raise ProtocolError(f"no protocol file for {condition_id} in version {version or 'any'}")
        return found


def load_protocols(folder: Path) -> Protocols:
    """Reads and validates every protocol file of a folder."""
    if not folder.is_dir():
        raise ProtocolError(f"{folder} is no folder of protocol files")
    found = [_read(path, ConditionProtocol) for path in sorted((folder / "conditions").glob("*.yaml"))]
    if not found:
        raise ProtocolError(f"{folder / 'conditions'} holds no condition")
    versions = {(protocol.condition_id, protocol.version): protocol for protocol in found}
    newest: dict[str, ConditionProtocol] = {}
    for protocol in sorted(found, key=lambda p: (p.condition_id, tuple(map(int, p.version.split("."))))):
        newest[protocol.condition_id] = protocol
    return Protocols(
        digest=_digest(folder),
        evidence={
            row_id: _check(folder / "evidence.yaml", row, EvidenceRow)
            for row_id, row in _yaml(folder / "evidence.yaml").items()
        },
        red_flags=_read(folder / "red_flags.yaml", RedFlagRules),
        screening=_read(folder / "screening.yaml", ScreeningRules),
        exercises=_read(folder / "exercises.yaml", ExerciseLibrary),
        education=_read(folder / "education.yaml", EducationLibrary),
        modifiers=_read(folder / "modifiers.yaml", ModifierRules),
        mixes=_read(folder / "mixes.yaml", MixRules),
        progression=_read(folder / "progression.yaml", ProgressionRules),
        start_program=_read(folder / "start_program.yaml", StartProgram),
        versions=versions,
        conditions=newest,
    )


@cache
def shipped_protocols() -> Protocols:
    """The protocol files that come with the project."""
    return load_protocols(shipped_folder())


def shipped_folder() -> Path:
    """Where the shipped protocol files lie."""
    return Path(str(files("shared.protocol") / "data"))


def _yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe loaders
    except FileNotFoundError:
        raise ProtocolError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProtocolError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ProtocolError(f"{path} must hold a mapping")
    return content


def _check(path: Path, content: Any, model: type[M]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ProtocolError(f"{path}: {place}: {first['msg']}") from None


def _read(path: Path, model: type[M]) -> M:
    return _check(path, _yaml(path), model)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.yaml")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
