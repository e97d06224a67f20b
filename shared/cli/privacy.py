"""`adaptive-care privacy`: pseudonyms, all that is held of a patient, erasure, and letting go of old records."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from shared.chain import stamp
from shared.cli.actor import act, note
from shared.cli.connection import connect
from shared.event.envelope import Event
from shared.event.patient import PatientErased
from shared.event.registry import adapter
from shared.event.wire import PatientId, Stream
from shared.pseudonym import derive_pseudonym, read_key, write_key
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.audit import Audit
from shared.stream.clock import make_clock
from shared.stream.discovery import load_services
from shared.stream.holding import Holdings, Part, newest_instant
from shared.stream.idle import wait_until_idle
from shared.stream.key import DATA_FIELD, partition_of, stream_key

app = typer.Typer(help="Pseudonyms, export, erasure and retention of what is held of patients.", no_args_is_help=True)

FORMAT = 1
SOURCE = "//adaptive-care/privacy"
CLOCK_WITHIN_S = 2.0
KINDS = {
    "state": "what a service remembers, decoded",
    "tombstone": "that an erasure took place, until duplicates are no longer known",
    "timers": "what is to happen, with the instant",
    "list": "where the patient stands in a list over all patients, with the instant",
    "duplicate_marks": "which events were handled, and when",
    "ledger": "what was done about escalations, in order",
    "timers_that_came_due": "timers that fired: instant in ms, patient, name",
    "prescription_numbers": "the number of the newest prescription of each program",
    "audit_alias": "the alias under which the audit log knows the patient",
    "audit_log": "who read or decided what about the patient",
    "events": "whole events that still lie in a stream",
}

Patient = Annotated[str, typer.Argument(metavar="PATIENT", help="The patient's pseudonym.")]


class PrivacyError(Exception):
    """A command cannot do what it was asked for. The message is one line."""


@dataclass(frozen=True, slots=True)
class _Room:
    """What the commands work with."""

    client: Redis
    partitions: int
    settings: Settings
    services: tuple[Service[Any], ...]
    holdings: Holdings
    audit: Audit
    now: datetime
    """By the clock that the services decide by."""


@asynccontextmanager
async def _open() -> AsyncIterator[_Room]:
    settings = read_settings(Settings)
    async with connect(settings) as (client, partitions):
        services = tuple(make_service(settings) for make_service in load_services().values())
        audit = Audit(client, partitions, settings.audit_days)
        try:
            now = await asyncio.wait_for(make_clock(settings.clock, client).now(), CLOCK_WITHIN_S)
        except TimeoutError:
            raise PrivacyError("the replay's clock is not set: no replay has begun") from None
        holdings = Holdings(client, partitions, services, audit)
        yield _Room(client, partitions, settings, services, holdings, audit, now)


@app.command()
def key(file: Annotated[Path, typer.Argument(help="Where the key shall lie.")]) -> None:
    """Make a key for pseudonyms, in a file that only its owner may read."""
    write_key(file)
    typer.echo(f"{file} holds a new key. Keep a copy apart from the data: without it nobody can be found again.")


@app.command()
def pseudonym(
    key_file: Annotated[Path, typer.Option(help="The key that `adaptive-care privacy key` has made.")],
    identifiers: Annotated[
        list[str] | None, typer.Argument(help="Better not here, where shells keep them: one a line on standard input.")
    ] = None,
) -> None:
    """Derive the pseudonym of each identifier, one a line, in their order."""
    secret = read_key(key_file)
    for identifier in identifiers or sys.stdin:
        if identifier.strip():
            typer.echo(derive_pseudonym(secret, identifier))


@app.command()
def export(
    patient: Patient,
    output: Annotated[Path, typer.Option(help="A file that does not exist yet; only its owner may read it.")],
) -> None:
    """Write all that is held of a patient to a JSON file. Status 1 where nothing is held."""
    _check(patient)

    async def gather() -> dict[str, Any]:
        async with _open() as room:
            parts = await room.holdings.of(patient)
            if parts:  # nothing leaves unless it is taken down
                await room.audit.note(act("export", "everything", patient))
            return _document(room, patient, parts)

    document = asyncio.run(gather())
    if not document["parts"]:
        raise PrivacyError("nothing is held of this patient")
    _write(output, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    typer.echo(f"{output}: {len(document['parts'])} parts")


@app.command()
def erase(
    patient: Patient,
    wait_s: Annotated[float, typer.Option(min=0, help="How long to wait for the services.")] = 60.0,
) -> None:
    """Erase a patient, and see that nothing is left but what ages out. Status 1 where something is."""
    _check(patient)

    async def run() -> tuple[list[Part], list[Part]]:
        async with _open() as room:
            await note(room.client, room.partitions, room.settings, act("erase", "everything", patient))
            await _submit(room, patient)
            try:
                await wait_until_idle(room.client, room.partitions, timeout_s=wait_s)
            except TimeoutError as error:
                raise PrivacyError(f"the erasure is in the stream, and not all is handled: {error}") from None
            parts = await room.holdings.of(patient)
            return [part for part in parts if not part.ages_out], [part for part in parts if part.ages_out]

    left, ages_out = asyncio.run(run())
    if left:
        raise PrivacyError(f"still held: {', '.join(part.key for part in left)}; do the services run?")
    typer.echo("erased; nothing is held any more but what ages out:")
    for part in ages_out:
        typer.echo(f"  {part.key}: {KINDS[part.kind]}")


@app.command()
def expire(
    older_than: Annotated[float, typer.Option(metavar="DAYS", min=1, help="Days since anything happened.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
) -> None:
    """Erase patients whose care has ended: no service waits for anything, and nothing happened for so many days."""

    async def run() -> list[str]:
        async with _open() as room:
            before = room.now - timedelta(days=older_than)
            over = [patient for patient in await room.holdings.patients() if await _is_over(room, patient, before)]
            for patient in () if dry_run else over:
                await note(room.client, room.partitions, room.settings, act("erase", "expired", patient))
                await _submit(room, patient)
            return over

    found = asyncio.run(run())
    for patient in found:
        typer.echo(patient)
    typer.echo(f"{len(found)} {'would be erased' if dry_run else 'erasures submitted'}", err=True)


async def _is_over(room: _Room, patient: str, before: datetime) -> bool:
    """Nothing is due, nothing is open, and the newest instant in all that is remembered is old enough."""
    parts = [part for part in await room.holdings.of(patient) if not part.ages_out]
    if any(part.kind == "timers" for part in parts):
        return False
    instants = [newest_instant(part.content, room.now) for part in parts if part.kind in ("state", "ledger")]
    known = [instant for instant in instants if instant is not None]
    return bool(known) and max(known) < before


async def _submit(room: _Room, patient: str) -> None:
    """Through the door that every platform uses."""
    erased = Event[PatientErased](
        id=uuid4().hex,
        source=SOURCE,
        type=PatientErased.event_type,
        subject=patient,
        time=room.now,
        data=PatientErased(),
    )
    key = stream_key(partition_of(patient, room.partitions), Stream.PATIENTS)
    await room.client.xadd(key, {DATA_FIELD: adapter(erased.type).dump_json(erased)})


def _document(room: _Room, patient: str, parts: list[Part]) -> dict[str, Any]:
    return {
        "manifest": {
            "format": FORMAT,
            "patient": patient,
            "exported_at": stamp(datetime.now(UTC)),
            "now": stamp(room.now),
            "software": {"adaptive-care": version("adaptive-care")},
            "state_versions": {service.name: service.state_version for service in room.services},
            "partition": partition_of(patient, room.partitions),
            "kinds": {kind: KINDS[kind] for kind in dict.fromkeys(part.kind for part in parts)},
            "keys": [part.key for part in parts],
            "not_here": "mail that was sent, logs, backups of Redis, and what the platform itself keeps",
        },
        "parts": [
            {"kind": part.kind, "key": part.key, "ages_out": part.ages_out, "content": part.content} for part in parts
        ],
    }


def _check(patient: str) -> None:
    try:
        TypeAdapter(PatientId).validate_python(patient, strict=True)
    except ValidationError:
        raise typer.BadParameter("a patient's pseudonym is 1 to 128 characters of A-Z a-z 0-9 . _ : -") from None


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise PrivacyError(f"{path} exists") from None
    except OSError as error:
        raise PrivacyError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
