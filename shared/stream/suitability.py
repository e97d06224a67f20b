"""Whether a Redis may be trusted with patients: what it says of itself when a process starts.

`INFO` is asked, not `CONFIG`: a service's user may read the one and not the other.

refused     too old; an eviction policy that throws data away; a cluster reached as a single server, or the reverse
waited for  loading, a replica, a cluster that is down: what a failover looks like
warned of   no append-only file, one that cannot be written, replicas that writes do not wait for
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ClusterDownError, ReadOnlyError

from shared.stream.error import UnsuitableError

FLOOR = {"redis": (7, 0), "valkey": (8, 0)}
Info = Mapping[str, Any]


async def check_server(client: Redis) -> list[str]:
    """What an operator should be warned of, a line each.

    Raises UnsuitableError for what loses data for certain or cannot work, and redis' own errors for what may pass.
    """
    is_cluster = isinstance(client, RedisCluster)
    warnings: list[str] = []
    for info in await _ask(client, "server"):  # alone: an old server does not know how to answer for several
        check_version(info)
    for info in await _ask(client, "server", "cluster", "memory", "persistence", "replication"):
        check_kind(info, is_cluster=is_cluster)
        warnings += weaknesses(info)
    if is_cluster:
        ask: Any = client.execute_command
        check_cluster(await ask("CLUSTER INFO", target_nodes=RedisCluster.RANDOM))
    return list(dict.fromkeys(warnings))


def check_version(info: Info) -> None:
    """Raises UnsuitableError for a server older than Redis 7.0 or Valkey 8."""
    kind = "valkey" if info.get("valkey_version") else "redis"
    version = str(info.get(f"{kind}_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < FLOOR[kind]:
        raise UnsuitableError(f"this server is {kind} {version}; it must be Redis 7.0 or Valkey 8 at least")


def check_kind(info: Info, *, is_cluster: bool) -> None:
    """Raises UnsuitableError for the wrong kind of server, ReadOnlyError for a replica."""
    if info.get("cluster_enabled") == 1 and not is_cluster:
        raise UnsuitableError(
            "this server is part of a Redis Cluster: CARE_REDIS_URL must begin with redis+cluster:// or "
            "rediss+cluster://"
        )
    if info.get("role") == "slave":
        raise ReadOnlyError("this server is a replica; CARE_REDIS_URL must name the one that takes writes")


def check_cluster(state: Any) -> None:
    """Raises ClusterDownError where part of the slots is served by nobody. `state`: as CLUSTER INFO answers."""
    found = state.get("cluster_state") if isinstance(state, dict) else str(state)
    if found is None or "ok" not in str(found):
        raise ClusterDownError("the state of the Redis Cluster is not ok: some of its slots are served by nobody")


def weaknesses(info: Info) -> list[str]:
    """What may lose data, a line each. Raises UnsuitableError where it will for certain."""
    found = []
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        if int(info.get("maxmemory", 0)) > 0:
            raise UnsuitableError(
                f"this Redis throws data away when its memory is full (maxmemory-policy {policy}); "
                "set maxmemory-policy noeviction, so that writes wait instead"
            )
        found.append(f"maxmemory-policy is {policy}: once maxmemory is set, data would be thrown away; set noeviction")
    if info.get("aof_enabled") == 0:
        found.append(
            "the append-only file is off: a crash of Redis loses what was acknowledged since its last snapshot; "
            "set appendonly yes"
        )
    elif info.get("aof_last_write_status", "ok") != "ok":
        found.append("the append-only file cannot be written; is the disk full?")
    if int(info.get("connected_slaves", 0)) > 0 and "min_slaves_good_slaves" not in info:
        found.append(
            "there are replicas, but no write waits for one: a failover may lose what was acknowledged; "
            "set min-replicas-to-write and min-replicas-max-lag"
        )
    return found


async def _ask(client: Any, *sections: str) -> list[Info]:
    """What each server that takes writes says of itself; one where there is no cluster."""
    if isinstance(client, RedisCluster):
        answers: Any = await client.info(*sections, target_nodes=RedisCluster.PRIMARIES)
        return list(answers.values()) if all(isinstance(one, dict) for one in answers.values()) else [answers]
    return [await client.info(*sections)]
