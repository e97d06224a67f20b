"""How long it takes from an event to what follows from it, while others come at a steady rate."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from bench import workload
from bench.hop import CARED_FOR, environment_of, worker
from shared.event.wire import Stream
from shared.stream.connection import connect
from shared.stream.key import CLOCK, stream_key

SECONDS = 8.0
WARM_UP_S = 1.0
BARE = "bench:bare"


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one way at one rate, in milliseconds."""

    what: str
    rate_per_s: float
    count: int
    p50: float
    p99: float
    p999: float


async def session_to_adjustment(url: str, client: Redis, rate: float, python: tuple[str, ...]) -> list[Latency]:
    """Sessions at a steady rate through one progression process, and a bare XADD to XREADGROUP hop beside it."""
    work = workload.after(CARED_FOR)
    count = int(rate * (SECONDS + WARM_UP_S)) + 1
    await _prepare(client, work)
    await client.xgroup_create(stream_key(0, Stream.SESSIONS), "progression", id="0", mkstream=True)
    await client.xgroup_create(BARE, "bare", id="0", mkstream=True)
    await workload.seed(client, work, range(count))
    async with worker((*python, "run", "progression"), environment_of(url, work)):
        await _first(client, work, count)

        def session(number: int) -> tuple[str, bytes]:
            return stream_key(0, Stream.SESSIONS), work.session_of(workload.patient_id(number))

        seen = await _run(
            url,
            rate,
            count,
            session,
            stream_key(0, Stream.ADJUSTMENTS),
            _cause,
            lambda n: f"es-{workload.patient_id(n)}-{CARED_FOR}",
        )
        bare = await _run(url, rate, count, lambda n: (BARE, str(n).encode()), BARE, None, str)
    return [_figures("session to adjustment", rate, seen), _figures("bare XADD to XREADGROUP", rate, bare)]


async def red_flag_to_escalation(url: str, client: Redis, rate: float, python: tuple[str, ...]) -> Latency:
    """Every tenth session reports a red flag; only these are timed."""
    work = workload.after(CARED_FOR)
    count = int(rate * (SECONDS + WARM_UP_S)) + 1
    await _prepare(client, work)
    await client.xgroup_create(stream_key(0, Stream.SESSIONS), "progression", id="0", mkstream=True)
    await workload.seed(client, work, range(count))
    async with worker((*python, "run", "progression"), environment_of(url, work)):
        await _first(client, work, count)

        def event(number: int) -> tuple[str, bytes]:
            patient = workload.patient_id(number)
            raw = work.session_of(patient) if number % 10 else workload.flagged(patient, CARED_FOR, work.now)[1]
            return stream_key(0, Stream.SESSIONS), raw

        seen = await _run(
            url,
            rate,
            count,
            event,
            stream_key(0, Stream.ESCALATIONS),
            _cause,
            lambda n: f"ef-{workload.patient_id(n)}-{CARED_FOR}",
            every=10,
        )
    return _figures("red flag to escalation", rate, seen)


async def intake_to_program(url: str, client: Redis, rate: float, python: tuple[str, ...]) -> Latency:
    """Intakes through two processes, intake and planner, to the program."""
    work = workload.after(CARED_FOR)
    count = int(rate * (SECONDS + WARM_UP_S)) + 1
    await _prepare(client, work)
    environment = environment_of(url, work)
    async with contextlib.AsyncExitStack() as stack:
        for service in ("intake", "planner"):
            await stack.enter_async_context(worker((*python, "run", service), environment))
        await _first_intake(client, work)

        def event(number: int) -> tuple[str, bytes]:
            return stream_key(0, Stream.INTAKES), workload.intake(workload.patient_id(number), work.now)[1]

        seen = await _run(
            url,
            rate,
            count,
            event,
            stream_key(0, Stream.PROGRAMS),
            _correlation,
            lambda n: f"e-{workload.patient_id(n)}",
        )
    return _figures("intake to program", rate, seen)


