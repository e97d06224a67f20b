"""Contract §1 and §2: the envelope, the streams, the partitions."""

import json
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.support.black_box import (
    DAY,
    HOUR,
    SECRET,
    SERVICES,
    STREAMS,
    System,
    checkin,
    decision,
    event,
    intake,
    new_patient,
    partition_of,
    session,
)

TYPE = re.compile(r"^care\.[a-z]+\.[a-z]+\.v1$")
STREAM_OF_OUTPUT = {
    "care.condition.classified.v1": "classifications",
    "care.program.planned.v1": "programs",
    "care.program.changed.v1": "programs",
    "care.load.adjusted.v1": "adjustments",
    "care.goal.reached.v1": "adjustments",
    "care.escalation.raised.v1": "escalations",
    "care.escalation.acknowledged.v1": "escalations",
    "care.escalation.resolved.v1": "escalations",
    "care.reminder.due.v1": "reminders",
    "care.notification.delivered.v1": "notifications",
    "care.notification.failed.v1": "notifications",
    "care.event.rejected.v1": "dead-letters",
}


def whole_course(care: System) -> str:
    """A patient who has met every service."""
    patient = new_patient()
    start = care.monday()
    care.tell(
        event("patient.updated", patient, start, {"consent": {"reminders": True}, "timezone": "Europe/Lisbon"}),
        intake(patient, start + HOUR),
    )
    for day in (0, 2, 4):
        care.train(patient, start + day * DAY + 2 * HOUR)
    care.tell(session(patient, start + 6 * DAY, care.in_force(patient), symptoms=["saddle_anaesthesia"]))
    raised = care.raised(patient, "red_flag")[-1]
    care.tell(
        decision(patient, care.now + HOUR, "acknowledge", escalation_id=raised["escalation_id"]),
        decision(patient, care.now + 2 * HOUR, "resume", escalation_id=raised["escalation_id"]),
        session(patient, care.now + 3 * HOUR, pain_during=11, session_id=f"bad-{patient}"),
    )
    care.until(care.now + 8 * DAY, step=DAY)
    return patient


def test_every_output_is_a_cloud_event_in_its_stream(care: System) -> None:
    """Whoever reads a stream finds complete CloudEvents of the types that the contract lists for it, and no other."""
    patient = whole_course(care)
    seen = set()
    for stream in STREAMS[4:]:
        for told in care.read(stream, patient):
            seen.add(told["type"])
            assert told["specversion"] == "1.0"
            assert STREAM_OF_OUTPUT[told["type"]] == stream
            assert TYPE.match(told["type"])
            assert re.match(r"^//adaptive-care/(intake|planner|progression|notifier)$", told["source"])
            assert datetime.fromisoformat(told["time"]).tzinfo is not None
            assert told.get("datacontenttype", "application/json") == "application/json"
            assert told["causationid"]
            assert told["correlationid"]
            assert isinstance(told["data"], dict)
    assert {
        "care.condition.classified.v1",
        "care.program.planned.v1",
        "care.load.adjusted.v1",
        "care.escalation.raised.v1",
        "care.escalation.acknowledged.v1",
        "care.escalation.resolved.v1",
        "care.reminder.due.v1",
        "care.notification.delivered.v1",
        "care.event.rejected.v1",
    } <= seen


def test_ids_are_unique_over_all_streams(care: System) -> None:
    """No two events of the services share an id."""
    ids = [told["id"] for stream in STREAMS[4:] for told in care.read(stream)]
    assert len(ids) == len(set(ids))


def test_each_output_names_its_cause_and_keeps_the_correlation(care: System) -> None:
    """One can walk from any consequence to the event that began it, and all of the way carries one correlation."""
    patient = new_patient()
    told = intake(patient, care.monday()) | {"correlationid": f"corr-{patient}"}
    care.tell(told)
    (classified,) = care.read("classifications", patient)
    (planned,) = care.read("programs", patient)
    assert classified["causationid"] == told["id"]
    assert planned["causationid"] == classified["id"]
    assert {classified["correlationid"], planned["correlationid"]} == {f"corr-{patient}"}
    done = session(patient, care.now + HOUR, care.in_force(patient))
    care.tell(done)
    (adjusted,) = care.read("adjustments", patient)
    assert adjusted["causationid"] == adjusted["correlationid"] == done["id"]


def test_no_output_repeats_free_text(care: System) -> None:
    """Notes, rationales and reasons of patients and clinicians come out nowhere except within a dead letter."""
    for stream in STREAMS[4:]:
        for told in care.read(stream):
            told["data"].pop("original", None)
            assert SECRET not in json.dumps(told)


