"""What one pump tells of its work as spans: for each entry one, joined by what caused what."""

import time
from typing import Any

import msgspec

from shared.decision import URGENT, Arrival
from shared.event.upcast import unwrap
from shared.stream.decode import Undecodable
from shared.stream.discovery import ORDER
from shared.stream.envelope import source_of
from shared.stream.fold import DueTimer, Handled
from shared.trace import PLATFORM, Span, Traces, span_id_of, trace_id_of

QUIET = ("begun", "duplicate", "ignored")
"""Outcomes without a span: the first is not over, the others did nothing."""
FAILED = ("failed", "dead_lettered")
_SOURCES = {source_of(service): service for service in ORDER}


class _Traced(msgspec.Struct):
    """CloudEvents' extension for distributed tracing."""

    traceparent: Any = None


class SpanWriter:
    """Of one service and stream. `answers`: of several readers of an event it is the one that tells of its writing."""

    def __init__(self, traces: Traces, service: str, stream: str, *, answers: bool) -> None:
        self._traces = traces
        self._service = service
        self._stream = stream
        self._answers = answers

    def handled(self, handled: Handled, duration_ms: float) -> None:
        """One entry, as it was committed just now."""
        if not self._traces.is_on or handled.outcome in QUIET:
            return
        entry, content = handled.entry, handled.entry.content
        ended_ns = time.time_ns()
        kind, what, parent_id, traceparent = "", entry.entry_id, None, ""
        match content:
            case Arrival(event=event):
                correlation_id, what, kind = event.correlation_id, event.id, event.type
                if (parent_id := _parent_of(event)) is None:
                    parent_id, traceparent = span_id_of(PLATFORM, event.id), _traceparent(entry.origin.raw)
                    if self._answers:
                        self._write_root(handled, parent_id, kind, traceparent)
            case DueTimer():
                if handled.correlation_id is None:
                    return
                correlation_id, what = handled.correlation_id, content.id(self._service)
                kind = f"timer:{content.name.removeprefix(URGENT).partition(':')[0]}"
                parent_id = span_id_of(PLATFORM, correlation_id)
            case Undecodable():
                what = content.salvage.id if content.salvage else content.event_id or f"{self._stream}/{what}"
                correlation_id = content.correlation_id or what
        failed = handled.outcome == "failed"
        self._traces.emit(
            Span(
                service=self._service,
                name=f"{self._stream} process",
                trace_id=trace_id_of(correlation_id),
                # What fails is tried again, and the last try is the span that others follow from.
                span_id=span_id_of(self._service, what, *((str(entry.deliveries),) if failed else ())),
                parent_id=parent_id,
                begun_ns=ended_ns - round(duration_ms * 1e6),
                ended_ns=ended_ns,
                attributes={
                    "messaging.system": "redis",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": entry.origin.stream,
                    "messaging.consumer.group.name": self._service,
                    "messaging.message.id": entry.entry_id,
                    "care.type": kind,
                    "care.outcome": handled.outcome,
                    "care.rule": handled.rule,
                    "care.delivery_count": entry.deliveries,
                },
                failure=handled.outcome if handled.outcome in FAILED else "",
                traceparent=traceparent,
            )
        )

    def _write_root(self, handled: Handled, span_id: int, kind: str, traceparent: str) -> None:
        """The platform's writing of an event: the beginning of its trace."""
        content = handled.entry.content
        if not isinstance(content, Arrival):
            return
        written_ns = int(handled.entry.entry_id.partition("-")[0]) * 1_000_000
        self._traces.emit(
            Span(
                service=PLATFORM,
                name=f"{self._stream} send",
                trace_id=trace_id_of(content.correlation_id),
                span_id=span_id,
                parent_id=None,
                begun_ns=written_ns,
                ended_ns=written_ns,
                kind="producer",
                attributes={
                    "messaging.system": "redis",
                    "messaging.operation.type": "send",
                    "messaging.destination.name": handled.entry.origin.stream,
                    "messaging.message.id": handled.entry.entry_id,
                    "care.type": kind,
                },
                traceparent=traceparent,
            )
        )


def _parent_of(event: Any) -> int | None:
    """What the service did that wrote the event; None where a platform wrote it."""
    service = _SOURCES.get(event.source)
    if service is None or event.causationid is None:
        return None
    return span_id_of(service, event.causationid)


def _traceparent(raw: bytes) -> str:
    try:
        found = msgspec.json.decode(unwrap(raw), type=_Traced).traceparent
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return found if isinstance(found, str) and len(found) <= 512 else ""
