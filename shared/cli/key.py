"""`adaptive-care keys`: who may come in by HTTP."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.connection import connect
from shared.cli.terminal import console
from shared.door.credential import LONGEST_NAME, READ, Credential, ScopeError, issue
from shared.door.keyring import Keyring
from shared.settings import Settings, read_settings

app = typer.Typer(help="API keys of the HTTP door.", no_args_is_help=True)

REQUESTS_A_MINUTE = 600


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as `booking-app`; names no person.")],
    scope: Annotated[
        list[str],
        typer.Option(help=f"`{READ}`, or a pattern of event types such as `care.session.*`; may be given again."),
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=3660, help="Days that it is valid; without it, for ever.")
    ] = None,
    per_minute: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests a minute.")] = REQUESTS_A_MINUTE,
) -> None:
    """Make a key. It is printed once, alone on standard output, and cannot be shown again."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise typer.BadParameter(f"a name has 1 to {LONGEST_NAME} printable characters")
    now = datetime.now(UTC)
    try:
        key, kept = issue(name.strip(), scope, per_minute, now, now + timedelta(days=days) if days else None)
    except ScopeError as error:
        raise typer.BadParameter(str(error)) from None
    asyncio.run(_add(kept))
    typer.echo(f"key {kept.key_id} for {kept.name}: keep it now, it is shown only this once", err=True)
    typer.echo(key)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the keys, oldest first; what is secret of them is not kept."""
    keys, now = asyncio.run(_all()), datetime.now(UTC)
    if as_json:
        typer.echo(json.dumps([_shown(key, now) for key in keys], indent=2))
        return
    if not keys:
        typer.echo("no keys: the door refuses everything")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "name", "standing", "scopes", "a minute", "created", "expires"):
        table.add_column(column, overflow="fold")
    for key in keys:
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
        table.add_row(
            key.key_id,
            key.name,
            key.standing(now),
            ", ".join(key.scopes),
            str(key.per_minute),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            expires,
        )
    console().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id of a key, as `keys list` shows it.")]) -> None:
    """Revoke a key, at once and for good, for every replica."""
    revoked = asyncio.run(_revoke(key_id))
    if revoked is None:
        raise typer.BadParameter(f"there is no key {key_id!r}; `adaptive-care keys list` shows them")
    typer.echo(f"key {revoked.key_id} for {revoked.name} is revoked")


async def _add(credential: Credential) -> None:
    async with connect(read_settings(Settings)) as (client, _):
        await Keyring(client).add(credential)


async def _all() -> list[Credential]:
    async with connect(read_settings(Settings)) as (client, _):
        return await Keyring(client).all()


async def _revoke(key_id: str) -> Credential | None:
    async with connect(read_settings(Settings)) as (client, _):
        return await Keyring(client).revoke(key_id, datetime.now(UTC))


def _shown(key: Credential, now: datetime) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "standing": key.standing(now),
        "scopes": list(key.scopes),
        "per_minute": key.per_minute,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
