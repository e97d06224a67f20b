"""Room for messages on their way: emergencies have room of their own, and wait behind nobody else."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor

from services.notifier.channels.channel import Message

CONNECTIONS = 20
"""At the same time: a batch of due messages must not look like an attack."""
URGENT_CONNECTIONS = 10
"""Beside them, for emergencies only."""


class Lanes:
    """The two lanes of one channel."""

    def __init__(self, connections: int = CONNECTIONS, urgent_connections: int = URGENT_CONNECTIONS) -> None:
        self._ordinary = asyncio.Semaphore(connections)
        self._urgent = asyncio.Semaphore(urgent_connections)

    def place(self, message: Message) -> asyncio.Semaphore:
        """To be held (`async with`) while the message is on its way."""
        return self._urgent if message.is_urgent else self._ordinary


class Threads:
    """The same for calls that block. The loop's own threads, which look up host names for all, stay free."""

    def __init__(self, name: str, threads: int = CONNECTIONS, urgent_threads: int = URGENT_CONNECTIONS) -> None:
        self._ordinary = ThreadPoolExecutor(threads, name)
        self._urgent = ThreadPoolExecutor(urgent_threads, f"{name}-urgent")

    def of(self, message: Message) -> Executor:
        return self._urgent if message.is_urgent else self._ordinary
