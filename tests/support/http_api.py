"""A small real server that speaks the interface of the HTTP API, for tests of the client.

It decodes each event as the services do, knows keys, counts, and shows views with their ETags. What it answers
next can be told: an outage, a limit, a proxy's page.
"""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.decision import Arrival
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from shared.stream.decode import Source, decode
from shared.stream.key import DATA_FIELD

KEY = "care_0123456789ab_secret"
READ_ONLY = "care_0123456789ab_read"


@dataclass
class HttpApi:
    """What arrived, and what is told."""

    url: str = ""
    events: dict[str, Any] = field(default_factory=dict)
    """By id: the same id delivered again is the same event."""
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of what was asked for."""
    queries: list[str] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    """Content type and body of what was posted."""
    next_answers: list[Response] = field(default_factory=list)
    """Given in place of the real ones, one after the other."""
    refused_patients: set[str] = field(default_factory=set)
    views: dict[str, Any] = field(default_factory=dict)
    """By `patient/view`."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/events", self._post, methods=["POST"]),
                Route("/v1/patients/{patient}/{view}", self._view),
            ]
        )

    async def _post(self, request: Request) -> Response:
        body = await request.body()
        self.bodies.append((request.headers["content-type"], body))
        told = self._told(request)
        if told is not None:
            return self._noted(request, told)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return self._noted(request, _problem(403, "forbidden", "this key may not send events"))
        if request.headers["content-type"] == "application/cloudevents+json":
            problem = self._take(body)
            answer = problem or JSONResponse({"id": json.loads(body)["id"]}, 202)
            return self._noted(request, answer)
        results = []
        for index, one in enumerate(json.loads(body)):
            problem = self._take(json.dumps(one).encode())
            if problem is None:
                results.append({"index": index, "id": one["id"], "status": "accepted"})
            else:
                results.append({"index": index, "status": "refused", "problem": json.loads(bytes(problem.body))})
        taken = [result["status"] == "accepted" for result in results]
        status = 202 if all(taken) else 207 if any(taken) else 422
        return self._noted(request, JSONResponse({"results": results}, status))

    def _take(self, raw: bytes) -> Response | None:
        kind = PAYLOAD_BY_TYPE.get(json.loads(raw).get("type"))
        source = Source(0, 1, kind.stream if kind else Stream.INTAKES, "http", timedelta(hours=24))
        found = decode("0-0", {DATA_FIELD: raw}, source, datetime.now(UTC))
        if not isinstance(found, Arrival):
            return _problem(422, found.code, found.message, found.path)
        if found.subject in self.refused_patients:
            return _problem(422, "unknown_program", "there is no such program", "$.data.program_id")
        self.events[found.id] = found.event
        return None

    async def _view(self, request: Request) -> Response:
        self.queries.append(request.url.query)
        told = self._told(request)
        if told is not None:
            return self._noted(request, told)
        path = f"{request.path_params['patient']}/{request.path_params['view']}"
        if path not in self.views:
            return self._noted(request, _problem(404, "unknown_patient", "nothing is held that answers this"))
        body = json.dumps(self.views[path]).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return self._noted(request, Response(status_code=304, headers={"etag": etag}))
        return self._noted(request, Response(body, headers={"etag": etag}, media_type="application/json"))

    def _told(self, request: Request) -> Response | None:
        if request.headers.get("authorization") not in (f"Bearer {KEY}", f"Bearer {READ_ONLY}"):
            return _problem(401, "unauthorised", "the API key is unknown")
        return self.next_answers.pop(0) if self.next_answers else None

    def _noted(self, request: Request, answer: Response) -> Response:
        self.requests.append((request.method, request.url.path, answer.status_code))
        return answer


def _problem(status: int, code: str, detail: str, path: str | None = None) -> JSONResponse:
    members = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code}
    if path is not None:
        members["path"] = path
    return JSONResponse(members, status, media_type="application/problem+json")


@contextlib.contextmanager
def http_api() -> Iterator[HttpApi]:
    """The server, in a thread of its own, so that clients with and without `await` can be tried."""
    api = HttpApi()
    server = uvicorn.Server(uvicorn.Config(api.app(), host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    api.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield api
    finally:
        server.should_exit = True
        thread.join(timeout=30)
