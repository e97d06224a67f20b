"""All services in memory: their pure cores, joined as the contract's table of streams joins them.

The runtime's own pure parts decode entries and fold them (`shared.stream.decode`, `shared.stream.fold`), so
envelopes, marks against duplicates, timers and dead letters are the runtime's to the byte. Only Redis is
replaced: streams, records and timers lie in dictionaries, as encoded as they would lie in Redis. One entry
is handled at a time, in order of arrival, so a run is a function of what is submitted and how the clock moves.
The simulation, `protocols try` and tests run care through it, at about a millisecond for each decision.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.decision import Decision, Incoming, Origin, Performed, TimerFired
from shared.event.envelope import Event
from shared.event.registry import PAYLOAD_BY_TYPE, adapter
from shared.event.wire import Stream
from shared.protocol.library import Protocols, shipped_protocols
from shared.service import Service
from shared.stream.decode import Source, Undecodable, decode
from shared.stream.envelope import Outgoing
from shared.stream.fold import Change, DueTimer, Entry, Fold
from shared.stream.key import ANSWERS_FOR, DATA_FIELD, Lane, lane_key, stream_key
from shared.stream.record import Record, Stored, encode, from_ms, reader, to_ms, to_plain

Perform = Callable[[Service[Any], Any, TimerFired], Any]
"""Stands in for `Service.perform`: talks to a world of the caller's own, and returns what came of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of one core."""

    service: str
    what: str
    """An event type, or `timer` and its name."""
    at: datetime
    outcome: str
    rule: str


@dataclass(slots=True)
class _Holding:
    """What one service holds of one patient."""

    version: int = 0
    record: bytes | None = None
    marks: set[str] = field(default_factory=set)
    timers: dict[str, int] = field(default_factory=dict)
    """Name to the instant due, in ms."""
    read: tuple[bytes, Stored[Any]] | None = None
    """The record as it was decoded last; a state is frozen, so what was read once need not be read again."""
    kept: Stored[Any] | None = None
    """Instead of `record`, where nothing is encoded."""


