"""`adaptive-care demo`: published patient journeys through the four services, on a Redis of their own."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import typer
from rich.console import Console

from shared.cli.outcome import PatientOutcome, gather_outcomes, outcome_table
from shared.cli.replay import progress_bar
from shared.cli.terminal import console as terminal
from shared.embedded import open_embedded
from shared.event.wire import Stream
from shared.journey.library import Journey, shipped_journeys
from shared.recording import Recorded, read_recording
from shared.settings import Settings, read_settings
from shared.stream.connection import connect
from shared.stream.history import read_history
from shared.stream.replay import replay

AFTERMATH = timedelta(days=3)
"""How far the clock runs on after the last event, so that its timers still fire."""
READY_WITHIN_S = 60


class DemoError(Exception):
    """The demo cannot go on; the message says why and where to look."""


def demo() -> None:
    """Replay published patient journeys and show what each patient got. Leaves nothing running."""
    started = time.monotonic()
    settings = read_settings(Settings)
    console = terminal()
    folder = settings.data_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    journeys = shipped_journeys()
    events = read_recording(journey.path for journey in journeys)
    console.print(
        f"Replaying {len(journeys)} published journeys, {len(events)} events from "
        f"{events[0].time:%d %b %Y} to {events[-1].time:%d %b %Y}, through intake, planner, progression and notifier."
    )
    with open_embedded(folder) as server, _services(server.url, settings.http_port, folder):
        outcomes, rejected = asyncio.run(_run(server.url, events))
    console.print(outcome_table(outcomes, _titles(journeys)))
    _show_places(console, folder, rejected, time.monotonic() - started)


def _titles(journeys: list[Journey]) -> dict[str, str]:
    return {journey.patient: journey.title for journey in journeys}


async def _run(url: str, events: list[Recorded]) -> tuple[list[PatientOutcome], int]:
    client = connect(url)
    try:
        with progress_bar() as bar:
            task = bar.add_task("replaying", total=len(events), day="")

            def advance(event: Recorded) -> None:
                bar.update(task, advance=1, day=f"{event.time:%d %b %Y}")

            until = events[-1].time + AFTERMATH
            await replay(client, events, partitions=1, move_clock=True, until=until, progress=advance)
        entries = [entry async for entry in read_history(client, 1)]
    finally:
        await client.aclose()
    return gather_outcomes(entries), sum(1 for entry in entries if entry.stream is Stream.DEAD_LETTERS)


@contextmanager
def _services(url: str, port: int, folder: Path) -> Iterator[None]:
    """The four services in one process of their own, as an operator runs them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARE_")} | {
        "CARE_REDIS_URL": url,
        "CARE_CLOCK": "replay",
        "CARE_HTTP_PORT": str(port),
        "CARE_DATA_DIR": str(folder),
        "CARE_LOG_FORMAT": "json",
    }
    log = folder / "services.log"
    command = [sys.executable, "-m", "shared.cli.main", "run"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603  # our own command
    try:
        _wait_ready(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-3:])
            raise DemoError(f"the services stopped at once; see {log}:\n{tail}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    raise DemoError(f"the services were not ready within {READY_WITHIN_S} s; see {log}")


def _show_places(console: Console, folder: Path, rejected: int, seconds: float) -> None:
    console.print(f"\nDone in {seconds:.0f} s; nothing is left running. {rejected or 'No'} events were rejected.")
    for what, where in (
        ("logs of the services", folder / "services.log"),
        ("streams and state", folder / "redis"),
        ("documents", "docs/"),
    ):
        console.print(f"  {what:22}{where}", highlight=False, soft_wrap=True)
    console.print(
        f"Look further: CARE_DATA_DIR={folder} .venv/bin/adaptive-care trace journey-J02",
        highlight=False,
        soft_wrap=True,
    )
    if rejected:
        typer.echo("a journey was rejected; see `adaptive-care dead-letters list`", err=True)
        raise typer.Exit(1)
