"""What a service's own pages, watchers and commands see of Redis beyond one patient's step.

They read records, lists, ledgers and the state of the consumer groups. Of patients they write nothing but events of
the contract to their streams: whatever shall change does so in the step that reads the event. Beside that they may
say that something done for many is begun or done, take an entry off the register, and write to the audit log.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from redis.asyncio import Redis

from shared.event.envelope import Event
from shared.event.registry import adapter
from shared.metric import Metrics
from shared.service import Service
from shared.settings import Settings
from shared.stream.audit import Act, Audit
from shared.stream.clock import Clock
from shared.stream.key import (
    Lane,
    joint_key,
    ledger_key,
    list_key,
    partition_of,
    prescriptions_key,
    register_key,
    state_key,
    stream_key,
    timers_key,
    tombstone_key,
)
from shared.stream.presence import absent_s
from shared.stream.record import from_ms, reader, to_ms
from shared.stream.standing import Backlog, expected_groups, read_ages, read_backlog
from shared.trace import Traces

S = TypeVar("S")
LEDGER_PAGE = 2000
"""Entries of a ledger read at most: the newest."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One item of a list over all patients."""

    subject: str
    item: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Joint:
    """How something stands that one does for many: mine to do, begun by another, or done for these items."""

    stands: Literal["mine", "begun", "done"]
    items: frozenset[str] = frozenset()


