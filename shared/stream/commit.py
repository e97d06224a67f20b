"""Sends a batch's changes to the commit script: one round trip, all keys named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.fold import Change
from shared.stream.key import (
    Lane,
    alias_key,
    alias_name_key,
    lane_key,
    ledger_key,
    list_key,
    prescriptions_key,
    register_key,
    rejected_key,
    seen_key,
    state_key,
    stream_key,
    timers_key,
    tombstone_key,
)
from shared.stream.record import Timer, encode, to_ms
from shared.stream.script import Script

_COMMIT = Script("commit.lua")


@dataclass(slots=True)
class _Keys:
    """The keys of one call, each once, by position from 1 as Lua counts."""

    positions: dict[str, int] = field(default_factory=dict)

    def __call__(self, key: str) -> int:
        return self.positions.setdefault(key, len(self.positions) + 1)


@dataclass(slots=True)
class _Blobs:
    """Arguments of their own for what is long, or no text: Redis' MessagePack would copy it, and knows no bytes.

    By position from 1; the plan is the first.
    """

    values: list[bytes] = field(default_factory=lambda: [b""])

    def __call__(self, value: bytes) -> int:
        self.values.append(value)
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit of one service, partition and stream."""

    client: Redis
    service: str
    partition: int
    source: str
    window_ms: int
    """How long marks against duplicates and tombstones are kept."""

    async def __call__(self, changes: Sequence[Change], strays: Sequence[str], now: datetime) -> list[Change]:
        """Commits every change whose record nobody moved since it was read; returns the others."""
        if not changes and not strays:
            return []
        keys, blobs = _Keys(), _Blobs()
        plan = {
            "group": self.service,
            "source": keys(self.source),
            "dead": keys(stream_key(self.partition, Stream.DEAD_LETTERS)),
            "timers": keys(timers_key(self.partition, self.service)),
            "due": keys(lane_key(self.partition, self.service, Lane.DUE)),
            "urgent": keys(lane_key(self.partition, self.service, Lane.URGENT)),
            "window_ms": str(self.window_ms),
            "now_ms": str(to_ms(now)),
            "patients": [self._patient(change, keys, blobs) for change in changes],
            "strays": strays,
        }
        blobs.values[0] = msgspec.msgpack.encode(plan)
        lost = await _COMMIT(self.client, list(keys.positions), blobs.values)
        return [changes[position - 1] for position in lost]

    def _patient(self, change: Change, keys: _Keys, blobs: _Blobs) -> dict[str, Any]:
        """One patient's part of the plan."""
        subject = change.subject
        record = change.record
        before, after = change.before.timers, record.timers
        return {
            "state": keys(state_key(self.partition, self.service, subject)),
            "tombstone": keys(tombstone_key(self.partition, self.service, subject)),
            "seen": keys(seen_key(self.partition, self.service, subject)),
            "numbers": keys(prescriptions_key(self.partition, subject)),
            "version": str(change.version),
            "record": blobs(encode(record, change.version + 1)) if change.touched else 0,
            "expires": record.is_empty(),
            "buried": record.is_empty() and record.erased_at is not None,
            "erased": change.erased,
            "alias": keys(alias_key(self.partition)) if change.erased else 0,
            "name": keys(alias_name_key(self.partition)) if change.erased else 0,
            "subject": subject if change.erased else "",
            "marks": change.marks,
            "unmarks": change.unmarks,
            "events": [
                (
                    keys(stream_key(self.partition, event.stream)),
                    blobs(event.prefix),
                    blobs(event.suffix) if event.suffix else 0,
                    event.program_id,
                    event.numbering,
                    event.place,
                    keys(rejected_key(self.partition)) if event.place else 0,
                )
                for event in change.events
            ],
            "set": [
                (f"{subject}|{name}", str(timer.due_ms))
                for name, timer in after.items()
                if _is_moved(before.get(name), timer)
            ],
            "cancelled": [f"{subject}|{name}" for name in before if name not in after],
            # Named only where it is touched: most steps have neither, and each key is sent with every step.
            "ledger": keys(ledger_key(self.partition, self.service, subject)) if change.ledger or change.erased else 0,
            "entries": [blobs(entry) for entry in change.ledger],
            "listed": [
                (keys(list_key(self.partition, self.service, name)), f"{subject}|{item}", str(at_ms))
                for name, items in record.lists.items()
                for item, at_ms in items.items()
                if change.before.lists.get(name, {}).get(item) != at_ms
            ],
            "unlisted": [
                (keys(list_key(self.partition, self.service, name)), f"{subject}|{item}")
                for name, items in change.before.lists.items()
                for item in items
                if item not in record.lists.get(name, {})
            ],
            "register": keys(register_key(self.partition, self.service)) if change.register else 0,
            "facts": list(change.register.items()),
            "acks": change.acks,
            "letters": [(entry_id, blobs(body)) for entry_id, body in change.letters],
        }


def _is_moved(before: Timer | None, after: Timer) -> bool:
    return before is None or before.due_ms != after.due_ms
