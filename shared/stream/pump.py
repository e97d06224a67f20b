"""Handles batches of one stream for one service: decode, load, fold, commit.

Two round trips for a batch. What fails stays pending or becomes a dead letter by itself; the rest goes on.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.decision import URGENT, Origin, Performed, TimerFired
from shared.event.wire import Stream
from shared.log import logger
from shared.metric import Metrics
from shared.protocol.library import Protocols
from shared.pseudonym import may_identify
from shared.service import Service
from shared.settings import Settings
from shared.stream.clock import Clock
from shared.stream.commit import Commit
from shared.stream.connection import PASSING
from shared.stream.decode import Source, Undecodable, decode
from shared.stream.desk import Desk
from shared.stream.fold import Change, Content, DueTimer, Entry, Fold, Handled, sought_of
from shared.stream.handover import hand_over
from shared.stream.key import ANSWERS_FOR, DATA_FIELD, Lane, lane_key, seen_key, state_key, stream_key, tombstone_key
from shared.stream.meter import Meter
from shared.stream.record import Stored, reader
from shared.stream.span import SpanWriter
from shared.trace import Traces

ATTEMPTS = 50
"""Of one commit under contention; then the entries stay pending and are tried again later."""

BEHIND_S = 5.0
"""A full batch means a backlog, for so long."""

HELD_UP_S = 0.05
"""No batch holds up all else in its process for longer: emergencies, health checks, the watchdog."""

NOBODY = ""
"""Stands for the patient of an entry that is no event: the mark of its dead letter has to lie somewhere."""

Row = Mapping[bytes, bytes] | None
Effect = tuple[Change, Entry, TimerFired]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all pumps of a process share."""

    client: Redis
    clock: Clock
    settings: Settings
    protocols: Protocols
    metrics: Metrics
    traces: Traces | None = None
    backlog: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where a queue begins to be longer than what is read of it at once."""


class Pump:
    """One service's hand on one stream of one partition, or on one lane of its own timers that are due."""

    def __init__(self, runtime: Runtime, service: Service[Any], partition: int, stream: Stream | Lane) -> None:
        settings = runtime.settings
        self.service = service
        self.key = key_of(partition, service.name, stream)
        self.stream = stream
        self.full_at = -math.inf
        """When, on the monotonic clock, a batch was last full: entries are then waiting behind it."""
        self._runtime = runtime
        self._partition = partition
        self.answers = isinstance(stream, Lane) or ANSWERS_FOR.get(stream) == service.name
        self._read = reader(service)
        self._fold = Fold(service, runtime.protocols, settings.max_deliveries, leaping_clock=settings.clock == "replay")
        window_ms = int(timedelta(days=settings.duplicate_days) / timedelta(milliseconds=1))
        self._commit = Commit(runtime.client, service.name, partition, self.key, window_ms)
        self._max_ahead = timedelta(hours=settings.max_ahead)
        self._desk = Desk(runtime.client, runtime.clock, settings, service, runtime.metrics, runtime.traces)
        words = service.words.union(runtime.protocols.evidence)
        self._meter = Meter(runtime.metrics, service.name, stream.value, words)
        self._spans = None
        if runtime.traces is not None:
            self._spans = SpanWriter(runtime.traces, service.name, stream.value, answers=self.answers)
        self._warned = False

    async def process(self, ids: Sequence[bytes], rows: Sequence[Row], deliveries: Sequence[int] | None = None) -> None:
        """Handles one batch. Raises for what concerns all of it: Redis gone, the clock wrong."""
        begun = time.monotonic()
        if len(ids) >= self._runtime.settings.batch_size:
            if begun - self.full_at > BEHIND_S:
                self._runtime.backlog.set()
            self.full_at = begun
        now = await self._runtime.clock.now()
        patients: dict[str, list[Entry]] = {}
        strays: list[Entry] = []
        for position, raw_id in enumerate(ids):
            entry_id = raw_id.decode()
            content = self._decode(entry_id, rows[position] or {}, now)
            entry = Entry(entry_id, content, deliveries[position] if deliveries else 1)
            subject = self._subject(content)
            if subject is None:
                strays.append(entry)
            else:
                patients.setdefault(subject, []).append(entry)
        await self._settle(patients, strays, now, begun)

    def _decode(self, entry_id: str, row: Mapping[bytes, bytes], now: datetime) -> Content:
        settings = self._runtime.settings
        if isinstance(self.stream, Lane):
            return _due_timer(self.key, entry_id, row)
        source = Source(self._partition, settings.partitions, self.stream, self.key, self._max_ahead)
        content = decode(entry_id, row, source, now)
        if self.stream is Stream.INTAKES and not self._warned and may_identify(content.subject or ""):
            self._warned = True
            logger().warning("patient_ids_may_identify", stream=self.key, see="docs/privacy.md")
        return content

    def _subject(self, content: Content) -> str | None:
        """The patient whose record an entry concerns, or nobody's; None where another service answers for it."""
        match content:
            case Undecodable():
                if not self.answers:
                    return None
                return content.salvage.subject if content.salvage else NOBODY
            case DueTimer():
                return content.subject
            case _:
                return content.subject

    async def _settle(self, patients: dict[str, list[Entry]], strays: list[Entry], now: datetime, begun: float) -> None:
        effects = await self._commit_all(patients, strays, now, begun)
        if not effects:
            return
        await asyncio.gather(*(self._perform(change, entry, timer) for change, entry, timer in effects))
        performed: dict[str, list[Entry]] = {}
        for change, entry, _ in effects:
            performed.setdefault(change.subject, []).append(entry)
        await self._commit_all(performed, [], await self._runtime.clock.now(), begun)

    async def _commit_all(
        self, patients: dict[str, list[Entry]], strays: list[Entry], now: datetime, begun: float
    ) -> list[Effect]:
        """Folds and commits until nobody has been faster. Returns the effects that are now to be performed."""
        effects: list[Effect] = []
        patience = time.monotonic() + self._runtime.settings.redis_patience_s
        attempt = 0
        while patients or strays:
            try:
                changes, lost = await self._try(patients, strays, now, begun)
            except PASSING:
                if time.monotonic() > patience:
                    raise
                await asyncio.sleep(0.25)
                continue
            effects += [(change, *effect) for change in changes if change not in lost for effect in change.effects]
            patients, strays = {change.subject: patients[change.subject] for change in lost}, []
            if lost:
                self._meter.conflicts(len(lost))
                attempt += 1
                if attempt >= ATTEMPTS:
                    logger().warning("contention", service=self.service.name, stream=self.key, patients=len(lost))
                    break
                await asyncio.sleep(min(0.001 * attempt, 0.05))
        return effects

    async def _try(
        self, patients: dict[str, list[Entry]], strays: list[Entry], now: datetime, begun: float
    ) -> tuple[list[Change], list[Change]]:
        loaded = await self._load(patients)
        changes = await self._fold_all(patients, loaded, now)
        sent = time.monotonic()
        lost = await self._commit(changes, [entry.entry_id for entry in strays], now)
        kept = [change for change in changes if change not in lost] if lost else changes
        stray = [self._stray(entry) for entry in strays]
        self._meter.committed(kept, stray, begun, sent)
        duration_ms = round((time.monotonic() - begun) * 1000, 1)
        for change in kept:
            await self._leave(change)
            for handled in change.handled:
                self._report(handled, duration_ms)
        for handled in stray:
            self._report(handled, duration_ms)
        return changes, lost

    async def _fold_all(
        self, patients: Mapping[str, list[Entry]], loaded: Mapping[str, tuple[Stored[Any], set[str]]], now: datetime
    ) -> list[Change]:
        changes, begun = [], time.monotonic()
        for subject, entries in patients.items():
            changes.append(self._fold(subject, *loaded[subject], entries, now))
            if time.monotonic() - begun > HELD_UP_S:
                await asyncio.sleep(0)
                begun = time.monotonic()
        return changes

    async def _leave(self, change: Change) -> None:
        """What only a newer release can handle goes to it."""
        if change.left:
            idle_ms = round(self._runtime.settings.claim_idle_s * 1000)
            client, name = self._runtime.client, self.service.name
            await hand_over(client, self.key, name, change.left_to, change.left, idle_ms)

    async def _perform(self, change: Change, entry: Entry, timer: TimerFired) -> None:
        """Talks to the world. What it raises is a bug and fails this entry alone, which stays pending."""
        perform = self.service.perform
        if perform is None:
            raise RuntimeError(f"{self.service.name} decides on effects and performs none")
        try:
            outcome = await perform(change.record.state, timer, self._desk)
        except Exception as error:
            entry.failure = error
        else:
            entry.performed = Performed(timer, outcome)

    async def _load(self, patients: Mapping[str, list[Entry]]) -> dict[str, tuple[Stored[Any], set[str]]]:
        """Records and marks in one round trip. A record is read before its marks: marks change only with it."""
        if not patients:
            return {}
        name, partition = self.service.name, self._partition
        wanted = {
            subject: [mark for entry in entries for mark in sought_of(entry.content, name)]
            for subject, entries in patients.items()
        }
        pipeline = self._runtime.client.pipeline(transaction=False)
        for subject, marks in wanted.items():
            pipeline.get(state_key(partition, name, subject))
            pipeline.get(tombstone_key(partition, name, subject))
            pipeline.zmscore(seen_key(partition, name, subject), marks)
        found = await pipeline.execute()
        self._meter.read(found[0])
        answers = iter(found)
        return {
            subject: (
                self._read(_living(next(answers), next(answers))),
                {mark for mark, score in zip(marks, next(answers), strict=True) if score is not None},
            )
            for subject, marks in wanted.items()
        }

    def _stray(self, entry: Entry) -> Handled:
        code = entry.content.code if isinstance(entry.content, Undecodable) else ""
        return Handled(entry, "ignored", code)

    def _report(self, handled: Handled, duration_ms: float) -> None:
        """The canonical log line and the span of one entry."""
        entry, content, name = handled.entry, handled.entry.content, self.service.name
        if self._spans is not None:
            self._spans.handled(handled, duration_ms)
        fields: dict[str, Any] = {
            "service": name,
            "stream": self.key,
            "entry_id": entry.entry_id,
            **_identity(content, name),
            "delivery_count": entry.deliveries,
            "outcome": handled.outcome,
            "rule": handled.rule,
            "duration_ms": duration_ms,
        }
        if handled.correlation_id:
            fields["correlation_id"] = handled.correlation_id
        if handled.failure:
            fields["failure"] = handled.failure
        quiet = handled.outcome not in ("failed", "dead_lettered", "left")
        (logger().info if quiet else logger().warning)("handled", **fields)


