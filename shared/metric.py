"""What an operator watches. No label ever names a patient."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.handled = Counter(
            "care_entries_handled",
            "Entries of streams, by what became of them",
            ["service", "stream", "outcome"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "care_dead_letters", "Dead letters written", ["service", "stream"], registry=self.registry
        )
        self.conflicts = Counter(
            "care_commit_conflicts",
            "Patients whose record somebody else had moved, so that the fold ran again",
            ["service"],
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "care_commit_seconds",
            "Time of one commit's round trip",
            ["service"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        self.pending = Gauge(
            "care_pending_entries", "Delivered and not acknowledged", ["service", "stream"], registry=self.registry
        )
        self.lag = Gauge("care_lag_entries", "Waiting to be delivered", ["service", "stream"], registry=self.registry)
        self.audit_passed = Gauge(
            "care_audit_passed",
            "1 if the last audit proved that all is well, else 0",
            ["service"],
            registry=self.registry,
        )
        self.audit_failures = Counter(
            "care_audit_failures", "Acts that the audit log did not take down", registry=self.registry
        )
        self.heartbeat = Gauge(
            "care_heartbeat_timestamp_seconds",
            "When the outward heartbeat was last taken over, by Redis's clock",
            ["service"],
            registry=self.registry,
        )
        self.open_escalations = Gauge(
            "care_open_escalations", "Escalations that nobody has resolved", ["service"], registry=self.registry
        )

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self.registry)