class PurePipeline:
    """Services joined in memory. `now` starts where the caller says and only moves forward.

    `coarse`: the clock jumps, as a replayer moves it, and a timer sees a now that is later than its due instant;
    otherwise it passes through every instant, as on the wall.
    `keeps_decoded`: states are handed on as they are, not encoded and read again as in Redis: a fifth faster, for
    whoever runs many patients. A test shows that the outputs are the same to the byte.
    """

    def __init__(
        self,
        services: Iterable[Service[Any]],
        now: datetime,
        *,
        protocols: Protocols | None = None,
        perform: Perform | None = None,
        max_ahead: timedelta = timedelta(hours=24),
        coarse: bool = False,
        keeps_decoded: bool = False,
    ) -> None:
        self.services = {service.name: service for service in services}
        self.protocols = protocols or shipped_protocols()
        self.now = now
        self.max_ahead = max_ahead
        self.coarse = coarse
        self.keeps_decoded = keeps_decoded
        self.steps: list[Step] = []
        self._perform = perform
        self._failures: list[Exception] = []
        self._folds = {
            name: Fold(
                replace(service, decide=self._watched(service)),
                self.protocols,
                max_deliveries=1,
                leaping_clock=True,
            )
            for name, service in self.services.items()
        }
        self._readers = {name: reader(service) for name, service in self.services.items()}
        self._entries: dict[Stream, list[bytes]] = defaultdict(list)
        self._parsed: dict[Stream, list[Event[Any]]] = defaultdict(list)
        self._queue: deque[tuple[str, Stream, str, bytes]] = deque()
        self._holdings: dict[tuple[str, str], _Holding] = defaultdict(_Holding)
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._rejected: set[str] = set()
        """Entries that have a dead letter; others that give them up write none."""
        self.ledgers: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        """By service and patient, as encoded in Redis."""
        self._fired = 0
        self._due: list[tuple[int, str, str, str]] = []
        """A heap of (due, service, patient, timer); what was cancelled since stays in it and is skipped."""

    # ---- what goes in ----

    def submit(self, raw: bytes, stream: Stream | None = None) -> None:
        """Appends what a platform sends to its stream and lets every service handle what follows.

        Without `stream`, to the one of the event's type.
        """
        self._append(stream or PAYLOAD_BY_TYPE[_HEAD.decode(raw).type].stream, raw)
        self._drain()

    def advance(self, to: datetime) -> None:
        """Moves the clock; every timer due by then fires, in order of due time."""
        if to < self.now:
            raise ValueError(f"the clock never moves backward: {self.now} to {to}")
        while due := self._next_due(to_ms(to)):
            due_ms, service, patient, name = due
            self.now = to if self.coarse else max(self.now, from_ms(due_ms))
            self._fire(service, patient, name, due_ms)
            self._drain()
        self.now = to

    def replay(self, raws: Iterable[bytes]) -> None:
        """Submits events in the order given; the clock follows their `time`.

        What is due before an event fires before it; what is due at its very instant fires after it.
        """
        for raw in raws:
            time = time_of(raw)
            if time > self.now:
                self.advance(time - timedelta(milliseconds=1))
                self.now = time
            self.submit(raw)

    # ---- what comes out ----

    def published(self, stream: Stream | str | None = None, patient: str | None = None) -> list[Event[Any]]:
        """What lies in one stream, in order, or what the services published to all of theirs."""
        streams = [name for name in Stream if name not in _PLATFORM] if stream is None else [Stream(stream)]
        found = [event for name in streams for event in self._parsed_entries(name)]
        return [event for event in found if patient is None or event.subject == patient]

    def _parsed_entries(self, stream: Stream) -> list[Event[Any]]:
        parsed = self._parsed[stream]
        parsed.extend(_parse(raw) for raw in self._entries[stream][len(parsed) :])
        return parsed

    def entries(self, stream: Stream | str, after: int = 0) -> tuple[bytes, ...]:
        """The entries of one stream as they would lie in Redis; `after`: without so many of the first."""
        return tuple(self._entries[Stream(stream)][after:])

    def state(self, service: str, patient: str) -> Any:
        """One service's decoded state of one patient; None where it holds nothing."""
        return self._stored(service, patient).record.state

    def timers(self, service: str, patient: str) -> dict[str, datetime]:
        """The instants of one patient's timers by name."""
        timers = self._stored(service, patient).record.timers
        return {name: from_ms(timers[name].due_ms) for name in sorted(timers)}

    def record(self, service: str, patient: str) -> bytes:
        """What one service stores of one patient, as it would lie in Redis; empty where it holds nothing."""
        holding = self._holdings[(service, patient)]
        return holding.record or b"" if holding.kept is None else encode(holding.kept.record, holding.version)

    def save(self) -> dict[str, Any]:
        """All that lies beside the streams, as JSON: to go on from it elsewhere, e.g. with a newer release."""
        if self.keeps_decoded:
            raise ValueError("records that are not encoded cannot be saved")
        holdings = [
            {
                "service": service,
                "patient": patient,
                "record": to_plain(held.record).decode(),
                "marks": sorted(held.marks),
            }
            for (service, patient), held in sorted(self._holdings.items())
            if held.record is not None
        ]
        numbers = [[*key, number] for key, number in sorted(self._numbers.items())]
        return {"now": self.now.isoformat(), "holdings": holdings, "numbers": numbers}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Goes on where another pipeline was saved. The streams stay empty."""
        self.now = datetime.fromisoformat(saved["now"])
        for held in saved["holdings"]:
            service, patient, raw = held["service"], held["patient"], held["record"].encode()
            holding = _Holding(int(raw.partition(b":")[0]), raw, set(held["marks"]))
            self._holdings[(service, patient)] = holding
            self._set_timers(service, patient, holding, self._stored(service, patient).record)
        self._numbers.update({(patient, program): number for patient, program, number in saved["numbers"]})

    # ---- what Redis and the consumers do otherwise ----

    def _append(self, stream: Stream, raw: bytes) -> None:
        self._entries[stream].append(raw)
        entry_id = f"{len(self._entries[stream])}-0"
        for service in self.services.values():
            if stream in service.reads or stream is Stream.PATIENTS:
                self._queue.append((service.name, stream, entry_id, raw))

    def _drain(self) -> None:
        while self._queue:
            self._handle(*self._queue.popleft())

    def _handle(self, service: str, stream: Stream, entry_id: str, raw: bytes) -> None:
        source = Source(0, 1, stream, stream_key(0, stream), self.max_ahead)
        content = decode(entry_id, {DATA_FIELD: raw}, source, self.now)
        if isinstance(content, Undecodable) and ANSWERS_FOR[stream] != service:
            return
        self._fold(service, content.subject or "unknown", Entry(entry_id, content, 1))

    def _fold(self, service: str, patient: str, entry: Entry) -> Change:
        holding = self._holdings[(service, patient)]
        change = self._folds[service](patient, self._stored(service, patient), holding.marks, [entry], self.now)
        if self._failures:
            raise self._failures.pop()
        self._commit(service, patient, change)
        return change

    def _commit(self, service: str, patient: str, change: Change) -> None:
        if change.erased:
            self._holdings[(service, patient)] = _Holding(version=change.version)
            self.ledgers.pop((service, patient), None)
            for key in [key for key in self._numbers if key[0] == patient]:
                del self._numbers[key]
        holding = self._holdings[(service, patient)]
        if change.touched:
            holding.version += 1
            if self.keeps_decoded:
                holding.kept = Stored(holding.version, change.record)
            else:
                holding.record = encode(change.record, holding.version)
            self._set_timers(service, patient, holding, change.record)
        self.ledgers[(service, patient)] += change.ledger
        holding.marks.update(change.marks)
        holding.marks.difference_update(change.unmarks)
        for event in change.events:
            if event.place:
                if event.place in self._rejected:
                    continue
                self._rejected.add(event.place)
            self._append(event.stream, self._numbered(patient, event))
        for _, letter in change.letters:
            self._append(Stream.DEAD_LETTERS, letter)

    def _set_timers(self, service: str, patient: str, holding: _Holding, record: Record[Any]) -> None:
        timers = {name: timer.due_ms for name, timer in record.timers.items()}
        for name, due_ms in timers.items():
            if holding.timers.get(name) != due_ms:
                heapq.heappush(self._due, (due_ms, service, patient, name))
        holding.timers = timers

    def _next_due(self, to: int) -> tuple[int, str, str, str] | None:
        while self._due and self._due[0][0] <= to:
            due = heapq.heappop(self._due)
            due_ms, service, patient, name = due
            if self._holdings[(service, patient)].timers.get(name) == due_ms:
                return due
        return None

    def _fire(self, service: str, patient: str, name: str, due_ms: int) -> None:
        raw = f"{due_ms}|{patient}|{name}".encode()
        self._fired += 1
        origin = Origin(lane_key(0, service, Lane.DUE), f"{self._fired}-0", raw)
        entry = Entry(origin.entry_id, DueTimer(patient, name, due_ms, origin), 1)
        self._holdings[(service, patient)].timers.pop(name, None)
        change = self._fold(service, patient, entry)
        for _, timer in change.effects:
            outcome = self._perform(self.services[service], change.record.state, timer) if self._perform else None
            entry.performed = Performed(timer, outcome)
            change = self._fold(service, patient, entry)
        kept = self._stored(service, patient).record.timers.get(name)
        if kept is not None and kept.due_ms == due_ms and not change.unmarks:
            raise RuntimeError(f"{service} keeps {name} for the instant at which it fired: it would never fire")

    def _numbered(self, patient: str, event: Outgoing) -> bytes:
        if not event.numbering:
            return event.prefix
        key = (patient, event.program_id)
        self._numbers[key] += event.numbering == "next"
        return event.prefix + str(self._numbers[key]).encode() + event.suffix

    def _stored(self, service: str, patient: str) -> Stored[Any]:
        holding = self._holdings[(service, patient)]
        if holding.kept is not None:
            return holding.kept
        if holding.record is None:
            return self._readers[service](None)
        if holding.read is None or holding.read[0] is not holding.record:
            holding.read = holding.record, self._readers[service](holding.record)
        return holding.read[1]

    def _watched(self, service: Service[Any]) -> Callable[[Any, Incoming, Protocols, datetime], Decision[Any]]:
        """The core's `decide`; what it raises is kept, for the caller shall see it and not a dead letter."""

        def decide(state: Any, incoming: Incoming, protocols: Protocols, now: datetime) -> Decision[Any]:
            try:
                decision = service.decide(state, incoming, protocols, now)
                self._check(service, decision)
            except Exception as error:
                self._failures.append(error)
                raise
            self.steps.append(Step(service.name, _what(incoming), now, decision.outcome, decision.rule))
            return decision

        return decide

    def _check(self, service: Service[Any], decision: Decision[Any]) -> None:
        for draft in decision.drafts:
            if draft.data.stream not in service.writes:
                raise RuntimeError(f"{service.name} does not say that it writes to {draft.data.stream}")


class _Head(msgspec.Struct):
    """What is read of an event before a service decodes it."""

    type: str
    time: str


_HEAD = msgspec.json.Decoder(_Head)
_PLATFORM = (Stream.INTAKES, Stream.SESSIONS, Stream.DECISIONS, Stream.PATIENTS)


def time_of(raw: bytes) -> datetime:
    """The event time of a raw event."""
    return datetime.fromisoformat(_HEAD.decode(raw).time)


def _parse(raw: bytes) -> Event[Any]:
    return adapter(_HEAD.decode(raw).type).validate_json(raw)


def _what(incoming: Incoming) -> str:
    match incoming:
        case TimerFired():
            return f"timer {incoming.name}"
        case Performed():
            return f"performed {incoming.timer.name}"
        case _:
            return getattr(getattr(incoming, "event", None), "type", "salvaged flags")
