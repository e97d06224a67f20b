"""One way to reach Redis, alone or as a cluster."""

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,  # noqa: A004  # redis' own, wider than the built-in
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from shared.stream.error import UnreachableError, UnsuitableError
from shared.stream.key import PARTITIONS


class NotWritableError(ResponseError):
    """Redis takes no writes for now: fewer replicas than `min-replicas-to-write`, or a disk that is full."""


PASSING: tuple[type[Exception], ...] = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    NotWritableError,
    ClusterError,
    RedisClusterException,
    TryAgainError,
    OSError,
)
"""What a restart or failover of Redis looks like: worth another try."""
SOCKET_TIMEOUT_S = 5.0
FLOOR = {"redis": (7, 0), "valkey": (8, 0)}


def connect(url: str, *, max_connections: int = 64, wait_s: float | None = None) -> Redis:
    """A client for the URL; nothing is sent yet. Each command is tried three times.

    `wait_s`: so long a command waits for a connection where all are in use; without it that is an error. A cluster's
    nodes have no such bound.
    """
    # redis-py has no classes for these answers, and tells them from others by their text only.
    DefaultParser.EXCEPTION_CLASSES.update(NOREPLICAS=NotWritableError, MISCONF=NotWritableError)
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 2)
    options: dict[str, Any] = {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": SOCKET_TIMEOUT_S}
    if is_cluster(url):
        most = max_connections if wait_s is None else 2**31
        cluster: Any = RedisCluster.from_url(plain(url), max_connections=most, **options)
        return cluster  # type: ignore[no-any-return]  # both clients have the commands used here
    if wait_s is not None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=max_connections, timeout=wait_s, retry=retry, **options
        )
        return Redis.from_pool(pool)
    return Redis.from_url(url, max_connections=max_connections, retry=retry, **options)


def is_cluster(url: str) -> bool:
    """The URL names a cluster."""
    return url.partition("://")[0].endswith("+cluster")


def plain(url: str) -> str:
    """The URL as Redis clients know it."""
    return url.replace("+cluster://", "://", 1)


async def await_server(client: Redis, patience_s: float) -> None:
    """Waits for Redis to answer. Raises UnreachableError when patience is over, UnsuitableError if too old."""
    deadline = asyncio.get_running_loop().time() + patience_s
    pause_s = 0.1
    while True:
        try:
            await check_version(client)
            return
        except AuthenticationError as error:
            raise UnreachableError(f"Redis refuses the login: {error}") from None
        except PASSING as error:
            if asyncio.get_running_loop().time() + pause_s > deadline:
                raise UnreachableError(
                    f"Redis cannot be reached for {patience_s:g} s ({type(error).__name__}); is CARE_REDIS_URL right?"
                ) from None
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 2.0)


async def check_version(client: Redis) -> None:
    """Raises UnsuitableError for a server older than Redis 7.0 or Valkey 8."""
    raw: Any = await client.info("server")
    info = next(iter(raw.values())) if raw and isinstance(next(iter(raw.values())), dict) else raw
    if valkey := info.get("valkey_version"):
        kind, version = "valkey", str(valkey)
    else:
        kind, version = "redis", str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < FLOOR[kind]:
        raise UnsuitableError(f"this server is {kind} {version}; it must be Redis 7.0 or Valkey 8 at least")


async def agree_on_partitions(client: Redis, partitions: int) -> None:
    """Writes the number of partitions at the first start. Raises UnsuitableError where another one stands."""
    await client.set(PARTITIONS, partitions, nx=True)
    agreed: Any = await client.get(PARTITIONS)
    if agreed != str(partitions).encode():
        raise UnsuitableError(
            f"this Redis holds {(agreed or b'?').decode()} partitions, CARE_PARTITIONS says {partitions}"
        )


__all__ = [
    "PASSING",
    "RedisError",
    "agree_on_partitions",
    "await_server",
    "check_version",
    "connect",
    "is_cluster",
    "plain",
]
