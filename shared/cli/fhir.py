"""`adaptive-care fhir`: a patient's care as FHIR R4, the intake's questionnaire, and an intake from FHIR.

Needs the optional package that `pip install 'adaptive-care[fhir]'` brings; without it each command says so.
"""

import asyncio
import importlib.util
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import ValidationError

from shared.cli.connection import connect
from shared.event.envelope import Event
from shared.event.registry import PAYLOAD_BY_TYPE, adapter
from shared.settings import SettingError, Settings, read_settings
from shared.stream.key import DATA_FIELD, partition_of, stream_key
from shared.stream.patient_bundle import STREAMS, History, read_patient

if TYPE_CHECKING:
    from shared.fhir.identity import People

app = typer.Typer(help="A patient's care as FHIR R4, and an intake from it.", no_args_is_help=True)


class Kind(StrEnum):
    """The types of bundle."""

    COLLECTION = "collection"
    TRANSACTION = "transaction"


@app.callback()
def _needs_extra() -> None:
    if importlib.util.find_spec("fhir") is None or importlib.util.find_spec("fhir.resources") is None:
        _end("this needs the package fhir.resources: pip install 'adaptive-care[fhir]'", 1)


@app.command()
def export(
    patient: Annotated[str, typer.Argument(help="A patient's pseudonym.")],
    output: Annotated[Path | None, typer.Option(help="Write to this file, not to standard output.")] = None,
    type_: Annotated[Kind, typer.Option("--type", help="`transaction`: each entry is a PUT.")] = Kind.COLLECTION,
    from_: Annotated[
        Path | None, typer.Option("--from", help="Events of a JSON-lines file, as `trace --json` prints them.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="The receiver's resource of the patient, such as Patient/123.")
    ] = None,
    practitioner: Annotated[
        list[str] | None, typer.Option(help="A clinician's, such as dr-1=Practitioner/7; may be repeated.")
    ] = None,
) -> None:
    """Print what the streams hold of a patient as a FHIR R4 Bundle."""
    from shared.fhir.bundle import bundle

    people = _people(patient, subject, practitioner or [])
    history = _recorded(from_, patient) if from_ else asyncio.run(_history(read_settings(Settings), patient))
    if history.unreadable:
        typer.echo(f"left out: {history.unreadable} entries that are no event of the contract", err=True)
    found = bundle(history.events, type_.value, people)
    if found is None:
        _end(f"nothing in {from_ or 'the streams'} concerns {patient!r}", 1)
    _write(found + b"\n", output)


@app.command()
def questionnaire(
    output: Annotated[Path | None, typer.Option(help="Write to this file, not to standard output.")] = None,
) -> None:
    """Print the intake as a FHIR Questionnaire; what answers it can be imported."""
    from shared.fhir.questionnaire import intake_questionnaire

    _write(intake_questionnaire().model_dump_json(indent=2).encode() + b"\n", output)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A QuestionnaireResponse, or a Bundle with one and Observations.")],
    publish: Annotated[bool, typer.Option("--publish", help="Also write the event to its stream.")] = False,
) -> None:
    """Print the intake event that a QuestionnaireResponse makes, on one line."""
    from shared.fhir.intake import LARGEST_BYTES, read_intake
    from shared.fhir.problem import FhirError

    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        _end(f"{file} cannot be read: {error.strerror or error}", 1)
    try:
        imported = read_intake(raw)
    except FhirError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        _end(f"{len(error.problems)} to mend; nothing was imported", 1)
    for notice in imported.notices:
        typer.echo(f"{file}: {notice}", err=True)
    event = imported.event.model_dump_json()
    if publish:
        key, entry_id = asyncio.run(_publish(read_settings(Settings), imported.event, event))
        typer.echo(f"published to {key} as {entry_id}", err=True)
    typer.echo(event)


async def _history(settings: Settings, patient: str) -> History:
    async with connect(settings) as (client, partitions):
        return await read_patient(client, partitions, patient)


async def _publish(settings: Settings, event: Event[Any], raw: str) -> tuple[str, str]:
    async with connect(settings) as (client, partitions):
        key = stream_key(partition_of(event.subject, partitions), event.data.stream)
        entry_id: Any = await client.xadd(key, {DATA_FIELD: raw})
        return key, entry_id.decode()


def _recorded(file: Path, patient: str) -> History:
    """The patient's events of a file; a journey's head is skipped."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is not UTF-8 text"
        _end(f"{file} cannot be read: {reason}", 1)
    events = []
    for number, line in enumerate(lines, start=1):
        event = _event(line, f"{file}, line {number}") if line.strip() else None
        if event is not None and event.subject == patient and event.data.stream in STREAMS:
            events.append(event)
    return History(tuple(events), 0)


def _event(line: str, place: str) -> Event[Any] | None:
    try:
        content: Any = json.loads(line)
    except ValueError as error:
        _end(f"{place}: not JSON ({error})", 1)
    if isinstance(content, dict) and "journey" in content and "specversion" not in content:
        return None
    event_type = content.get("type") if isinstance(content, dict) else None
    if not isinstance(event_type, str) or event_type not in PAYLOAD_BY_TYPE:
        _end(f"{place}: type {event_type!r} is none of the contract's", 1)
    try:
        return adapter(event_type).validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        _end(f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}", 1)


def _people(patient: str, subject: str | None, practitioners: list[str]) -> "People":
    from shared.fhir.identity import People

    pairs = [text.partition("=") for text in practitioners]
    for name, _, resource in pairs:
        if not name or not _names(resource, "Practitioner"):
            raise SettingError(
                f"--practitioner: {name}={resource} must be ID=Practitioner/…, such as dr-1=Practitioner/7"
            )
    if subject is not None and not _names(subject, "Patient"):
        raise SettingError(f"--subject: {subject!r} must name a resource such as Patient/123")
    return People(patient, subject, {name: resource for name, _, resource in pairs})


def _names(reference: str, kind: str) -> bool:
    """Whether it is a reference to a resource of that kind, relative or absolute."""
    steps = reference.split("/")
    return len(steps) >= 2 and steps[-2] == kind and bool(steps[-1])


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        _end(f"cannot write to {output}: {error.strerror or error}", 1)


def _end(message: str, status: int) -> NoReturn:
    typer.echo(f"adaptive-care: {message}", err=True)
    raise typer.Exit(status)
