"""What a process and a Redis server have used so far."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its threads; of children that still run too."""
    total = 0.0
    for task in (pid, *_children(pid)):
        fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return total


def rss_mib(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> list[int]:
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *_children(int(child))]
    return found


@dataclass(frozen=True, slots=True)
class RedisUse:
    """Of a whole server, since it started."""

    cpu_s: float
    commands: int
    """Those of scripts included."""
    socket_reads: int
    """Of its clients' sockets: a large request takes many, so this is no count of round trips (`bench.trip`)."""
    bytes_in: int
    bytes_out: int
    memory_bytes: int

    def since(self, before: "RedisUse") -> "RedisUse":
        return RedisUse(
            self.cpu_s - before.cpu_s,
            self.commands - before.commands,
            self.socket_reads - before.socket_reads,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
            self.memory_bytes - before.memory_bytes,
        )


async def redis_use(client: Redis) -> RedisUse:
    """As the server counts it."""
    info: dict[str, Any] = await client.info("everything")
    return RedisUse(
        cpu_s=info["used_cpu_user"] + info["used_cpu_sys"],
        commands=info["total_commands_processed"],
        socket_reads=info["total_reads_processed"],
        bytes_in=info["total_net_input_bytes"],
        bytes_out=info["total_net_output_bytes"],
        memory_bytes=info["used_memory"],
    )
