"""`adaptive-care audit`: who read or decided what of which patient, and whether the log is whole."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from shared.chain import stamp
from shared.cli.connection import connect
from shared.cli.terminal import console
from shared.settings import Settings, read_settings
from shared.stream.audit import Audit, Noted, Verdict

app = typer.Typer(help="Who read or decided what of which patient.", no_args_is_help=True)


@app.command("list")
def list_(
    patient: Annotated[str | None, typer.Option(help="Of this patient only.")] = None,
    actor: Annotated[str | None, typer.Option(help="By this actor only, such as recipient:on_call.")] = None,
    since: Annotated[str | None, typer.Option(help="From this date or instant on, such as 2026-11-01.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the audit log, oldest first."""
    first = _instant(since)
    entries = [
        entry
        for entry in asyncio.run(_entries(read_settings(Settings)))
        if (patient is None or patient in entry.patients)
        and (actor is None or entry.actor == actor)
        and (first is None or entry.at >= first)
    ]
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry) | {"at": stamp(entry.at)}))
        return
    if not entries:
        typer.echo("nobody has read or decided anything, as far as the log goes back")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("no.", "at (UTC)", "who", "way", "did", "what", "outcome", "patients"):
        table.add_column(column, overflow="fold", justify="right" if column == "no." else "left")
    for entry in entries:
        cells = (entry.actor, entry.way, entry.action, entry.what, entry.outcome, ", ".join(entry.patients))
        table.add_row(str(entry.seq), f"{entry.at:%Y-%m-%d %H:%M:%S}", *(escape(cell) for cell in cells))
    console().print(table)


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head that an earlier run printed: it must still be in the chain.")
    ] = None,
) -> None:
    """Check that no entry was changed or taken out. Status 1 where one was. Prints the head, to be kept elsewhere."""
    verdict = asyncio.run(_verify(read_settings(Settings), head))
    if verdict.fault:
        typer.echo(f"the audit log is not whole: {verdict.fault}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{verdict.entries} entries, each bound to the one before; head {verdict.head}")


async def _entries(settings: Settings) -> list[Noted]:
    async with connect(settings) as (client, partitions):
        return await Audit(client, partitions, settings.audit_days).entries()


async def _verify(settings: Settings, head: str | None) -> Verdict:
    async with connect(settings) as (client, partitions):
        return await Audit(client, partitions, settings.audit_days).verify(head)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2026-11-01") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
