"""What a release leaves to a newer one: entries of patients whose state only the newer one knows.

They are handed to a consumer that is named after the state's version, at once free to be claimed and with no delivery
counted. Whoever knows the version takes them at its next look; whoever does not leaves them alone. So they are neither
tried to death nor passed to and fro while two releases run side by side, nor lost after a rollback.
"""

from collections.abc import Iterable

from redis.asyncio import Redis

from shared.stream.fold import Entry

PREFIX = "state-version-"


async def hand_over(
    client: Redis, key: str, group: str, version: int, entries: Iterable[Entry], claim_idle_ms: int
) -> None:
    """Leaves the entries to whoever knows states of this version. One that was handled meanwhile is no longer there."""
    for entry in entries:
        await client.xclaim(
            key,
            group,
            f"{PREFIX}{version}",
            0,
            [entry.entry_id],
            idle=claim_idle_ms,
            retrycount=max(0, entry.deliveries - 1),
            justid=True,
        )


def is_for_newer(consumer: bytes, known: int) -> bool:
    """Whether what this consumer holds is for a release that knows a higher version than this."""
    version = consumer.decode().removeprefix(PREFIX)
    return consumer.startswith(PREFIX.encode()) and version.isdigit() and int(version) > known
