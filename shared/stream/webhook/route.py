"""One subscription in one partition: the lease of who works it, how far it is, its ledger and its repeats.

The ledger holds no patient: an event's id, its type, where it lies in the streams, and what became of it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.key import webhook_key
from shared.stream.script import Script

_LEASE, _SETTLE = Script("webhook/lease.lua"), Script("webhook/settle.lua")
CHUNK = 500
"""Rows of the ledger read in one round trip."""


class Resend(msgspec.Struct, frozen=True):
    """Entries that are to be sent once more: in each stream those behind `after`, up to and with `until`."""

    id: str
    after: dict[Stream, str]
    until: dict[Stream, str]
    times: tuple[str, str] | None = None
    """Of these, those whose own `time` lies between; None: all."""

    def includes(self, time: str) -> bool:
        """Whether an event of that `time` is among them."""
        if self.times is None:
            return True
        first, last = (datetime.fromisoformat(one) for one in self.times)
        try:
            return first <= datetime.fromisoformat(time) <= last
        except (ValueError, TypeError):  # no instant, or one without an offset
            return False


class Tries(msgspec.Struct, array_like=True):
    """Of an event that was not taken yet."""

    count: int = 0
    failed_ms: int = 0
    """The last time."""
    alone: int = 0
    """How many times it failed although the endpoint had taken others since the time before."""
    alone_ms: int = 0
    """Since when."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the ledger."""

    event_id: str
    type: str
    stream: Stream
    entry_id: str
    tries: int
    outcome: str
    """`delivered`, `failed` (it is tried again), `given_up`, `refused_for_good` (410) or `missing`."""
    cause: str
    at: str
    resend: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a feed is."""

    cursors: dict[Stream, str]
    ahead: frozenset[str]
    """What is done beyond the cursors: `member(stream, entry id)`."""
    tries: dict[str, Tries]


@dataclass(frozen=True, slots=True)
class Progress:
    """What changes in one step."""

    moved: Mapping[Stream, str] = field(default_factory=dict)
    ahead: Sequence[str] = ()
    passed: Sequence[str] = ()
    tried: Mapping[str, Tries | None] = field(default_factory=dict)
    """None: it is forgotten."""
    delivery: Delivery | None = None

    def is_empty(self) -> bool:
        return not (self.moved or self.ahead or self.passed or self.tried or self.delivery)


class Gap(msgspec.Struct, frozen=True):
    """Events of one stream that were trimmed before they were delivered, by when they were written."""

    first_ms: int
    last_ms: int
    events: int


class LeaseLostError(Exception):
    """Another process works it now, or the subscription is gone."""


def member(stream: Stream, entry_id: str) -> str:
    return f"{stream.value} {entry_id}"


class Route:
    """A feed is named by the repeat that it belongs to, '' for what is new."""

    def __init__(self, client: Redis, subscription: str, partition: int, kept_ms: int) -> None:
        """`kept_ms`: how long the ledger is kept."""
        self._client = client
        self._kept_ms = kept_ms
        self.subscription = subscription
        self.partition = partition

    async def claim(self, owner: str, ttl_s: float) -> str:
        """A token that no other process ever gets; empty where somebody else works it."""
        return await self._lease("claim", owner, ttl_s)

    async def renew(self, token: str, ttl_s: float) -> bool:
        return bool(await self._lease("renew", token, ttl_s))

    async def release(self, token: str) -> None:
        await self._lease("release", token, 0)

    async def place(self, feed: str = "") -> Place:
        cursors: Any = await self._client.hgetall(self._key("cursor", feed))
        ahead: Any = await self._client.smembers(self._key("ahead", feed))
        tries: Any = await self._client.hgetall(self._key("tries", feed))
        return Place(
            {Stream(stream.decode()): entry_id.decode() for stream, entry_id in cursors.items()},
            frozenset(one.decode() for one in ahead),
            {one.decode(): msgspec.json.decode(raw, type=Tries) for one, raw in tries.items()},
        )

    async def settle(self, token: str, feed: str, progress: Progress) -> None:
        """Raises LeaseLostError; then nothing was recorded."""
        plan = {
            "moved": {stream.value: entry_id for stream, entry_id in progress.moved.items()},
            "ahead": list(progress.ahead),
            "passed": list(progress.passed),
            "tried": {
                one: "" if tries is None else msgspec.json.encode(tries).decode()
                for one, tries in progress.tried.items()
            },
            "row": _fields(progress.delivery) if progress.delivery else [],
            "kept_ms": str(self._kept_ms),
        }
        keys = [self._key("lease"), *(self._key(part, feed) for part in ("cursor", "ahead", "tries"))]
        if not await _SETTLE(self._client, [*keys, self._key("ledger")], [token, msgspec.msgpack.encode(plan)]):
            raise LeaseLostError

    async def resends(self) -> list[Resend]:
        """Those that are not done, the oldest first."""
        rows: Any = await self._client.hgetall(self._key("resends"))
        return sorted((msgspec.json.decode(row, type=Resend) for row in rows.values()), key=lambda one: one.id)

    async def request(self, resend: Resend) -> None:
        await self._client.hset(self._key("resends"), resend.id, msgspec.json.encode(resend))

    async def end_resend(self, resend: str) -> None:
        await self._client.hdel(self._key("resends"), resend)
        await self._client.delete(*(self._key(part, resend) for part in ("cursor", "ahead", "tries")))

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """The ledger, the newest first."""
        end = "+"
        while True:
            rows: Any = await self._client.xrevrange(self._key("ledger"), end, count=CHUNK)
            for _, fields in rows:
                yield _delivery(fields)
            if len(rows) < CHUNK:
                return
            end = f"({rows[-1][0].decode()}"

    async def gaps(self) -> dict[Stream, Gap]:
        rows: Any = await self._client.hgetall(self._key("gaps"))
        return {Stream(stream.decode()): msgspec.json.decode(raw, type=Gap) for stream, raw in rows.items()}

    async def note_gap(self, stream: Stream, gap: Gap) -> bool:
        """Adds to what is missing already. True if nothing was."""
        before = (await self.gaps()).get(stream)
        if before is not None:
            gap = Gap(before.first_ms, gap.last_ms, before.events + gap.events)
        await self._client.hset(self._key("gaps"), stream.value, msgspec.json.encode(gap))
        return before is None

    async def forget_gaps(self) -> None:
        await self._client.delete(self._key("gaps"))

    async def _lease(self, act: str, who: str, ttl_s: float) -> str:
        keys = [self._key("lease"), self._key("fence")]
        return str((await _LEASE(self._client, keys, [act, who, round(ttl_s * 1000)])).decode())

    def _key(self, part: str, feed: str = "") -> str:
        return webhook_key(self.partition, self.subscription, f"{part}:{feed}" if feed else part)


def _fields(one: Delivery) -> list[str]:
    fields = {
        "event_id": one.event_id,
        "type": one.type,
        "stream": one.stream.value,
        "entry_id": one.entry_id,
        "tries": str(one.tries),
        "outcome": one.outcome,
        "cause": one.cause,
        "at": one.at,
        "resend": one.resend,
    }
    return [part for pair in fields.items() for part in pair]


def _delivery(fields: Mapping[bytes, bytes]) -> Delivery:
    read = {name.decode(): value.decode() for name, value in fields.items()}
    return Delivery(**{**read, "stream": Stream(read["stream"]), "tries": int(read["tries"])})  # type: ignore[arg-type]  # as `_fields` wrote it