def test_each_service_reads_with_a_group_of_its_name(care: System) -> None:
    """Operators find the groups that the contract names, on the streams that it lists."""
    readers = {
        "intakes": {"intake"},
        "sessions": {"progression", "notifier"},
        "decisions": set(SERVICES),
        "patients": set(SERVICES),
        "classifications": {"planner"},
        "programs": {"planner", "progression", "notifier"},
        "adjustments": {"notifier"},
        "escalations": {"notifier"},
    }
    for stream, names in readers.items():
        groups = care.client.xinfo_groups(f"care:{{0}}:{stream}")
        assert {group["name"].decode() for group in groups} == names, stream


def test_a_service_reads_what_was_published_before_its_first_start(another: Callable[..., System]) -> None:
    """A platform may write before the system has ever run; nothing of that is lost."""
    care = another(services=("intake",))
    patient = new_patient()
    care.tell(intake(patient, care.monday()))
    assert care.read("classifications", patient)
    assert not care.read("programs", patient)
    care.start("planner")
    care.until(care.now + HOUR)
    assert care.program(patient)["status"] == "active"


def test_patients_are_spread_by_their_cluster_slot(another: Callable[..., System]) -> None:
    """Each patient's whole care happens in the partition of the id's key slot; elsewhere the event is rejected."""
    care = another(partitions=4)
    assert care.client.get("care:partitions") == b"4"
    start = care.monday()
    patients = [new_patient() for _ in range(12)]
    assert {partition_of(patient, 4) for patient in patients} == {0, 1, 2, 3}
    for patient in patients:
        care.put(intake(patient, start))
    care.until(start)
    care.settle()
    for patient in patients:
        home = partition_of(patient, 4)
        care.tell(session(patient, start + HOUR, care.in_force(patient)))
        assert care.adjustment(patient)["late"] is False
        for number in range(4):
            keys = [f"care:{{{number}}}:{stream}" for stream in STREAMS]
            found = any(
                json.loads(fields[b"__data__"])["subject"] == patient
                for key in keys
                for _, fields in care.client.xrange(key)
            )
            assert found == (number == home)
    stray = new_patient()
    away = (partition_of(stray, 4) + 1) % 4
    entry = care.put_raw("intakes", json.dumps(intake(stray, start)).encode(), partition=away)
    care.settle()
    (letter,) = care.rejected(entry)
    assert letter["stream"] == f"care:{{{away}}}:intakes"
    assert letter["error"]["path"] == "$.subject"
    assert not care.read("classifications", stray)
    for key in care.client.scan_iter("*"):
        if key not in (b"care:clock", b"care:clock:handled", b"care:partitions"):
            assert re.match(rb"^care:\{[0-3]\}:", key), "a key of a patient's partition carries its hash tag"


def test_another_number_of_partitions_ends_the_start(another: Callable[..., System]) -> None:
    """A service that was told another number than the one in Redis stops with an error, and says so."""
    care = another()
    process = care.launch("run", CARE_PARTITIONS="3")
    care.processes.remove(process)
    assert process.wait(20) != 0
    assert "partition" in process.log.read_text().lower()
    assert care.client.get("care:partitions") == b"1"


@pytest.mark.parametrize("subject", ["A-z0.9_:b-C", "x" * 128])
def test_every_allowed_pseudonym_is_accepted(care: System, subject: str) -> None:
    """A patient id may hold letters, digits and . _ : - up to 128 of them."""
    care.tell(intake(subject, care.monday(), intake_id=f"in-{len(subject)}"))
    assert care.read("programs", subject)


@pytest.mark.parametrize("subject", ["", "x" * 129, "a b", "ä", "a/b", "a\n"])
def test_no_other_pseudonym_is_accepted(care: System, subject: str) -> None:
    """Whatever could be a name or break a key goes to the dead letters."""
    entry = care.put_raw("intakes", json.dumps(intake("x", care.monday()) | {"subject": subject}).encode())
    care.settle()
    (letter,) = care.rejected(entry)
    assert letter["error"]["path"] == "$.subject"


def test_unknown_fields_are_ignored(care: System) -> None:
    """A platform may send more than the contract lists, in the envelope and in the data."""
    patient = new_patient()
    told = intake(patient, care.monday(), colour="blue") | {"traceparent": "00-ab-cd-01", "dataschema": "urn:x"}
    care.tell(told)
    assert care.read("programs", patient)


def test_a_checkin_needs_no_program(care: System) -> None:
    """A check-in of a patient without a program stops nothing and is no dead letter."""
    patient = new_patient()
    care.tell(checkin(patient, care.monday(), measures=[{"instrument": "NPRS", "value": 4}]))
    assert care.letters(patient) == []