def key_of(partition: int, service: str, stream: Stream | Lane) -> str:
    """The Redis key of a stream or of one of a service's lanes."""
    return lane_key(partition, service, stream) if isinstance(stream, Lane) else stream_key(partition, stream)


def _living(record: bytes | None, tombstone: bytes | None) -> bytes | None:
    return tombstone if record is None else record


def _identity(content: Content, service: str) -> dict[str, Any]:
    match content:
        case DueTimer():
            return {
                "event_id": content.id(service),
                "type": f"timer:{content.name.removeprefix(URGENT).partition(':')[0]}",
                "patient": content.subject,
            }
        case Undecodable():
            return {
                "event_id": content.event_id,
                "patient": content.subject,
                "correlation_id": content.correlation_id,
            }
        case _:
            event = content.event
            return {
                "event_id": event.id,
                "type": event.type,
                "patient": event.subject,
                "correlation_id": event.correlation_id,
                "causation_id": event.causationid,
            }


def _due_timer(key: str, entry_id: str, row: Mapping[bytes, bytes]) -> Content:
    raw = row.get(DATA_FIELD, b"")
    due_ms, _, member = raw.decode("utf-8", "replace").partition("|")
    subject, _, name = member.partition("|")
    origin = Origin(key, entry_id, raw)
    if not due_ms.lstrip("-").isdigit() or not name:
        return Undecodable(origin, "invalid_data", "$", "no timer of this service")
    return DueTimer(subject, name, int(due_ms), origin)
