"""The session hop: a 1 KB session in, its adjustment out, by one process of each contender, in interleaved rounds.

A round empties Redis, puts patients into care, hands each of them one session while the worker stands still, lets it
go on, and waits for the last adjustment. So every session is of another patient: nothing is gained by folding several
of one patient together.
"""

import asyncio
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from bench import workload
from bench.usage import RedisUse, cpu_s, redis_use
from shared.event.wire import Stream
from shared.stream.key import CLOCK, stream_key

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".venv-bench" / "bin" / "python"
CARED_FOR = 20
"""Sessions that each patient has had before."""
WARM_UP = 100
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to handle sessions. `feed`: hands them over itself, since it has a queue of its own."""

    name: str
    worker: tuple[str, ...]
    feed: tuple[str, ...] = ()


@dataclass(slots=True)
class Figures:
    """Of one contender, one entry for each round."""

    events_per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    redis_cpu_us: list[float] = field(default_factory=list)
    socket_reads: list[float] = field(default_factory=list)
    commands: list[float] = field(default_factory=list)
    kib_in: list[float] = field(default_factory=list)
    kib_out: list[float] = field(default_factory=list)

    def median(self, name: str) -> float:
        values: list[float] = getattr(self, name)
        return statistics.median(values) if values else float("nan")


def contenders() -> list[Contender]:
    """Ours, the references, and the peers that are installed."""
    python = sys.executable
    found = [
        Contender("adaptive-care", (python, "-m", "shared.cli.main", "run", "progression")),
        Contender("hand-tuned redis-py loop", (python, "-m", "bench.worker.reference")),
        Contender("FastStream, one message at a time", (python, "-m", "bench.worker.faststream_single")),
    ]
    if PEERS.exists():
        for name in ("taskiq", "arq", "dramatiq"):
            module = f"bench.worker.{name}_worker"
            found.append(Contender(name, (str(PEERS), "-m", module, "work"), (str(PEERS), "-m", module, "feed")))
    return found


async def run_round(url: str, client: Redis, contender: Contender, count: int, figures: Figures) -> None:
    """One round of one contender."""
    work = workload.after(CARED_FOR)
    await client.flushall()
    await client.set(CLOCK, work.now.isoformat())
    await client.xgroup_create(stream_key(0, Stream.SESSIONS), "progression", id="0", mkstream=True)
    await workload.seed(client, work, range(WARM_UP + count))
    environment = environment_of(url, work)
    async with worker(contender.worker, environment) as pid:
        await _hand_over(client, contender, environment, work, range(WARM_UP))
        await _until(client, WARM_UP, pid)
        os.kill(pid, signal.SIGSTOP)
        await _hand_over(client, contender, environment, work, range(WARM_UP, WARM_UP + count))
        used, redis_before = cpu_s(pid), await redis_use(client)
        began = time.perf_counter()
        os.kill(pid, signal.SIGCONT)
        polls = await _until(client, WARM_UP + count, pid)
        seconds = time.perf_counter() - began
        used, redis_used = cpu_s(pid) - used, (await redis_use(client)).since(redis_before)
    _note(figures, count, seconds, used, redis_used, polls)


def _note(figures: Figures, count: int, seconds: float, used: float, redis: RedisUse, polls: int) -> None:
    figures.events_per_s.append(count / seconds)
    figures.cpu_us.append(used / count * 1e6)
    figures.redis_cpu_us.append(redis.cpu_s / count * 1e6)
    figures.socket_reads.append((redis.socket_reads - polls) / count)
    figures.commands.append((redis.commands - polls) / count)
    figures.kib_in.append(redis.bytes_in / count / 1024)
    figures.kib_out.append(redis.bytes_out / count / 1024)


async def _hand_over(
    client: Redis, contender: Contender, environment: dict[str, str], work: workload.Workload, numbers: range
) -> None:
    if not contender.feed:
        await workload.send(client, work, numbers)
        return
    lines = b"\n".join(work.session_of(workload.patient_id(number)) for number in numbers)
    process = await asyncio.create_subprocess_exec(
        *contender.feed, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    await process.communicate(lines)
    if process.returncode != 0:
        raise RuntimeError(f"{contender.name} could not be fed: status {process.returncode}")


async def _until(client: Redis, count: int, pid: int) -> int:
    """Waits for so many adjustments. Returns how often it looked."""
    key, polls = stream_key(0, Stream.ADJUSTMENTS), 0
    async with asyncio.timeout(PATIENCE_S):
        while (found := await client.xlen(key)) < count:
            polls += 1
            if not os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC240  # no disk is read
                raise RuntimeError(f"the worker ended after {found} of {count} sessions")
            await asyncio.sleep(0.01)
    return polls + 1


def environment_of(url: str, work: workload.Workload) -> dict[str, str]:
    """What a worker is told."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARE_")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "BENCH_REDIS_URL": url,
        "BENCH_NOW": work.now.isoformat(),
        "CARE_REDIS_URL": url,
        "CARE_CLOCK": "replay",
        "CARE_CONSUMER": "bench-0",
        "CARE_HTTP_PORT": str(free_port()),
        "CARE_LOG_FORMAT": "json",
        "CARE_LOG_LEVEL": os.environ.get("BENCH_LOG_LEVEL", "info"),
    }


def free_port() -> int:
    """A TCP port for which, and the four after it, nobody is likely to listen: below those of outgoing connections."""
    return random.SystemRandom().randrange(22_000, 32_000, 10)


@contextlib.asynccontextmanager
async def worker(command: tuple[str, ...], environment: dict[str, str]) -> AsyncIterator[int]:
    """A worker process, killed in the end; gives its process id. What it logs is written, and thrown away."""
    gone = subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=gone, stderr=gone)
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()
