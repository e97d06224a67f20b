"""Looks ahead in a queue for emergencies, so that no backlog delays them.

A stream is read in its order. Where a service has fallen behind, a scout reads what is not delivered yet and hands
on at once what may hold an emergency or urgent red flag. Order of arrival does not matter to the services, and when
the entry is delivered in its turn its marks show that it was handled.
"""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import Redis

from shared.event.vocabulary import vocabulary
from shared.event.wire import Stream
from shared.stream.fold import LOOKED_AHEAD
from shared.stream.key import DATA_FIELD
from shared.stream.pump import BEHIND_S, Pump
from shared.stream.salvage import SUDDEN_SEVERE_PAIN

PAGE = 500
"""Entries read at once: about half a megabyte."""
WATCHED = (Stream.INTAKES, Stream.SESSIONS)

Process = Callable[[Pump, Sequence[bytes], Sequence[Any], Sequence[int]], Awaitable[None]]


def _pattern() -> re.Pattern[bytes]:
    """A flag's id; in an intake it says `present` right after it, since a whole screen names every flag."""
    urgent = [flag.red_flag_id for flag in vocabulary().red_flags.values() if flag.urgency != "routine"]
    named = "|".join(re.escape(flag) for flag in sorted({*urgent, SUDDEN_SEVERE_PAIN}))
    return re.compile(rf'"(?:{named})"\s*(?:[,\]]|:\s*"present")'.encode())


class Scout:
    """For one pump."""

    def __init__(self, client: Redis, pump: Pump, process: Process) -> None:
        self.pump = pump
        self._client = client
        self._process = process
        self._pattern = _pattern()
        self._seen = (0, 0)

    async def look(self) -> int:
        """Hands on what may be an emergency, if there is a backlog. Returns how many entries."""
        if time.monotonic() - self.pump.full_at > BEHIND_S:
            return 0
        groups: Any = await self._client.xinfo_groups(self.pump.key)
        delivered = next(
            (g["last-delivered-id"] for g in groups if g["name"] == self.pump.service.name.encode()), b"0-0"
        )
        after, found = max(self._seen, _id(delivered)), 0
        while True:
            rows: Any = await self._client.xrange(self.pump.key, f"({after[0]}-{after[1]}", "+", count=PAGE)
            hits = [(entry_id, row) for entry_id, row in rows if self._pattern.search(row.get(DATA_FIELD, b""))]
            if hits:
                ids, rows_hit = [entry_id for entry_id, _ in hits], [row for _, row in hits]
                await self._process(self.pump, ids, rows_hit, [LOOKED_AHEAD] * len(hits))
                found += len(hits)
            if rows:
                after = self._seen = _id(rows[-1][0])
            if len(rows) < PAGE:
                return found


def _id(raw: bytes) -> tuple[int, int]:
    ms, _, sequence = raw.partition(b"-")
    return int(ms), int(sequence or 0)
