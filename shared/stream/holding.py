"""Everything that is held of one patient, key by key, in a form that people and machines can read.

The keys are those of `shared.stream.key`; a test compares them with a scan of all that Redis holds.
"""

import base64
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared.service import Service
from shared.stream.audit import Audit
from shared.stream.history import Entry, read_history
from shared.stream.key import (
    AUDIT,
    DATA_FIELD,
    Lane,
    alias_key,
    alias_name_key,
    lane_key,
    ledger_key,
    list_key,
    partition_of,
    prescriptions_key,
    seen_key,
    state_key,
    timers_key,
    tombstone_key,
)
from shared.stream.record import from_ms, reader, to_plain

_LARGEST = 50_000_000
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Part:
    """What one key holds of the patient. `ages_out`: goes by retention, not by an erasure."""

    kind: str
    key: str
    content: Any
    ages_out: bool = False


class Holdings:
    """What Redis holds of any one patient."""

    def __init__(self, client: Redis, partitions: int, services: Iterable[Service[Any]], audit: Audit) -> None:
        self._client: Any = client
        self._partitions = partitions
        self._services = {service.name: service for service in services}
        self._audit = audit

    async def of(self, patient: str) -> list[Part]:
        """All parts, those of the services first; without those that hold nothing."""
        return [part async for part in self._all(patient) if part.content not in (None, [], {})]

    async def patients(self) -> list[str]:
        """Everybody of whom a service holds a record. Walks over all keys, a few at a time."""
        found: set[str] = set()
        for partition in range(self._partitions):
            for name in self._services:
                prefix = state_key(partition, name, "")
                async for key in self._client.scan_iter(f"{prefix}*", count=1000):
                    found.add(key.decode().removeprefix(prefix))
        return sorted(found)

    async def _all(self, patient: str) -> AsyncIterator[Part]:
        partition = partition_of(patient, self._partitions)
        for name, service in self._services.items():
            async for part in self._of_service(partition, name, service, patient):
                yield part
        numbers = prescriptions_key(partition, patient)
        yield Part("prescription_numbers", numbers, _texts(await self._client.hgetall(numbers)))
        async for part in self._of_audit(partition, patient):
            yield part
        async for part in self._of_streams(partition, patient):
            yield part

    async def _of_service(self, partition: int, name: str, service: Service[Any], patient: str) -> AsyncIterator[Part]:
        key = state_key(partition, name, patient)
        raw = await self._client.get(key)
        stored = reader(service)(raw)
        if raw is not None:
            yield Part("state", key, _record(raw, stored))
        buried = tombstone_key(partition, name, patient)
        if (tombstone := await self._client.get(buried)) is not None:
            yield Part("tombstone", buried, _as_stored(tombstone), ages_out=True)
        timers = timers_key(partition, name)
        yield Part("timers", timers, await self._members(timers, patient))
        for title in stored.record.lists:
            listed = list_key(partition, name, title)
            yield Part("list", listed, await self._members(listed, patient))
        seen = seen_key(partition, name, patient)
        marks = await self._client.zrange(seen, 0, -1, withscores=True)
        yield Part("duplicate_marks", seen, {mark.decode(): _instant(at) for mark, at in marks})
        ledger = ledger_key(partition, name, patient)
        rows = await self._client.xrange(ledger)
        yield Part("ledger", ledger, [json.loads(fields[DATA_FIELD]) for _, fields in rows])
        for lane in Lane:
            due = lane_key(partition, name, lane)
            rows = await self._client.xrange(due)
            fired = [fields[DATA_FIELD].decode() for _, fields in rows if f"|{patient}|".encode() in fields[DATA_FIELD]]
            yield Part("timers_that_came_due", due, fired, ages_out=True)

    async def _of_audit(self, partition: int, patient: str) -> AsyncIterator[Part]:
        aliases, names = alias_key(partition), alias_name_key(partition)
        alias = await self._client.hget(aliases, patient)
        if alias is not None:
            yield Part("audit_alias", aliases, alias.decode())
            yield Part("audit_alias", names, alias.decode())
            yield Part("audit_log", AUDIT, await self._audit.of(patient), ages_out=True)

    async def _of_streams(self, partition: int, patient: str) -> AsyncIterator[Part]:
        """Whole events, in the order of their streams."""
        found: dict[str, list[Any]] = {}
        async for entry in read_history(self._client, self._partitions):
            if _concerns(entry, patient):
                found.setdefault(entry.key, []).append({"entry_id": entry.entry_id, "event": _event(entry)})
        for key, entries in found.items():
            yield Part("events", key, entries, ages_out=True)

    async def _members(self, key: str, patient: str) -> dict[str, str]:
        """Of a sorted set over all patients."""
        prefix = f"{patient}|"
        members = [row async for row in self._client.zscan_iter(key, match=f"{prefix}*", count=1000)]
        return {member.decode().removeprefix(prefix): _instant(at) for member, at in sorted(members)}


def newest_instant(part: Any, until: datetime) -> datetime | None:
    """The newest instant up to `until` that is written anywhere within a part."""
    instants = (datetime.fromisoformat(text) for text in _strings(part) if _INSTANT.fullmatch(text))
    return max((instant for instant in instants if instant <= until), default=None)


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _record(raw: bytes, stored: Any) -> dict[str, Any]:
    """A record whose state nobody here can read is given as it is stored."""
    if stored.unreadable is not None:
        return {"unreadable": str(stored.unreadable)[:200], "as_stored": _as_stored(raw)}
    record = stored.record
    content: dict[str, Any] = {"state_version": record.state_version}
    content["state"] = readable(msgspec.to_builtins(record.state, builtin_types=(bytes,), str_keys=True))
    if record.erased_at is not None:
        content["erased_until"] = record.erased_at.isoformat()
    return content


def _as_stored(raw: bytes) -> str:
    with contextlib.suppress(ValueError):
        raw = to_plain(raw)
    return raw.decode("utf-8", "backslashreplace")


def readable(value: Any) -> Any:
    """The same with bytes as what they hold: JSON, compressed JSON, text, or else base64."""
    match value:
        case bytes():
            return _opened(value)
        case dict():
            return {name: readable(one) for name, one in value.items()}
        case list() | tuple():
            return [readable(one) for one in value]
        case _:
            return value


def _opened(raw: bytes) -> Any:
    with contextlib.suppress(zlib.error):
        raw = zlib.decompressobj().decompress(raw, _LARGEST)
    with contextlib.suppress(ValueError):
        return json.loads(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _concerns(entry: Entry, patient: str) -> bool:
    """The patient's own, or something undecodable that names them."""
    subject = entry.get("subject")
    if subject == patient:
        return True
    if subject not in (None, "unknown"):
        return False
    original = entry.get("data", "original")
    raws = [entry.raw]
    if isinstance(original, str):
        with contextlib.suppress(ValueError):
            raws.append(base64.b64decode(original, validate=True))
    whole = re.compile(rb"(?<![A-Za-z0-9._:-])" + re.escape(patient.encode()) + rb"(?![A-Za-z0-9_:-])")
    return any(whole.search(raw) for raw in raws)


def _event(entry: Entry) -> Any:
    return entry.raw.decode("utf-8", "backslashreplace") if entry.event is None else entry.event


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _instant(score: float) -> str:
    return from_ms(int(score)).isoformat()
