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
    ClusterDownError,
    ClusterError,
    ConnectionError,  # noqa: A004  # redis' own, wider than the built-in
    NoPermissionError,
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
from shared.stream.suitability import check_server


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
PASSING_AT_START: tuple[type[Exception], ...] = (*PASSING, ClusterDownError, RedisClusterException)
SOCKET_TIMEOUT_S = 5.0


def connect(url: str, *, max_connections: int = 64, wait_s: float | None = None) -> Redis:
    """A client for the URL; nothing is sent yet. Each command is tried three times.

    `wait_s`: so long a command waits for a connection where all are in use; without it that is an error. A cluster's
    nodes have no such bound.

    Raises UnsuitableError where the URL has an option that no client knows.
    """
    # redis-py has no classes for these answers, and tells them from others by their text only.
    DefaultParser.EXCEPTION_CLASSES.update(NOREPLICAS=NotWritableError, MISCONF=NotWritableError)
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 2)
    options: dict[str, Any] = {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": SOCKET_TIMEOUT_S}
    try:
        if is_cluster(url):
            most = max_connections if wait_s is None else 2**31
            cluster: Any = RedisCluster.from_url(plain(url), max_connections=most, **options)
            return cluster  # type: ignore[no-any-return]  # both clients have the commands used here
        options |= {"max_connections": max_connections, "retry": retry}
        if wait_s is None:
            client = Redis.from_url(url, **options)
        else:
            client = Redis.from_pool(BlockingConnectionPool.from_url(url, timeout=wait_s, **options))
        pool: Any = client.connection_pool
        pool.make_connection()  # connects nothing, but knows the options
    except TypeError as error:  # names the option that the client does not know
        raise UnsuitableError(f"CARE_REDIS_URL cannot be used: {error}") from None
    except ValueError:  # its words may repeat a part of the password
        raise UnsuitableError(
            "CARE_REDIS_URL cannot be used: its port or an option is wrong; a special character in a password must be "
            "%-encoded"
        ) from None
    return client


def is_cluster(url: str) -> bool:
    """The URL names a cluster."""
    return url.partition("://")[0].endswith("+cluster")


def plain(url: str) -> str:
    """The URL as Redis clients know it."""
    return url.replace("+cluster://", "://", 1)


async def await_server(client: Redis, patience_s: float) -> list[str]:
    """Waits for Redis to answer. Returns what an operator should be warned of, a line each.

    Raises UnreachableError when patience is over, UnsuitableError for a server that cannot be used as it is.
    """
    deadline = asyncio.get_running_loop().time() + patience_s
    pause_s = 0.1
    while True:
        try:
            return await check_server(client)
        except AuthenticationError as error:
            raise UnreachableError(f"Redis refuses the login: {error}") from None
        except NoPermissionError as error:
            raise UnsuitableError(f"the user of CARE_REDIS_URL may not do what is needed: {error}") from None
        except PASSING_AT_START as error:
            if "Cluster mode is not enabled" in str(error):
                raise UnsuitableError(
                    "this server is no Redis Cluster: CARE_REDIS_URL must begin with redis:// or rediss://"
                ) from None
            if asyncio.get_running_loop().time() + pause_s > deadline:
                raise UnreachableError(
                    f"Redis cannot be reached for {patience_s:g} s ({_why(error)}); is CARE_REDIS_URL right?"
                ) from None
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 2.0)


def _why(error: BaseException) -> str:
    """The kind of an error, and its words where they are ours or tell of a certificate: others may name hosts."""
    if isinstance(error, ReadOnlyError | ClusterDownError):
        return str(error)
    if "slots are not covered" in str(error):
        return "the state of the Redis Cluster is not ok"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted"
    return type(error).__name__


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
    "connect",
    "is_cluster",
    "plain",
]
