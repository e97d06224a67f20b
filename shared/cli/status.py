"""`adaptive-care status`: whether the services keep up."""

import asyncio
from datetime import datetime
from typing import Any

import typer
from rich.table import Table

from shared.cli.connection import connect
from shared.cli.terminal import console
from shared.event.wire import Stream
from shared.settings import Settings, read_settings
from shared.stream.key import CLOCK, CLOCK_HANDLED, stream_key


def status() -> None:
    """Show every stream with its length, and each group with its pending entries and its lag."""
    rows, clock = asyncio.run(_read(read_settings(Settings)))
    table = Table(box=None, pad_edge=False)
    for column in ("stream", "entries", "group", "consumers", "pending", "lag"):
        table.add_column(column, justify="right" if column in ("entries", "consumers", "pending", "lag") else "left")
    for row in rows:
        table.add_row(*row)
    console().print(table)
    for line in clock:
        typer.echo(line)


async def _read(settings: Settings) -> tuple[list[tuple[str, ...]], list[str]]:
    rows: list[tuple[str, ...]] = []
    async with connect(settings) as (client, partitions):
        for partition in range(partitions):
            for stream in Stream:
                key = stream_key(partition, stream)
                length = await client.xlen(key)
                groups: list[dict[str, Any]] = await client.xinfo_groups(key) if await client.exists(key) else []
                rows.append((key, str(length), "", "", "", ""))
                rows += [
                    ("", "", g["name"].decode(), str(g["consumers"]), str(g["pending"]), str(g.get("lag", "?")))
                    for g in groups
                ]
        now: Any = await client.get(CLOCK)
        handled: Any = await client.hgetall(CLOCK_HANDLED)
    clock = [f"replay clock: {datetime.fromisoformat(now.decode()):%Y-%m-%d %H:%M} UTC"] if now else []
    clock += [f"  handled by {name.decode()}: {value.decode()}" for name, value in sorted(handled.items())]
    return rows, clock
