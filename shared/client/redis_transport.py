"""Events straight to and from the streams. Reads with no consumer group: nobody's idleness or trimming waits for it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from shared.client.cursor import Cursor, Extent
from shared.client.envelope import Outgoing
from shared.client.error import UnauthorisedError, UnavailableError
from shared.client.patience import patiently
from shared.stream.connection import connect, is_cluster
from shared.stream.decode import payload_bytes
from shared.stream.key import DATA_FIELD, PARTITIONS, partition_of, stream_key

CHUNK = 500
"""Events published, or entries read, in one round trip."""
BLOCK_MS = 1000
"""How long one read waits for entries. Below the socket timeout."""
POLL_S = 0.1
"""On a cluster no single read can wait for streams on several nodes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream; `count`: how many the stream had been given up to it. `raw` is None without its field."""

    key: str
    entry_id: str
    count: int
    raw: bytes | None


class RedisTransport:
    """A connection to the system's Redis."""

    def __init__(self, url: str, patience_s: float) -> None:
        self._client = connect(url)
        self._is_cluster = is_cluster(url)
        self._patience_s = patience_s
        self._partitions: int | None = None

    async def close(self) -> None:
        await self._client.aclose()

    async def partitions(self) -> int:
        """How many partitions the services agreed on. It never changes, so it is asked once."""
        if self._partitions is None:
            self._partitions = await patiently(self._ask_partitions, self._patience_s)
        return self._partitions

    async def publish(self, events: Sequence[Outgoing], accepted: list[str]) -> None:
        """Adds the ids to `accepted` as the events arrive."""
        partitions = await self.partitions()
        for start in range(0, len(events), CHUNK):
            chunk = events[start : start + CHUNK]

            async def attempt(chunk: Sequence[Outgoing] = chunk) -> None:
                async with _told():
                    pipeline = self._client.pipeline(transaction=False)
                    for one in chunk:
                        key = stream_key(partition_of(one.event.subject, partitions), one.stream)
                        pipeline.xadd(key, {DATA_FIELD: one.raw})
                    await pipeline.execute()

            # What arrived before an error is sent again: the same id has its effect once.
            await patiently(attempt, self._patience_s)
            accepted += [one.event.id for one in chunk]

    async def extents(self, keys: Iterable[str]) -> dict[str, Extent]:
        """How far each stream reaches."""
        wanted = list(keys)

        async def attempt() -> dict[str, Extent]:
            async with _told():
                pipeline = self._client.pipeline(transaction=False)
                for key in wanted:
                    pipeline.xinfo_stream(key)
                answers: list[Any] = await pipeline.execute(raise_on_error=False) if wanted else []
                return {key: _extent(answer) for key, answer in zip(wanted, answers, strict=True)}

        return await patiently(attempt, self._patience_s)

    async def news(self, cursor: Cursor, keys: Sequence[str], wait_s: float) -> list[str]:
        """Those of the keys with something behind the cursor; waits for that up to `wait_s`, but a second at most."""

        async def attempt() -> list[str]:
            async with _told():
                if self._is_cluster:
                    return await self._poll(cursor, keys, wait_s)
                block_ms = min(int(wait_s * 1000), BLOCK_MS)
                return await self._ask({key: cursor.after(key) for key in keys}, block_ms or None)

        return await patiently(attempt, self._patience_s)

    async def read(self, cursor: Cursor, keys: Sequence[str]) -> dict[str, tuple[Extent, list[Entry]]]:
        """What lies behind the cursor. Extent and entries of one key are of the same instant."""
        share = max(CHUNK // len(keys), 1)

        async def attempt() -> dict[str, tuple[Extent, list[Entry]]]:
            found = {}
            async with _told():
                for key in keys:
                    pipeline = self._client.pipeline(transaction=True)
                    pipeline.xinfo_stream(key)
                    pipeline.xrange(key, min=f"({cursor.after(key)}", count=share)
                    info, rows = await pipeline.execute(raise_on_error=False)
                    extent = _extent(info)
                    found[key] = extent, _entries(key, cursor, extent, rows)
            return found

        return await patiently(attempt, self._patience_s)

    async def _ask_partitions(self) -> int:
        async with _told():
            agreed: Any = await self._client.get(PARTITIONS)
        if agreed is None:
            raise UnavailableError(f"no service has ever started on this Redis ({PARTITIONS} is missing)")
        return int(agreed)

    async def _ask(self, positions: Mapping[str, str], block_ms: int | None) -> list[str]:
        streams: Any = positions
        answer: Any = await self._client.xread(streams, count=1, block=block_ms)
        rows = answer.items() if isinstance(answer, dict) else answer or ()
        return [key.decode() for key, *_ in rows]

    async def _poll(self, cursor: Cursor, keys: Sequence[str], wait_s: float) -> list[str]:
        slots: dict[str, dict[str, str]] = {}
        for key in keys:
            slots.setdefault(key.partition("}")[0], {})[key] = cursor.after(key)
        found = [key for positions in slots.values() for key in await self._ask(positions, None)]
        if not found and wait_s > 0:
            await asyncio.sleep(min(POLL_S, wait_s))
        return found


def _extent(answer: Any) -> Extent:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        return Extent()
    if isinstance(answer, Exception):
        raise answer
    return Extent(int(answer["length"]), int(answer["entries-added"]), answer["last-generated-id"].decode())


def _entries(key: str, cursor: Cursor, extent: Extent, rows: Any) -> list[Entry]:
    if isinstance(rows, Exception):
        raise rows
    begun = cursor.count(key, extent)
    entries = []
    for count, (entry_id, fields) in enumerate(rows, start=begun + 1):
        name = entry_id.decode()
        # At the end the count is known for sure, whatever was deleted from the middle.
        entries.append(Entry(key, name, extent.added if name == extent.newest else count, payload_bytes(fields)))
    return entries


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Redis's errors in the client's own words. No message has the URL: there may be a password in it."""
    try:
        yield
    except (RedisError, OSError) as error:
        # While it connects, redis-py wraps a refused login in its ConnectionError.
        if any(isinstance(one, AuthenticationError | NoPermissionError) for one in (error, error.__cause__)):
            raise UnauthorisedError(f"Redis refuses the login or the command: {error}") from None
        raise UnavailableError(f"Redis cannot take it: {type(error).__name__}: {error}") from None