class Desk(Generic[S]):
    """One service's view."""

    def __init__(
        self,
        client: Redis,
        clock: Clock,
        settings: Settings,
        service: Service[S],
        metrics: Metrics | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        """The process's; None where no process runs that shows any."""
        self.traces = traces
        """The process's; None where it keeps none."""
        self._client = client
        self._clock = clock
        self._service = service
        self._read = reader(service)

    async def now(self) -> datetime:
        """The instant that decisions are made at."""
        return await self._clock.now()

    async def redis_time(self) -> datetime:
        """The Redis server's own clock, UTC."""
        seconds, microseconds = await self._client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)

    async def state(self, subject: str) -> S | None:
        return (await self.states([subject])).get(subject)

    async def states(self, subjects: Iterable[str]) -> dict[str, S]:
        """Those that there are. A record that cannot be read is left out."""
        wanted = list(dict.fromkeys(subjects))
        pipeline = self._client.pipeline(transaction=False)
        for subject in wanted:
            pipeline.get(state_key(self._partition(subject), self._service.name, subject))
        answers: list[Any] = await pipeline.execute() if wanted else []
        found = {subject: self._read(raw).record.state for subject, raw in zip(wanted, answers, strict=True)}
        return {subject: state for subject, state in found.items() if state is not None}

    async def numbered(self, subject: str) -> tuple[S | None, dict[str, int]]:
        """A patient's state, and of each program the number of its newest prescription: both of one instant.

        Raises where the record cannot be read: that is not the same as nothing.
        """
        partition = self._partition(subject)
        async with self._client.pipeline(transaction=True) as transaction:
            transaction.get(state_key(partition, self._service.name, subject))
            transaction.hgetall(prescriptions_key(partition, subject))
            raw, numbers = await transaction.execute()
        stored = self._read(raw)
        if stored.unreadable is not None:
            raise stored.unreadable
        return stored.record.state, {name.decode(): int(number) for name, number in numbers.items()}

    async def erased_at(self, subject: str) -> datetime | None:
        """Up to when events of the patient are dropped, where this service knows of an erasure."""
        partition, name = self._partition(subject), self._service.name
        record: Any = await self._client.get(state_key(partition, name, subject))
        raw: Any = record or await self._client.get(tombstone_key(partition, name, subject))
        return self._read(raw).record.erased_at

    async def listed(
        self, name: str, *, until: datetime | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[Listed]:
        """The first `limit` items of a list over all partitions, by instant; `until` inclusive."""
        latest = "+inf" if until is None else str(to_ms(until))
        found: list[Listed] = []
        for partition in range(self.settings.partitions):
            key = list_key(partition, self._service.name, name)
            low, high = (latest, "-inf") if newest_first else ("-inf", latest)
            rows: Any = await self._client.zrange(
                key,
                low,
                high,
                desc=newest_first,
                byscore=True,
                offset=0,
                num=limit,
                withscores=True,
            )
            for member, score in rows:
                subject, _, item = member.decode().partition("|")
                found.append(Listed(subject, item, from_ms(int(score))))
        found.sort(key=lambda listed: (listed.at, listed.subject, listed.item), reverse=newest_first)
        return found[:limit]

    async def count(self, name: str) -> int:
        """How many items a list has."""
        keys = [list_key(partition, self._service.name, name) for partition in range(self.settings.partitions)]
        return sum([int(await self._client.zcard(key)) for key in keys])

    async def ages(self, name: str, floors_s: Sequence[float]) -> tuple[list[int], float]:
        """How old the items of a list are by its instants and Redis's clock, in seconds.

        For each of the ascending floors how many are as old and younger than the next floor says, and the age of the
        oldest, 0 where the list is empty.
        """
        return await read_ages(self._client, self.settings.partitions, self._service.name, name, floors_s)

    async def ledger(self, subject: str) -> list[dict[str, Any]]:
        """The newest entries of a patient's ledger, oldest first."""
        key = ledger_key(self._partition(subject), self._service.name, subject)
        rows: Any = await self._client.xrevrange(key, count=LEDGER_PAGE)
        return [json.loads(fields[b"__data__"]) for _, fields in reversed(rows)]

    async def register(self) -> dict[str, str]:
        """The service's register, of all partitions."""
        found: dict[str, str] = {}
        for partition in range(self.settings.partitions):
            facts: Any = await self._client.hgetall(register_key(partition, self._service.name))
            found |= {name.decode(): value.decode() for name, value in facts.items()}
        return found

    async def forget(self, name: str) -> bool:
        """Takes an entry off the register, in every partition. True if there was one."""
        keys = [register_key(partition, self._service.name) for partition in range(self.settings.partitions)]
        return sum([int(await self._client.hdel(key, name)) for key in keys]) > 0

    async def submit(self, event: Event[Any]) -> str:
        """Publishes an event as any platform does. Returns the id of its entry."""
        raw = adapter(event.type).dump_json(event)
        key = stream_key(self._partition(event.subject), event.data.stream)
        entry_id: Any = await self._client.xadd(key, {"__data__": raw})
        return str(entry_id.decode())

    async def noted(self, subject: str, name: str) -> str | None:
        """One entry of the register of the patient's partition."""
        value: Any = await self._client.hget(register_key(self._partition(subject), self._service.name), name)
        return None if value is None else str(value.decode())

    async def begin_joint(self, name: str, within_s: int) -> Joint:
        """Claims something that one does for many, such as a message that joins several."""
        key = joint_key(self._service.name, name)
        if await self._client.set(key, b"[]", nx=True, ex=within_s):
            return Joint("mine")
        found: Any = await self._client.get(key)
        done = frozenset(json.loads(found or b"[]"))
        return Joint("done", done) if done else Joint("begun")

    async def end_joint(self, name: str, items: Iterable[str], known_for_s: int) -> None:
        """It is done for these items, and known to be for so long; for none: it failed, and others may try."""
        key, done = joint_key(self._service.name, name), sorted(items)
        if done:
            await self._client.set(key, json.dumps(done), ex=known_for_s)
        else:
            await self._client.delete(key)

    async def backlog(self, lanes: Iterable[tuple[str, Lane]] = ()) -> list[Backlog]:
        """Every group that must exist, of every service's streams and of the lanes named by service."""
        wanted, found = list(lanes), []
        for partition in range(self.settings.partitions):
            found += await read_backlog(self._client, expected_groups(partition, wanted))
        return found

    async def next_timers(self, services: Iterable[str]) -> dict[str, Listed]:
        """The earliest timer of each service that has any."""
        found: dict[str, Listed] = {}
        for name in services:
            for partition in range(self.settings.partitions):
                rows: Any = await self._client.zrange(timers_key(partition, name), 0, 0, withscores=True)
                for member, score in rows:
                    subject, _, item = member.decode().partition("|")
                    timer = Listed(subject, item, from_ms(int(score)))
                    found[name] = min(found.get(name, timer), timer, key=lambda listed: listed.at)
        return found

    async def absent_s(self, services: Iterable[str]) -> dict[str, float]:
        """For how long no replica of each service has said that it reads; infinite where none ever did."""
        return await absent_s(self._client, services)

    async def note(self, act: Act) -> None:
        """Writes to the audit log; where that fails, it is logged and counted, and nobody is kept from anything."""
        audit = Audit(self._client, self.settings.partitions, self.settings.audit_days)
        if not await audit.try_note(act) and self.metrics is not None:
            self.metrics.audit_failures.inc()

    def _partition(self, subject: str) -> int:
        return partition_of(subject, self.settings.partitions)
