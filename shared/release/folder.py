"""The released schemas: one folder for each version, which nothing changes afterwards.

released/<version>/release.json       the version, and the stream of each event type
released/<version>/<type>.json        the JSON Schema of each event type
released/<version>/vocabulary.json    the public ids
released/<version>/asyncapi.json      the whole as AsyncAPI
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from shared.document import as_json, json_schemas
from shared.event.registry import PAYLOADS
from shared.recording import PLATFORM_STREAMS
from shared.release.breakage import CONSUMERS, PRODUCERS, Breakage
from shared.release.schema_change import Comparison, Role
from shared.release.vocabulary_change import lists_ids, vocabulary_breakages

MANIFEST = "release.json"
VOCABULARY = "vocabulary.json"
ASYNCAPI = "asyncapi.json"
OPEN_LISTS = {("care.event.rejected.v1", "$.data.error.code")}
"""Enumerations of outputs that may grow, as the promise says: codes for programs that treat an unknown one as any."""
_VERSION = re.compile(r"^\d+\.\d+\.\d+$")
_INPUTS = {stream.value for stream in PLATFORM_STREAMS}


class ReleaseError(Exception):
    """A version cannot be released, or a release not be read. The message is one line."""


@dataclass(frozen=True, slots=True)
class Release:
    """What producers and consumers of one version rely on."""

    version: str
    streams: Mapping[str, str]
    """Of each event type."""
    schemas: Mapping[str, Any]
    vocabulary: Mapping[str, Any]


def present(version: str) -> Release:
    """What the code says now."""
    schemas = {name.removesuffix(".json"): json.loads(text) for name, text in json_schemas().items()}
    vocabulary = json.loads((files("shared.event") / VOCABULARY).read_text(encoding="utf-8"))
    streams = {payload.event_type: payload.stream.value for payload in PAYLOADS}
    return Release(version, streams, schemas, vocabulary)


def texts(release: Release, asyncapi: str) -> dict[str, str]:
    """The files of a release, by name."""
    manifest = {"version": release.version, "streams": dict(release.streams)}
    schemas = {f"{name}.json": as_json(schema) for name, schema in release.schemas.items()}
    return {MANIFEST: as_json(manifest), VOCABULARY: as_json(release.vocabulary), ASYNCAPI: asyncapi} | schemas


def last(folder: Path) -> Release | None:
    """The highest version that was released; None before the first. Raises ReleaseError for one that is damaged."""
    versions = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    if not versions:
        return None
    version = max(versions, key=number)
    try:
        manifest = _read(folder / version / MANIFEST)
        schemas = {name: _read(folder / version / f"{name}.json") for name in manifest["streams"]}
        return Release(version, manifest["streams"], schemas, _read(folder / version / VOCABULARY))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"the release {folder / version} cannot be read ({error}); restore it") from None


def number(version: str) -> tuple[int, ...]:
    """For comparing versions. Raises ReleaseError for what is none."""
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"{version!r} is no version: three numbers with points between them")
    return tuple(int(part) for part in version.split("."))


def breakages(old: Release, new: Release) -> Iterator[Breakage]:
    """Every change since a release that would break somebody."""
    for name, stream in old.streams.items():
        if name not in new.streams:
            remedy = "keep it beside the new version until nobody uses it"
            yield Breakage(name, "", "the event type is gone", remedy)
            continue
        if new.streams[name] != stream:
            what = f"it was in the stream {stream} and is in {new.streams[name]}"
            yield Breakage(name, "", what, "leave it there; only a new type may have another stream")
        yield from _schema_breakages(old, new, name, "input" if stream in _INPUTS else "output")
    yield from vocabulary_breakages(old.vocabulary, new.vocabulary)


def _schema_breakages(old: Release, new: Release, name: str, role: Role) -> Iterator[Breakage]:
    def is_vocabulary(olds: Any, news: Any) -> bool:
        return lists_ids(old.vocabulary, new.vocabulary, olds, news)

    who = PRODUCERS if role == "input" else CONSUMERS
    thing, _, version = name.rpartition(".v")
    remedy = f"take it back, or make it {thing}.v{int(version) + 1} (docs/compatibility.md)"
    for change in Comparison(old.schemas[name], new.schemas[name], role, is_vocabulary).breakages():
        if not ((name, change.path) in OPEN_LISTS and change.what.endswith("is new")):
            yield Breakage(name, change.path, f"{change.what}: {who}", remedy)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
