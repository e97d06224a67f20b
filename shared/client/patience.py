"""Tries again what the system could not take just now, for as long as the caller's patience lasts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.client.error import RateLimitedError, UnavailableError

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


async def patiently(attempt: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """The first answer. Raises UnavailableError or RateLimitedError where none comes in time.

    A pause that the system asks for is kept; where it is longer than the patience left, the error is raised at once.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except (UnavailableError, RateLimitedError) as error:
            asked_s = error.retry_after_s
            wait_s = pause_s if asked_s is None else asked_s
            if clock() + wait_s > deadline:
                raise
        await asyncio.sleep(wait_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
