"""A Redis Cluster of three masters and three replicas: what works, and what a failover takes (docs/cluster.md)."""

import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.event.wire import Stream
from shared.stream.idle import busy_groups
from shared.stream.key import stream_key
from tests.chaos.cluster import Cluster
from tests.chaos.fleet import Fleet
from tests.chaos.patience import until
from tests.chaos.server import Server
from tests.support.black_box import MONDAY, intake, partition_of, session
from tests.support.running import client_for, command, environment_for

PARTITIONS = 6
WRITTEN = 200
KEY = stream_key(0, Stream.SESSIONS)


@pytest.fixture
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    made = Cluster(folder)
    try:
        await made.start()
        yield made
    finally:
        made.kill()


def careless(client: redis.Redis, raw: bytes) -> bool:
    """Takes the answer to XADD for enough."""
    return bool(client.xadd(KEY, {"__data__": raw}))


def careful(client: redis.Redis, raw: bytes) -> bool:
    """Counts only what a replica has confirmed: XADD, then WAIT 1."""
    client.xadd(KEY, {"__data__": raw})
    return int(str(client.wait(1, 20))) >= 1


def refused(client: redis.Redis, raw: bytes) -> bool:
    """As careless, where Redis itself takes nothing without a replica: min-replicas-to-write 1."""
    with contextlib.suppress(redis.ResponseError):
        return careless(client, raw)
    return False


async def lost_by_failover(cluster: Cluster, write: Callable[[redis.Redis, bytes], bool]) -> tuple[int, int]:
    """How many writes counted as done while a master was cut off from its replica, and how many are gone with it."""
    master, heir = cut_off(cluster)
    with redis.Redis(port=master.port) as client:
        sure = {b"%d" % n for n in range(WRITTEN) if write(client, b"%d" % n)}
    await cluster.replace(master, heir, meanwhile=lambda: heir.send(signal.SIGCONT))
    with redis.Redis(port=heir.port) as client:
        rows: Any = client.xrange(KEY)
    return len(sure), len(sure - {fields[b"__data__"] for _, fields in rows})


def cut_off(cluster: Cluster) -> tuple[Server, Server]:
    """The master of the key and its replica, frozen before its connection is cut, so that it makes no other."""
    slot = int(cluster.ask(cluster.nodes[0], "CLUSTER", "KEYSLOT", KEY))
    master = next(node for node in cluster.masters() if cluster.holds(node, slot))
    heir = cluster.replica_of(master)
    heir.send(signal.SIGSTOP)
    cluster.ask(master, "CLIENT", "KILL", "TYPE", "replica")
    return master, heir


async def told_by(*arguments: str, environment: Mapping[str, str], folder: Path) -> str:
    """What a command prints; it must end well."""
    log = folder / "-".join(arguments)
    async with command(*arguments, environment=environment, log=log) as process:
        status = await process.wait()
    assert status == 0, log.read_text()
    return log.read_text()


def wire(told: dict[str, Any]) -> dict[Any, Any]:
    return {"__data__": json.dumps(told)}


async def has_done_all(client: Any, programs: int) -> bool:
    """So many programs, one dead letter, and nothing left to do."""
    planned = [await client.xlen(stream_key(n, Stream.PROGRAMS)) for n in range(PARTITIONS)]
    letters = [await client.xlen(stream_key(n, Stream.DEAD_LETTERS)) for n in range(PARTITIONS)]
    return sum(planned) == programs and sum(letters) == 1 and not await busy_groups(client, PARTITIONS)


@pytest.mark.slow
async def test_what_a_failover_can_take(cluster: Cluster) -> None:
    """An answer to XADD is no promise on a cluster; a replica's word is, and so is a master that asks for one."""
    counted, lost = await lost_by_failover(cluster, careless)
    assert (counted, lost) == (WRITTEN, WRITTEN)
    counted, lost = await lost_by_failover(cluster, careful)
    assert (counted, lost) == (0, 0)
    for node in cluster.nodes:
        cluster.ask(node, "CONFIG", "SET", "min-replicas-to-write", "1")
    counted, lost = await lost_by_failover(cluster, refused)
    assert (counted, lost) == (0, 0)


@pytest.mark.slow
async def test_the_command_line_reads_a_cluster(cluster: Cluster, folder: Path) -> None:
    """Services, status, trace, dead letters and a replay of them work over all partitions of a cluster."""
    patients = [f"pt-{n}" for n in range(30)]
    assert {partition_of(patient, PARTITIONS) for patient in patients} == set(range(PARTITIONS))
    settings = {"CARE_REDIS_URL": cluster.url, "CARE_PARTITIONS": str(PARTITIONS)}
    environment = environment_for(folder, **settings)
    fleet = Fleet(folder, settings, count=1, apart=False)
    try:
        async with client_for(cluster.url) as client:
            await fleet.start()
            for patient in patients:
                told = wire(intake(patient, MONDAY))
                await client.xadd(stream_key(partition_of(patient, PARTITIONS), Stream.INTAKES), told)
            broken = wire(session(patients[0], MONDAY, pain_during=11))
            await client.xadd(stream_key(partition_of(patients[0], PARTITIONS), Stream.SESSIONS), broken)
            await until(lambda: has_done_all(client, len(patients)), what="all programs and a dead letter")
            status = await told_by("status", "--by-partition", environment=environment, folder=folder)
            traced = await told_by("trace", patients[0], environment=environment, folder=folder)
            letters = await told_by("dead-letters", "list", "--json", environment=environment, folder=folder)
            replayed = await told_by("dead-letters", "replay", "--all", environment=environment, folder=folder)
        assert await fleet.stop() == [0]
    finally:
        fleet.kill()
    assert all(f"care:{{{partition}}}:sessions" in status for partition in range(PARTITIONS))
    assert "program.planned" in traced
    assert json.loads(letters)["data"]["error"]["code"] == "out_of_range"
    assert replayed == "1 replayed\n"
