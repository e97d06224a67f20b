"""FHIR as an operator gets it: the real command, a real Redis, the real services."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle

from shared.cli.main import main
from shared.event.registry import adapter
from shared.event.wire import Stream
from shared.fhir.identity import People
from shared.fhir.response import intake_response
from shared.stream.discovery import load_services
from shared.stream.patient_bundle import read_bundle, read_patient
from tests.support.example import intake, wire
from tests.support.fhir_case import export, journey_bundle, journey_events, references, resources
from tests.support.running import client_for, environment_for, publish, read, running, settings_for, until_idle

ROOT = Path(__file__).parents[2]
WITHOUT_EXTRA = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] == "fhir" else real(name, *rest)
sys.modules["fhir"] = None
from shared.cli.main import main
main()
"""


async def care(
    redis_url: str, folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "shared.cli.main")
) -> "subprocess.CompletedProcess[str]":
    """`adaptive-care ARGUMENTS` to its end, with what it printed."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *program, *arguments],
        env=environment_for(folder, CARE_REDIS_URL=redis_url) | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


async def fill(redis_url: str, *journeys: str) -> None:
    """What lies in the streams after these journeys."""
    async with client_for(redis_url) as client:
        for journey_id in journeys:
            for event in journey_events(journey_id):
                await publish(client, event.data.stream, event.model_dump_json().encode())


async def test_an_export_is_what_the_streams_hold_of_that_patient(redis_url: str, tmp_path: Path) -> None:
    """Of two patients in the same streams, one comes out: to the byte what their events make."""
    await fill(redis_url, "J18", "J19")
    done = await care(redis_url, tmp_path, "fhir", "export", "journey-J18")
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode() == journey_bundle("J18") + b"\n"
    async with client_for(redis_url) as client:
        assert await read_bundle(client, 1, "journey-J19") == journey_bundle("J19")
        assert await read_bundle(client, 1, "nobody") is None


async def test_a_file_and_a_transaction_with_the_receivers_own_resources(redis_url: str, tmp_path: Path) -> None:
    """What goes to a FHIR server names its own patient and clinicians, and is valid."""
    await fill(redis_url, "J06")
    clinician = next(one for one in journey_events("J06") if one.type == "care.clinician.decided.v1").data.clinician_id
    arguments = ("--type", "transaction", "--subject", "Patient/123", "--practitioner", f"{clinician}=Practitioner/7")
    done = await care(redis_url, tmp_path, "fhir", "export", "journey-J06", "--output", "out.json", *arguments)
    assert done.returncode == 0, done.stderr
    raw = (tmp_path / "out.json").read_bytes().rstrip()
    Bundle.model_validate_json(raw)
    people = People("journey-J06", "Patient/123", {clinician: "Practitioner/7"})
    assert raw == export(journey_events("J06"), "transaction", people)
    outside = {url for url, _ in references(json.loads(raw)) if not url.startswith("urn:uuid:")}
    assert outside == {"Patient/123", "Practitioner/7"}


async def test_events_of_a_file_make_the_same_bundle_as_those_of_the_streams(redis_url: str, tmp_path: Path) -> None:
    """What `trace --json` printed once can be exported later, without Redis."""
    await fill(redis_url, "J06", "J19")
    traced = await care(redis_url, tmp_path, "trace", "journey-J06", "--json")
    (tmp_path / "events.jsonl").write_text(traced.stdout)
    from_streams = await care(redis_url, tmp_path, "fhir", "export", "journey-J06")
    from_file = await care(redis_url, tmp_path, "fhir", "export", "journey-J06", "--from", "events.jsonl")
    assert (from_streams.returncode, from_file.returncode) == (0, 0), from_file.stderr
    assert from_file.stdout == from_streams.stdout


async def test_what_a_service_rejected_is_not_exported(redis_url: str, tmp_path: Path) -> None:
    """A report that ended among the dead letters is no part of the record; the alarm that it raised is."""
    session = {
        "session_id": "s-1",
        "program_id": "prg-1",
        "started_at": datetime.now(UTC).isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 11,
        "symptoms": ["saddle_anaesthesia"],
    }
    broken = wire("care.session.reported.v1", session, event_id="s-1", time=datetime.now(UTC))
    services = [make(settings_for(redis_url)) for make in load_services().values()]
    async with client_for(redis_url) as client:
        async with running(services, redis_url):
            await publish(client, Stream.SESSIONS, broken)
            await until_idle(client, 1, Stream.DEAD_LETTERS)
        found = await read_patient(client, 1, "patient-1")
    streams = {event.data.stream for event in found.events}
    assert Stream.SESSIONS not in streams
    assert Stream.ESCALATIONS in streams
    assert [one["severity"] for one in resources(export(found.events), "DetectedIssue")] == ["high"]


async def test_a_questionnaire_response_gets_a_patient_into_care(redis_url: str, tmp_path: Path) -> None:
    """From a form in FHIR to a program, and back out as a CarePlan."""
    raw = wire("care.intake.submitted.v1", intake(), event_id="e-1", time=datetime.now(UTC))
    filled = intake_response(adapter("care.intake.submitted.v1").validate_json(raw), People("patient-1"))
    (tmp_path / "form.json").write_text(filled.model_dump_json())
    services = [make(settings_for(redis_url)) for make in load_services().values()]
    async with client_for(redis_url) as client:
        async with running(services, redis_url):
            done = await care(redis_url, tmp_path, "fhir", "import", "form.json", "--publish")
            again = await care(redis_url, tmp_path, "fhir", "import", "form.json", "--publish")
            await until_idle(client, 1, Stream.PROGRAMS)
        programs = await read(client, Stream.PROGRAMS)
        made = await read_bundle(client, 1, "patient-1")
    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert done.stdout == again.stdout
    assert "published to care:{0}:intakes" in done.stderr
    assert [one["data"]["status"] for one in programs] == ["active"]
    assert made is not None
    (plan,) = resources(made, "CarePlan")
    assert plan["status"] == "active"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("export", "nobody"), 1, "concerns 'nobody'"),
        (("export", "p", "--type", "message"), 2, "message"),
        (("export", "p", "--subject", "123"), 2, "Patient/123"),
        (("export", "p", "--practitioner", "dr-1"), 2, "dr-1=Practitioner/7"),
        (("export", "p", "--from", "missing.jsonl"), 1, "missing.jsonl cannot be read"),
        (("export", "p", "--from", "broken.jsonl"), 1, "broken.jsonl, line 2: not JSON"),
        (("export", "p", "--from", "foreign.jsonl"), 1, "foreign.jsonl, line 1: type 'x'"),
        (("export", "journey-J19", "--from", "good.jsonl", "--output", "no/such/folder"), 1, "cannot write"),
        (("import", "missing.json"), 1, "missing.json cannot be read"),
        (("import", "broken.jsonl"), 1, "1 to mend; nothing was imported"),
        (("import", "draft.json"), 1, "QuestionnaireResponse.status"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_users_mistake_is_told_in_plain_words(
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    says: str,
) -> None:
    """What, where and what to do, with a status that scripts can read, and never a traceback."""
    (tmp_path / "broken.jsonl").write_text("\n{")
    (tmp_path / "foreign.jsonl").write_text('{"type": "x"}')
    (tmp_path / "draft.json").write_text('{"resourceType": "QuestionnaireResponse", "status": "in-progress"}')
    events = [event.model_dump_json() for event in journey_events("J19")]
    (tmp_path / "good.jsonl").write_text("\n".join(events))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CARE_REDIS_URL", redis_url)
    monkeypatch.setattr(sys, "argv", ["adaptive-care", "fhir", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr()
    assert ended.value.code == status, told.err
    assert says in told.err
    assert told.out == ""


async def test_without_the_optional_package_it_says_what_to_install(redis_url: str, tmp_path: Path) -> None:
    """Whoever installed the rest only gets one line that names the extra; other commands work."""
    program = ("-c", WITHOUT_EXTRA)
    done = await care(redis_url, tmp_path, "fhir", "export", "p", program=program)
    assert done.returncode == 1
    assert "pip install 'adaptive-care[fhir]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert (await care(redis_url, tmp_path, "config", program=program)).returncode == 0
