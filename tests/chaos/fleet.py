"""Replicas of the services as real processes, each started anew by a supervisor when it ends."""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.stream.discovery import port_of
from tests.chaos.patience import until
from tests.chaos.server import die_with_parent
from tests.support.black_box import SERVICES
from tests.support.running import environment_for, free_port, http_get

RESTART_S = 0.2
READY_S = 120.0


class Replica:
    """One process of `adaptive-care run`, under one consumer name for all its lives."""

    def __init__(self, name: str, services: Sequence[str], folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.services = tuple(services)
        self.is_frozen = False
        self.deaths: Counter[int] = Counter()
        """Statuses of its ends, negative for a signal; those of `stop` left out."""
        self.log = folder / f"{name}.log"
        port = free_port()
        self._port = port_of(self.services, port)
        own = {"CARE_CONSUMER": name, "CARE_HTTP_PORT": str(port)}
        self._environment = environment_for(folder, **(dict(settings) | own))
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def begin(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "shared.cli.main", "run", *self.services),
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with_parent(),
                )
            self.deaths[await self._process.wait()] += 1
            await asyncio.sleep(RESTART_S)

    def send(self, number: signal.Signals) -> None:
        """A signal to the process, if it lives."""
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def is_ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError, ValueError, TimeoutError):
            async with asyncio.timeout(5):
                return (await http_get(self._port, "/ready"))[0] == 200
        return False

    async def stop(self) -> int | None:
        """SIGTERM, and no life after it. Returns its status; None where it had to be killed."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._process is None or not self.is_running:
            return 0
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(60):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return None

    def kill(self) -> None:
        """At once and for good."""
        if self._keeper is not None:
            self._keeper.cancel()
        if self._process is not None and self.is_running:
            self._process.kill()


class Fleet:
    """`count` replicas of all services: each in a process of its own, or all four of a replica in one."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *, count: int, apart: bool) -> None:
        groups = [(name,) for name in SERVICES] if apart else [()]
        self.replicas = [
            Replica(f"{'-'.join(services) or 'all'}-{n}", services, folder, settings)
            for n in range(count)
            for services in groups
        ]

    async def start(self) -> None:
        """Returns once all of them say that they are ready."""
        for replica in self.replicas:
            replica.begin()
        await self.until_ready()

    async def until_ready(self) -> None:
        await until(self._are_ready, within_s=READY_S, what="all replicas to be ready")

    async def _are_ready(self) -> bool:
        return all([await replica.is_ready() for replica in self.replicas])

    async def stop(self) -> list[int | None]:
        """All at once; their statuses."""
        return await asyncio.gather(*(replica.stop() for replica in self.replicas))

    def kill(self) -> None:
        for replica in self.replicas:
            replica.kill()

    def deaths(self) -> Counter[int]:
        return sum((replica.deaths for replica in self.replicas), Counter())

    def tracebacks(self) -> list[str]:
        """Where a log holds a traceback: a process may die of Redis, but not of surprise."""
        return [r.name for r in self.replicas if r.log.exists() and "Traceback" in r.log.read_text(errors="replace")]
