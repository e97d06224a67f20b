"""The face that every service shows to the runtime."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from shared.decision import Decision, Incoming, Performed, TimerFired
from shared.event.wire import Stream
from shared.protocol.library import Protocols

S = TypeVar("S")


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
    perform: Callable[[S, TimerFired], Awaitable[Performed | None]] | None = None
    """Talks to the world for a timer, from committed state; None where that timer needs nothing.

    At least once: it runs again where the process dies before the outcome is committed.
    """
    start_up: Callable[[], Awaitable[Any]] | None = None
    """Runs once before the first event, e.g. to warn of a missing mail server."""
