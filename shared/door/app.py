"""The door as one ASGI application under `/v1/`, beside the health routes of every process.

    POST /v1/events                     one event or a batch
    GET  /v1/patients/{patient}/{view}  what is held of a patient
    GET  /v1/openapi.json               this interface; the one path that needs no key

It shares a process with the subscribers and must not hold them up: so many requests at once, so long for Redis,
a connection pool of its own, and a pause between two events of a batch.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisClusterException, ResponseError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shared.door.admission import Admission, Taken
from shared.door.body import read_body
from shared.door.credential import Credential, parse_key
from shared.door.keyring import Keyring
from shared.door.mode import events_of, form_of
from shared.door.openapi import openapi
from shared.door.patient import disclose, held_elsewhere, questions_of
from shared.door.problem import Problem, Refused, unavailable
from shared.event.wire import PatientId
from shared.log import logger
from shared.metric import Metrics
from shared.protocol.library import Protocols
from shared.service import Service
from shared.settings import Settings
from shared.stream.audit import Act, Audit
from shared.stream.clock import Clock
from shared.stream.connection import PASSING
from shared.stream.desk import Desk
from shared.stream.error import StreamError
from shared.stream.key import DATA_FIELD

PREFIX = "/v1/"
EVENTS = "/v1/events"
PATIENT = "/v1/patients/{patient}/{view}"
DOCUMENT = "/v1/openapi.json"
METHODS = ("GET", "HEAD", "POST")
"""Whatever else is asked for is counted and logged as `other`."""
REQUESTS_AT_ONCE = 32
LONG_BYTES = 16 * 1024
"""Of an event that is judged in a thread: a session has one or two KiB."""
REDIS_S = 2.0
"""For one look into Redis."""
READ_S = 5.0
"""For the answer to one question about a patient."""
NOT_ANSWERING: tuple[type[Exception], ...] = (
    *PASSING,
    ResponseError,
    RedisClusterException,
    TimeoutError,
    StreamError,
)
_PATIENT: TypeAdapter[str] = TypeAdapter(PatientId)

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event of a request."""

    event_id: str
    problem: Problem | None = None

    def told(self, index: int) -> dict[str, Any]:
        if self.problem is not None:
            return {"index": index, "status": "refused", "problem": self.problem.members()}
        return {"index": index, "id": self.event_id, "status": "accepted"}


