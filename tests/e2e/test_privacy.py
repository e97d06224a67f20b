"""What patients write and who they are never reaches a log line, whatever becomes of the event."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.embedded import EmbeddedServer
from shared.event.wire import Stream
from tests.support.example import intake, wire
from tests.support.running import client_for, command, environment_for, publish, read, until_idle, wait_ready

NAME = "Philomena Quackenbush"
ADDRESS = "philomena@hidden-address.example"
WORDS = "my-unrepeatable-secret"
SECRETS = ("Philomena", "Quackenbush", "hidden-address", "unrepeatable")


def events(now: datetime) -> list[tuple[Stream, bytes]]:
    """Every door that free text, names and addresses can come in by: valid, malformed and hostile."""

    def event(event_type: str, data: dict[str, Any], event_id: str, **envelope: Any) -> bytes:
        return wire(event_type, data, event_id=event_id, time=now, **envelope)

    session = {
        "session_id": "s-1",
        "program_id": "prg-intake-1",
        "started_at": now.isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 2,
        "notes": f"{WORDS} {NAME}",
        "symptoms": ["saddle_anaesthesia"],
    }
    decision = {
        "decision_id": "d-1",
        "clinician_id": "clin-1",
        "decision": "resume",
        "program_id": "prg-intake-1",
        "rationale": f"{WORDS}: {NAME} agreed",
    }
    contact = {"contact": {"mail": ADDRESS}, "consent": {"reminders": True}, "timezone": "Europe/Lisbon"}
    return [
        (Stream.PATIENTS, event("care.patient.updated.v1", contact, "u-1")),
        (
            Stream.INTAKES,
            event("care.intake.submitted.v1", intake(notes=f"{WORDS}, I am {NAME}", activity_goals=[WORDS]), "i-1"),
        ),
        (Stream.SESSIONS, event("care.session.reported.v1", session, "s-1")),
        (Stream.DECISIONS, event("care.clinician.decided.v1", decision, "d-1")),
        (Stream.SESSIONS, event("care.session.reported.v1", session | {"pain_during": WORDS}, "bad-1")),
        (Stream.SESSIONS, event("care.session.reported.v1", session | {"notes": WORDS * 500}, "bad-2")),
        (Stream.SESSIONS, event("care.session.reported.v1", session, "bad-3", subject=NAME)),
        (Stream.SESSIONS, event("care.session.reported.v1", session, f"{NAME}\n{WORDS}")),
        (Stream.INTAKES, event("care.intake.submitted.v1", intake(findings={NAME: "present"}), "bad-4")),
        (Stream.INTAKES, event("care.intake.submitted.v1", intake(modifiers=[WORDS]), "bad-5")),
        (Stream.PATIENTS, event("care.patient.updated.v1", contact | {"timezone": NAME}, "bad-6")),
        (Stream.PATIENTS, event("care.patient.updated.v1", contact | {"contact": {NAME: ADDRESS}}, "bad-7")),
        (Stream.PATIENTS, f"{NAME} {ADDRESS} {WORDS}".encode()),
        (
            Stream.PATIENTS,
            event("care.program.stopped.v1", {"program_id": "prg-intake-1", "reason": f"{WORDS} {NAME}"}, "st-1"),
        ),
    ]


async def test_no_name_address_or_free_text_reaches_a_log_line(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """Operators read logs; what a patient confides stays out of them."""
    server = private_server()
    log = tmp_path / "services.log"
    environment = environment_for(tmp_path, CARE_REDIS_URL=server.url, CARE_LOG_LEVEL="debug")
    async with command("run", environment=environment, log=log) as process, client_for(server.url) as client:
        await wait_ready(environment, process)
        sent = events(datetime.now(UTC) - timedelta(minutes=5))
        for stream, raw in sent:
            await publish(client, stream, raw)
        await until_idle(client)
        rejected = await read(client, Stream.DEAD_LETTERS)
        assert await read(client, Stream.PROGRAMS), "the pipeline did nothing, so the log proves nothing"
        raised = await read(client, Stream.ESCALATIONS)
        assert "red_flag" in [event["data"]["reason"] for event in raised if "reason" in event["data"]]
        process.terminate()
        assert await process.wait() == 0
    lines = log.read_text()
    assert lines.count('"event": "handled"') >= len(sent)
    assert [secret for secret in SECRETS if secret in lines] == []
    assert len(rejected) >= 9
    assert [secret for secret in SECRETS for event in raised if secret in str(event)] == []
