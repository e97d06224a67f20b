"""Brings back what was left pending: by this replica before a restart, by a dead one, by a failed try.

Recovered entries are handled one at a time, so an entry that kills the process raises only its own
delivery count and at last goes to the dead letters alone.
"""

from typing import Any

from redis.asyncio import Redis

from shared.stream.handover import is_for_newer
from shared.stream.pump import Pump
from shared.stream.script import Script

PAGE = 100
RETIRED_AFTER_MS = 24 * 3600 * 1000
_RETIRE = Script("retire.lua")


class Recovery:
    """The pending entries of one service on one stream."""

    def __init__(self, client: Redis, pump: Pump, consumer: str, claim_idle_ms: int) -> None:
        self._client = client
        self._pump = pump
        self._consumer = consumer
        self._claim_idle_ms = claim_idle_ms
        self._left: list[dict[str, Any]] = []

    async def look(self) -> None:
        """Before new entries are read: what this replica left pending when it last ended."""
        cursor = "-"
        while page := await self._page(cursor, owner=self._consumer):
            self._left += page
            cursor = "(" + page[-1]["message_id"].decode()

    async def drain(self) -> None:
        """Handles what `look` found."""
        left, self._left = self._left, []
        for entry in left:
            await self._take(entry, 0)

    async def reap(self) -> None:
        """Takes over what has been pending for too long, whoever left it."""
        cursor = "-"
        while page := await self._page(cursor, idle=self._claim_idle_ms):
            for entry in page:
                if not is_for_newer(entry["consumer"], self._pump.service.state_version):
                    await self._take(entry, self._claim_idle_ms)
            cursor = "(" + page[-1]["message_id"].decode()

    async def retire(self) -> None:
        """Removes consumers of replicas that are long gone and left nothing pending."""
        await _RETIRE(self._client, [self._pump.key], [self._pump.service.name, RETIRED_AFTER_MS])

    async def _page(self, cursor: str, owner: str | None = None, idle: int | None = None) -> list[dict[str, Any]]:
        page: list[dict[str, Any]] = await self._client.xpending_range(
            self._pump.key, self._pump.service.name, min=cursor, max="+", count=PAGE, consumername=owner, idle=idle
        )
        return page

    async def _take(self, entry: dict[str, Any], min_idle_ms: int) -> None:
        rows: Any = await self._client.xclaim(
            self._pump.key, self._pump.service.name, self._consumer, min_idle_ms, [entry["message_id"]]
        )
        if rows:
            ids, fields = [rows[0][0]], [rows[0][1]]
            await self._pump.process(ids, fields, [entry["times_delivered"] + 1])
