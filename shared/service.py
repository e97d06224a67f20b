"""The face that every service shows to the runtime."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared.decision import Decision, Incoming, TimerFired
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.view import View

if TYPE_CHECKING:
    from shared.stream.desk import Desk

S = TypeVar("S")

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""One version of a state, as a JSON object, to the next version. Pure."""


@dataclass(frozen=True, slots=True)
class Service(Generic[S]):
    """One service: what it reads and writes, and its pure core."""

    name: str
    """Also the name of its consumer groups."""
    summary: str
    """One line for documents: consumes, decides, emits."""
    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    state_type: type[S]
    """A msgspec Struct."""
    decide: Callable[[S | None, Incoming, Protocols, datetime], Decision[S]]
    perform: Callable[[S, TimerFired, "Desk[S]"], Awaitable[Any]] | None = None
    """Talks to the world for a timer whose decision had an `effect`, from the state committed for it.

    What it returns is decided as `Performed`. It must end well within `CARE_CLAIM_IDLE_S`.
    """
    words: frozenset[str] = frozenset()
    """What its decisions may name beside the protocols' evidence rows: rules and channels. For labels of metrics."""
    measure: Callable[["Desk[S]"], Awaitable[None]] | None = None
    """Sets the service's own gauges when metrics are asked for, at most every few seconds. Its cost is bounded."""
    start_up: Callable[[], Awaitable[Any]] | None = None
    """Runs once before the first event, e.g. to warn of a missing mail server."""
    routes: Callable[["Desk[S]"], Sequence[tuple[str, Any]]] | None = None
    """ASGI applications by exact path, served beside the health routes."""
    attend: Callable[["Desk[S]"], Awaitable[None]] | None = None
    """Runs beside the subscribers until the process stops."""
    views: tuple[View[S], ...] = ()
    """What it shows of a patient over HTTP, from its state."""
    state_version: int = 1
    """Rises when older code would misread the state that this code writes (docs/upgrades.md)."""
    upcasts: Mapping[int, Upcast] = field(default_factory=dict)
    """From each older version to the one after it."""

    def __post_init__(self) -> None:
        if set(self.upcasts) != set(range(1, self.state_version)):
            raise ValueError(f"{self.name}: one upcast is needed for each version before {self.state_version}")
