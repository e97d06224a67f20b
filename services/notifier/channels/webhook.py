"""Signed webhooks by the Standard Webhooks specification.

The body is small and names nobody; `webhook-id` is the notification's id, the same in every repeat. With two
keys there are two signatures, so that a key can be changed without a pause. What an answer means: see `post`.
"""

import json
from collections.abc import Sequence

from services.notifier.channels.channel import Message, Receipt
from services.notifier.channels.connection import LookUp, look_up
from services.notifier.channels.guard import Allowed
from services.notifier.channels.lane import Lanes, Threads
from services.notifier.channels.post import Poster


class WebhookChannel:
    """Emergencies have connections of their own."""

    name = "webhook"

    def __init__(self, keys: Sequence[str], allowed: Allowed, timeout_s: float, look_up: LookUp = look_up) -> None:
        """`keys`: `whsec_…`, the newest first. `timeout_s`: for the whole hand-over, with its wait for a place."""
        self._poster = Poster(keys, allowed, timeout_s, look_up)
        self._lanes = Lanes()
        self._threads = Threads("webhook")

    async def send(self, message: Message, address: str) -> Receipt:
        body = json.dumps(message.data, separators=(",", ":"), ensure_ascii=False).encode()
        return await self._poster.post(
            address,
            message.notification_id,
            body,
            "application/json",
            place=self._lanes.place(message),
            threads=self._threads.of(message),
        )
