"""Each fault is one function that does its harm, waits as long as it wants it to last, and says what it did."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.event.wire import Stream
from shared.stream.key import CLOCK, READERS, Lane, lane_key, stream_key
from tests.chaos.cluster import Cluster
from tests.chaos.fleet import Fleet, Replica
from tests.chaos.patience import patiently
from tests.chaos.server import Server
from tests.support.black_box import SERVICES

CLAIM_IDLE_S = 1.0
BACKWARD = timedelta(hours=2)
LONGEST_TAIL = 128 * 1024
"""Bytes: what is written within a second or so."""
HEADROOM = 64 * 1024
"""Bytes that are left when memory runs out."""


@dataclass(slots=True)
class Arena:
    """What can be harmed."""

    fleet: Fleet
    server: Server | Cluster
    client: Redis
    partitions: int
    dice: random.Random
    clock_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever moves the clock."""
    memory_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Redis is neither killed nor configured while it has no memory."""


Fault = Callable[[Arena], Awaitable[str]]


async def kill_replica(arena: Arena) -> str:
    """SIGKILL in the middle of whatever it does."""
    replica = _chosen(arena)
    replica.send(signal.SIGKILL)
    return replica.name


async def kill_service(arena: Arena) -> str:
    """Every replica of one service at once."""
    services = arena.dice.choice(arena.fleet.replicas).services
    for replica in arena.fleet.replicas:
        if replica.services == services:
            replica.send(signal.SIGKILL)
    return "+".join(services) or "all"


async def terminate_replica(arena: Arena) -> str:
    """SIGTERM: it finishes what it has begun."""
    replica = _chosen(arena)
    replica.send(signal.SIGTERM)
    return replica.name


async def freeze_replica(arena: Arena) -> str:
    """SIGSTOP for longer than the claim time: others take its entries over, and then it wakes."""
    replica = _chosen(arena)
    replica.is_frozen = True
    replica.send(signal.SIGSTOP)
    frozen_s = CLAIM_IDLE_S * arena.dice.uniform(1.5, 4)
    try:
        await asyncio.sleep(frozen_s)
    finally:
        replica.send(signal.SIGCONT)
        replica.is_frozen = False
    return f"{replica.name} for {frozen_s:.1f} s"


async def kill_redis(arena: Arena) -> str:
    """SIGKILL, and a start from its append-only file after a while."""
    assert isinstance(arena.server, Server)
    async with arena.memory_lock:
        arena.server.kill()
        gone_s = arena.dice.uniform(0.1, 1.5)
        await asyncio.sleep(gone_s)
        await arena.server.start()
    return f"for {gone_s:.1f} s"


async def cut_connections(arena: Arena) -> str:
    """Every client's connection at once."""
    client: Any = arena.client
    found = await patiently(lambda: client.execute_command("CLIENT", "KILL", "TYPE", "normal"))
    return f"{found} of them"


async def pause_redis(arena: Arena) -> str:
    """Redis answers nobody for a while: CLIENT PAUSE."""
    pause_ms = arena.dice.randint(500, 3000)
    client: Any = arena.client
    await patiently(lambda: client.execute_command("CLIENT", "PAUSE", pause_ms, "ALL"))
    await asyncio.sleep(pause_ms / 1000)
    return f"for {pause_ms} ms"


async def exhaust_memory(arena: Arena) -> str:
    """Redis refuses what takes memory: maxmemory just above what is used, noeviction."""
    async with arena.memory_lock:
        info: Any = await patiently(lambda: arena.client.info("memory"))
        await patiently(lambda: arena.client.config_set("maxmemory", int(info["used_memory"]) + HEADROOM))
        short_s = arena.dice.uniform(1.0, 3.0)
        try:
            await asyncio.sleep(short_s)
        finally:
            await patiently(lambda: arena.client.config_set("maxmemory", 0))
    return f"for {short_s:.1f} s"


async def drop_group(arena: Arena) -> str:
    """XGROUP DESTROY: everything pending in it is gone, and so is where it had read to."""
    partition = arena.dice.randrange(arena.partitions)
    groups = [(stream_key(partition, stream), name) for stream in Stream for name in READERS[stream]]
    groups += [(lane_key(partition, name, Lane.DUE), name) for name in SERVICES]
    key, name = arena.dice.choice(groups)
    with contextlib.suppress(ResponseError):
        await patiently(lambda: arena.client.xgroup_destroy(key, name))
    return f"{name} of {key}"


async def turn_clock_back(arena: Arena) -> str:
    """`care:clock` goes backward: the processes that see it stop with an error; then it is put right."""
    async with arena.clock_lock:
        raw: Any = await patiently(lambda: arena.client.get(CLOCK))
        if raw is None:
            return "it was not set"
        earlier = datetime.fromisoformat(raw.decode()) - BACKWARD
        await patiently(lambda: arena.client.set(CLOCK, earlier.isoformat()))
        try:
            await asyncio.sleep(0.5)
        finally:
            await patiently(lambda: arena.client.set(CLOCK, raw))
    return f"by {BACKWARD}"


async def forget_scripts(arena: Arena) -> str:
    """SCRIPT FLUSH, as after a failover."""
    await patiently(lambda: arena.client.script_flush())
    return ""


async def kill_master(arena: Arena) -> str:
    """A master of a cluster: its replica takes over, and what it had not been sent is lost."""
    assert isinstance(arena.server, Cluster)
    async with arena.memory_lock:
        return await arena.server.fail_over(arena.dice)


async def lose_tail(arena: Arena) -> str:
    """The machine loses power: with `appendfsync everysec` the newest writes have not reached the disk."""
    assert isinstance(arena.server, Server)
    async with arena.memory_lock, arena.clock_lock:
        clock: Any = await patiently(lambda: arena.client.get(CLOCK))
        longest = arena.dice.randrange(1, LONGEST_TAIL)
        arena.server.kill()
        arena.server.cut_tail(longest)
        await arena.server.start()
        if clock is not None:
            await patiently(lambda: arena.client.set(CLOCK, clock))
    return f"of {longest} bytes"


FAULTS: tuple[Fault, ...] = (
    kill_replica,
    freeze_replica,
    kill_redis,
    terminate_replica,
    cut_connections,
    drop_group,
    pause_redis,
    exhaust_memory,
    turn_clock_back,
    kill_service,
    forget_scripts,
)


POWER_FAULTS: tuple[Fault, ...] = (lose_tail, kill_redis, kill_replica, freeze_replica)
CLUSTER_FAULTS: tuple[Fault, ...] = (kill_master, kill_replica, freeze_replica, drop_group)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and after how many written entries it happens."""

    after: int
    fault: Fault


def make_schedule(dice: random.Random, kinds: Sequence[Fault], faults: int, entries: int) -> list[Planned]:
    """So many faults spread over so many entries; each kind comes once before any comes again."""
    chosen: list[Fault] = []
    while len(chosen) < faults:
        chosen += dice.sample(kinds, len(kinds))
    moments = sorted(dice.randrange(entries) for _ in range(faults))
    return [Planned(after, fault) for after, fault in zip(moments, chosen[:faults], strict=True)]


def _chosen(arena: Arena) -> Replica:
    """One that runs and is awake, if there is any."""
    replicas: Sequence[Replica] = [r for r in arena.fleet.replicas if r.is_running and not r.is_frozen]
    return arena.dice.choice(replicas or arena.fleet.replicas)
