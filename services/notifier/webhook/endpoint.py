"""One receiver: at most so many posts at a time, each signed with all keys that are live."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from services.notifier.channels.channel import Receipt
from services.notifier.channels.guard import Allowed
from services.notifier.channels.post import Poster

CONTENT_TYPE = "application/cloudevents+json"
PLACES = 8
"""Posts at a time to one receiver, of one process."""
THREADS = 2
"""That wait for the name server; they are this receiver's own."""


class Endpoint:
    """Nothing of it is shared with another receiver or with the channels of alerts."""

    def __init__(self, url: str, keys: Sequence[str], allowed: Allowed, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.place = asyncio.Semaphore(PLACES)
        """To be held while a post is on its way; its time limit begins only then."""
        self._url = url
        self._poster = Poster(keys, allowed, timeout_s)
        self._threads = ThreadPoolExecutor(THREADS, "webhook-out")

    async def post(self, event_id: str, event: bytes) -> Receipt:
        """The event as it is. Raises a DeliveryError."""
        return await self._poster.post(
            self._url, event_id, event, CONTENT_TYPE, place=nullcontext(), threads=self._threads
        )

    async def check(self) -> None:
        """Whether it may be reached, without reaching it. Raises a DeliveryError."""
        await self._poster.check(self._url, self._threads)
