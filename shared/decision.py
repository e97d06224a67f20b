"""The face of a pure core: what comes in, and what a decision is made of.

A core is `decide(state, event, protocol, now) -> Decision`. It reads no clock, draws no chance, does
no I/O and logs nothing: the same four arguments give the same bytes. The runtime commits a decision
in one transaction, or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from shared.event.envelope import Event
from shared.event.rejection import ErrorCode
from shared.event.vocabulary import Urgency
from shared.event.wire import Payload

S = TypeVar("S")

URGENT = "!"
"""A timer whose name begins with it comes due in a lane of its own, which nothing less urgent can fill."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event was read: what a dead letter must name."""

    stream: str
    entry_id: str
    raw: bytes
    """The entry's original bytes."""

    @property
    def entered_at(self) -> datetime:
        """When the entry was written, by the clock of the server that gave it its id."""
        return datetime.fromtimestamp(int(self.entry_id.partition("-")[0]) / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event of the contract, as it arrived."""

    event: Event[Any]
    origin: Origin

    @property
    def id(self) -> str:
        return self.event.id

    @property
    def subject(self) -> str:
        return self.event.subject

    @property
    def time(self) -> datetime:
        """Event time: when the thing happened, as its producer's clock saw it."""
        return self.event.time

    @property
    def correlation_id(self) -> str:
        return self.event.correlation_id


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer of this service and patient has come due. A core ignores one that its state no longer wants."""

    id: str
    subject: str
    name: str
    time: datetime
    """The instant it was due."""
    correlation_id: str
    origin: Origin | None = None
    """Its entry, for a dead letter that can be replayed."""


@dataclass(frozen=True, slots=True)
class FlagsSalvaged:
    """Red flags read from an event whose rest is rejected: they act all the same (guarantee 4)."""

    id: str
    subject: str
    time: datetime
    correlation_id: str
    red_flags: tuple[tuple[str, Urgency], ...]
    """Ids that were reported present, with the vocabulary's urgency."""
    program_id: str | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of the effect of a timer: a mail sent, or not. `outcome` is what `Service.perform` returned."""

    timer: TimerFired
    outcome: Any

    @property
    def id(self) -> str:
        return self.timer.id

    @property
    def subject(self) -> str:
        return self.timer.subject

    @property
    def time(self) -> datetime:
        return self.timer.time

    @property
    def correlation_id(self) -> str:
        return self.timer.correlation_id


Incoming = Arrival | TimerFired | FlagsSalvaged | Performed


class Numbering(Enum):
    """How the commit fills `prescription_seq`, a counter of the program that two services share."""

    NEXT = "next"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to publish. The commit gives it the envelope: id, source, correlation, causation."""

    data: Payload
    time: datetime
    """That of the newest event it is based on; for a timer, the instant it was due."""
    key: str = ""
    """Tells apart two drafts of one type that the same input causes; part of the event's id."""
    numbering: Numbering | None = None
    """For payloads with `program_id` and `prescription_seq`: leave the field 0 and say how to fill it."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event to dead-letter: the one at hand, or one that waited in vain."""

    code: ErrorCode
    path: str
    message: str
    origin: Origin


Outcome = Literal["handled", "ignored", "waiting", "rejected"]


@dataclass(frozen=True, slots=True)
class Decision(Generic[S]):
    """All that follows from one input."""

    state: S | None
    """The patient's new state of this service; None where there is none (yet)."""
    drafts: tuple[Draft, ...] = ()
    timers: Mapping[str, datetime] = field(default_factory=dict)
    """Every timer that the patient shall have from now on, by name. What is left out is cancelled."""
    rejections: tuple[Rejection, ...] = ()
    outcome: Outcome = "handled"
    rule: str = ""
    """The rule that fired, for the log line: an id such as `RF01` or `P17`, never free text."""
    effect: bool = False
    """Answers a timer: talk to the world for it, from the state decided here.

    The state is committed first and the timer's entry stays pending; then `Service.perform` runs, and what it
    returns is decided as `Performed`. Whoever finds the entry again after a crash decides the timer again, on
    a state that says that an effect was begun. The timer must stay among `timers`.
    """
    ledger: tuple[Mapping[str, Any], ...] = ()
    """Appended to the patient's ledger, which nothing changes afterwards; JSON values only."""
    lists: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    """Where the patient's things stand in lists over all patients: list name to item to instant.

    Declared like timers: what is left out is taken off its list.
    """
    register: Mapping[str, str] = field(default_factory=dict)
    """Entries of the service's register, which belongs to no patient; the newest stands."""
