"""What may be asked about a patient, who answers it, and the one place through which every answer leaves.

Another kind of answer is one more `Question` in `questions_of`: a name, what it returns, and a coroutine that
finds it for one patient.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shared.door.problem import Problem, Refused, unavailable
from shared.door.timeline import LONGEST_PAGE, PAGE, CursorError, Timeline, TimelinePage, TooManyError
from shared.protocol.library import Protocols
from shared.service import Service
from shared.stream.desk import Desk
from shared.stream.discovery import ORDER
from shared.stream.key import partition_of
from shared.stream.patient_bundle import read_bundle
from shared.view import Inquiry, View

HELD_BY = {
    "classification": "intake",
    "program": "progression",
    "prescription": "progression",
    "state": "progression",
    "escalations": "notifier",
}
"""Which service answers from its state. What any process can answer is not in it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a question takes in the query."""

    name: str
    meaning: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One of `GET /v1/patients/{patient}/{name}`."""

    name: str
    summary: str
    model: type[BaseModel]
    answer: Callable[[str, QueryParams], Awaitable[BaseModel | bytes | None]]
    """For a patient and a query, as a model or as the bytes of one; None where nothing is held.

    Raises Refused for a query that cannot be used.
    """
    parameters: tuple[Parameter, ...] = ()
    media_type: str = "application/json"


def questions_of(
    client: Redis, services: Sequence[tuple[Service[Any], Desk[Any]]], protocols: Protocols
) -> dict[str, Question]:
    """What a process with these services answers, by name."""
    found = [_of_state(view, desk, protocols) for service, desk in services for view in service.views]
    if services:
        desk = services[0][1]
        found.append(_timeline(client, desk))
        if find_spec("fhir") is not None:
            found.append(_fhir(client, desk.settings.partitions))
    return {question.name: question for question in found}


def held_elsewhere(name: str, first_port: int) -> Problem | None:
    """Where a question is answered that this process does not answer; None where nobody does."""
    service = HELD_BY.get(name)
    if service is None:
        return None
    port = first_port + 1 + ORDER.index(service)
    detail = (
        f"`{name}` is answered by {service}, which does not run in this process; "
        f"alone it listens on CARE_HTTP_PORT + {port - first_port} ({port})"
    )
    return Problem(421, "served_elsewhere", detail, extra={"service": service})


def disclose(request: Request, question: Question, found: BaseModel | bytes) -> Response:
    """Hands over what was found. Every successful read of a patient passes here, and nothing else does."""
    body = found if isinstance(found, bytes) else found.model_dump_json(by_alias=True).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _is_known(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, question.media_type)


def _of_state(view: View[Any], desk: Desk[Any], protocols: Protocols) -> Question:
    async def answer(subject: str, query: QueryParams) -> BaseModel | None:
        state, numbers = await desk.numbered(subject)
        if state is None:
            return None
        inquiry = Inquiry(subject, await desk.now(), protocols, numbers)
        # Pure, and for an intake tens of milliseconds: the subscribers share this loop.
        return await asyncio.to_thread(view.show, state, inquiry)

    return Question(view.name, view.summary, view.model, answer)


def _timeline(client: Redis, desk: Desk[Any]) -> Question:
    async def answer(subject: str, query: QueryParams) -> BaseModel | None:
        after, limit = query.get("after"), _limit(query.get("limit"))
        timeline = Timeline(client, partition_of(subject, desk.settings.partitions), subject)
        try:
            page = await timeline.page(after, limit, await desk.erased_at(subject))
        except CursorError:
            raise Refused(
                Problem(400, "invalid_parameter", "`after` must be the `next` of another page", "after")
            ) from None
        except TooManyError:
            raise Refused(unavailable("too many events of all patients would have to be looked through")) from None
        is_nothing = not page.events and page.next is None and after is None
        return None if is_nothing else page

    return Question(
        "timeline",
        "The patient's events in the order in which they came in, as far as the streams keep them.",
        TimelinePage,
        answer,
        (
            Parameter("after", "The `next` of the page before.", {"type": "string", "maxLength": 64}),
            Parameter(
                "limit",
                "Events on a page at most. A page may hold fewer, also none, and yet have a `next`.",
                {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE},
            ),
        ),
    )


class FhirBundle(BaseModel):
    """A FHIR R4 Bundle of type collection; FHIR's own schemas say what it holds."""

    model_config = ConfigDict(extra="allow")

    resourceType: Literal["Bundle"]  # noqa: N815  # FHIR's spelling
    type: Literal["collection"]


def _fhir(client: Redis, partitions: int) -> Question:
    one_at_a_time = asyncio.Semaphore(1)  # months of care are seconds of work, beside the subscribers

    async def answer(subject: str, query: QueryParams) -> bytes | None:
        async with one_at_a_time:
            return await read_bundle(client, partitions, subject)

    return Question(
        "fhir",
        "The patient's care as a FHIR R4 Bundle, as far as the streams keep its events.",
        FhirBundle,
        answer,
        media_type="application/fhir+json",
    )


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LONGEST_PAGE:
        return int(text)
    raise Refused(
        Problem(400, "invalid_parameter", f"`limit` must be a whole number from 1 to {LONGEST_PAGE}", "limit")
    )


def _is_known(condition: str, etag: str) -> bool:
    """Source: RFC 9110 13.1.2: any of them, compared weakly."""
    told = [one.strip().removeprefix("W/") for one in condition.split(",")]
    return "*" in told or etag in told
