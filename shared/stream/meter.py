"""Counts what one pump does, commit by commit. Labels are resolved once: an entry costs an addition or two."""

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
from shared.stream.fold import Change, Handled

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

    def conflicts(self, patients: int) -> None:
        """Changes that came too late and are folded again."""
        self._conflicts.inc(patients)

    def committed(self, changes: Iterable[Change], strays: Sequence[Handled], begun_s: float, sent_s: float) -> None:
        """What one commit took with it. `begun_s`, `sent_s`: when the batch arrived and the commit was sent,
        by the monotonic clock."""
        now_s = time.monotonic()
        self._commit_seconds.observe(now_s - sent_s)
        oldest_ms: int | None = None
        handled = list(strays)
        for change in changes:
            handled += change.handled
            written_ms = _oldest_ms(change.handled)
            oldest_ms = _earlier(oldest_ms, written_ms)
            for told in change.told:
                self._tell(told, written_ms)
        oldest_ms = _earlier(oldest_ms, _oldest_ms(strays))
        if oldest_ms is not None:
            self._handling_seconds.observe(now_s - begun_s)
            self._entry_age_seconds.observe(_since(oldest_ms))
            self._count(handled)

    def _count(self, entries: Iterable[Handled]) -> None:
        """Sums up first: an addition to a dictionary is cheaper than one to a metric."""
        outcomes: dict[str, int] = {}
        rules: dict[str, int] = {}
        redelivered = 0
        for one in entries:
            outcomes[one.outcome] = outcomes.get(one.outcome, 0) + 1
            redelivered += one.entry.deliveries > 1
            if one.outcome == "dead_lettered":
                content = one.entry.content
                self._letter(content.code if isinstance(content, Undecodable) else one.rule).inc()
            elif one.rule and one.outcome != "ignored":
                rules[one.rule] = rules.get(one.rule, 0) + 1
        for outcome, times in outcomes.items():
            self._outcome(outcome).inc(times)
        for rule, times in rules.items():
            self._rule(rule).inc(times)
        if redelivered:
            self._redelivered.inc(redelivered)

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


def _oldest_ms(handled: Sequence[Handled]) -> int | None:
    """When the first entry was written: a batch is in the order of the stream."""
    return int(handled[0].entry.entry_id.partition("-")[0]) if handled else None


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _since(written_ms: int) -> float:
    """Seconds by the wall clock; the id is by Redis's, which may be a little ahead."""
    return max(0.0, time.time() - written_ms / 1000)
