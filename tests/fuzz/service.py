"""Spoilt events through the running services: each is handled or dead-lettered, and valid ones keep their pace."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.idle import is_idle
from shared.stream.key import stream_key
from tests.fuzz.mutation import Source
from tests.support.example import intake, wire
from tests.support.toy import session

WATCHED = 20
"""Patients of whom every event is valid; what is measured is the time from their sessions to the adjustments."""
PATIENTS = 40
EVENTS_EACH = 40
"""Of each patient, where there are many events: they fall into weeks, in which nobody reports a thousand times."""


@dataclass(slots=True)
class ServiceReport:
    """What came of it."""

    spoilt: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    calm_p99_ms: float = 0.0
    """Of valid sessions alone."""
    disturbed_p99_ms: float = 0.0
    """Of valid sessions among the spoilt events."""


async def fuzz_services(
    client: Redis,
    count: int,
    seed: int,
    *,
    spoilt_per_s: float,
    valid_per_s: float,
    tell: Callable[[str], None] = lambda _: None,
) -> ServiceReport:
    """So many spoilt events to services that run and are ready. Raises AssertionError for what is lost or doubled."""
    report = ServiceReport()
    now = datetime.now(UTC)
    rng = Random(seed)  # noqa: S311  # no secret
    watch = _Watch(client, now)
    await watch.begin()
    source = Source(rng, max(PATIENTS, count // EVENTS_EACH), now)
    for stream, raw in source.first():
        await client.xadd(stream_key(0, stream), {"__data__": raw})
    await _until_idle(client)
    seconds = count / spoilt_per_s
    tell("valid sessions alone")
    report.calm_p99_ms = _p99(await watch.follow(min(seconds, 60.0), valid_per_s))
    tell("spoilt events among them")
    following = asyncio.create_task(watch.follow(seconds, valid_per_s))
    sent = await _spoil(client, source, count, spoilt_per_s)
    report.disturbed_p99_ms = _p99(await following)
    tell("waiting until nothing is left to do")
    await _until_idle(client)
    report.spoilt = len(sent)
    letters = await _letters(client)
    report.dead.update(letter["error"]["code"] for letter in letters)
    _check(sent, letters)
    return report


async def _spoil(client: Redis, source: Source, count: int, per_s: float) -> set[tuple[str, str]]:
    """Gives the places where they lie."""
    sent: set[tuple[str, str]] = set()
    began = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
        stream, raw = source.spoilt()
        key = stream_key(0, stream)
        fields = {"__data__": raw} if source.rng.random() > 0.01 else {"payload": raw, "other": b"\xff"}
        entry_id: Any = await client.xadd(key, fields)  # type: ignore[arg-type]  # its value type is invariant
        sent.add((key, entry_id.decode()))
    return sent


def _check(sent: set[tuple[str, str]], letters: list[dict[str, Any]]) -> None:
    places = Counter((letter["stream"], letter["entry_id"]) for letter in letters)
    assert max(places.values(), default=0) <= 1, "an entry has two dead letters"
    strangers = set(places) - sent
    assert not strangers, f"valid events became dead letters: {sorted(strangers)[:3]}"
    failed = [letter for letter in letters if letter["error"]["code"] == "handler_failed"]
    assert not failed, f"a handler failed: {failed[0]['error']}"
    assert all(letter["error"]["path"].startswith("$") for letter in letters)


class _Watch:
    """Valid sessions at a steady pace, and when their adjustments came."""

    def __init__(self, client: Redis, now: datetime) -> None:
        self._client = client
        self._now = now
        self._count = 0

    async def begin(self) -> None:
        """Puts the watched patients into care."""
        for number in range(WATCHED):
            data = intake(intake_id=f"i-watch-{number}")
            at = self._now - timedelta(days=2)
            raw = wire("care.intake.submitted.v1", data, subject=f"watch-{number}", event_id=f"w-{number}", time=at)
            await self._client.xadd(stream_key(0, Stream.INTAKES), {"__data__": raw})
        await _until_idle(self._client)
        assert await self._client.xlen(stream_key(0, Stream.PROGRAMS)) >= WATCHED

    async def follow(self, seconds: float, per_s: float) -> list[float]:
        """Sends for so long. Returns the time to each adjustment, in seconds."""
        sent: dict[str, float] = {}
        answered: dict[str, float] = {}
        key = stream_key(0, Stream.ADJUSTMENTS)
        newest: Any = await self._client.xrevrange(key, count=1)
        last: Any = newest[0][0] if newest else "0"
        began = time.perf_counter()
        total = max(1, int(seconds * per_s))

        async def send() -> None:
            for number in range(total):
                await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
                self._count += 1
                event_id = f"ws-{self._count}"
                sent[event_id] = time.perf_counter()
                await self._client.xadd(stream_key(0, Stream.SESSIONS), {"__data__": self._session(event_id)})

        async def read() -> None:
            nonlocal last
            while len(answered) < total:
                found: Any = await self._client.xread({key: last}, count=200, block=1000)
                at = time.perf_counter()
                for _, rows in found or ():
                    for entry_id, row in rows:
                        last = entry_id
                        cause = json.loads(row[b"__data__"]).get("causationid", "")
                        if cause in sent:
                            answered.setdefault(cause, at)

        async with asyncio.timeout(seconds * 3 + 120):
            await asyncio.gather(send(), read())
        return [answered[one] - sent[one] for one in sent]

    def _session(self, event_id: str) -> bytes:
        patient = f"watch-{self._count % WATCHED}"
        at = self._now + timedelta(seconds=self._count)
        data = session(event_id, program_id=f"prg-i-{patient}", started_at=at.isoformat())
        return wire("care.session.reported.v1", data, subject=patient, event_id=event_id, time=at)


async def _letters(client: Redis) -> list[dict[str, Any]]:
    rows: Any = await client.xrange(stream_key(0, Stream.DEAD_LETTERS))
    return [json.loads(row[b"__data__"])["data"] for _, row in rows]


async def _until_idle(client: Redis) -> None:
    async with asyncio.timeout(600):
        while not await is_idle(client, 1):  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.1)


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000
