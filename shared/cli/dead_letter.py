"""`adaptive-care dead-letters`: what was rejected, why, and another try."""

import asyncio
import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.actor import act, note
from shared.cli.connection import connect
from shared.cli.terminal import console
from shared.event.wire import Stream
from shared.settings import Settings, read_settings
from shared.stream.history import Entry, read_history, subjects

app = typer.Typer(help="What was rejected, why, and another try.", no_args_is_help=True)


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    service: Annotated[str | None, typer.Option(help="Only those that this service rejected.")] = None,
    code: Annotated[str | None, typer.Option(help="Only those with this code of error.")] = None,
    check: Annotated[bool, typer.Option("--check", help="End with status 1 where there are any.")] = False,
) -> None:
    """List the dead letters, oldest first."""
    wanted = {("service",): service, ("error", "code"): code}
    letters = [
        letter
        for letter in asyncio.run(_read(read_settings(Settings), with_originals=as_json))
        if all(value is None or letter.get("data", *path) == value for path, value in wanted.items())
    ]
    if as_json:
        for letter in letters:
            typer.echo(json.dumps(letter.event))
    elif letters:
        _print(letters)
    else:
        typer.echo("no dead letters")
    if letters and check:
        raise typer.Exit(1)


def _print(letters: list[Entry]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("id", "written", "rejected by", "stream", "error", "path", "reason"):
        table.add_column(column, overflow="fold")
    for letter in letters:
        error = letter.get("data", "error") or {}
        table.add_row(
            str(letter.get("id")),
            f"{datetime.fromtimestamp(int(letter.entry_id.partition('-')[0]) / 1000, UTC):%Y-%m-%d %H:%M}",
            str(letter.get("data", "service")),
            str(letter.get("data", "stream")),
            error.get("code"),
            error.get("path"),
            error.get("message"),
        )
    console().print(table)


@app.command()
def show(id: Annotated[str, typer.Argument(help="The id of a dead letter, or a unique beginning.")]) -> None:  # noqa: A002  # the name on the command line
    """Show one dead letter with its original, which may hold what a patient wrote."""
    letter = asyncio.run(_show(read_settings(Settings), id))
    typer.echo(json.dumps(letter.event, indent=2))
    typer.echo("\noriginal:")
    typer.echo(_original(letter).decode(errors="replace"))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of dead letters, or unique beginnings.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
) -> None:
    """Put the originals back into their streams, and take the letters out, each in one transaction."""
    if bool(ids) == all_:
        raise typer.BadParameter("give ids, or --all")
    typer.echo(f"{asyncio.run(_replay(read_settings(Settings), ids))} replayed")


async def _read(settings: Settings, *, with_originals: bool) -> list[Entry]:
    async with connect(settings) as (client, partitions):
        letters = [entry async for entry in read_history(client, partitions, (Stream.DEAD_LETTERS,))]
        if letters and with_originals:
            await note(client, partitions, settings, act("read", "dead_letter", *subjects(letters)))
        return letters


async def _show(settings: Settings, wanted: str) -> Entry:
    async with connect(settings) as (client, partitions):
        letters = [entry async for entry in read_history(client, partitions, (Stream.DEAD_LETTERS,))]
        (letter,) = _choose(letters, [wanted])
        await note(client, partitions, settings, act("read", "dead_letter", *subjects([letter])))
        return letter


async def _replay(settings: Settings, ids: list[str] | None) -> int:
    async with connect(settings) as (client, partitions):
        letters = [entry async for entry in read_history(client, partitions, (Stream.DEAD_LETTERS,))]
        chosen = letters if ids is None else _choose(letters, ids)
        for letter in chosen:
            async with client.pipeline(transaction=True) as transaction:
                transaction.xadd(str(letter.get("data", "stream")), {"__data__": _original(letter)})
                transaction.xdel(letter.key, letter.entry_id)
                await transaction.execute()
        return len(chosen)


def _choose(letters: list[Entry], ids: list[str]) -> list[Entry]:
    chosen: dict[str, Entry] = {}
    for wanted in ids:
        found = [letter for letter in letters if str(letter.get("id")).startswith(wanted)]
        if len({letter.get("id") for letter in found}) != 1:
            what = "no dead letter has" if not found else f"{len(found)} dead letters have"
            raise typer.BadParameter(f"{what} an id that begins with {wanted!r}")
        # The same bytes rejected twice have two letters of one id: either stands for both.
        chosen[found[-1].entry_id] = found[-1]
    return list(chosen.values())


def _original(letter: Entry) -> bytes:
    original: Any = letter.get("data", "original")
    try:
        return base64.b64decode(original, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise typer.BadParameter(f"dead letter {letter.get('id')} holds no original") from None
