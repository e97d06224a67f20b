"""Where the keys are: one hash in Redis, read at every request, so that a revocation holds everywhere at once.

Requests are counted in windows of a minute, for each key and over all replicas: a counter that Redis lets expire.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from shared.door.credential import Credential
from shared.stream.key import HTTP_KEYS, http_requests_key

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Quota:
    """How a key stands in the running minute, this request counted."""

    limit: int
    used: int
    resets_in_s: int

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """Source: draft-ietf-httpapi-ratelimit-headers-10, structured fields."""
        left = max(0, self.limit - self.used)
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"key";r={left};t={self.resets_in_s}',
        }


class Keyring:
    """Every API key."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def find(self, key_id: str) -> Credential | None:
        raw: Any = await self._client.hget(HTTP_KEYS, key_id)
        return None if raw is None else msgspec.json.decode(raw, type=Credential)

    async def is_empty(self) -> bool:
        return not await self._client.hlen(HTTP_KEYS)

    async def all(self) -> list[Credential]:
        """Oldest first."""
        raws: Any = await self._client.hvals(HTTP_KEYS)
        found = [msgspec.json.decode(raw, type=Credential) for raw in raws]
        return sorted(found, key=lambda one: (one.created_at, one.key_id))

    async def add(self, credential: Credential) -> None:
        await self._client.hset(HTTP_KEYS, credential.key_id, msgspec.json.encode(credential))

    async def revoke(self, key_id: str, now: datetime) -> Credential | None:
        """None where there is no such key. A key that was revoked before keeps its instant."""
        known = await self.find(key_id)
        if known is not None and known.revoked_at is None:
            known = replace(known, revoked_at=now)
            await self.add(known)
        return known

    async def count(self, credential: Credential) -> Quota:
        """Counts one request."""
        counter = http_requests_key(credential.key_id)
        async with self._client.pipeline(transaction=True) as transaction:
            transaction.set(counter, 0, px=WINDOW_S * 1000, nx=True)
            transaction.incr(counter)
            transaction.pttl(counter)
            _, used, left_ms = await transaction.execute()
        return Quota(credential.per_minute, int(used), max(1, -(-int(left_ms) // 1000)))
