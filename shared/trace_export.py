"""Exports spans by OpenTelemetry's SDK, as OTLP over HTTP. Imported only where tracing is on."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter

from shared.log import logger
from shared.trace import Span

QUEUE = 8192
BATCH = 512
EXPORT_WITHIN_S = 5.0
STOP_WITHIN_S = 3.0
NAMESPACE = "adaptive-care"


class Export:
    """One queue for all services of a process; each has a resource of its own."""

    def __init__(self, count: Counter, services: Sequence[str], share: float) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the exporter below says it once
        self._count = count
        self._handed = 0
        self._ids = _ChosenIds()
        self._exporter = _CountedExporter(count)
        self._processor = BatchSpanProcessor(self._exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH)
        self._tracers = {}
        for service in services:
            provider = TracerProvider(
                sampler=TraceIdRatioBased(share),
                resource=Resource.create({"service.name": service, "service.namespace": NAMESPACE}),
                id_generator=self._ids,
                shutdown_on_exit=False,
            )
            provider.add_span_processor(self._processor)
            self._tracers[service] = provider.get_tracer("adaptive_care")

    def emit(self, span: Span) -> None:
        """Makes the span and queues it. By one thread only."""
        if self._handed - self._exporter.done >= QUEUE:
            self._count.labels("dropped").inc()
            return
        context = Context()
        if span.parent_id is not None:
            parent = SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=TraceFlags(1))
            context = set_span_in_context(NonRecordingSpan(parent), context)
        self._ids.trace_id, self._ids.span_id = span.trace_id, span.span_id
        made = self._tracers[span.service].start_span(
            span.name,
            context=context,
            kind=SpanKind[span.kind.upper()],
            attributes=dict(span.attributes),
            links=_links(span.traceparent),
            start_time=span.begun_ns,
        )
        if not made.is_recording():
            return  # not among the share that is kept
        if span.failure:
            made.set_status(Status(StatusCode.ERROR, span.failure))
        self._handed += 1
        made.end(span.ended_ns)

    def stop(self) -> None:
        """Exports what is left. A collector that hangs does not keep the process from ending."""
        last = threading.Thread(target=self._processor.shutdown, daemon=True)
        last.start()
        last.join(STOP_WITHIN_S)


class _ChosenIds(IdGenerator):
    """Gives the ids that were chosen for the span that is made next."""

    trace_id = 1
    span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _CountedExporter(SpanExporter):
    """As OpenTelemetry's variables say. `done`: of how many spans it is known what came of them."""

    def __init__(self, count: Counter) -> None:
        self.done = 0
        self._count = count
        self._exporter: Any = OTLPSpanExporter(timeout=EXPORT_WITHIN_S)
        self._is_taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        cause = "the collector did not take them"
        try:
            result: SpanExportResult = self._exporter.export(spans)
        except Exception as error:  # whatever it is, it ends with this batch
            result, cause = SpanExportResult.FAILURE, type(error).__name__
        self._say(result is SpanExportResult.SUCCESS, cause)
        self._count.labels("exported" if result is SpanExportResult.SUCCESS else "failed").inc(len(spans))
        self.done += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def _say(self, is_taken: bool, cause: str) -> None:
        """One line when it begins to fail and one when it is well again."""
        if is_taken != self._is_taken:
            self._is_taken = is_taken
            if is_taken:
                logger().info("traces_taken_again")
            else:
                logger().warning("traces_not_taken", cause=cause)


def _links(traceparent: str) -> list[Link]:
    """The platform's own span, where it sent a valid one."""
    if not traceparent:
        return []
    found = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": traceparent})).get_span_context()
    return [Link(found)] if found.is_valid else []
