"""Everything that `adaptive-care status` shows, read at one go and judged in plain words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.cli.report import Report
from shared.cli.terminal import span
from shared.event.wire import Stream
from shared.stream.discovery import ORDER, load_reports
from shared.stream.key import CLOCK, CLOCK_HANDLED, Lane, stream_key
from shared.stream.presence import absent_s
from shared.stream.record import to_ms
from shared.stream.standing import (
    Backlog,
    Server,
    TimerCount,
    expected_groups,
    read_ages,
    read_backlog,
    read_server,
    read_timers,
)

ABSENT_S = 60.0
WAITING_S = 180.0
OVERDUE_S = 60.0
MEMORY_SHARE = 0.85
"""Limits of the alert rules ServiceAbsent, EntriesWait, TimersOverdue and RedisMemoryNearlyFull."""
LANES = (*((service, Lane.DUE) for service in ORDER), ("notifier", Lane.URGENT))


@dataclass(frozen=True, slots=True)
class Overview:
    """How all stands at one instant."""

    at: datetime
    """By Redis's clock."""
    partitions: int
    server: Server | None
    """None where the login may not ask."""
    absent_s: Mapping[str, float]
    timers: Mapping[str, TimerCount]
    entries: Mapping[str, int]
    """By key of the stream."""
    groups: tuple[Backlog, ...]
    letter_at: datetime | None
    """When the newest dead letter was written."""
    clock: datetime | None
    """A replay's."""
    clock_handled: Mapping[str, str]
    reports: Mapping[str, Report]

    @property
    def dead_letters(self) -> int:
        return sum(self.entries[stream_key(one, Stream.DEAD_LETTERS)] for one in range(self.partitions))

    @property
    def problems(self) -> list[str]:
        """What somebody must act on now, in plain words; empty: all is well."""
        found = [problem for report in self.reports.values() for problem in report.problems]
        for service, seconds in self.absent_s.items():
            if seconds > ABSENT_S:
                since = "an hour or more" if seconds == float("inf") else span(seconds)
                found.append(f"{service}: nobody has read its streams for {since}")
        late = [group for group in self.groups if group.waiting_s > WAITING_S]
        found += [f"{group.group} is {span(group.waiting_s)} behind on {group.stream}" for group in late]
        for service, count in self.timers.items():
            if count.overdue_s > OVERDUE_S and self.clock is None:  # a replay's clock leaps
                found.append(f"{service}: a timer is {span(count.overdue_s)} overdue")
        return found + self._problems_of_server()

    def _problems_of_server(self) -> list[str]:
        server, found = self.server, []
        if server is None:
            return []
        if server.memory_max and server.memory_used / server.memory_max > MEMORY_SHARE:
            found.append(f"Redis uses {server.memory_used / server.memory_max:.0%} of the memory that it may")
        if not server.is_noeviction:
            found.append("Redis drops data when its memory is full: set maxmemory-policy noeviction")
        if not server.is_append_only:
            found.append("Redis forgets at a restart: append-only persistence is off, or its last write failed")
        return found

    def as_json(self) -> dict[str, Any]:
        """The same for programs. Ages in seconds; null where a service has not been heard of for an hour or more."""
        return {
            "at": self.at.isoformat(),
            "problems": self.problems,
            "partitions": self.partitions,
            "redis": asdict(self.server) if self.server else None,
            "services": [
                {"service": name, "absent_s": None if seconds == float("inf") else round(seconds, 1)}
                | {f"timers_{what}": value for what, value in asdict(self.timers[name]).items()}
                for name, seconds in self.absent_s.items()
            ],
            "streams": dict(self.entries),
            "groups": [asdict(group) for group in self.groups],
            "dead_letters": {
                "count": self.dead_letters,
                "newest": self.letter_at.isoformat() if self.letter_at else None,
            },
            "replay_clock": {"at": self.clock.isoformat(), "handled": dict(self.clock_handled)} if self.clock else None,
            **{report.title.replace(" ", "_"): report.figures for report in self.reports.values()},
        }


async def read_overview(client: Redis, partitions: int) -> Overview:
    """Asks Redis for all of it. The work grows with the number of partitions alone."""
    seconds, microseconds = await client.time()
    at = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
    raw: Any = await client.get(CLOCK)
    clock = datetime.fromisoformat(raw.decode()) if raw else None
    handled: Any = await client.hgetall(CLOCK_HANDLED)
    groups: list[Backlog] = []
    for partition in range(partitions):
        groups += await read_backlog(client, expected_groups(partition, LANES))
    keys = [stream_key(partition, stream) for stream in Stream for partition in range(partitions)]
    letters = [stream_key(partition, Stream.DEAD_LETTERS) for partition in range(partitions)]
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.xlen(key)
    for key in letters:
        pipeline.xrevrange(key, count=1)
    answers = await pipeline.execute()
    newest = [int(rows[0][0].partition(b"-")[0]) for rows in answers[len(keys) :] if rows]
    try:
        server = await read_server(client)
    except ResponseError:
        server = None
    reports = {
        name: await report(partial(read_ages, client, partitions, name)) for name, report in load_reports().items()
    }
    return Overview(
        at=at,
        partitions=partitions,
        server=server,
        absent_s=await absent_s(client, ORDER),
        timers=await read_timers(client, partitions, ORDER, to_ms(clock or at)),
        entries=dict(zip(keys, answers, strict=False)),
        groups=tuple(groups),
        letter_at=datetime.fromtimestamp(max(newest) / 1000, UTC) if newest else None,
        clock=clock,
        clock_handled={name.decode(): value.decode() for name, value in sorted(handled.items())},
        reports=reports,
    )
