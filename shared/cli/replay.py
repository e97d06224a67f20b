"""`adaptive-care replay FILE …`: publishes recorded events in order of their time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.cli.connection import connect
from shared.recording import Recorded, read_recording
from shared.settings import Settings, read_settings
from shared.stream.replay import replay as replay_events


def replay(
    files: Annotated[list[Path], typer.Argument(help="JSON-lines files, one event of the contract each line.")],
    until: Annotated[
        datetime | None,
        typer.Option(help="With CARE_CLOCK=replay: move the clock on to here after the last event (UTC)."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds that one step of the clock may take before the replay gives up.")
    ] = 120.0,
) -> None:
    """Publish recorded events in order of time; with CARE_CLOCK=replay also move the clock.

    The services must run on the same Redis with the same CARE_CLOCK. All files are read and checked before
    the first event is sent.
    """
    events = read_recording(files)
    asyncio.run(_replay(read_settings(Settings), events, until, timeout))
    typer.echo(f"{len(events)} events published", err=True)


async def _replay(settings: Settings, events: Sequence[Recorded], until: datetime | None, timeout_s: float) -> None:
    async with connect(settings) as (client, partitions):
        with progress_bar() as bar:
            task = bar.add_task("replaying", total=len(events), day="")

            def advance(event: Recorded) -> None:
                bar.update(task, advance=1, day=f"{event.time:%d %b %Y}")

            await replay_events(
                client,
                events,
                partitions=partitions,
                move_clock=settings.clock == "replay",
                until=until.astimezone() if until else None,
                timeout_s=timeout_s,
                progress=advance,
            )


def progress_bar() -> Progress:
    """A bar on standard error that shows the day in the recording; silent where nobody looks."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[day]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
