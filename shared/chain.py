"""Entries of a log, each bound to the one before by its hash, so that none can be changed or taken out unseen.

An entry is a JSON object with `seq` from 1, `prev` (the hash of the entry before, empty for the first) and `hash`:
SHA-256 of the entry's canonical JSON, which holds `prev`, without its own hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any


def link(entry: Mapping[str, Any], seq: int, prev: str) -> dict[str, Any]:
    """The entry as it goes into the log behind the one whose hash is `prev`."""
    linked = {"seq": seq, **entry, "prev": prev}
    linked["hash"] = _hash(linked)
    return linked


def verify(entries: Iterable[Mapping[str, Any]], before: tuple[int, str] = (0, "")) -> int | None:
    """The number of the first entry that does not follow from the one before; None: all do.

    `before`: number and hash of the entry before the first, where not all are at hand.
    """
    number, prev = before
    for seq, entry in enumerate(entries, start=number + 1):
        if entry.get("seq") != seq or entry.get("prev") != prev or entry.get("hash") != _hash(entry):
            return seq
        prev = entry["hash"]
    return None


def stamp(instant: datetime) -> str:
    """RFC 3339 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _hash(entry: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in entry.items() if name != "hash"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
