"""`adaptive-care status`: the operator's first screen. Is it well, and if not, what is to be done."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared.cli.connection import connect
from shared.cli.overview import ABSENT_S, WAITING_S, Overview, read_overview
from shared.cli.terminal import console, span
from shared.event.wire import Stream
from shared.settings import Settings, read_settings
from shared.stream.key import READERS, stream_key
from shared.stream.standing import Backlog, Server

MIB = 1024 * 1024


def status(
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with status 1 where something is wrong.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show it anew until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="With --watch: seconds between two looks.")] = 2.0,
    by_partition: Annotated[
        bool, typer.Option("--by-partition", help="Every stream of every partition in a line of its own.")
    ] = False,
) -> None:
    """Show whether the services keep up: who is there, what waits, what was put aside, which escalations are open."""
    settings = read_settings(Settings)
    if watch and (as_json or check):
        raise typer.BadParameter("--watch is for people: not with --json or --check")
    if watch and not sys.stdout.isatty():
        raise typer.BadParameter("--watch needs a terminal; for programs there is --json")
    if watch:
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(settings, every, by_partition))
        return
    overview = asyncio.run(_read(settings))
    if as_json:
        typer.echo(json.dumps(overview.as_json(), indent=2))
    else:
        console().print(screen(overview, by_partition=by_partition))
    if check and overview.problems:
        raise typer.Exit(1)


async def _read(settings: Settings) -> Overview:
    async with connect(settings) as (client, partitions):
        return await read_overview(client, partitions)


async def _watch(settings: Settings, every_s: float, by_partition: bool) -> None:
    async with connect(settings) as (client, partitions):
        first = screen(await read_overview(client, partitions), by_partition=by_partition)
        with Live(first, console=console(), screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(every_s)
                live.update(screen(await read_overview(client, partitions), by_partition=by_partition), refresh=True)


def screen(overview: Overview, *, by_partition: bool = False) -> RenderableType:
    """What a person sees: the verdict first."""
    streams = _streams_by_partition(overview) if by_partition else _streams(overview)
    return Group(*_verdict(overview), "", _services(overview), "", streams, "", *_rest(overview))


def _verdict(overview: Overview) -> Iterator[RenderableType]:
    head = f"{overview.at:%Y-%m-%d %H:%M:%S} UTC, {_count(overview.partitions, 'partition')}"
    yield Text(head + (f", {_server(overview.server)}" if overview.server else ""))
    if overview.clock is not None:
        yield Text(f"replay clock: {overview.clock:%Y-%m-%d %H:%M} UTC")
        for name, handled in overview.clock_handled.items():
            yield Text(f"  handled by {name}: {handled}")
    if not overview.problems:
        yield Text("all is well", style="green")
        return
    yield Text(f"{_count(len(overview.problems), 'problem')}:", style="bold red")
    for problem in overview.problems:
        yield Text(f"  {problem}", style="red")


def _server(server: Server) -> str:
    limit = f" of {server.memory_max / MIB:.0f}" if server.memory_max else ""
    kept = "append-only" if server.is_append_only else "not append-only"
    return f"Redis {server.version}, {server.memory_used / MIB:.1f}{limit} MiB, {kept}"


def _services(overview: Overview) -> Table:
    table = _table("service", "last seen", "waiting", "oldest", "timers", "due")
    for name, absent in overview.absent_s.items():
        own = [group for group in overview.groups if group.group == name]
        waiting = sum(group.pending + group.lag for group in own)
        oldest = max(group.waiting_s for group in own)
        seen = "not for an hour" if absent == float("inf") else "now" if absent < 5 else f"{span(absent)} ago"
        count = overview.timers[name]
        table.add_row(
            name,
            Text(seen, style="red" if absent > ABSENT_S else ""),
            str(waiting),
            Text(span(oldest) if waiting else "", style="red" if oldest > WAITING_S else ""),
            str(count.held),
            str(count.due),
        )
    return table


def _streams(overview: Overview) -> Table:
    """All partitions of a stream in one line."""
    table = _table("stream", "entries", "waiting for", left=("stream", "waiting for"))
    for stream in Stream:
        keys = [stream_key(partition, stream) for partition in range(overview.partitions)]
        groups = [group for group in overview.groups if group.stream in keys]
        waiting = [_of_service(name, [g for g in groups if g.group == name]) for name in READERS[stream]]
        entries = sum(overview.entries[key] for key in keys)
        table.add_row(stream.value, str(entries), Text(", ").join(waiting))
    return table


def _of_service(name: str, groups: list[Backlog]) -> Text:
    pending, lag = sum(group.pending for group in groups), sum(group.lag for group in groups)
    if not all(group.exists for group in groups):
        return Text(f"{name}: never read", style="red")
    if not pending + lag:
        return Text(f"{name} 0")
    worst = max(groups, key=lambda group: group.waiting_s)
    words = f"{name} {pending + lag} ({pending} pending, oldest {span(worst.waiting_s)}"
    where = f" in {worst.stream.partition(':')[2].partition(':')[0]}" if len(groups) > 1 else ""
    return Text(f"{words}{where})", style="red" if worst.waiting_s > WAITING_S else "yellow")


def _streams_by_partition(overview: Overview) -> Table:
    table = _table("stream", "entries", "group", "pending", "lag", "oldest", left=("stream", "group"))
    for key, entries in overview.entries.items():
        table.add_row(key, str(entries), "", "", "", "")
        for group in (group for group in overview.groups if group.stream == key):
            oldest = span(group.waiting_s) if group.waiting_s else ""
            name = group.group if group.exists else f"{group.group} (never read)"
            table.add_row("", "", name, str(group.pending), str(group.lag), oldest)
    return table


def _rest(overview: Overview) -> Iterator[RenderableType]:
    for report in overview.reports.values():
        yield Text(f"{report.title}: {'' if report.lines else 'none'}")
        for line in report.lines:
            yield Text(f"  {line}")
    letters = _count(overview.dead_letters, "dead letter")
    if overview.letter_at is not None:
        age = span(max(0.0, (overview.at - overview.letter_at).total_seconds()))
        letters += f", the newest {age} ago: adaptive-care dead-letters list"
    yield Text(letters if overview.dead_letters else "dead letters: none")


def _table(*columns: str, left: tuple[str, ...] = ("service", "last seen")) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", overflow="fold")
    return table


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
