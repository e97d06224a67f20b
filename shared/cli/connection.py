"""How a command reaches the Redis that the services use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from shared.embedded import open_embedded
from shared.settings import Settings
from shared.stream.connection import connect as connect_to
from shared.stream.key import PARTITIONS


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[tuple[Redis, int]]:
    """A client and the number of partitions that the services agreed on.

    Without CARE_REDIS_URL it is the embedded server: the running one, else one started for this command.
    """
    server = None
    url = settings.redis_url
    if url is None:
        server = open_embedded(settings.data_dir)
        server.start()
        url = server.url
    try:
        client = connect_to(url)
        try:
            agreed = await client.get(PARTITIONS)
            yield client, int(agreed) if agreed else settings.partitions
        finally:
            await client.aclose()
    finally:
        if server is not None:
            server.stop()
