"""From an entry's bytes to the event as this release reads it, also where an older release or platform wrote it.

A type that was replaced by a `.v2` stays in `UPCASTS` for as long as anything writes it or waits as state
(docs/upgrades.md). An upcast takes the whole event as a JSON object and returns it as the next newer type; the result
is validated like any event of that type.
"""

import json
from collections.abc import Callable
from typing import Any

from shared.event.envelope import Event
from shared.event.registry import adapter

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: dict[str, Upcast] = {}
"""By older type. None of the contract's types has been replaced yet."""

_ENVELOPE = b"\x89BIN\r\n\x1a\n"
"""How FastStream's own publisher begins an entry."""


def unwrap(raw: bytes) -> bytes:
    """The JSON of an entry: the bytes as they are, or the body of FastStream's binary envelope."""
    if raw.startswith(_ENVELOPE) and len(raw) >= 18:
        return raw[int.from_bytes(raw[14:18], "big") :]
    return raw


def upcast(event: dict[str, Any]) -> dict[str, Any]:
    """The event as its newest type. An upcast that finds something missing may raise what it likes."""
    while (step := UPCASTS.get(event.get("type", ""))) is not None:
        event = step(event)
    return event


def parse(raw: bytes) -> Event[Any]:
    """An event that was valid when it was written and has been kept since, e.g. until what it belongs to is known."""
    event = upcast(json.loads(unwrap(raw)))
    return adapter(event["type"]).validate_json(json.dumps(event))
