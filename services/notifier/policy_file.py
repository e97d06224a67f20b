"""Reads policy files. Raises `PolicyError`: one line with the file, the place within it and the reason."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.notifier.domain.policy import Policies
from shared.settings import SettingError

SECTIONS = tuple(Policies.model_fields)
MERGED = ("recipients", "rotas", "policies")
"""Sections whose entries several files may share out."""


class PolicyError(SettingError):
    """A policy file cannot be used."""


def load_policies(path: Path | None) -> Policies:
    """The shipped policies, or those of a file or folder; what these leave out stays as shipped."""
    shipped = Path(str(files("services.notifier") / "policies" / "default.yaml"))
    content = _yaml(shipped)
    source: dict[str, Path] = {}
    for file in _files(path):
        for section, value in _yaml(file).items():
            if section not in SECTIONS:
                raise PolicyError(f"{file}: {section}: is none of {', '.join(SECTIONS)}")
            if section in MERGED and isinstance(value, dict):
                for name in value:
                    if f"{section}.{name}" in source:
                        raise PolicyError(f"{file}: {section}.{name}: stands in {source[f'{section}.{name}']} already")
                    source[f"{section}.{name}"] = file
                content[section] = {**content[section], **value}
            else:
                if section in source:
                    raise PolicyError(f"{file}: {section}: stands in {source[section]} already")
                content[section] = value
            source[section] = file
    try:
        return Policies.model_validate(content)
    except ValidationError as error:
        raise PolicyError(_explain(error, source, path or shipped)) from None


def _explain(error: ValidationError, source: dict[str, Path], fallback: Path) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    loc = [str(step) for step in first["loc"]]
    file = source.get(".".join(loc[:2])) or source.get(".".join(loc[:1])) or fallback
    place = f"{'.'.join(loc)}: " if loc else ""
    return f"{file}: {place}{first['msg'].removeprefix('Value error, ')}"


def _files(path: Path | None) -> list[Path]:
    if path is None:
        return []
    if not path.is_dir():
        return [path]
    found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if not found:
        raise PolicyError(f"{path}: holds no policy file (*.yaml)")
    return found


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PolicyError(f"{path}: is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise PolicyError(f"{path}: {line}is no YAML") from None
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: must hold a mapping")
    return content
