"""A real collector of traces: it takes OTLP over HTTP and decodes the protobuf."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_server import Receiver, http_server

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Taken:
    """One span as it arrived; ids in hexadecimal, the parent's empty where there is none."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    begun_ns: int
    ended_ns: int
    attributes: dict[str, str]
    links: tuple[tuple[str, str], ...]
    is_error: bool


@dataclass
class Collector(Receiver):
    """Keeps what was sent to it."""

    answer: bytes = TAKEN
    port: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """What turns tracing on; spans are sent every tenth of a second."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}

    @property
    def spans(self) -> list[Taken]:
        """Those of a post that came twice, since its first answer came too late for the sender, once."""
        found = []
        for body, request in {request.body: request for request in self.requests}.items():
            assert request.line.startswith("POST /v1/traces ")
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {one.key: one.value.string_value for one in group.resource.attributes}
                found += [_taken(resource["service.name"], span) for scope in group.scope_spans for span in scope.spans]
        return found

    async def until(self, is_there: Callable[[list[Taken]], bool]) -> list[Taken]:
        """The spans, once they are such."""
        async with asyncio.timeout(60):
            while not is_there(self.spans):  # noqa: ASYNC110  # a list tells nobody
                await asyncio.sleep(0.1)
        return self.spans


@asynccontextmanager
async def collector(answer: bytes = TAKEN) -> AsyncIterator[Collector]:
    taking = Collector(answer)
    async with http_server(taking) as port:
        taking.port = port
        yield taking


def _taken(service: str, span: Any) -> Taken:
    return Taken(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        begun_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes={one.key: str(one.value.string_value or one.value.int_value) for one in span.attributes},
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        is_error=span.status.code == 2,
    )
