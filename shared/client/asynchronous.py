"""`AsyncCareClient`: one face over both transports."""

from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, overload
from urllib.parse import urlsplit

from shared.client.cursor import Cursor
from shared.client.envelope import SOURCE, checked_all, new_event
from shared.client.error import UnsupportedError
from shared.client.feed import OUTPUTS, Feed
from shared.client.http_transport import HttpTransport, ViewName, object_of
from shared.client.reader import read_payload
from shared.client.redis_transport import RedisTransport
from shared.event.classification import ConditionClassified
from shared.event.envelope import Event
from shared.event.program import ProgramPlanned
from shared.event.wire import Payload
from shared.settings import SCHEMES
from shared.stream.key import stream_key

P = TypeVar("P", bound=Payload)

PATIENCE_S = 10.0
Json = dict[str, Any]
"""An object, as the API's own document describes it."""


class AsyncCareClient:
    """Publishes what a platform tells, and reads what the services answer.

    Over Redis (`redis://`, `rediss://`, `redis+cluster://`, `unix://`) it publishes and has `events`; over HTTP
    (`https://`, `http://`) it publishes and has the views. One client serves many tasks of one event loop. Whoever
    cannot be reached is tried again for `patience_s` seconds, with the same event ids, so that nothing counts twice.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, source: str = SOURCE, patience_s: float = PATIENCE_S
    ) -> None:
        """`source`: the URI-reference of the producer in every event, such as `//platform.example/app`.

        Raises ValueError for a URL that is neither, and for what can be no API key. Nothing is connected yet.
        """
        self._source = source
        self._transport = _transport(url, api_key, patience_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives the connections back."""
        await self._transport.close()

    async def submit(
        self,
        data: Payload,
        *,
        patient: str,
        id: str | None = None,  # noqa: A002  # the attribute's name on the wire
        time: datetime | None = None,
        correlation_id: str | None = None,
    ) -> str:
        """Publishes one event and returns its id; `new_event` says what the arguments mean.

        Raises RefusedError, UnauthorisedError, RateLimitedError, UnavailableError, UnexpectedAnswerError.
        """
        event = new_event(data, patient=patient, id=id, time=time, correlation_id=correlation_id, source=self._source)
        return (await self.submit_all([event]))[0]

    async def submit_all(self, events: Iterable[Event[Any]]) -> list[str]:
        """Publishes events, made with `new_event`, in their order, and returns their ids. Raises what `submit` does.

        All are checked first: where one is wrong, none is sent. Over HTTP the system may then still refuse some;
        the error says which, and which it took.
        """
        outgoing = checked_all(events)
        accepted: list[str] = []
        await self._transport.publish(outgoing, accepted)
        return accepted

    @overload
    def events(
        self, *, patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> Feed[Payload]: ...

    @overload
    def events(
        self, *types: type[P], patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> Feed[P]: ...

    def events(
        self, *types: type[P], patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> Feed[P]:
        """Over Redis: what the services publish, for `async for`; the feed's `cursor` is the resume token.

        `types`: payload classes such as `LoadAdjusted`; none: all but dead letters, also those that this version does
        not know. Dead letters (`EventRejected`) have to be named, and the login must be let read them.
        `after`: a resume token of a feed with the same filters, or of `newest`; by itself from the oldest event that is
        kept. `wait_s`: ends after so many seconds without an event, 0 at the end of what is there; by itself never.
        """
        return Feed(self._over_redis(), types=types, patient=patient, after=after, wait_s=wait_s)

    async def newest(self) -> str:
        """Over Redis: the resume token behind everything that is there now; of dead letters it says nothing."""
        transport = self._over_redis()
        partitions = await transport.partitions()
        keys = [stream_key(number, stream) for number in range(partitions) for stream in OUTPUTS]
        cursor = Cursor(partitions)
        for key, extent in (await transport.extents(keys)).items():
            cursor.move(key, extent.newest, extent.added)
        return cursor.token()

    async def classification(self, patient: str) -> ConditionClassified:
        """Over HTTP: what the condition probably is. This and the views below raise NotFoundError where nothing is."""
        return read_payload(ConditionClassified, await self._view(patient, "classification"))

    async def program(self, patient: str) -> ProgramPlanned:
        """Over HTTP: the program as it is by now."""
        return read_payload(ProgramPlanned, await self._view(patient, "program"))

    async def prescription(self, patient: str) -> Json:
        """Over HTTP: the next session. This and the views below are JSON, as the API's document says."""
        return object_of(await self._view(patient, "prescription"))

    async def state(self, patient: str) -> Json:
        """Over HTTP: how care stands."""
        return object_of(await self._view(patient, "state"))

    async def timeline(self, patient: str, *, after: str | None = None) -> Json:
        """Over HTTP: a page of what happened, in order; `after`: the `next` of the page before."""
        return object_of(await self._view(patient, "timeline", **({} if after is None else {"after": after})))

    async def escalations(self, patient: str) -> Json:
        """Over HTTP: what waits for a clinician."""
        return object_of(await self._view(patient, "escalations"))

    async def _view(self, patient: str, name: ViewName, **query: str) -> bytes:
        if not isinstance(self._transport, HttpTransport):
            raise UnsupportedError("views are read over HTTP: make a client with the https:// URL and an API key")
        return await self._transport.view(patient, name, **query)

    def _over_redis(self) -> RedisTransport:
        if not isinstance(self._transport, RedisTransport):
            raise UnsupportedError("events are read over Redis, or received as webhooks (parse_webhook)")
        return self._transport


def _transport(url: str, api_key: str | None, patience_s: float) -> RedisTransport | HttpTransport:
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        return RedisTransport(url, patience_s)
    if scheme in ("http", "https"):
        return HttpTransport(url, api_key, patience_s)
    known = ", ".join(f"{name}://" for name in (*SCHEMES, "https", "http"))
    raise ValueError(f"the URL of the system must begin with one of {known}")
