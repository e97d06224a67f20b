"""`adaptive-care simulate`: virtual patients through the pure cores, and what the rules did to them."""

import difflib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.cli.terminal import console as terminal
from shared.protocol.library import load_protocols, shipped_protocols
from shared.settings import SettingError, Settings, read_settings
from shared.simulation.course import Archetype
from shared.simulation.figure import ARCHETYPES
from shared.simulation.latent import Model
from shared.simulation.run import Report, Run, as_json, report_of
from shared.simulation.table import grids_of, rich_table
from shared.simulation.world import world

K = TypeVar("K", bound=str)

MODELS: tuple[Model, ...] = get_args(Model)
MAX_WEEKS = 104
EXTRA = ("matplotlib",)
"""What plots and page need beside the rest."""
MISSED = 3
"""The exit status where `--check` finds a target missed."""


def simulate(
    patients: Annotated[int, typer.Option(help="How many virtual patients.")] = 1000,
    weeks: Annotated[int, typer.Option(help="How long each is followed.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cohort.")] = 1,
    model: Annotated[str, typer.Option(help=f"The latent model: {' or '.join(MODELS)}.")] = MODELS[0],
    archetype: Annotated[
        list[str] | None, typer.Option(help="Only patients of this archetype; may be given more than once.")
    ] = None,
    protocols: Annotated[
        Path | None, typer.Option(help="A folder of candidate protocols, instead of those in force.", metavar="DIR")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the report goes; by itself `simulation` in CARE_DATA_DIR.", metavar="DIR")
    ] = None,
    trials: Annotated[bool, typer.Option(help="Also simulate the published trial arms.")] = True,
    processes: Annotated[
        int | None, typer.Option(help="How many processes share the work; by itself one a core.")
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with status 3 where a target is missed.")] = False,
) -> None:
    """Treat virtual patients, whose truth is known, and report what the rules did to them.

    Writes figures.json, plots and report.html. No evidence about a real patient.
    """
    settings = read_settings(Settings)
    _check_range("--patients", patients, 1, 1_000_000)
    _check_range("--weeks", weeks, 1, MAX_WEEKS)
    if processes is not None:
        _check_range("--processes", processes, 1, 1024)
    chosen_model = _one_of("--model", model, MODELS)
    archetypes = tuple(dict.fromkeys(_one_of("--archetype", one, ARCHETYPES) for one in archetype or ()))
    candidate = protocols or settings.protocols
    in_force = shipped_protocols() if candidate is None else load_protocols(candidate)
    folder = _writable(out or settings.data_dir / "simulation")
    run = Run(
        patients=patients,
        weeks=weeks,
        seed=seed,
        model=chosen_model,
        archetypes=archetypes,
        protocols={name: protocol.version for name, protocol in in_force.conditions.items()},
        digest=in_force.digest,
        fitted_to=getattr(world(), chosen_model).fitted_to,
        fitted=tuple(one.name for one in world().trial.published if one.fitted),
        predicted=tuple(one.name for one in world().trial.published if not one.fitted),
    )
    report = _simulate(run, candidate, processes, with_trials=trials)
    written = _write(report, folder)
    if as_json_:
        typer.echo(as_json(report), nl=False)
    else:
        _show(report, written)
    if check and report.has_missed:
        typer.echo("a target is missed or could not be measured", err=True)
        raise typer.Exit(MISSED)


def _simulate(run: Run, protocols: Path | None, processes: int | None, *, with_trials: bool) -> Report:
    # Imported here: every other command starts without the virtual world.
    from shared.simulation.cohort import simulate as simulate_cohort

    mix: dict[Archetype, float] | None = dict.fromkeys(run.archetypes, 1.0) or None
    with _progress("treating virtual patients", run.patients) as advance:
        courses = [
            course
            for plans in simulate_cohort(
                run.patients,
                run.weeks,
                run.seed,
                model=run.model,
                mix=mix,
                protocols=protocols,
                processes=processes,
                progress=advance,
            )
            for course in plans
        ]
    if not with_trials:
        return report_of(run, courses)
    from shared.simulation.trial import reproduce

    with _progress("repeating published trials", None) as advance:
        return report_of(run, courses, reproduce(run.seed, progress=advance, model=run.model))


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, moved by how much is done; silent where nobody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _write(report: Report, folder: Path) -> list[Path]:
    """Everything that can be written with what is installed."""
    figures = folder / "figures.json"
    figures.write_text(as_json(report), encoding="utf-8")
    if not all(importlib.util.find_spec(name) for name in EXTRA):
        typer.echo("no plots and no page: for these, pip install 'adaptive-care[plots]'", err=True)
        return [figures]
    from shared.simulation.page import page_of
    from shared.simulation.plot import plots_of

    plots = plots_of(report)
    images = [folder / f"{name}.png" for name in plots]
    for path, image in zip(images, plots.values(), strict=True):
        path.write_bytes(image)
    page = folder / "report.html"
    page.write_text(page_of(report, plots), encoding="utf-8")
    return [page, figures, *images]


def _show(report: Report, written: list[Path]) -> None:
    console = terminal()
    for grid in grids_of(report):
        console.print(rich_table(grid, is_plain=not console.is_terminal))
        console.print()
    console.print("Virtual patients only: no evidence that a real patient gets better.")
    for path in written:
        console.print(f"  {path}", highlight=False, soft_wrap=True)


def _check_range(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingError(f"{option} must be {low} to {high}, not {value}")


def _one_of(option: str, value: str, known: tuple[K, ...]) -> K:
    for one in known:
        if one == value:
            return one
    nearest = difflib.get_close_matches(value, known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(known)}"
    raise SettingError(f"{option}: {value!r} is unknown{hint}")


def _writable(folder: Path) -> Path:
    """The folder, made where it is missing; found out before the patients are treated, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingError(f"cannot write to {folder}: {error.strerror or error}") from None
    return folder
