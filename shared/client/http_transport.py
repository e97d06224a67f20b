"""Events in and views out through the HTTP API."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx
import msgspec

from shared.client.envelope import Outgoing
from shared.client.error import (
    ClientError,
    NotFoundError,
    RateLimitedError,
    Refusal,
    RefusedError,
    UnauthorisedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from shared.client.patience import patiently
from shared.event.wire import PATIENT_ID_PATTERN

ViewName = Literal["classification", "program", "prescription", "state", "timeline", "escalations"]

EVENTS_PATH = "/v1/events"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BATCH_EVENTS = 100
BATCH_BYTES = 3 * 1024 * 1024
"""With BATCH_EVENTS below what the API takes at once."""
CONNECT_S, ANSWER_S = 5.0, 30.0
"""For a connection, and for one answer: a busy process takes its time over a batch."""
VIEWS_KEPT = 500
"""Views whose ETag and body are remembered: the last asked for."""
_PASSING = (408, 425, 500, 502, 503, 504)


class _Result(msgspec.Struct):
    index: int
    status: str
    problem: dict[str, Any] = {}


class _Results(msgspec.Struct):
    results: list[_Result]


class HttpTransport:
    """A connection to the HTTP API. The key goes nowhere but into its header; redirects are not followed."""

    def __init__(self, url: str, api_key: str | None, patience_s: float) -> None:
        headers = {"user-agent": "adaptive-care-client"}
        if api_key is not None:
            key = api_key.strip()  # a key out of a file ends with a newline
            if not key.isascii() or not key.isprintable():
                raise ValueError("this is no API key: it has characters that no key has")
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        )
        self._patience_s = patience_s
        self._views: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    async def close(self) -> None:
        await self._client.aclose()

    async def publish(self, events: Sequence[Outgoing], accepted: list[str]) -> None:
        """Adds the ids to `accepted` as the events are taken."""
        refusals: list[Refusal] = []
        for start, chunk in _chunks(events):
            try:
                if len(chunk) == 1:
                    refusals += await self._post_one(start, chunk[0], accepted)
                else:
                    refusals += await self._post_batch(start, chunk, accepted)
            except ClientError as error:
                if not refusals:
                    raise
                raise RefusedError(refusals, accepted) from error
        if refusals:
            raise RefusedError(refusals, accepted)

    async def view(self, patient: str, name: ViewName, **query: str | int) -> bytes:
        """One view as JSON. What has not changed since it was last asked for is not sent again."""
        if not re.fullmatch(PATIENT_ID_PATTERN, patient):
            raise RefusedError([Refusal(0, None, "invalid_envelope", "$.subject", "this is no patient id")])
        path = str(httpx.URL(f"/v1/patients/{patient}/{name}", params=query or None))
        known = self._views.get(path)
        answer = await self._send("GET", path, headers={"if-none-match": known[0]} if known else {})
        if answer.status_code == 304 and known:
            self._views.move_to_end(path)
            return known[1]
        if answer.status_code == 404:
            self._views.pop(path, None)
            problem = _problem(answer)
            if "code" not in problem:
                raise _unexpected(answer)
            raise NotFoundError(str(problem.get("detail") or f"nothing is held of this patient's {name}"))
        if answer.status_code != 200:
            raise _unexpected(answer)
        if "etag" in answer.headers:
            self._views[path] = answer.headers["etag"], answer.content
            self._views.move_to_end(path)
            if len(self._views) > VIEWS_KEPT:
                self._views.popitem(last=False)
        return answer.content

    async def _post_one(self, index: int, one: Outgoing, accepted: list[str]) -> list[Refusal]:
        answer = await self._send("POST", EVENTS_PATH, content=one.raw, headers={"content-type": ONE})
        if answer.status_code == 202:
            accepted.append(one.event.id)
            return []
        return [_refusal(index, one, _refused(answer))]

    async def _post_batch(self, start: int, chunk: Sequence[Outgoing], accepted: list[str]) -> list[Refusal]:
        body = b"[" + b",".join(one.raw for one in chunk) + b"]"
        answer = await self._send("POST", EVENTS_PATH, content=body, headers={"content-type": BATCH})
        results = _results(answer)
        if results is None:
            problem = _refused(answer)
            return [_refusal(start + place, one, problem) for place, one in enumerate(chunk)]
        if sorted(result.index for result in results) != list(range(len(chunk))):
            raise UnexpectedAnswerError(f"{len(chunk)} events were sent and {len(results)} answered")
        results.sort(key=lambda result: result.index)
        judged = list(zip(results, chunk, strict=True))
        accepted += [one.event.id for result, one in judged if result.status == "accepted"]
        return [
            _refusal(start + result.index, one, result.problem) for result, one in judged if result.status != "accepted"
        ]

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def attempt() -> httpx.Response:
            try:
                answer = await self._client.request(method, path, **request)
            except httpx.TransportError as error:
                raise UnavailableError(f"the HTTP API cannot be reached: {type(error).__name__}") from None
            if answer.status_code in (401, 403):
                told = _problem(answer).get("detail") or "the API key is missing, wrong, or not good for this"
                raise UnauthorisedError(f"{answer.status_code}: {told}")
            if answer.status_code == 429:
                raise RateLimitedError("too many requests for this API key", _retry_after_s(answer) or 1.0)
            if answer.status_code in _PASSING:
                raise UnavailableError(f"the HTTP API answers {answer.status_code}", _retry_after_s(answer))
            return answer

        return await patiently(attempt, self._patience_s)


def _chunks(events: Sequence[Outgoing]) -> Iterator[tuple[int, Sequence[Outgoing]]]:
    start = size = 0
    for place, one in enumerate(events):
        if place > start and (place - start == BATCH_EVENTS or size + len(one.raw) > BATCH_BYTES):
            yield start, events[start:place]
            start, size = place, 0
        size += len(one.raw) + 1
    if start < len(events):
        yield start, events[start:]


def _results(answer: httpx.Response) -> list[_Result] | None:
    """What became of each event of a batch; None where the answer is about the whole."""
    if answer.status_code not in (202, 207, 422):
        return None
    try:
        return msgspec.json.decode(answer.content, type=_Results).results
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _refused(answer: httpx.Response) -> dict[str, Any]:
    """The problem of a refusal. Raises UnexpectedAnswerError where it is none."""
    problem = _problem(answer)
    if not 400 <= answer.status_code < 500 or "code" not in problem:
        raise _unexpected(answer)
    return problem


def _refusal(index: int, one: Outgoing, problem: dict[str, Any]) -> Refusal:
    code, path, detail = (str(problem.get(name) or "") for name in ("code", "path", "detail"))
    return Refusal(index, one.event.id, code or "refused", path or "$", detail or "the system gave no reason")


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The members of a problem document; none where the answer is something else."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return {}
    return object_of(answer.content)


def object_of(body: bytes) -> dict[str, Any]:
    """The object that an answer is. Raises UnexpectedAnswerError."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnexpectedAnswerError("the answer is no JSON object: does the URL lead to the HTTP API?") from None


def _unexpected(answer: httpx.Response) -> UnexpectedAnswerError:
    told = _problem(answer).get("detail") or "does the URL lead to the HTTP API?"
    return UnexpectedAnswerError(f"the answer is {answer.status_code}: {told}")


def _retry_after_s(answer: httpx.Response) -> float | None:
    """In seconds, or a date; None where there is none that can be read."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max((at - parsedate_to_datetime(answer.headers["date"])).total_seconds(), 0.0)
    except (ValueError, TypeError, KeyError):
        return None