class Door:
    """The handlers. They hold nothing between two requests but how many there are right now."""

    def __init__(
        self,
        services: Sequence[Service[Any]],
        settings: Settings,
        client: Redis,
        clock: Clock,
        protocols: Protocols,
        metrics: Metrics,
    ) -> None:
        """`client`: the door's own, so that it takes no connection from the subscribers."""
        self._settings = settings
        self._client = client
        self._clock = clock
        self._metrics = metrics
        self._keyring = Keyring(client)
        self._audit = Audit(client, settings.partitions, settings.audit_days)
        desks = [(service, Desk(client, clock, settings, service)) for service in services]
        self._questions = questions_of(client, desks, protocols)
        self._document: dict[str, Any] | None = None
        self._running = 0
        self._app = Starlette(
            routes=[
                self._route(EVENTS, self._events, "POST"),
                self._route(PATIENT, self._patient, "GET"),
                self._route(DOCUMENT, self._openapi, "GET"),
            ],
            exception_handlers={HTTPException: self._no_route},
        )
        self._app.router.redirect_slashes = False  # another path is another path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def close(self) -> None:
        await self._client.aclose()

    def openapi(self) -> dict[str, Any]:
        """The document of what this process answers."""
        if self._document is None:
            self._document = openapi(self._questions.values())
        return self._document

    # ---- handlers ----

    async def _events(self, request: Request) -> Response:
        credential = await self._admit(request)
        form = form_of(request.headers)
        raws = events_of(form, request.headers, await read_body(request, form.limit))
        async with asyncio.timeout(REDIS_S):
            now = await self._clock.now()
        admission = Admission(credential, self._settings, now)
        judged: list[Taken | Problem] = []
        for raw in raws:
            # The subscribers share this loop: what takes long goes beside it, else they have their turn in between.
            if len(raw) > LONG_BYTES:
                judged.append(await asyncio.to_thread(admission.judge, raw))
            else:
                judged.append(admission.judge(raw))
                await asyncio.sleep(0)
        outcomes = await self._hand_on(judged)
        request.state.events = len(outcomes)
        request.state.refused = sum(outcome.problem is not None for outcome in outcomes)
        if form.mode == "batch":
            return _batch_response(outcomes)
        (outcome,) = outcomes
        if outcome.problem is not None:
            raise Refused(outcome.problem)
        return JSONResponse({"id": outcome.event_id}, 202)

    async def _hand_on(self, judged: Sequence[Taken | Problem]) -> list[Outcome]:
        """Writes what goes to the streams, in order. Whoever sends it again after a failure does no harm."""
        taken = [one for one in judged if isinstance(one, Taken)]
        if taken:
            pipeline = self._client.pipeline(transaction=False)
            for one in taken:
                pipeline.xadd(one.key, {DATA_FIELD: one.raw})
            async with asyncio.timeout(REDIS_S):
                await pipeline.execute()
        return [Outcome(one.event_id, one.problem) if isinstance(one, Taken) else Outcome("", one) for one in judged]

    async def _patient(self, request: Request) -> Response:
        credential = await self._admit(request)
        if not credential.may_read():
            raise Refused(Problem(403, "wrong_scope", "this key may not read; that needs the scope `read`"))
        subject, name = str(request.path_params["patient"]), str(request.path_params["view"])
        try:
            _PATIENT.validate_python(subject, strict=True)
        except ValidationError:
            detail = "a patient id is 1 to 128 characters of A-Z, a-z, 0-9 and . _ : -"
            raise Refused(Problem(400, "invalid_patient_id", detail)) from None
        question = self._questions.get(name)
        if question is None:
            there_are = ", ".join(sorted(self._questions))
            elsewhere = held_elsewhere(name, self._settings.http_port)
            raise Refused(elsewhere or Problem(404, "unknown_view", f"no such view; there are: {there_are}"))
        request.state.view = name
        async with asyncio.timeout(READ_S):
            found = await question.answer(subject, request.query_params)
        if found is None:
            raise Refused(Problem(404, "nothing_held", f"nothing is held of this patient that answers `{name}`"))
        if not await self._audit.try_note(Act(f"key:{credential.key_id}", "http", "read", name, (subject,))):
            self._metrics.audit_failures.inc()
        return disclose(request, question, found)

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self.openapi())

    # ---- who asks ----

    async def _admit(self, request: Request) -> Credential:
        """The key behind a request, which is counted. Raises Refused with 401 or 429."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        presented = parse_key(text.strip()) if scheme.lower() == "bearer" else None
        if presented is None:
            async with asyncio.timeout(REDIS_S):
                is_empty = await self._keyring.is_empty()
            raise Refused(_unauthorized(*(_NO_KEYS if is_empty else _NO_KEY)))
        async with asyncio.timeout(REDIS_S):
            known = await self._keyring.find(presented.key_id)
        if not presented.opens(known) or known is None:
            raise Refused(_unauthorized("unknown_key", "this API key is not known here"))
        request.state.key_id = known.key_id
        standing = known.standing(datetime.now(UTC))
        if standing != "valid":
            raise Refused(_unauthorized(f"{standing}_key", f"this API key is {standing}; ask the operator for another"))
        async with asyncio.timeout(REDIS_S):
            quota = await self._keyring.count(known)
        request.state.quota = quota.headers()
        if quota.is_exceeded:
            detail = f"more than {quota.limit} requests in a minute; go on in {quota.resets_in_s} s"
            raise Refused(Problem(429, "rate_limited", detail, headers={"Retry-After": str(quota.resets_in_s)}))
        return known

    # ---- around every handler ----

    def _route(self, path: str, handler: Handler, method: str) -> Route:
        return Route(path, self._answering(path, handler), methods=[method])

    def _answering(self, path: str, handler: Handler) -> Handler:
        """Bounds how many there are at once, turns refusals into problems, and writes the one log line."""

        async def answer(request: Request) -> Response:
            begun = time.monotonic()
            if self._running >= REQUESTS_AT_ONCE:
                response: Response = unavailable("too many requests at once", "busy", 1).response()
            else:
                self._running += 1
                try:
                    response = await self._answer(path, handler, request)
                finally:
                    self._running -= 1
            for name, value in getattr(request.state, "quota", {}).items():
                response.headers[name] = value
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers["X-Content-Type-Options"] = "nosniff"
            self._report(request, path, response, time.monotonic() - begun)
            return response

        return answer

    async def _answer(self, path: str, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            request.state.code = refused.problem.code
            return refused.problem.response()
        except NoPermissionError:  # by the users of a deployment not every process has every right
            request.state.code = "not_offered"
            detail = "this process may not do that: its user of Redis has not got the right; another service's may"
            return Problem(421, "not_offered", detail).response()
        except NOT_ANSWERING as error:
            request.state.code = type(error).__name__
            return unavailable(
                "Redis does not answer as it should, or a replay has not begun; send the same again"
            ).response()
        except Exception as error:  # a bug must end this request only, and be seen
            logger().error("door failed", route=path, failure=_place(error))
            return Problem(500, "internal", "this is a fault of the service; it is in its log").response()

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """No such path, or not with this method."""
        if not isinstance(error, HTTPException):
            raise error
        is_unknown = error.status_code == 404
        code = "unknown_path" if is_unknown else "wrong_method" if error.status_code == 405 else "refused"
        detail = f"no such path; {DOCUMENT} says which there are" if is_unknown else error.detail
        request.state.code = code
        response = Problem(error.status_code, code, detail, headers=dict(error.headers or {})).response()
        self._report(request, "unknown", response, 0)
        return response

    def _report(self, request: Request, route: str, response: Response, duration_s: float) -> None:
        """The canonical line of a request. The patient is not in it: the template stands for the path."""
        method = request.method if request.method in METHODS else "other"
        self._metrics.http_requests.labels(method, route, str(response.status_code)).inc()
        fields = {
            "method": method,
            "route": route,
            "status": response.status_code,
            **{name: getattr(request.state, name, None) for name in ("key_id", "view", "events", "refused", "code")},
            "duration_ms": round(duration_s * 1000, 1),
        }
        logger().info("answered", **{name: value for name, value in fields.items() if value is not None})


_NO_KEY = ("no_key", "an API key is required: `Authorization: Bearer care_…`")
_NO_KEYS = ("no_keys", "no API key exists yet; an operator makes one with `adaptive-care keys create`")


def _unauthorized(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": "Bearer"})


def _batch_response(outcomes: Sequence[Outcome]) -> Response:
    """202 if all were accepted, 207 if some; if none, the status of the first problem."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    status = 202 if not problems else 207 if len(problems) < len(outcomes) else problems[0].status
    return JSONResponse({"results": [outcome.told(index) for index, outcome in enumerate(outcomes)]}, status)


def _place(error: Exception) -> str:
    """Type and place; the message is left out, it may quote a patient."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"
