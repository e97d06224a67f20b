"""The audit log: who read or decided what of which patient, when, by which way, and whether it was let.

One stream for the whole system, each entry bound to the one before (`shared.chain`). An entry never holds a pseudonym
but a random alias. What alias stands for whom lies beside the log and goes with an erasure: the chain stays whole, and
nobody can tell any more whom the entries were about.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared.chain import link, stamp, verify
from shared.log import logger
from shared.stream.discovery import ORDER
from shared.stream.key import AUDIT, AUDIT_HEAD, alias_key, alias_name_key, partition_of, state_key
from shared.stream.script import Script

_APPEND = Script("audit.lua")
_ALIAS = Script("alias.lua")
NO_HEAD = "0:"
ATTEMPTS = 100
PAGE = 500

Action = Literal["read", "decide", "export", "erase"]
Way = Literal["page", "command", "http"]
Outcome = Literal["done", "refused"]


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, or was refused."""

    actor: str
    """`recipient:<role>` of the page, `user:<name>` of the machine, `key:<id>` of the API. Never a secret."""
    way: Way
    action: Action
    what: str
    """What was read, such as `escalation` or `trace`; the kind of a decision."""
    patients: tuple[str, ...] = ()
    outcome: Outcome = "done"


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry of the log. A patient who was erased is only an alias."""

    seq: int
    at: datetime
    actor: str
    way: str
    action: str
    what: str
    outcome: str
    patients: tuple[str, ...]
    """Pseudonyms; for those that nobody knows any more `erased:<alias>`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found. `fault`: what is wrong, in words; empty where all is well."""

    entries: int
    head: str
    """`<seq>:<hash>` of the newest entry: kept elsewhere, it proves later that nothing up to it was changed."""
    fault: str = ""


class AuditError(Exception):
    """The audit log could not be written."""


class Audit:
    """The log of one Redis. `days`: entries older than that are let go."""

    def __init__(self, client: Redis, partitions: int, days: float) -> None:
        self._client = client
        self._partitions = partitions
        self._keep = timedelta(days=days)

    async def note(self, act: Act) -> None:
        """Appends one entry. Raises AuditError."""
        try:
            await self._note(act)
        except (RedisError, OSError) as error:
            raise AuditError(f"the audit log cannot be written: {type(error).__name__}") from None

    async def try_note(self, act: Act) -> bool:
        """Appends one entry, or says loudly that it could not: nobody is kept from an emergency by a log."""
        try:
            await self.note(act)
        except AuditError:
            logger().error(
                "audit_not_written",
                actor=act.actor,
                way=act.way,
                action=act.action,
                what=act.what,
                patients=list(act.patients),
                outcome=act.outcome,
            )
            return False
        return True

    async def _note(self, act: Act) -> None:
        now = datetime.now(UTC)
        entry = {
            "at": stamp(now),
            "actor": act.actor,
            "way": act.way,
            "action": act.action,
            "what": act.what,
            "patients": [await self._alias(patient) for patient in dict.fromkeys(act.patients)],
            "outcome": act.outcome,
        }
        oldest = f"{int((now - self._keep).timestamp() * 1000)}-0"
        for _ in range(ATTEMPTS):
            before = await self._head()
            seq, _, prev = before.partition(":")
            linked = link(entry, int(seq) + 1, prev)
            head = f"{linked['seq']}:{linked['hash']}"
            arguments = [before, json.dumps(linked, ensure_ascii=False), head, oldest]
            if await _APPEND(self._client, [AUDIT, AUDIT_HEAD], arguments):
                return
        raise AuditError("the audit log cannot be written: too many write at the same time")

    async def entries(self) -> list[Noted]:
        """All that is kept, oldest first."""
        raw = await self._raw()
        names = await self._names()
        return [
            Noted(
                entry["seq"],
                datetime.fromisoformat(entry["at"].replace("Z", "+00:00")),
                entry["actor"],
                entry["way"],
                entry["action"],
                entry["what"],
                entry["outcome"],
                tuple(names.get(alias, f"erased:{alias}") for alias in entry["patients"]),
            )
            for entry in raw
        ]

    async def of(self, patient: str) -> list[dict[str, Any]]:
        """The entries about one patient, as they are kept."""
        known: Any = await self._client.hget(alias_key(self._partition(patient)), patient)
        if known is None:
            return []
        return [entry for entry in await self._raw() if known.decode() in entry["patients"]]

    async def verify(self, known_head: str | None = None) -> Verdict:
        """Whether each entry follows from the one before, the newest is the last written, and `known_head` is there."""
        entries, head = await self._raw(), await self._head()
        fault = _fault(entries, head, known_head)
        return Verdict(len(entries), head, fault)

    async def trim(self) -> int:
        """Lets go of what is too old. Returns how many entries went. A log that is broken stops no service."""
        oldest = int((datetime.now(UTC) - self._keep).timestamp() * 1000)
        try:
            return int(await self._client.xtrim(AUDIT, minid=f"{oldest}-0", approximate=False))
        except ResponseError:
            logger().error("audit_not_trimmed", key=AUDIT)
            return 0

    async def _head(self) -> str:
        head: Any = await self._client.get(AUDIT_HEAD)
        return NO_HEAD if head is None else str(head.decode())

    async def _raw(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        start = "-"
        while rows := await self._client.xrange(AUDIT, min=start, count=PAGE):
            page: Any = rows
            found += [json.loads(fields[b"__data__"]) for _, fields in page]
            start = f"({page[-1][0].decode()}"
        return found

    async def _names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for partition in range(self._partitions):
            names: Any = await self._client.hgetall(alias_name_key(partition))
            found |= {alias.decode(): patient.decode() for alias, patient in names.items()}
        return found

    async def _alias(self, patient: str) -> str:
        partition = self._partition(patient)
        records = [state_key(partition, service, patient) for service in ORDER]
        keys = [alias_key(partition), alias_name_key(partition), *records]
        alias: Any = await _ALIAS(self._client, keys, [patient, secrets.token_hex(16)])
        return str(alias.decode())

    def _partition(self, patient: str) -> int:
        return partition_of(patient, self._partitions)


def _fault(entries: Sequence[dict[str, Any]], head: str, known_head: str | None) -> str:
    seq, _, _ = head.partition(":")
    if entries:
        broken = verify(entries, (int(entries[0]["seq"]) - 1, str(entries[0]["prev"])))
        if broken is not None:
            return f"entry {broken} does not follow from the one before"
        last = f"{entries[-1]['seq']}:{entries[-1]['hash']}"
        if last != head:
            return f"it ends at entry {entries[-1]['seq']}, and entry {seq} was the last that was written"
    if known_head is None:
        return ""
    number, _, digest = known_head.partition(":")
    found = next((entry["hash"] for entry in entries if str(entry["seq"]) == number), None)
    if found is None and int(seq) < int(number or 0):
        return f"entry {number} was there once, and the log ends at {seq}"
    if found is not None and found != digest:
        return f"entry {number} is not the one that was there"
    return ""
