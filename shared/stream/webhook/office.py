"""All that webhooks keep in Redis, by one connection pool: what the notifier and its commands are given."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.connection import connect
from shared.stream.error import StreamError
from shared.stream.key import stream_key, webhook_replicas_key
from shared.stream.webhook.feed import Page, parts, read_entry, read_page
from shared.stream.webhook.route import Route
from shared.stream.webhook.standing import Standing, Tempo
from shared.stream.webhook.subscription import Subscription, Subscriptions

CONNECTIONS = 32
"""Of the notifier's own pool for webhooks: what they need never keeps others waiting."""
WAIT_S = 5.0
"""For one of them."""


class Office:
    """Over one client."""

    def __init__(self, client: Redis, partitions: int, kept: timedelta) -> None:
        """`kept`: how long ledgers are kept, the retention time of the streams."""
        self.client = client
        self._kept_ms = round(kept.total_seconds() * 1000)
        self.partitions = partitions
        self.subscriptions = Subscriptions(client)

    def standing(self, subscription: str, tempo: Tempo | None = None) -> Standing:
        return Standing(self.client, subscription, tempo)

    def route(self, subscription: str, partition: int) -> Route:
        return Route(self.client, subscription, partition, self._kept_ms)

    def routes(self, subscription: str) -> list[Route]:
        """One for each partition."""
        return [self.route(subscription, partition) for partition in range(self.partitions)]

    async def page(self, partition: int, after: Mapping[Stream, str], until: Mapping[Stream, str], count: int) -> Page:
        return await read_page(self.client, partition, after, until, count)

    async def event(self, partition: int, stream: Stream, entry_id: str) -> bytes | None:
        """To the byte; None where it was trimmed."""
        return await read_entry(self.client, partition, stream, entry_id)

    async def now_ms(self) -> int:
        """By Redis's clock, which the ids of entries are made of."""
        seconds, microseconds = await self.client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def oldest(self, one: Subscription) -> datetime | None:
        """When the oldest entry was written that it has not passed; None where it has passed all."""
        found = []
        for route in self.routes(one.id):
            place = await route.place()
            for stream in one.streams():
                cursor = place.cursors.get(stream, one.start())
                rows: Any = await self.client.xrange(stream_key(route.partition, stream), f"({cursor}", "+", count=1)
                found += [parts(entry_id.decode())[0] for entry_id, _ in rows]
        return datetime.fromtimestamp(min(found) / 1000, UTC) if found else None

    async def sign_in(self, owner: str, fresh_s: float) -> int:
        """Says that this process works subscriptions; how many processes have said so within `fresh_s`."""
        now_ms, key = await self.now_ms(), webhook_replicas_key()
        await self.client.zadd(key, {owner: now_ms})
        await self.client.zremrangebyscore(key, "-inf", now_ms - round(fresh_s * 1000))
        return int(await self.client.zcard(key))

    async def sign_out(self, owner: str) -> None:
        await self.client.zrem(webhook_replicas_key(), owner)

    async def close(self) -> None:
        await self.client.aclose()


def open_office(url: str | None, partitions: int, kept: timedelta) -> Office:
    """With connections of its own. Nothing is sent yet."""
    if url is None:
        raise StreamError("webhooks need the URL of a Redis")
    return Office(connect(url, max_connections=CONNECTIONS, wait_s=WAIT_S), partitions, kept)
