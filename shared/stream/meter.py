"""Counts what one pump does. Labels are resolved once: what an entry costs is an addition or two."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import get_args

from prometheus_client import Counter

from shared.decision import Rejection
from shared.event.adjustment import LoadAdjusted
from shared.event.escalation import EscalationRaised
from shared.event.notification import NotificationDelivered, NotificationFailed
from shared.event.rejection import ErrorCode
from shared.event.wire import Payload
from shared.metric import OTHER, Metrics
from shared.stream.decode import Undecodable
from shared.stream.fold import Change, Entry, Handled

Told = Payload | Rejection


class Meter:
    """The metrics of one service on one stream. `words`: what its labels may say; any other counts as `other`."""

    def __init__(self, metrics: Metrics, service: str, stream: str, words: Collection[str]) -> None:
        self._service = service
        self._words = frozenset(words)
        self._metrics = metrics
        self._outcome: Callable[[str], Counter] = cache(
            lambda outcome: metrics.handled.labels(service, stream, outcome)
        )
        self._rule: Callable[[str], Counter] = cache(lambda rule: metrics.rules.labels(service, self._known(rule)))
        self._letter: Callable[[str], Counter] = cache(lambda code: metrics.dead_letters.labels(service, stream, code))
        self._load_change: Callable[[str, str], Counter] = cache(
            lambda decision, rule: metrics.load_changes.labels(decision, self._known(rule))
        )
        for code in get_args(ErrorCode):
            self._letter(code)  # shown as 0 from the start, so that the first one is seen as a rise
        self._redelivered = metrics.redelivered.labels(service, stream)
        self._conflicts = metrics.conflicts.labels(service)
        self._commit_seconds = metrics.commit_seconds.labels(service)
        self._handling_seconds = metrics.handling_seconds.labels(service, stream)
        self._entry_age_seconds = metrics.entry_age_seconds.labels(service, stream)
        self._state_bytes = metrics.state_bytes.labels(service)

    def read(self, record: bytes | None) -> None:
        """One record of a batch, as it was read."""
        if record is not None:
            self._state_bytes.observe(len(record))

    def handled(self, handled: Handled) -> None:
        """One entry, once its commit is in Redis."""
        self._outcome(handled.outcome).inc()
        content = handled.entry.content
        if handled.entry.deliveries > 1:
            self._redelivered.inc()
        if handled.outcome == "dead_lettered":
            self._letter(content.code if isinstance(content, Undecodable) else handled.rule).inc()
        elif handled.rule and handled.outcome != "ignored":
            self._rule(handled.rule).inc()

    def conflicts(self, patients: int) -> None:
        """Changes that came too late and are folded again."""
        self._conflicts.inc(patients)

    def committed(self, changes: Iterable[Change], strays: Sequence[Entry], begun_s: float, sent_s: float) -> None:
        """What one commit took with it. `begun_s`, `sent_s`: when the batch arrived and the commit was sent,
        by the monotonic clock."""
        now_s = time.monotonic()
        self._commit_seconds.observe(now_s - sent_s)
        oldest_ms = min((_written_ms(entry.entry_id) for entry in strays), default=None)
        for change in changes:
            ids = [_written_ms(handled.entry.entry_id) for handled in change.handled]
            first_ms = min(ids, default=None)
            if first_ms is not None and (oldest_ms is None or first_ms < oldest_ms):
                oldest_ms = first_ms
            for told in change.told:
                self._tell(told, first_ms)
        if oldest_ms is not None:
            self._handling_seconds.observe(now_s - begun_s)
            self._entry_age_seconds.observe(_since(oldest_ms))

    def _tell(self, told: Told, written_ms: int | None) -> None:
        metrics = self._metrics
        match told:
            case Rejection():
                self._letter(told.code).inc()
            case LoadAdjusted():
                for change in told.changes:
                    self._load_change(change.decision, change.rule).inc()
            case EscalationRaised():
                metrics.escalations.labels(self._service, told.severity, told.reason).inc()
                if written_ms is not None:
                    metrics.escalation_seconds.labels(self._service, told.severity).observe(_since(written_ms))
            case NotificationDelivered() | NotificationFailed():
                result = "delivered" if isinstance(told, NotificationDelivered) else "failed"
                metrics.notifications.labels(self._known(told.channel), told.recipient_role, result).inc()

    def _known(self, word: str) -> str:
        return word if word in self._words else OTHER


def _written_ms(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])


def _since(written_ms: int) -> float:
    """Seconds by the wall clock; the id is by Redis's, which may be a little ahead."""
    return max(0.0, time.time() - written_ms / 1000)
