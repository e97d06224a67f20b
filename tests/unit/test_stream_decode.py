"""What becomes of an entry's bytes."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.decision import Arrival
from shared.event.vocabulary import vocabulary
from shared.event.wire import Stream
from shared.stream.decode import MAX_BYTES, Source, Undecodable, decode, payload_bytes
from shared.stream.key import partition_of
from tests.support.example import EPOCH, intake, wire
from tests.support.toy import session

SESSION = "care.session.reported.v1"
HOUR = timedelta(hours=1)


def source(stream: Stream = Stream.SESSIONS, partition: int = 0, partitions: int = 1) -> Source:
    return Source(partition, partitions, stream, f"care:{{{partition}}}:{stream.value}", 24 * HOUR)


def decoded(raw: bytes, **where: Any) -> Arrival | Undecodable:
    return decode("1-0", {b"__data__": raw}, source(**where), EPOCH)


def rejected(raw: bytes, **where: Any) -> Undecodable:
    result = decoded(raw, **where)
    assert isinstance(result, Undecodable)
    return result


def changed(**changes: Any) -> bytes:
    event = json.loads(wire(SESSION, session(1), event_id="e1"))
    return json.dumps({name: value for name, value in (event | changes).items() if value is not ...}).encode()


def test_a_plain_event_is_read_as_it_stands() -> None:
    """What a platform writes by hand is understood."""
    result = decoded(changed())
    assert isinstance(result, Arrival)
    assert (result.id, result.correlation_id, result.event.data.session_id) == ("e1", "e1", "session-1")


def test_an_event_in_faststreams_envelope_is_read_the_same() -> None:
    """A producer that uses FastStream's own publisher is understood as well."""
    body = changed()
    head = b"\x89BIN\r\n\x1a\n" + (1).to_bytes(2, "big") + (18).to_bytes(4, "big") + (20).to_bytes(4, "big") + b"\0\0"
    assert payload_bytes({b"__data__": head + body}) == body
    assert isinstance(decoded(head + body), Arrival)


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (b"not json", "invalid_json", "$"),
        (b"\xff\xfe", "invalid_json", "$"),
        (b'{"a":' * 5000, "invalid_json", "$"),
        (b"[1]", "invalid_envelope", "$"),
        (b"{}", "invalid_envelope", "$.type"),
        (changed(type=7), "invalid_envelope", "$.type"),
        (changed(type="care.unheard.of.v1"), "unknown_type", "$.type"),
        (changed(type="care.intake.submitted.v1"), "wrong_stream", "$.type"),
        (changed(subject="no spaces please"), "invalid_envelope", "$.subject"),
        (changed(id=...), "invalid_envelope", "$.id"),
        (changed(data=...), "invalid_data", "$.data"),
        (changed(data=session(1, pain_during=11)), "out_of_range", "$.data.pain_during"),
        (changed(data=session(1, completed="yes")), "invalid_data", "$.data.completed"),
        (changed(time="2026-03-04T09:00:00Z"), "impossible_time", "$.time"),
        (changed(time="1970-01-01T00:00:00Z"), "impossible_time", "$.time"),
        (changed(data=session(1, started_at="2026-03-04T09:00:00Z")), "impossible_time", "$.data.started_at"),
        (b" " * (MAX_BYTES + 1), "too_large", "$"),
    ],
)
def test_each_mistake_is_named_with_its_place(raw: bytes, code: str, path: str) -> None:
    """Whoever sent it learns what is wrong, and where."""
    result = rejected(raw)
    assert (result.code, result.path) == (code, path)


def test_a_mistake_within_a_set_is_found_by_its_path() -> None:
    """The path leads to the very set of the very exercise."""
    exercise = {"exercise_id": "unheard_of", "sets": [{"reps": 1}]}
    result = rejected(changed(data=session(1, exercises=[exercise])))
    assert (result.code, result.path) == ("unknown_id", "$.data.exercises[0].exercise_id")


def test_an_entry_without_the_field_is_kept_as_it_was() -> None:
    """Nothing that arrived is lost, however odd."""
    result = decode("1-0", {b"body": b"hello"}, source(), EPOCH)
    assert isinstance(result, Undecodable)
    assert (result.code, result.origin.raw) == ("missing_data", b'{"body": "hello"}')


def test_a_patient_of_another_partition_is_rejected() -> None:
    """An event on the wrong partition would split a patient in two."""
    home = partition_of("patient-1", 8)
    result = rejected(changed(), partition=(home + 1) % 8, partitions=8)
    assert (result.code, result.path, result.subject) == ("wrong_partition", "$.subject", None)


def test_no_message_quotes_what_a_patient_wrote() -> None:
    """Free text in the wrong place does not leak into messages or paths."""
    words = "my name is Ada and it hurts"
    for raw, stream in (
        (changed(data=session(1, exercises=[{"exercise_id": words, "sets": []}])), Stream.SESSIONS),
        (changed(data=session(1, completed=words)), Stream.SESSIONS),
        (wire("care.intake.submitted.v1", intake(findings={words: "present"}), event_id="i"), Stream.INTAKES),
    ):
        result = rejected(raw, stream=stream)
        assert "Ada" not in result.message + result.path


@pytest.mark.parametrize(
    "broken",
    [
        {"data": session(1, pain_during=99, symptoms=["sudden_severe_pain", "new_saddle_numbness"])},
        {"data": session(1, symptoms=["sudden_severe_pain"]), "time": "never"},
        {"data": session(1, symptoms=["sudden_severe_pain"]), "type": "care.unheard.of.v1"},
        {"data": {"symptoms": ["sudden_severe_pain", 7, None]}},
    ],
)
def test_red_flags_of_a_rejected_session_are_saved(broken: dict[str, Any]) -> None:
    """A red flag acts even where the rest of the report cannot be used."""
    saved = rejected(changed(**broken)).salvage
    assert saved is not None
    assert ("sudden_severe_pain", "urgent") in saved.red_flags
    assert (saved.subject, saved.correlation_id) == ("patient-1", "e1")


def test_red_flags_of_a_rejected_intake_are_saved_only_where_present() -> None:
    """An answer `absent` raises no alarm."""
    known = min(vocabulary().red_flags)
    raw = wire("care.intake.submitted.v1", intake(sex="?", red_flags={known: "present"}), event_id="i1")
    saved = rejected(raw, stream=Stream.INTAKES).salvage
    assert saved is not None
    assert known in {flag for flag, _ in saved.red_flags}
    raw = wire("care.intake.submitted.v1", intake(sex="?", red_flags={known: "absent"}), event_id="i1")
    assert rejected(raw, stream=Stream.INTAKES).salvage is None
