"""`make chaos`: the long form, with a table in the end. Exit status 1 where anything is not as without faults."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.run import Plan, Report, run
from tests.chaos.workload import DAYS, make_workload

SHOWN = 50
"""Violations printed at most."""


def main() -> int:
    """Reads the command line and runs once."""
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="about so many entries are written")
    parser.add_argument("--faults", type=int, default=200, help="so many faults happen")
    parser.add_argument("--seed", type=int, default=1, help="the same seed writes the same and chooses the same faults")
    parser.add_argument("--replicas", type=int, default=2, help="of each service")
    parser.add_argument("--apart", action="store_true", help="a process for each service, not one for all four")
    parser.add_argument("--partitions", type=int, default=0, help="by itself 2, and 6 on a cluster")
    parser.add_argument("--cluster", action="store_true", help="on a Redis Cluster of three masters and three replicas")
    parser.add_argument("--power", action="store_true", help="appendfsync everysec, and power losses among the faults")
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept afterwards")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    partitions = arguments.partitions or (6 if arguments.cluster else 2)
    with _bar(console) as bar:
        task = bar.add_task("care without faults", total=DAYS, what="in memory")
        workload = make_workload(
            arguments.seed, arguments.events, partitions, progress=lambda day: bar.update(task, completed=day)
        )
    with tempfile.TemporaryDirectory(prefix="care-chaos-") as temporary, _bar(console) as bar:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        plan = Plan(
            workload=workload,
            faults=arguments.faults,
            seed=arguments.seed,
            folder=folder,
            replicas=arguments.replicas,
            apart=arguments.apart,
            loses_power=arguments.power,
            on_cluster=arguments.cluster,
        )
        task = bar.add_task("care with faults", total=sum(1 for _ in workload.entries), what="starting")
        try:
            report = asyncio.run(run(plan, lambda entries, what: bar.update(task, advance=entries, what=what)))
        except TimeoutError as error:
            console.print(f"it does not come to rest: {error}", style="red")
            return 1
    show(report, Console(), seed=arguments.seed)
    return 1 if report.wrong else 0


def show(report: Report, console: Console, *, seed: int) -> None:
    """The table, and what is wrong below it."""
    table = Table(title=f"chaos, seed {seed}", box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, times in sorted(Counter(fault.partition(" ")[0] for fault in report.faults).items()):
        table.add_row(f"fault: {name}", str(times))
    for status, times in sorted(report.deaths.items()):
        table.add_row("processes ended with status " + str(status), str(times))
    for name, figure in report.verdict.figures.items():
        table.add_row(name, f"{figure:,}")
    table.add_row("acknowledged by Redis, lost, and written again", str(report.lost))
    table.add_row("replicas whose log holds a traceback", str(len(report.surprised)))
    table.add_row("seconds", f"{report.seconds:.0f}")
    table.add_row("violations", str(len(report.wrong)))
    console.print(table)
    for violation in report.wrong[:SHOWN]:
        console.print(f"  {violation}", markup=False, highlight=False)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


if __name__ == "__main__":
    sys.exit(main())
