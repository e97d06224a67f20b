"""Waiting, while anything may be gone for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.stream.connection import PASSING

T = TypeVar("T")
PAUSE_S = 0.1
LONGEST_S = 600.0


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Tries until Redis answers. What it refuses for good is raised, and so is TimeoutError after ten minutes."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                return await work()
            except PASSING:
                await asyncio.sleep(PAUSE_S)


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float = LONGEST_S, what: str) -> None:
    """Returns once it holds. Raises TimeoutError, which says `what` was waited for."""
    try:
        async with asyncio.timeout(within_s):
            while not await holds():  # noqa: ASYNC110  # neither Redis nor processes tell
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        raise TimeoutError(f"waited {within_s:g} s for {what}") from None
