"""Folds a patient's entries of one batch into one change: what the commit script then does or does not do."""

import contextlib
import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from shared.decision import Arrival, Decision, FlagsSalvaged, Incoming, Origin, Performed, Rejection, TimerFired
from shared.event.envelope import derive_id
from shared.event.patient import PatientErased
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.upcast import unwrap, upcast
from shared.event.wire import Payload, Stream
from shared.protocol.library import Protocols
from shared.service import Service
from shared.stream.decode import Undecodable
from shared.stream.envelope import Cause, Outgoing, Refusal, letter, seal
from shared.stream.record import NewerStateError, Record, Stored, Timer, from_ms, to_ms
from shared.stream.salvage import salvage


@dataclass(frozen=True, slots=True)
class DueTimer:
    """An entry of a service's due streams."""

    subject: str
    name: str
    due_ms: int
    origin: Origin

    def id(self, service: str) -> str:
        """The same timer at the same instant always has the same id: it fires once."""
        return derive_id("timer", service, self.subject, self.name, str(self.due_ms))


Content = Arrival | DueTimer | Undecodable
LOOKED_AHEAD = 0
"""Deliveries of an entry that is read before its turn: its dead letter, if it needs one, is written in its turn."""


@dataclass(slots=True)
class Entry:
    """One entry of a batch."""

    entry_id: str
    content: Content
    deliveries: int
    performed: Performed | None = None
    """What came of its effect; kept over retries of the commit."""
    failure: Exception | None = None
    """What `perform` raised."""

    @property
    def origin(self) -> Origin:
        return self.content.origin


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of an entry, for its log line."""

    entry: Entry
    outcome: str
    rule: str = ""
    failure: str = ""
    """Type and place of the exception, where there was one; never its text."""
    correlation_id: str | None = None
    """A timer's, which only the record knows."""


@dataclass(slots=True)
class Change:
    """Everything that one patient's entries change."""

    subject: str
    version: int
    before: Record[Any]
    record: Record[Any]
    unreadable: Exception | None = None
    touched: bool = False
    erased: bool = False
    marks: list[str] = field(default_factory=list)
    unmarks: list[str] = field(default_factory=list)
    events: list[Outgoing] = field(default_factory=list)
    ledger: list[bytes] = field(default_factory=list)
    register: dict[str, str] = field(default_factory=dict)
    effects: list[tuple[Entry, TimerFired]] = field(default_factory=list)
    """To be performed once this change is committed; their entries are not acknowledged yet."""
    left: list[Entry] = field(default_factory=list)
    """To a newer release, which alone knows this patient's state; not acknowledged."""
    left_to: int = 0
    """The version of that state."""
    acks: list[str] = field(default_factory=list)
    letters: list[tuple[str, bytes]] = field(default_factory=list)
    """Published by whoever acknowledges the entry."""
    handled: list[Handled] = field(default_factory=list)
    told: list[Payload | Rejection] = field(default_factory=list)
    """What the decisions drafted and rejected, for the metrics."""


def marks_of(content: Content, service: str) -> tuple[str, ...]:
    """The marks that tell whether this has been handled before."""
    match content:
        case Arrival():
            return _marks(content.id, content.event.data.identity, content.event.data.model_dump)
        case DueTimer():
            return (f"timer:{content.id(service)}",)
        case Undecodable():
            return (f"salvage:{content.salvage.id}",) if content.salvage else ()


def sought_of(content: Content, service: str) -> tuple[str, ...]:
    """All marks to look up: beside those, that this very entry lies in the dead letters already."""
    return (*marks_of(content, service), _buried(content.origin))


def _buried(origin: Origin) -> str:
    """Its id may be handled later, in another entry; this one is not read again after its group was lost."""
    return f"buried:{origin.stream.rpartition(':')[2]}|{origin.entry_id}"


def _marks(event_id: str, identity: str | None, dump: Any) -> tuple[str, ...]:
    if identity is None:
        return (f"id:{event_id}",)
    return (f"id:{event_id}", f"{identity}:{dump(include={identity})[identity]}")


