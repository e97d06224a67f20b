"""Finds and reads the journeys that ship with the project.

A journey is a JSON-lines file. Its first line is its head, an object with the key `journey`: where the
figures come from, what lies between them, what had to be assumed, and how it must end. Every further line
is one event of the contract, in order of `time`.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

HEAD_KEY = "journey"


@dataclass(frozen=True, slots=True)
class Journey:
    """One patient's course."""

    journey_id: str
    title: str
    patient: str
    """The pseudonym: `subject` of every event."""
    path: Path
    head: dict[str, Any]
    events: tuple[bytes, ...]
    """As they go over the wire, in order of `time`."""


def is_head(line: bytes | str) -> bool:
    """Whether a line is a journey's head and therefore no event."""
    content = json.loads(line)
    return isinstance(content, dict) and HEAD_KEY in content and "specversion" not in content


def read_journey(path: Path) -> Journey:
    """Reads one file. Raises ValueError where it has no head."""
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    if not lines or not is_head(lines[0]):
        raise ValueError(f"{path} does not begin with a journey's head")
    head: dict[str, Any] = json.loads(lines[0])
    return Journey(head[HEAD_KEY], head["title"], head["patient"], path, head, tuple(lines[1:]))


def shipped_folder() -> Path:
    """Where the shipped journeys lie."""
    return Path(str(files("shared.journey") / "data"))


def shipped_journeys() -> list[Journey]:
    """All shipped journeys, in order of their ids."""
    return [read_journey(path) for path in sorted(shipped_folder().glob("*.jsonl"))]
