"""A real Redis Cluster of one node: every rule about slots holds, and nothing has to be agreed on."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from shared.embedded.binary import find_server
from tests.support.running import free_port

SLOTS = 16384


@contextlib.contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Gives its `redis+cluster://` URL once all slots are served."""
    port = free_port()
    place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with (folder / "cluster.log").open("wb") as log:
        process = subprocess.Popen(
            [str(find_server().path), *place, "--cluster-enabled", "yes", "--save", ""], stdout=log, stderr=log
        )
    try:
        with redis.Redis(port=port) as node:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, (folder / "cluster.log").read_text()
                assert time.monotonic() < deadline, "the cluster does not come up"
                with contextlib.suppress(redis.RedisError):
                    info = node.execute_command("CLUSTER INFO")
                    state = info if isinstance(info, dict) else {}
                    if state.get("cluster_state") == "ok":
                        break
                    if state.get("cluster_slots_assigned") == "0":
                        node.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1)
                time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
