"""Contract §7: commands, settings, ports, exit codes."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.black_box import (
    DAY,
    HOUR,
    MONDAY,
    SERVICES,
    System,
    command,
    event,
    http,
    intake,
    new_patient,
    session,
)
from tests.support.running import free_port

SETTINGS = {
    "CARE_REDIS_URL",
    "CARE_PARTITIONS",
    "CARE_CLOCK",
    "CARE_PROTOCOLS",
    "CARE_APPROVAL",
    "CARE_LOG_FORMAT",
    "CARE_DATA_DIR",
    "CARE_CONSUMER",
    "CARE_HTTP_HOST",
    "CARE_HTTP_PORT",
    "CARE_SMTP_URL",
    "CARE_MAIL_FROM",
    "CARE_POLICIES",
    "CARE_MAX_AHEAD",
}


def test_config_lists_every_setting_with_its_default(care: System) -> None:
    """Whoever runs the system finds all it can be told, in one place."""
    told = command(
        care, "config", CARE_SMTP_URL="smtp://user:hidden-word@mail.example:25", CARE_MAIL_FROM="a@b.example"
    )
    assert told.returncode == 0, told.stderr
    for name in SETTINGS:
        assert name in told.stdout, name
    assert "hidden-word" not in told.stdout


def test_config_lists_where_the_auditor_reports_and_keeps_it_to_itself(care: System) -> None:
    """The heartbeat of the auditor is a setting; whoever knows its URL could give the sign instead."""
    told = command(care, "config", CARE_HEARTBEAT_URL="https://watch.example/hidden-word")
    assert "CARE_HEARTBEAT_URL=***" in told.stdout
    assert "hidden-word" not in told.stdout


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/asyncapi.json"])
def test_one_process_serves_health_and_documents_under_its_port(care: System, path: str) -> None:
    """All services in one process: everything under the port that was set."""
    status, body = http(care.processes[0].port, path)
    assert status == 200
    if path == "/asyncapi.json":
        assert json.loads(body)["asyncapi"]
        assert b"care:{0}:intakes" in body
    if path == "/metrics":
        assert b"# TYPE" in body


def test_each_service_alone_has_a_port_of_its_own(another: Callable[..., System]) -> None:
    """A process per service on one machine: port + 1 to + 4, and each ends with status 0 when told to."""
    first = free_port()
    care = another(services=("intake",), CARE_HTTP_PORT=str(first))
    for name in SERVICES[1:]:
        care.start(name)
    for offset in range(1, 5):
        for path in ("/live", "/ready", "/metrics", "/asyncapi.json"):
            assert http(first + offset, path)[0] == 200
    patient = new_patient()
    care.tell(intake(patient, care.monday()))
    care.tell(session(patient, care.now + HOUR, care.in_force(patient)))
    assert care.adjustment(patient)["response"]["sessions_done"] == 1
    for process in care.processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(15) for process in care.processes] == [0, 0, 0, 0]
    assert care.client.hgetall("care:clock:handled") == {}


def test_run_of_an_unknown_service_is_an_error(care: System) -> None:
    """A typing error starts nothing."""
    told = command(care, "run", "intakes")
    assert told.returncode != 0
    assert "intakes" in told.stderr


def test_run_without_its_redis_ends_with_an_error(care: System) -> None:
    """A process that cannot reach Redis does not sit there looking healthy."""
    told = command(care, "run", CARE_REDIS_URL="redis://127.0.0.1:1", CARE_REDIS_PATIENCE_S="0.5")
    assert told.returncode != 0
    assert told.stderr


@pytest.mark.parametrize("wrong", [{"CARE_PARTITIONS": "0"}, {"CARE_APPROVAL": "me"}])
def test_a_wrong_setting_is_named(care: System, wrong: dict[str, str]) -> None:
    """One line says which variable cannot be used."""
    told = command(care, "run", **wrong)
    assert told.returncode != 0
    assert next(iter(wrong)) in told.stderr


def test_a_taken_port_is_an_error(care: System) -> None:
    """A second process on the same port says so and ends."""
    told = command(care, "run", CARE_HTTP_PORT=str(care.processes[0].port))
    assert told.returncode != 0


def test_replay_publishes_in_order_of_time_and_moves_the_clock(another: Callable[..., System], tmp_path: Path) -> None:
    """A recorded file, in whatever order its lines stand, is replayed as it happened."""
    care = another()
    patient, start = "replayed", MONDAY
    events: list[Any] = [
        session(patient, start + DAY, []),
        intake(patient, start),
        event("patient.updated", patient, start - HOUR, {"consent": {"reminders": True}}),
        session(patient, start + 3 * DAY, []),
    ]
    file = tmp_path / "course.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in events))
    told = command(care, "replay", str(file))
    assert told.returncode == 0, told.stderr
    assert care.client.get("care:clock") is not None
    sessions = care.read("sessions", patient)
    assert [one["id"] for one in sessions] == [events[0]["id"], events[3]["id"]]
    assert care.program(patient)["status"] == "active"
    assert care.adjustment(patient)["session_id"] == events[3]["data"]["session_id"]
    assert care.letters(patient) == []


def test_replay_of_a_broken_file_sends_nothing(care: System, tmp_path: Path) -> None:
    """A file is checked whole before its first event goes out."""
    file = tmp_path / "broken.jsonl"
    file.write_text(json.dumps(intake("broken-file", MONDAY)) + "\n{no json\n")
    told = command(care, "replay", str(file))
    assert told.returncode != 0
    assert care.read("intakes", "broken-file") == []


def test_dead_letters_can_be_listed_shown_and_replayed(care: System) -> None:
    """What was rejected is found with its reason, shown with its original, and tried again after the fix."""
    patient = new_patient()
    start = care.monday()
    care.until(start)
    told = session(patient, start + 2 * DAY, session_id=f"soon-{patient}")
    care.put(told)
    care.settle()
    (letter,) = care.read("dead-letters", patient)
    listed = command(care, "dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert letter["id"] in listed.stdout
    shown = command(care, "dead-letters", "show", letter["id"])
    assert shown.returncode == 0
    assert f"soon-{patient}" in shown.stdout
    care.tell(intake(patient, start))
    care.until(start + 3 * DAY)
    again = command(care, "dead-letters", "replay", letter["id"])
    assert again.returncode == 0, again.stderr
    care.settle()
    assert care.adjustment(patient)["session_id"] == f"soon-{patient}"
    assert care.read("dead-letters", patient) == []


def test_the_same_bytes_rejected_twice_can_still_be_shown(care: System) -> None:
    """Two dead letters of one id are one to whoever looks."""
    raw = json.dumps(session("twice", care.now, pain_during=77)).encode()
    entries = [care.put_raw("sessions", raw) for _ in range(2)]
    care.settle()
    letters = [one for one in care.read("dead-letters") if one["data"]["entry_id"] in entries]
    assert len({one["id"] for one in letters}) == 1
    assert command(care, "dead-letters", "show", letters[0]["id"]).returncode == 0


def test_trace_shows_a_patient_and_a_correlation_across_the_services(care: System) -> None:
    """One command tells what followed from what."""
    patient = care.enrol()
    for wanted in (patient, care.read("intakes", patient)[0]["id"]):
        told = command(care, "trace", wanted)
        assert told.returncode == 0, told.stderr
        for word in ("intake.submitted", "condition.classified", "program.planned"):
            assert word in told.stdout
    assert command(care, "trace", "nobody-at-all").returncode != 0


def test_status_tells_of_streams_and_groups(care: System) -> None:
    """Operators see lengths, pending entries and lag."""
    told = command(care, "status")
    assert told.returncode == 0, told.stderr
    for word in ("intakes", "dead-letters", *SERVICES):
        assert word in told.stdout
