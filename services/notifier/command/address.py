"""`alerts addresses`: clinicians' addresses that a server has refused for good, and how one is used again."""

import json as json_
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.notifier.command.office import AlertError, Office, as_json, work
from services.notifier.domain.contact import address_hash
from services.notifier.domain.policy import Policies
from shared.cli.terminal import console

PREFIX = "address:"

app = typer.Typer(help="Clinicians' addresses that were refused for good.", invoke_without_command=True)


@dataclass(frozen=True, slots=True)
class Disabled:
    """One address, which is nowhere shown."""

    name: str
    """`recipient/channel`."""
    since: str
    cause: str
    in_use: bool
    """It still stands in the policies."""
    entry: str


@app.callback()
def list_(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the addresses of clinicians to which nothing is sent any more, because a server has refused them."""
    if context.invoked_subcommand is not None:
        return
    found = work(_read)
    if json:
        typer.echo(as_json([{key: value for key, value in asdict(one).items() if key != "entry"} for one in found]))
        return
    if not found:
        typer.echo("no address is disabled")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "since", "cause", "policies"):
        table.add_column(column, overflow="fold")
    for one in found:
        place = "in use" if one.in_use else "replaced since"
        table.add_row(escape(one.name), one.since, escape(one.cause), place)
    console().print(table)
    typer.echo("after it was mended: adaptive-care alerts addresses enable NAME")


@app.command()
def enable(name: Annotated[str, typer.Argument(help="As listed, such as on_call/mail.")]) -> None:
    """Let messages go to an address again, e.g. once the mailbox exists."""

    async def forget(office: Office) -> int:
        chosen = [one for one in await _read(office) if one.name == name]
        for one in chosen:
            await office.desk.forget(one.entry)
        return len(chosen)

    if not work(forget):
        raise AlertError(f"no disabled address has the name {name!r}; `adaptive-care alerts addresses` lists them")
    typer.echo(f"messages go to {name} again")


async def _read(office: Office) -> list[Disabled]:
    register = await office.desk.register()
    return sorted(
        (_disabled(office.policies, entry, value) for entry, value in register.items() if entry.startswith(PREFIX)),
        key=lambda one: (one.name, one.since),
    )


def _disabled(policies: Policies, entry: str, value: str) -> Disabled:
    known = json_.loads(value)
    recipient, channel = known["recipient"], known["channel"]
    address = policies.addresses(recipient).get(channel)
    in_use = address is not None and entry.endswith(f":{address_hash(address)}")
    return Disabled(f"{recipient}/{channel}", known["at"], known["cause"], in_use, entry)
