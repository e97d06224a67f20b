"""A run leaves no processes behind."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.chaos.patience import until
from tests.chaos.server import Server
from tests.support.running import free_port

RUN = """
import asyncio, pathlib, sys, time
from tests.chaos.server import Server
asyncio.run(Server(pathlib.Path(sys.argv[1]), int(sys.argv[2])).start())
print("up", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other kernels do not kill with the parent")
async def test_a_server_dies_with_a_run_that_is_killed(folder: Path) -> None:
    """Whoever kills a run at once need not look for its servers."""
    port = free_port()
    command = (sys.executable, "-c", RUN, str(folder), str(port))
    run = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert run.stdout is not None
    assert await asyncio.wait_for(run.stdout.readline(), 60) == b"up\n"
    assert Server(folder, port).answers()
    run.kill()
    await run.wait()

    async def is_gone() -> bool:
        return not Server(folder, port).answers()

    await until(is_gone, within_s=60, what="the server to die")
