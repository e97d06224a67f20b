"""Webhooks against a real Redis and a real receiver: output events as the services write them, and who gets them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from standardwebhooks import Webhook

from services.notifier.app import make_service
from services.notifier.channels.guard import parse_allowed
from services.notifier.webhook.outlet import Outlet, make_outlet
from services.notifier.webhook.pace import Pace
from shared.event.wire import Stream
from shared.metric import Metrics
from shared.stream.clock import make_clock
from shared.stream.desk import Desk
from shared.stream.key import stream_key
from shared.stream.webhook.office import Office
from shared.stream.webhook.standing import Tempo
from shared.stream.webhook.subscription import Subscription, new_id, new_key
from tests.support.http_server import HANG, HANG_UP, Receiver, Request, http_server
from tests.support.running import client_for, settings_for

HERE = "127.0.0.1"
QUICK = Pace(tempo=Tempo(first_s=0.05, longest_s=0.2, failures=4), poll_s=0.02, tick_s=0.1, longest_rest_s=0.2)
PATIENCE_S = 60.0
"""For conditions on a loaded machine."""
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()


@dataclass
class Platform(Receiver):
    """A care platform's endpoint. `judge` chooses the answer to one event; what it takes it checks and keeps."""

    judge: Callable[[dict[str, Any]], bytes] = lambda event: OK
    keys: list[str] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Everything that was answered 2xx, repeats included."""
    delay_s: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.at_once -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in rest)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append(Request(line, headers, body))
        event = json.loads(body)
        assert headers["webhook-id"] == event["id"]
        for key in self.keys:
            Webhook(key).verify(body, headers)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        response = self.judge(event)
        if response == HANG:
            await reader.read()
        elif response != HANG_UP:
            if response.startswith(b"HTTP/1.1 2"):
                self.taken.append(event)
            writer.write(response)
            await writer.drain()

    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def numbers(self, patient: str) -> list[int]:
        """The numbers of one patient's events, in order of arrival."""
        return [event["data"]["number"] for event in self.taken if event["subject"] == patient]


def output(
    number: int, patient: str = "patient-1", kind: str = "care.load.adjusted.v1", **data: Any
) -> tuple[str, dict[str, Any]]:
    """An output event as it lies in its stream; what webhooks read of it is real, its data is this test's."""
    event = {
        "specversion": "1.0",
        "id": f"{patient}-{number}",
        "source": "//adaptive-care/progression",
        "type": kind,
        "subject": patient,
        "time": "2026-03-02T09:00:00Z",
        "data": {"number": number, "note": "é ≥ 3 kg", **data},
    }
    return kind, event


STREAM_OF = {
    "care.condition.classified.v1": Stream.CLASSIFICATIONS,
    "care.program.planned.v1": Stream.PROGRAMS,
    "care.load.adjusted.v1": Stream.ADJUSTMENTS,
    "care.escalation.raised.v1": Stream.ESCALATIONS,
    "care.reminder.due.v1": Stream.REMINDERS,
    "care.notification.delivered.v1": Stream.NOTIFICATIONS,
    "care.event.rejected.v1": Stream.DEAD_LETTERS,
}


@dataclass
class Case:
    """One Redis, and what a test does with it."""

    url: str
    client: Redis
    office: Office
    partition: int = 0
    """Where `publish` writes."""
    _last_ms: int = 0

    async def subscribe(self, port: int, *types: str, patients: str = "", path: str = "/") -> Subscription:
        one = Subscription(
            new_id(),
            f"http://{HERE}:{port}{path}",
            types or ("care.*",),
            patients,
            (new_key(),),
            await self.office.now_ms() - 1000,
            datetime.now(UTC),
        )
        await self.office.subscriptions.add(one)
        return one

    async def publish(self, *events: tuple[str, dict[str, Any]]) -> None:
        """Each in a millisecond of its own, as what follows from one another is."""
        self._last_ms = max(self._last_ms, await self.office.now_ms())
        pipeline = self.client.pipeline(transaction=False)
        for kind, event in events:
            raw = json.dumps(event, ensure_ascii=False).encode()
            self._last_ms += 1
            entry_id = f"{self._last_ms}-0"
            pipeline.xadd(stream_key(self.partition, STREAM_OF[kind]), {"__data__": raw}, id=entry_id)
        await pipeline.execute()

    def outlet(self, pace: Pace = QUICK, allow: str = HERE) -> Outlet:
        settings = settings_for(self.url, partitions=self.office.partitions)
        desk = Desk(self.client, make_clock("wall", self.client), settings, make_service(settings), Metrics())
        return make_outlet(desk, parse_allowed(allow), pace)

    @contextlib.asynccontextmanager
    async def working(self, pace: Pace = QUICK, allow: str = HERE) -> AsyncIterator[Outlet]:
        """One replica."""
        outlet = self.outlet(pace, allow)
        task = asyncio.create_task(outlet.run())
        try:
            yield outlet
        finally:
            outlet.stop()
            await task

    async def outcomes(self, one: Subscription) -> list[str]:
        """The ledger's outcomes, the oldest first."""
        rows = [row for route in self.office.routes(one.id) async for row in route.deliveries()]
        return [row.outcome for row in reversed(rows)]


async def until(condition: Callable[[], Any], longest_s: float = PATIENCE_S) -> None:
    """Waits for it."""
    async with asyncio.timeout(longest_s):
        while not condition():  # noqa: ASYNC110  # the receiver tells nobody
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def webhook_case(url: str, partitions: int = 1) -> AsyncIterator[Case]:
    async with client_for(url) as client:
        yield Case(url, client, Office(client, partitions, timedelta(days=30)))


__all__ = ["HANG", "HANG_UP", "OK", "Case", "Platform", "answer", "http_server", "output", "until", "webhook_case"]
