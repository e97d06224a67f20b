"""Redis servers as processes of a run's own: to be killed, frozen and started again on their own files."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import redis

from shared.embedded.binary import find_server

START_S = 60.0
PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """To be run in a child before its program: the kernel kills it once this process is gone, however it went.

    Linux only; elsewhere a run that is killed leaves its processes behind.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask


class Server:
    """One server with an append-only file in a folder; `arguments` come last and win."""

    def __init__(self, folder: Path, port: int, *arguments: str, fsync: str = "always") -> None:
        self.port = port
        self.cluster_port = (
            int(arguments[arguments.index("--cluster-port") + 1]) if "--cluster-port" in arguments else 0
        )
        """Where other nodes of its cluster reach it; 0 where it is none's."""
        self.folder = folder
        self._arguments = (
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction"),
            *arguments,
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Returns once it answers, its files read. Raises TimeoutError after a minute."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220  # it takes a moment, and nothing else may run before
                [str(find_server().path), *self._arguments],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # the child does no more than ask the kernel
            )
        async with asyncio.timeout(START_S):
            while not self.answers():
                if not self.is_running:
                    raise RuntimeError(f"the server ended: {(self.folder / 'server.log').read_text()[-1000:]}")
                await asyncio.sleep(0.05)

    def answers(self) -> bool:
        """It takes commands; not so while it reads its files."""
        with contextlib.suppress(redis.RedisError), redis.Redis(port=self.port, socket_timeout=1) as client:
            return bool(client.ping())
        return False

    def cut_tail(self, longest: int) -> None:
        """Takes so many bytes at most off the end of the append-only file, as if they had never reached the disk."""
        newest = max(self.folder.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)
        os.truncate(newest, max(0, newest.stat().st_size - longest))

    def send(self, number: signal.Signals) -> None:
        """A signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; what it had not written is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
