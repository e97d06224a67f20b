"""Traces in OpenTelemetry's form: one for each correlation id, from a platform's event to the message to a person.

No span id travels with an event, and none is drawn by chance: the trace's id follows from the correlation id, a span's
from who did what. So whoever handles the next event knows its parent, a repeated try is the same span, and replayed
history has the same bytes. Attributes hold no patient, no event's id and no text: ids chosen by a platform may name a
patient, so they are only ever seen through a digest.

Nothing here waits: spans go to a bounded queue that a thread empties; when it is full they are dropped and counted.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from shared.event.envelope import derive_id
from shared.log import logger
from shared.metric import Metrics

if TYPE_CHECKING:
    from shared.trace_export import Export

PLATFORM = "platform"
"""In the place of a service, for what a platform wrote."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own variables: tracing is on where one is set."""


def trace_id_of(correlation_id: str) -> int:
    """The id of the trace that holds all that follows from one event; 128 bits."""
    return int(derive_id("trace", correlation_id), 16) or 1


def span_id_of(service: str, *what: str) -> int:
    """The id of what a service did, e.g. handled the event of this id; 64 bits."""
    return int(derive_id("span", service, *what)[:16], 16) or 1


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that was done. Times in nanoseconds since 1970."""

    service: str
    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    begun_ns: int
    ended_ns: int
    kind: Literal["producer", "consumer", "client"] = "consumer"
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    failure: str = ""
    """Why it failed, in a word; empty where it did not."""
    traceparent: str = ""
    """W3C trace context of a platform's own trace, to be linked."""


class Traces:
    """Where the spans of one process go. Until `start`, and where tracing is off, nowhere."""

    def __init__(self, metrics: Metrics, services: Sequence[str], share: float) -> None:
        """`share`: of all traces that are kept, from 0 to 1; the same ones in every process."""
        self._metrics = metrics
        self._services = tuple(services)
        self._share = share
        self._export: Export | None = None

    @property
    def is_on(self) -> bool:
        return self._export is not None

    def start(self) -> None:
        """Begins to export if a collector is named in the environment."""
        if self.is_on or not is_wanted():
            return
        if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
            logger().warning("no_tracing", missing="pip install 'adaptive-care[tracing]'", setting=ENDPOINTS[1])
            return
        from shared.trace_export import Export

        self._export = Export(self._metrics.spans, (*self._services, PLATFORM), self._share)
        logger().info("tracing", share=self._share)

    def emit(self, span: Span) -> None:
        """Hands one span over. It never waits and never raises for a collector that does not keep up."""
        if self._export is not None:
            self._export.emit(span)

    def stop(self) -> None:
        """Exports what is left, for a few seconds at most. Blocks so long."""
        export, self._export = self._export, None
        if export is not None:
            export.stop()


def is_wanted() -> bool:
    """A collector is named in the environment, and tracing is not switched off there."""
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_disabled and any(os.environ.get(name) for name in ENDPOINTS)
