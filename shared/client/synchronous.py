"""`CareClient`: the asynchronous client, driven on an event loop in a thread of its own."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import datetime
from threading import Thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

from shared.client.asynchronous import PATIENCE_S, AsyncCareClient, Json
from shared.client.envelope import SOURCE
from shared.client.feed import Feed
from shared.client.reader import Unrecognised
from shared.event.classification import ConditionClassified
from shared.event.envelope import Event
from shared.event.program import ProgramPlanned
from shared.event.wire import Payload

P = TypeVar("P", bound=Payload)
T = TypeVar("T")


class _Driver:
    """An event loop in a daemon thread, begun at the first call: a program that forgets to close still ends."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result. Whatever interrupts the wait, such as Ctrl-C, cancels the work."""
        if self._loop is None or self._thread is None:
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=self._loop.run_forever, name="care-client", daemon=True)
            self._thread.start()
        elif not self._thread.is_alive():
            work.close()
            raise RuntimeError("this client was used before the process forked: make one in each process")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
            self._loop.close()
        self._loop = self._thread = None


class SyncFeed(Generic[P]):
    """A `Feed` for `for`."""

    def __init__(self, driver: _Driver, feed: Feed[P]) -> None:
        self._driver = driver
        self._feed = feed

    @property
    def cursor(self) -> str | None:
        """The resume token behind the event handed out last."""
        return self._feed.cursor

    def __iter__(self) -> "SyncFeed[P]":
        return self

    def __next__(self) -> Event[P | Unrecognised]:
        event = self._driver.run(self._feed.next())
        if event is None:
            raise StopIteration
        return event


class CareClient:
    """`AsyncCareClient` without `await`; see there. For one thread at a time."""

    def __init__(
        self, url: str, *, api_key: str | None = None, source: str = SOURCE, patience_s: float = PATIENCE_S
    ) -> None:
        self._client = AsyncCareClient(url, api_key=api_key, source=source, patience_s=patience_s)
        self._driver = _Driver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back and ends the thread."""
        self._driver.run(self._client.close())
        self._driver.stop()

    def submit(
        self,
        data: Payload,
        *,
        patient: str,
        id: str | None = None,  # noqa: A002  # the attribute's name on the wire
        time: datetime | None = None,
        correlation_id: str | None = None,
    ) -> str:
        """Publishes one event and returns its id."""
        return self._driver.run(
            self._client.submit(data, patient=patient, id=id, time=time, correlation_id=correlation_id)
        )

    def submit_all(self, events: Iterable[Event[Any]]) -> list[str]:
        """Publishes events, made with `new_event`, in their order, and returns their ids."""
        return self._driver.run(self._client.submit_all(events))

    @overload
    def events(
        self, *, patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> SyncFeed[Payload]: ...

    @overload
    def events(
        self, *types: type[P], patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> SyncFeed[P]: ...

    def events(
        self, *types: type[P], patient: str | None = None, after: str | None = None, wait_s: float | None = None
    ) -> SyncFeed[P]:
        """Over Redis: what the services publish, for `for`."""
        return SyncFeed(self._driver, self._client.events(*types, patient=patient, after=after, wait_s=wait_s))

    def newest(self) -> str:
        """Over Redis: the resume token behind everything that is there now."""
        return self._driver.run(self._client.newest())

    def classification(self, patient: str) -> ConditionClassified:
        """Over HTTP: what the condition probably is."""
        return self._driver.run(self._client.classification(patient))

    def program(self, patient: str) -> ProgramPlanned:
        """Over HTTP: the program as it is by now."""
        return self._driver.run(self._client.program(patient))

    def prescription(self, patient: str) -> Json:
        """Over HTTP: the next session."""
        return self._driver.run(self._client.prescription(patient))

    def state(self, patient: str) -> Json:
        """Over HTTP: how care stands."""
        return self._driver.run(self._client.state(patient))

    def timeline(self, patient: str, *, after: str | None = None) -> Json:
        """Over HTTP: a page of what happened, in order."""
        return self._driver.run(self._client.timeline(patient, after=after))

    def escalations(self, patient: str) -> Json:
        """Over HTTP: what waits for a clinician."""
        return self._driver.run(self._client.escalations(patient))
