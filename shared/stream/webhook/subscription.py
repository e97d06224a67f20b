"""Subscriptions: who wants which events, where they go and what signs them."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.event.registry import types_of
from shared.event.wire import Stream
from shared.stream.error import StreamError
from shared.stream.key import webhook_key, webhook_standing_key, webhooks_key

OUTPUTS = (
    Stream.CLASSIFICATIONS,
    Stream.PROGRAMS,
    Stream.ADJUSTMENTS,
    Stream.ESCALATIONS,
    Stream.REMINDERS,
    Stream.NOTIFICATIONS,
    Stream.DEAD_LETTERS,
)
"""What can be subscribed to. No event of a stream is ever the cause of one of an earlier stream of this order."""
TYPES = tuple(name for stream in OUTPUTS for name in types_of(stream))
BY_NAME_ONLY = frozenset(types_of(Stream.DEAD_LETTERS))
"""They hold the original bytes of an input, contact details included: no wildcard asks for them."""
MOST = 100
"""Subscriptions: each is a label of metrics, and a cursor that streams are kept for."""
MAX_KEYS = 2


class WebhookError(StreamError):
    """A subscription cannot be used as asked. The message is one line."""


class Subscription(msgspec.Struct, frozen=True):
    """One receiver. Its keys and its address are secrets: it shows neither."""

    id: str
    url: str
    types: tuple[str, ...]
    """Event types; `*` stands for anything."""
    patients: str
    """What the patient's id begins with; empty: all patients."""
    keys: tuple[str, ...]
    """`whsec_…`, the newest first."""
    since_ms: int
    """Entries after this instant of Redis's clock."""
    created_at: datetime

    def __repr__(self) -> str:
        return f"Subscription({self.id})"

    def wants_type(self, event_type: str) -> bool:
        if event_type in BY_NAME_ONLY:
            return event_type in self.types
        return any(fnmatchcase(event_type, pattern) for pattern in self.types)

    def wants(self, event_type: str, patient: str) -> bool:
        return patient.startswith(self.patients) and self.wants_type(event_type)

    def streams(self) -> tuple[Stream, ...]:
        """Those that carry what it wants."""
        return tuple(stream for stream in OUTPUTS if any(self.wants_type(name) for name in types_of(stream)))

    def start(self) -> str:
        """The cursor of a stream of which nothing was read yet."""
        return f"{self.since_ms}-0"


def new_id() -> str:
    return f"wh_{secrets.token_hex(4)}"


def new_key() -> str:
    """A key by the Standard Webhooks specification."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Subscriptions:
    """All of them."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def all(self) -> dict[str, Subscription]:
        """By id, the oldest first."""
        rows: Any = await self._client.hgetall(webhooks_key())
        found = [msgspec.json.decode(row, type=Subscription) for row in rows.values()]
        return {one.id: one for one in sorted(found, key=lambda one: (one.created_at, one.id))}

    async def find(self, wanted: str) -> Subscription:
        """Raises WebhookError where there is none of that id."""
        raw: Any = await self._client.hget(webhooks_key(), wanted)
        if raw is None:
            raise WebhookError(f"there is no webhook {wanted!r}; `adaptive-care webhooks list` shows those there are")
        return msgspec.json.decode(raw, type=Subscription)

    async def add(self, one: Subscription) -> None:
        """Raises WebhookError where there are enough."""
        if int(await self._client.hlen(webhooks_key())) >= MOST:
            raise WebhookError(f"there are {MOST} webhooks, and no more than that are kept; remove one first")
        await self._client.hset(webhook_standing_key(one.id), "status", "active")
        await self._client.hset(webhooks_key(), one.id, msgspec.json.encode(one))

    async def change(self, one: Subscription) -> None:
        """The same subscription with other keys."""
        await self._client.hset(webhooks_key(), one.id, msgspec.json.encode(one))

    async def remove(self, wanted: str, partitions: Iterable[int]) -> None:
        """With its ledger. Who is just working for it finds its lease gone."""
        await self._client.hdel(webhooks_key(), wanted)
        await self._client.delete(webhook_standing_key(wanted))
        for partition in partitions:
            resends: Any = await self._client.hkeys(webhook_key(partition, wanted, "resends"))
            feeds = ["", *(f":{name.decode()}" for name in resends)]
            parts = [f"{part}{feed}" for part in ("cursor", "ahead", "tries") for feed in feeds]
            parts += ["lease", "fence", "ledger", "gaps", "resends"]
            await self._client.delete(*(webhook_key(partition, wanted, part) for part in parts))
