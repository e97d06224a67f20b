"""Waiting, while anything may be gone for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisClusterException, RedisError, ResponseError

T = TypeVar("T")
PAUSE_S = 0.1
LONGEST_S = 600.0
PASSING_WORDS = ("LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM", "TRYAGAIN", "NOREPLICAS", "UNBLOCKED")
"""How a server begins to say that it cannot now."""


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Tries until Redis answers. What it refuses for good is raised, and so is TimeoutError after ten minutes."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                return await work()
            except (RedisError, RedisClusterException, OSError) as error:
                if isinstance(error, ResponseError) and not str(error).startswith(PASSING_WORDS):
                    raise
                await asyncio.sleep(PAUSE_S)


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float = LONGEST_S, what: str) -> None:
    """Returns once it holds. Raises TimeoutError, which says `what` was waited for."""
    try:
        async with asyncio.timeout(within_s):
            while not await holds():  # noqa: ASYNC110  # neither Redis nor processes tell
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        raise TimeoutError(f"waited {within_s:g} s for {what}") from None
