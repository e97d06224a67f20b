"""What an operator watches: every metric, its labels and its meaning. No label ever names a patient.

The documents are generated from here. Labels take few values, all known beforehand: services, streams, rules of the
protocols, severities, error codes; a value outside its set counts as `other`.
"""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.process_collector import ProcessCollector

SHORT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""Up to what an outage of two hours leaves."""
SIZE_BYTES = (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144)
OTHER = "other"
"""In the place of a label's value that is not in its set."""


@dataclass(frozen=True, slots=True)
class Description:
    """One metric, for the documents. A counter's samples end in `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...]


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Description] = []
        ProcessCollector(registry=self.registry)
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody reads

        # What handling costs and yields: counted at the commit.
        self.handled = self._counter(
            "care_entries_handled", "Entries of streams, by what became of them", "service", "stream", "outcome"
        )
        self.rules = self._counter(
            "care_rules_fired", "Decisions by the rule that fired, where one did", "service", "rule"
        )
        self.dead_letters = self._counter(
            "care_dead_letters",
            "Dead letters written, by the stream whose handling led to it and why",
            "service",
            "stream",
            "code",
        )
        self.redelivered = self._counter(
            "care_entries_redelivered", "Entries handled that had been delivered before", "service", "stream"
        )
        self.conflicts = self._counter(
            "care_commit_conflicts",
            "Patients whose record somebody else had moved, so that the fold ran again",
            "service",
        )
        self.commit_seconds = self._histogram(
            "care_commit_seconds", "Time of one commit's round trip, in seconds", SHORT_S, "service"
        )
        self.handling_seconds = self._histogram(
            "care_handling_seconds", "From a batch's arrival to its commit, in seconds", LONG_S, "service", "stream"
        )
        self.entry_age_seconds = self._histogram(
            "care_entry_age_seconds",
            "From the writing of an entry to its commit, in seconds: the oldest entry of each batch",
            LONG_S,
            "service",
            "stream",
        )
        self.state_bytes = self._histogram(
            "care_state_bytes",
            "Size of a patient's record as it is read, in bytes: one record of each batch",
            SIZE_BYTES,
            "service",
        )
        self.load_changes = self._counter(
            "care_load_changes",
            "Exercises decided on in adjustments, by decision and rule; a hold by P21 is one for missing data",
            "decision",
            "rule",
        )
        self.escalations = self._counter(
            "care_escalations_raised",
            "Escalations raised, worsened or added to, by who raised them and why",
            "service",
            "severity",
            "reason",
        )
        self.escalation_seconds = self._histogram(
            "care_escalation_seconds",
            "From the writing of the entry that causes an escalation to its commit, in seconds",
            LONG_S,
            "service",
            "severity",
        )
        self.notifications = self._counter(
            "care_notifications",
            "Messages that were delivered or given up, by the channel that was used last and who was to read them",
            "channel",
            "role",
            "result",
        )
        self.spans = self._counter(
            "care_spans",
            "Spans of traces: exported, failed (the collector did not take them) or dropped (the queue was full)",
            "result",
        )

        # What a service sees of the world.
        self.delivery_attempts = self._counter(
            "care_delivery_attempts",
            "Attempts to hand a message over, by what came of them",
            "channel",
            "role",
            "result",
        )
        self.alert_seconds = self._histogram(
            "care_alert_seconds",
            "From the commit of an escalation until its first message was taken over, in seconds",
            LONG_S,
            "severity",
        )
        self.audit_passed = self._gauge(
            "care_audit_passed", "1 if the last audit proved that all is well, else 0", "service"
        )
        self.audit_failures = self._counter("care_audit_failures", "Acts that the audit log did not take down")
        self.heartbeat = self._gauge(
            "care_heartbeat_timestamp_seconds",
            "When the outward heartbeat was last taken over, by Redis's clock, in seconds since 1970",
            "service",
        )

        # Read from Redis when they are asked for, at most every few seconds.
        self.pending = self._gauge(
            "care_pending_entries",
            "Delivered and not acknowledged, over all partitions",
            "service",
            "stream",
        )
        self.lag = self._gauge("care_lag_entries", "Waiting to be delivered, over all partitions", "service", "stream")
        self.waiting = self._gauge(
            "care_oldest_waiting_seconds",
            "Age of the oldest entry that is not handled, delivered or not, in seconds; 0 where there is none",
            "service",
            "stream",
        )
        self.pending_age = self._gauge(
            "care_oldest_pending_seconds",
            "Age of the oldest entry that was delivered and not acknowledged, in seconds; 0 where there is none",
            "service",
            "stream",
        )
        self.timers = self._gauge("care_timers", "Timers that are set", "service")
        self.timers_due = self._gauge("care_timers_due", "Timers whose instant has passed, not promoted yet", "service")
        self.timer_overdue = self._gauge(
            "care_timer_overdue_seconds", "How long the earliest timer is overdue, in seconds; else 0", "service"
        )
        self.absent = self._gauge(
            "care_service_absent_seconds",
            "How long no replica of a service has said that it reads its streams, in seconds; +Inf after an hour",
            "service",
        )
        self.open_escalations = self._gauge(
            "care_open_escalations",
            "Escalations that nobody has resolved, by severity, whether somebody has answered, and since when: "
            "`age` is the least of its bucket",
            "severity",
            "answered",
            "age",
        )
        self.oldest_unanswered = self._gauge(
            "care_oldest_unanswered_seconds",
            "Age of the oldest escalation that nobody has answered, in seconds; 0 where there is none",
            "severity",
        )
        self.oldest_untold = self._gauge(
            "care_oldest_untold_seconds",
            "Age of the oldest escalation of which no message was taken over yet, in seconds; 0 where there is none",
            "severity",
        )
        self.redis_up = self._gauge("care_redis_up", "1 if Redis answered when the metrics were asked for, else 0")
        self.redis_memory = self._gauge("care_redis_memory_used_bytes", "Memory that Redis uses, in bytes")
        self.redis_memory_max = self._gauge(
            "care_redis_memory_max_bytes", "Memory that Redis may use, in bytes; 0: no limit is set"
        )
        self.redis_noeviction = self._gauge(
            "care_redis_noeviction", "1 if Redis refuses writes when its memory is full, 0 if it would lose data"
        )
        self.redis_append_only = self._gauge(
            "care_redis_append_only", "1 if append-only persistence is on and its last write succeeded, else 0"
        )

        # What platforms ask and are told.
        self.http_requests = self._counter(
            "care_http_requests", "Requests to the HTTP door", "method", "route", "status"
        )
        self.webhook_deliveries = self._counter(
            "care_webhook_deliveries",
            "Posts of events to subscribed endpoints, by what became of them",
            "subscription",
            "outcome",
        )
        self.webhook_lag = self._gauge(
            "care_webhook_lag_seconds",
            "Age of the oldest event that waits for an endpoint, as far as this process works for it, in seconds",
            "subscription",
        )
        self.webhook_up = self._gauge(
            "care_webhook_active",
            "0 while an endpoint is paused because it fails, or has ended, else 1",
            "subscription",
        )

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.described.append(Description(name, "counter", meaning, labels))
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self.described.append(Description(name, "gauge", meaning, labels))
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self.described.append(Description(name, "histogram", meaning, labels))
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)
