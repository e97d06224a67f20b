"""Whether somebody is there: each process says so for its services, every second while it finds itself well.

A stream at rest tells nothing of who would read the next entry; this does.
"""

from collections.abc import Iterable

from redis.asyncio import Redis

from shared.stream.key import present_key

KEPT_MS = 3_600_000
"""So long a word stands; what is left of it says how old it is, by Redis's own clock."""


async def announce(client: Redis, services: Iterable[str]) -> None:
    """Says that a replica of each of these services reads its streams."""
    for service in services:
        await client.set(present_key(service), b"1", px=KEPT_MS)


async def absent_s(client: Redis, services: Iterable[str]) -> dict[str, float]:
    """For how long nobody has spoken for each service; infinite where nobody did within an hour."""
    found = {}
    for service in services:
        left_ms = int(await client.pttl(present_key(service)))
        found[service] = (KEPT_MS - left_ms) / 1000 if left_ms >= 0 else float("inf")
    return found