def _marks_of_original(origin: Origin) -> list[str]:
    """The marks of a rejected event are taken back, so that it can be replayed after a fix."""
    try:
        content = upcast(json.loads(unwrap(origin.raw)))
        payload = PAYLOAD_BY_TYPE[content["type"]]
        return list(_marks(content["id"], payload.identity, lambda include: content["data"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


@dataclass(frozen=True, slots=True)
class Fold:
    """The fold of one service: pure but for what `decide` may raise, which fails one entry only."""

    service: Service[Any]
    protocols: Protocols
    max_deliveries: int
    leaping_clock: bool = False
    """In a replay the clock leaps over days: a timer is decided at its own instant, as if it had been awaited."""

    def __call__(
        self, subject: str, stored: Stored[Any], seen: Iterable[str], entries: Sequence[Entry], now: datetime
    ) -> Change:
        change = Change(subject, stored.version, stored.record, stored.record, unreadable=stored.unreadable)
        known = set(seen)
        for entry in entries:
            if _buried(entry.origin) in known:
                change.acks.append(entry.entry_id)
                change.handled.append(Handled(entry, "duplicate"))
                continue
            if isinstance(change.unreadable, NewerStateError) and not _is_erasure(entry.content):
                change.left.append(entry)
                change.left_to = change.unreadable.found
                change.handled.append(Handled(entry, "left", "newer_state"))
                continue
            if isinstance(entry.content, Undecodable):
                self._reject(change, known, entry, entry.content, now)
                continue
            if entry.deliveries > self.max_deliveries:
                self._fail(change, entry, RepeatedlyLostError(), now)
                continue
            timer = change.record.timers.get(entry.content.name) if isinstance(entry.content, DueTimer) else None
            try:
                outcome, rule = self._handle(change, known, entry, entry.content, now)
            except Exception as error:  # whatever a core raises is a bug in it, and fails this entry alone
                self._fail(change, entry, error, now)
                continue
            if outcome != "begun":
                change.acks.append(entry.entry_id)
            correlation_id = timer.correlation_id if timer else None
            change.handled.append(Handled(entry, outcome, rule, correlation_id=correlation_id))
        return change

    def wanted(self, stored: Stored[Any], entry: Entry) -> TimerFired | None:
        """The timer of an entry, if the record still has it at that instant."""
        content = entry.content
        if not isinstance(content, DueTimer):
            return None
        timer = stored.record.timers.get(content.name)
        if timer is None or timer.due_ms != content.due_ms:
            return None
        return TimerFired(
            content.id(self.service.name),
            content.subject,
            content.name,
            from_ms(content.due_ms),
            timer.correlation_id,
            content.origin,
        )

    def _handle(
        self, change: Change, known: set[str], entry: Entry, content: Arrival | DueTimer, now: datetime
    ) -> tuple[str, str]:
        marks = marks_of(content, self.service.name)
        if any(mark in known for mark in marks):
            return "duplicate", ""
        incoming: Incoming
        fired: TimerFired | None = None
        if isinstance(content, Arrival) and _is_erasure(content):
            return self._erase(change, known, content.time), ""
        if problem := change.unreadable or entry.failure:
            raise problem
        if isinstance(content, DueTimer):
            fired = self.wanted(Stored(change.version, change.record), entry)
            if fired is None and (entry.performed is None or change.record.state is None):
                return "ignored", ""  # also what came of a message to somebody who was erased meanwhile
            incoming = entry.performed or fired  # type: ignore[assignment]  # one of them is there
        else:
            erased_at = change.record.erased_at
            if erased_at is not None and content.time <= erased_at:
                return "erased", ""
            incoming = content
        decision = self._decide(change, incoming, now)
        if decision.effect:
            if fired is None:
                raise ValueError("only a timer has an effect")
            change.effects.append((entry, fired))
            return "begun", decision.rule
        rejected = [mark for rejection in decision.rejections for mark in _marks_of_original(rejection.origin)]
        if any(rejection.origin == entry.origin for rejection in decision.rejections):
            rejected += marks
        change.unmarks.extend(rejected)
        fresh = [mark for mark in marks if mark not in rejected]
        fresh += [_buried(rejection.origin) for rejection in decision.rejections]
        change.marks = [mark for mark in change.marks if mark not in rejected] + fresh
        known.difference_update(rejected)
        known.update(fresh)
        return decision.outcome, decision.rule

    def _decide(self, change: Change, incoming: Incoming, now: datetime) -> Decision[Any]:
        """Applies one decision. Nothing of the change moves unless all of it can be encoded."""
        service, cause = self.service, Cause.of(incoming)
        if self.leaping_clock and isinstance(incoming, TimerFired | Performed):
            now = incoming.time
        decision = service.decide(change.record.state, incoming, self.protocols, now)
        events = [seal(service.name, change.subject, cause, draft) for draft in decision.drafts]
        if len({(type(draft.data), draft.key) for draft in decision.drafts}) < len(events):
            raise ValueError("two drafts of one type need different keys")
        ledger = [msgspec.json.encode(entry) for entry in decision.ledger]
        for rejection in decision.rejections:
            refusal = Refusal(rejection.origin, rejection.code, rejection.path, rejection.message)
            body = letter(service.name, change.subject, cause, refusal, incoming.time)
            place = f"{rejection.origin.stream}|{rejection.origin.entry_id}"
            events.append(Outgoing(Stream.DEAD_LETTERS, body, place=place))
        change.record = Record(
            state=decision.state,
            timers=_timers(change.record.timers, decision.timers, cause),
            erased_at=change.record.erased_at,
            state_version=service.state_version,
            lists={name: _in_ms(items) for name, items in sorted(decision.lists.items()) if items},
        )
        change.events.extend(events)
        change.told += [draft.data for draft in decision.drafts]
        change.told += decision.rejections
        change.ledger.extend(ledger)
        change.register.update(decision.register)
        change.touched = True
        return decision

    def _erase(self, change: Change, known: set[str], time: datetime) -> str:
        erased_at = change.record.erased_at
        if erased_at is not None and time <= erased_at:
            return "duplicate"
        change.record, change.unreadable = Record(erased_at=time), None
        change.touched = change.erased = True
        change.marks.clear()
        change.unmarks.clear()
        change.ledger.clear()
        change.effects.clear()
        known.clear()
        return "erased"

    def _fail(self, change: Change, entry: Entry, error: Exception, now: datetime) -> None:
        name = f"{type(error).__name__}{_place(error)}"
        if entry.deliveries < self.max_deliveries:
            change.handled.append(Handled(entry, "failed", failure=name))
            return
        refusal = Refusal(
            entry.origin, "handler_failed", "$", f"handling failed: {type(error).__name__}", entry.deliveries
        )
        cause = Cause.of(entry.content) if isinstance(entry.content, Arrival) else None
        self._save_flags(change, entry, now)
        body = letter(self.service.name, change.subject, cause, refusal, now)
        change.letters.append((entry.entry_id, body))
        change.marks.append(_buried(entry.origin))
        change.handled.append(Handled(entry, "dead_lettered", "handler_failed", failure=name))

    def _save_flags(self, change: Change, entry: Entry, now: datetime) -> None:
        """The red flags of an event that cannot be handled act all the same, if the core can do that much."""
        if not isinstance(entry.content, Arrival) or change.unreadable:
            return
        event = entry.content.event
        flags = salvage(
            json.loads(unwrap(entry.origin.raw)),
            stream=event.data.stream,
            subject=event.subject,
            cause=event.id,
            correlation_id=event.correlation_id,
            latest=event.time,
            now=now,
        )
        if flags is None:
            return
        with contextlib.suppress(Exception):  # the entry's own failure is what gets reported
            self._decide(change, flags, now)

    def _reject(self, change: Change, known: set[str], entry: Entry, content: Undecodable, now: datetime) -> None:
        """Dead-letters what is no event, and lets its red flags act in the same commit."""
        rule: str = content.code
        mark = marks_of(content, self.service.name)
        if content.salvage is not None and change.unreadable:
            self._fail(change, entry, change.unreadable, now)  # a decision would replace the state by a new one
            return
        erased = content.salvage is not None and _is_erased(change, content.salvage)
        if content.salvage is not None and not known.intersection(mark) and not erased:
            try:
                decision = self._decide(change, content.salvage, now)
            except Exception as error:
                self._fail(change, entry, error, now)
                return
            change.marks.extend(mark)
            known.update(mark)
            rule = decision.rule or rule
        if entry.deliveries == LOOKED_AHEAD:
            change.handled.append(Handled(entry, "waiting", rule))
            return
        change.letters.append((entry.entry_id, bury(self.service.name, entry, content, now)))
        if not erased:  # nothing new is kept under the name of a patient who was erased
            change.marks.append(_buried(entry.origin))
        change.handled.append(Handled(entry, "dead_lettered", rule))


class RepeatedlyLostError(Exception):
    """Each process that tried this entry died over it, or lost it: it is not tried again."""


def _place(error: Exception) -> str:
    """Where in the code it was raised; the message is left out, it may quote a patient."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def bury(service: str, entry: Entry, content: Undecodable, now: datetime) -> bytes:
    """The dead letter of an entry that is no event."""
    refusal = Refusal(content.origin, content.code, content.path, content.message, entry.deliveries)
    cause = None
    if content.event_id is not None:
        cause = Cause(content.event_id, content.correlation_id or content.event_id)
    return letter(service, content.subject, cause, refusal, now)


def _is_erasure(content: Content) -> bool:
    """It needs no state, so any release handles it."""
    return isinstance(content, Arrival) and isinstance(content.event.data, PatientErased)


def _is_erased(change: Change, salvaged: FlagsSalvaged) -> bool:
    erased_at = change.record.erased_at
    return erased_at is not None and salvaged.time <= erased_at


def _in_ms(items: Mapping[str, datetime]) -> dict[str, int]:
    return {item: to_ms(items[item]) for item in sorted(items)}


def _timers(before: Mapping[str, Timer], wanted: Mapping[str, datetime], cause: Cause) -> dict[str, Timer]:
    """A timer that stays as it was keeps its correlation."""
    timers = {}
    for name in sorted(wanted):
        due_ms, kept = to_ms(wanted[name]), before.get(name)
        timers[name] = kept if kept and kept.due_ms == due_ms else Timer(due_ms, cause.correlation_id)
    return timers
