"""`adaptive-care trace ID`: what happened to a patient, or after one event, across the services."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from shared.cli.actor import act, note
from shared.cli.connection import connect
from shared.cli.summary import summarise
from shared.cli.terminal import console
from shared.settings import Settings, read_settings
from shared.stream.history import Entry, read_history, subjects
from shared.trace import trace_id_of


def trace(
    id: Annotated[str, typer.Argument(help="A patient's pseudonym, a correlation id, or an event id.")],  # noqa: A002  # the name on the command line
    as_json: Annotated[bool, typer.Option("--json", help="The events themselves, as JSON lines.")] = False,
) -> None:
    """Show the timeline of a patient or of a correlation id across the services."""
    entries = asyncio.run(_find(read_settings(Settings), id))
    if not entries:
        typer.echo(f"nothing in the streams concerns {id!r}", err=True)
        raise typer.Exit(1)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(entry.event))
        return
    _show(entries)


async def _find(settings: Settings, wanted: str) -> list[Entry]:
    async with connect(settings) as (client, partitions):
        found = [
            entry
            async for entry in read_history(client, partitions)
            if wanted in (entry.get("subject"), entry.get("correlationid"), entry.get("id"))
        ]
        if found:
            await note(client, partitions, settings, act("read", "trace", *subjects(found)))
    return sorted(found, key=lambda entry: (_instant(entry), _order(entry.entry_id)))


def _instant(entry: Entry) -> datetime:
    """The event's time; an event without a usable one comes first."""
    try:
        instant = datetime.fromisoformat(str(entry.get("time")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _show(entries: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("time", "from", "event", "what"):
        table.add_column(column, no_wrap=column != "what", overflow="fold")
    day = ""
    for entry in entries:
        instant = _instant(entry)
        date = f"{instant:%Y-%m-%d}"
        table.add_row(
            f"{date if date != day else '':10} {instant:%H:%M}",
            str(entry.get("source") or "").removeprefix("//adaptive-care/") or "?",
            str(entry.get("type") or "?").removeprefix("care.").removesuffix(".v1"),
            summarise(entry.event or {}),
        )
        day = date
    console().print(table)
    correlations = {str(entry.get("correlationid") or entry.get("id")) for entry in entries}
    if len(correlations) == 1:
        typer.echo(f"trace id, where tracing is on: {trace_id_of(correlations.pop()):032x}")
