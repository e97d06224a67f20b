"""A Redis server started with whatever a test wants it to be started with, on a TCP port of this machine."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from shared.embedded import find_server
from tests.support.running import free_port

START_S = 30.0


@contextlib.contextmanager
def server_process(folder: Path, *arguments: str, port: int | None = None) -> Iterator[int]:
    """The server that `find_server` finds, with these arguments and in this folder; gives its port.

    A configuration file may be the first argument. Killed in the end: nobody needs what it holds any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    own = ["--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    own += [] if "--tls-port" in arguments else ["--port", str(port)]
    if "--cluster-enabled" in arguments:  # by itself 10,000 above the port, which may be beyond all ports
        own += ["--cluster-port", str(port + 1)]
    config = [argument for argument in arguments[:1] if argument.endswith(".conf")]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [find_server().path, *config, *own, *arguments[len(config) :]], stdout=log, stderr=log
        )
    try:
        _await_port(process, port, folder)
        yield port
    finally:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {(folder / 'server.log').read_text()[-2000:]}")