async def sustainable_intakes(url: str, client: Redis, python: tuple[str, ...], count: int = 150) -> float:
    """Intakes per second that two processes, intake and planner, turn into programs at full speed."""
    work = workload.after(CARED_FOR)
    await _prepare(client, work)
    async with contextlib.AsyncExitStack() as stack:
        for service in ("intake", "planner"):
            await stack.enter_async_context(worker((*python, "run", service), environment_of(url, work)))
        await _first_intake(client, work)
        pipeline = client.pipeline(transaction=False)
        for number in range(count):
            raw = workload.intake(workload.patient_id(number), work.now)[1]
            pipeline.xadd(stream_key(0, Stream.INTAKES), {"__data__": raw})
        began = time.perf_counter()
        await pipeline.execute()
        async with asyncio.timeout(300):
            while await client.xlen(stream_key(0, Stream.PROGRAMS)) <= count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return count / (time.perf_counter() - began)


async def _prepare(client: Redis, work: workload.Workload) -> None:
    await client.flushall()
    await client.set(CLOCK, work.now.isoformat())


async def _first(client: Redis, work: workload.Workload, number: int) -> None:
    """One session before all others: the process has started, and knows its scripts."""
    await workload.seed(client, work, range(number, number + 1))
    await workload.send(client, work, range(number, number + 1))
    async with asyncio.timeout(120):
        while not await client.xlen(stream_key(0, Stream.ADJUSTMENTS)):  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.02)


async def _first_intake(client: Redis, work: workload.Workload) -> None:
    await client.xadd(stream_key(0, Stream.INTAKES), {"__data__": workload.intake("p-99999999", work.now)[1]})
    async with asyncio.timeout(120):
        while not await client.xlen(stream_key(0, Stream.PROGRAMS)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _run(
    url: str,
    rate: float,
    count: int,
    event: Callable[[int], tuple[str, bytes]],
    out: str,
    name: Callable[[bytes], str] | None,
    expected: Callable[[int], str],
    every: int = 1,
) -> list[float]:
    """Sends at fixed instants whatever the answers, and notes when each answer is there. Seconds, warm-up left out.

    Latency counts from the instant at which an event was due to be sent, so that a slow sender hides nothing.
    """
    due: dict[str, float] = {}
    answered: dict[str, float] = {}
    wanted = {expected(number) for number in range(0, count, every)}
    sender, reader = connect(url), connect(url)
    began = time.perf_counter() + 0.1

    async def send() -> None:
        for number in range(count):
            at = began + number / rate
            due[expected(number)] = at
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            key, raw = event(number)
            await sender.xadd(key, {"__data__": raw})

    async def read() -> None:
        newest: Any = await reader.xrevrange(out, count=1)
        last: Any = newest[0][0] if newest else "0"
        while len(answered) < len(wanted):
            found: Any = (
                await reader.xread({out: last}, count=200, block=1000)
                if name is not None
                else await reader.xreadgroup("bare", "one", {out: ">"}, count=200, block=1000)
            )
            now = time.perf_counter()
            for _, rows in found or ():
                for entry_id, row in rows:
                    last = entry_id
                    raw = row[b"__data__"]
                    answer = name(raw) if name is not None else raw.decode()
                    if answer in wanted:
                        answered.setdefault(answer, now)

    try:
        async with asyncio.timeout(SECONDS * 20 + 60):
            reading = asyncio.create_task(read())
            await asyncio.sleep(0.05)
            await send()
            await reading
    finally:
        await sender.aclose()
        await reader.aclose()
    return [answered[one] - due[one] for one in wanted if due[one] - began >= WARM_UP_S]


def _cause(raw: bytes) -> str:
    return _after(raw, b'"causationid":"')


def _correlation(raw: bytes) -> str:
    return _after(raw, b'"correlationid":"')


def _after(raw: bytes, field: bytes) -> str:
    """A field's text, found without parsing 4 KB: the reader must not be what is slow."""
    start = raw.index(field) + len(field)
    return raw[start : raw.index(b'"', start)].decode()


def _figures(what: str, rate: float, seconds: list[float]) -> Latency:
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    return Latency(what, rate, len(ordered), at(0.5), at(0.99), at(0.999))
