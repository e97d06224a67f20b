"""A protocol file as it was written: its content, and the line on which each part of it stands.

Raises `ProtocolError` with the file and the reason where there is nothing to read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.protocol.library import ProtocolError

Place = tuple[str | int, ...]
"""Where something stands within a file: keys and positions, from the outermost."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `name` is its path within the folder."""

    name: str
    content: Mapping[str, Any]
    lines: Mapping[Place, int]
    repeated: tuple[Place, ...] = ()
    """Keys that stand twice in one mapping: YAML takes the last one without a word."""

    def line(self, place: Place) -> int | None:
        """Of the place, or of what holds it."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return None


@dataclass(frozen=True, slots=True)
class Row:
    """An object of a protocol file that names its source: what is signed is one of these."""

    file: str
    place: Place
    value: Mapping[str, Any]
    """Its own values: neither source and mark, nor what lies within and names a source of its own."""
    source: tuple[str, ...]
    mark: str
    signed_by: str | None


def words(place: Place) -> str:
    """A place as people read it: `program.phases[0].min_weeks`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".") or "the file"


def file_names(folder: Path) -> tuple[str, ...]:
    """Every protocol file of a folder, by its path within it. Raises ProtocolError where there is none."""
    if not folder.is_dir():
        raise ProtocolError(f"{folder} is no folder of protocol files")
    names = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml")))
    if not names:
        raise ProtocolError(f"{folder} holds no protocol file (*.yaml)")
    return names


def read_document(folder: Path, name: str) -> Document:
    """One file of the folder. Raises ProtocolError."""
    path = folder / name
    try:
        loader = _LOADER(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
            lines: dict[Place, int] = {}
            repeated = tuple(_walk(node, (), lines)) if node is not None else ()
            content = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except FileNotFoundError:
        raise ProtocolError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProtocolError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ProtocolError(f"{path} must hold a mapping")
    return Document(name, content, lines, repeated)


def read_folder(folder: Path) -> dict[str, Document]:
    """Every file of the folder by name. Raises ProtocolError for the first that cannot be read."""
    return {name: read_document(folder, name) for name in file_names(folder)}


def rows(document: Document) -> Iterator[Row]:
    """Every object that names its source, in the order of the file."""
    for place, content in _objects((), document.content):
        if not is_row(content):
            continue
        source = content["source"]
        yield Row(
            file=document.name,
            place=place,
            value=_own(content),
            source=tuple(map(str, source)) if isinstance(source, list) else (str(source),),
            mark=str(content["mark"]),
            signed_by=None if content.get("signed_by") is None else str(content["signed_by"]),
        )


def is_row(content: Any) -> bool:
    """It names a source and a mark. Rows of the evidence do not: they are the sources."""
    return isinstance(content, dict) and "source" in content and "mark" in content


def _own(content: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in content.items() if key not in ("source", "mark", "signed_by")}
    return {key: value for key, value in own.items() if not _names_sources(value)}


def _names_sources(value: Any) -> bool:
    return any(is_row(content) for _, content in _objects((), value))


def _objects(place: Place, value: Any) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        yield place, value
        for key, inner in value.items():
            yield from _objects((*place, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _objects((*place, index), inner)


def _walk(node: Any, place: Place, lines: dict[Place, int]) -> Iterator[Place]:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            inner = (*place, str(key.value))
            if key.value in seen:
                yield inner
            seen.add(str(key.value))
            lines[inner] = key.start_mark.line + 1
            yield from _walk(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*place, index), lines)
