"""`adaptive-care protocols`: checks, shows, compares and tries the clinical content."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from shared.cli.connection import connect
from shared.cli.protocol_table import print_condition, short
from shared.cli.replay import progress_bar
from shared.cli.terminal import console
from shared.protocol.difference import compare
from shared.protocol.document import read_folder, rows, words
from shared.protocol.library import ProtocolError, Protocols, load_protocols, shipped_folder
from shared.protocol.lint.check import lint as find_problems
from shared.protocol.source import Mark
from shared.recording import PLATFORM_STREAMS, Recorded, RecordingError, parse_event, salvage_recording
from shared.settings import Settings, read_settings
from shared.stream.discovery import load_services
from shared.stream.history import read_history
from shared.trial import ASPECTS, Outcome, try_protocols

STREAM = "stream"
NAMED_AT_MOST = 20
"""Lines that cannot be read are named up to this number, and counted beyond it."""

app = typer.Typer(help="Check, show, compare and try the protocol files: the clinical content.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Folder = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="A folder of protocol files; else those in use.")]


@dataclass(frozen=True, slots=True)
class _Listed:
    """One version of one condition."""

    condition: str
    name: str
    version: str
    newest: bool
    judgements: int
    unsigned: int


@app.command()
def lint(
    folder: Folder = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find everything that is wrong in a folder of protocol files. Status 1 where there is an error."""
    path = folder or _in_use()
    problems = find_problems(path)
    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        found = [
            {
                "severity": problem.severity,
                "file": problem.file,
                "line": problem.line,
                "path": words(problem.place),
                "message": problem.message,
                "remedy": problem.remedy,
            }
            for problem in problems
        ]
        _print_json({"folder": str(path), "errors": errors, "warnings": len(problems) - errors, "problems": found})
    else:
        for problem in problems:
            typer.echo(str(problem))
        typer.echo(f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')} in {path}")
    if errors or (strict and problems):
        raise typer.Exit(1)


@app.command()
def show(
    condition: Annotated[str | None, typer.Argument(help="The id of a condition; without it the list of them.")] = None,
    version: Annotated[str | None, typer.Option(help="Of the condition; else the newest.")] = None,
    folder: Annotated[Path | None, typer.Option(help="A folder of protocol files; else those in use.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a condition with the source and the mark of each number, or list the conditions and their versions."""
    path = folder or _in_use()
    protocols = load_protocols(path)
    if condition is not None:
        if condition not in protocols.conditions:
            raise ProtocolError(f"no condition {condition}; there are: {', '.join(protocols.conditions)}")
        protocol = protocols.condition(condition, version)
        if as_json:
            _print_json(protocol.model_dump(mode="json", exclude_none=True))
        else:
            print_condition(protocol, protocols.exercises)
        return
    listed = list(_listed(path, protocols))
    if as_json:
        conditions = [_fields(one) for one in listed]
        _print_json({"folder": str(path), "digest": protocols.digest, "conditions": conditions})
        return
    table = _table("condition", "name", "version", "for new episodes", "judgements", "signed")
    for one in listed:
        signed = "yes" if one.unsigned == 0 else f"no: {one.unsigned} to sign"
        newest = "yes" if one.newest else "no: kept by those that began with it"
        table.add_row(one.condition, one.name, one.version, newest, str(one.judgements), signed)
    console().print(table)
    typer.echo(f"{path}, digest {protocols.digest}")


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A folder of protocol files; alone it is the new one.")],
    new: Annotated[Path | None, typer.Argument(help="Another; without it OLD is compared with those in use.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show each value that differs, by file and path. As `diff` does: status 0 for none, 1 for some."""
    before, after = (old, new) if new is not None else (_in_use(), old)
    found = compare(before, after)
    if as_json:
        _print_json({"old": str(before), "new": str(after), "differences": [_fields(one) for one in found]})
    else:
        file = ""
        for one in found:
            if one.file != file:
                typer.echo(f"{one.file}")
                file = one.file
            source = f"  [{one.mark}: {', '.join(one.source)}]" if one.mark else ""
            signed = f"  signed for the old value by {one.signed_before}: sign again" if one.signed_before else ""
            match one.kind:
                case "changed":
                    typer.echo(f"  {one.path}: {short(one.old)} -> {short(one.new)}{source}{signed}")
                case "added":
                    typer.echo(f"  added {one.path or 'file'}: {short(one.new)}{source}")
                case "removed":
                    typer.echo(f"  removed {one.path or 'file'}: {short(one.old)}{source}")
        typer.echo(_count(len(found), "difference"), err=True)
    if found:
        raise typer.Exit(1)


@app.command("try")
def try_(
    new: Annotated[Path, typer.Option("--new", help="The folder of the changed protocols.")],
    against: Annotated[
        list[str],
        typer.Option(
            "--against", help="A recording (JSON lines), or `stream` for what lies in Redis. May be repeated."
        ),
    ],
    old: Annotated[Path | None, typer.Option("--old", help="The folder to compare with; else those in use.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Status 1 where the care of anybody would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run old and new protocols over recorded events and list whose care would change. Nothing is written."""
    settings = read_settings(Settings)
    before, after = load_protocols(old or _in_use()), load_protocols(new)
    events, errors = _events(settings, against)
    _name(errors)
    if not events:
        raise RecordingError("there is no event of a platform to try the protocols on")
    services = [make(settings) for make in load_services().values()]
    began = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("trying", total=None, day="")

        def advance(done: int, total: int) -> None:
            speed = done / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=done, total=total, day=f"{speed:.1f} patients/s")

        settle = timedelta(days=settings.late_window_days + 1)
        outcome = try_protocols(events, services, before, after, settle=settle, progress=advance)
    seconds = time.monotonic() - began
    if as_json:
        _print_json(_outcome(outcome, before.digest, after.digest, len(errors), seconds))
    else:
        _print_outcome(outcome, seconds)
    if check and outcome.turnings:
        raise typer.Exit(1)


@app.command()
def unsigned(
    folder: Folder = None,
    check: Annotated[bool, typer.Option("--check", help="Status 1 where a judgement is not signed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List each judgement that no clinician has signed, and count them by file."""
    path = folder or _in_use()
    documents = read_folder(path)
    found = [
        row
        for document in documents.values()
        for row in rows(document)
        if row.mark == Mark.JUDGEMENT and row.signed_by is None
    ]
    counts = Counter(row.file for row in found)
    lines = [documents[row.file].line(row.place) for row in found]
    if as_json:
        listed = [
            {"file": row.file, "line": line, "path": words(row.place), "value": row.value, "source": row.source}
            for row, line in zip(found, lines, strict=True)
        ]
        _print_json({"folder": str(path), "count": len(found), "by_file": dict(sorted(counts.items())), "rows": listed})
    else:
        table = _table("file", "path", "value", "source")
        for row, line in zip(found, lines, strict=True):
            value = escape(short(row.value, 90))
            table.add_row(f"{row.file}:{line}", escape(words(row.place)), value, ", ".join(row.source))
        if found:
            console().print(table)
        for file, count in sorted(counts.items()):
            typer.echo(f"{count:5} {file}")
        typer.echo(f"{len(found):5} judgements wait for a signature")
    if check and found:
        raise typer.Exit(1)


def _listed(path: Path, protocols: Protocols) -> Iterator[_Listed]:
    for document in read_folder(path).values():
        key = (str(document.content.get("condition_id")), str(document.content.get("version")))
        protocol = protocols.versions.get(key)
        if protocol is None:
            continue
        judged = [row for row in rows(document) if row.mark == Mark.JUDGEMENT]
        yield _Listed(
            condition=protocol.condition_id,
            name=protocol.name,
            version=protocol.version,
            newest=protocols.conditions[protocol.condition_id] is protocol,
            judgements=len(judged),
            unsigned=sum(row.signed_by is None for row in judged),
        )


def _in_use() -> Path:
    """The folder that the services would read."""
    return read_settings(Settings).protocols or shipped_folder()


def _events(settings: Settings, against: Iterable[str]) -> tuple[list[Recorded], list[RecordingError]]:
    events: list[Recorded] = []
    errors: list[RecordingError] = []
    for source in dict.fromkeys(against):
        found, wrong = asyncio.run(_read_streams(settings)) if source == STREAM else salvage_recording([Path(source)])
        events += found
        errors += wrong
    return events, errors


async def _read_streams(settings: Settings) -> tuple[list[Recorded], list[RecordingError]]:
    """What lies in the platform's streams."""
    events: list[Recorded] = []
    errors: list[RecordingError] = []
    async with connect(settings) as (client, partitions):
        async for entry in read_history(client, partitions, PLATFORM_STREAMS):
            place = f"{entry.key}, entry {entry.entry_id}"
            try:
                event = parse_event(entry.raw.decode(), place)
            except UnicodeDecodeError:
                errors.append(RecordingError(f"{place}: it is not UTF-8 text"))
            except RecordingError as error:
                errors.append(error)
            else:
                events.extend([event] if event is not None else [])
    return events, errors


def _name(errors: list[RecordingError]) -> None:
    for error in errors[:NAMED_AT_MOST]:
        typer.echo(f"skipped: {error}", err=True)
    if len(errors) > NAMED_AT_MOST:
        typer.echo(f"skipped: {len(errors) - NAMED_AT_MOST} more", err=True)


def _outcome(outcome: Outcome, old: str, new: str, skipped: int, seconds: float) -> dict[str, Any]:
    return {
        "old": old,
        "new": new,
        "patients": outcome.patients,
        "events": outcome.events,
        "skipped": skipped,
        "rejected": {"old": outcome.rejected_old, "new": outcome.rejected_new},
        "seconds": round(seconds, 3),
        "changed": outcome.changed(),
        "by_aspect": {aspect: outcome.count(aspect) for aspect in ASPECTS if outcome.count(aspect)},
        "turnings": [
            {
                "patient": one.patient,
                "aspect": one.aspect,
                "at": one.at.isoformat(),
                "old": dict(one.old),
                "new": dict(one.new),
                "rule": one.rule,
            }
            for one in outcome.turnings
        ],
    }


def _print_outcome(outcome: Outcome, seconds: float) -> None:
    if outcome.turnings:
        table = _table("patient", "what", "from", "old", "new", "rule")
        for one in outcome.turnings:
            old, new = (", ".join(f"{key}: {value}" for key, value in side.items()) for side in (one.old, one.new))
            table.add_row(
                escape(one.patient),
                one.aspect,
                f"{one.at:%Y-%m-%d}",
                escape(short(old or "none")),
                escape(short(new or "none")),
                one.rule,
            )
        console().print(table)
    counts = [f"{aspect} {outcome.count(aspect)}" for aspect in ASPECTS if outcome.count(aspect)]
    of_what = f" ({', '.join(counts)})" if counts else ""
    typer.echo(f"{outcome.changed()} of {_count(outcome.patients, 'patient')} would get other care{of_what}")
    if outcome.rejected_old or outcome.rejected_new:
        typer.echo(
            f"rejected by the services: {outcome.rejected_old} with the old, {outcome.rejected_new} with the new"
        )
    speed = outcome.patients / max(seconds, 1e-9)
    typer.echo(f"{_count(outcome.events, 'event')} run twice in {seconds:.1f} s, {speed:.1f} patients/s", err=True)


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__dataclass_fields__}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, default=str))
