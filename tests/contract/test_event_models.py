"""The wire contract as models: what is accepted, what is rejected, and what goes out."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from shared.document import json_schemas
from shared.event.adjustment import Change
from shared.event.envelope import Event, derive_id
from shared.event.registry import PAYLOADS, adapter, types_of
from shared.event.rejection import EventRejected, RejectionError
from shared.event.wire import Stream
from tests.support.example import intake, wire

SESSION: dict[str, Any] = {
    "session_id": "s-1",
    "program_id": "prg-1",
    "started_at": "2026-03-02T09:00:00Z",
    "completed": True,
    "exercises": [{"exercise_id": "double_leg_bridge", "sets": [{"reps": 10, "rpe": 3}]}],
    "pain_during": 2,
}
CHECKIN: dict[str, Any] = {
    "checkin_id": "c-1",
    "reported_at": "2026-03-03T07:00:00Z",
    "next_morning_pain": 2,
    "session_id": "s-1",
    "measures": [{"instrument": "NPRS", "value": 4}],
}
DECISION: dict[str, Any] = {
    "decision_id": "d-1",
    "clinician_id": "clin-1",
    "decision": "hold",
    "program_id": "prg-1",
    "rationale": "seen in clinic",
}
UPDATE: dict[str, Any] = {
    "timezone": "Europe/Lisbon",
    "quiet_hours": {"start": "21:00", "end": "08:00"},
    "contact": {"mail": "a@example.org"},
    "consent": {"reminders": True},
    "away": {"from": "2026-03-10", "to": "2026-03-12"},
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "care.intake.submitted.v1": intake(),
    "care.session.reported.v1": SESSION,
    "care.checkin.reported.v1": CHECKIN,
    "care.clinician.decided.v1": DECISION,
    "care.patient.updated.v1": UPDATE,
    "care.program.stopped.v1": {"program_id": "prg-1"},
    "care.patient.erased.v1": {},
}


def parse(event_type: str, data: dict[str, Any], **envelope: Any) -> Event[Any]:
    raw = json.loads(wire(event_type, data, event_id="e-1")) | envelope
    return adapter(event_type).validate_json(json.dumps(raw))


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_an_event_as_the_contract_describes_it_is_accepted(event_type: str) -> None:
    """Every input of the contract can be sent."""
    assert parse(event_type, EXAMPLES[event_type]).type == event_type


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_an_accepted_event_also_meets_its_published_json_schema(event_type: str) -> None:
    """A platform may check its events against the published schema before it sends them."""
    schema = json.loads(json_schemas()[f"{event_type}.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(wire(event_type, EXAMPLES[event_type], event_id="e-1")), schema)


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_fields_that_nobody_knows_are_ignored(event_type: str) -> None:
    """A platform may add fields of its own."""
    event = parse(event_type, EXAMPLES[event_type] | {"of_tomorrow": [1]}, extension="x")
    assert "of_tomorrow" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("event_type", "change", "code", "path"),
    [
        ("care.intake.submitted.v1", {"age_years": 121}, "less_than_equal", "data.age_years"),
        ("care.intake.submitted.v1", {"age_years": "55"}, "int_type", "data.age_years"),
        ("care.intake.submitted.v1", {"sessions_per_week": 0}, "greater_than_equal", "data.sessions_per_week"),
        ("care.intake.submitted.v1", {"findings": {"no_such": "present"}}, "unknown_id", "data.findings.no_such"),
        ("care.intake.submitted.v1", {"red_flags": {"fever_or_rigors": "yes"}}, "literal_error", "data.red_flags"),
        ("care.intake.submitted.v1", {"modifiers": ["tired"]}, "unknown_id", "data.modifiers.0"),
        ("care.intake.submitted.v1", {"measures": []}, "missing_baseline", "data"),
        (
            "care.intake.submitted.v1",
            {"measures": [{"instrument": "NPRS", "value": 11}]},
            "out_of_range",
            "data.measures.0",
        ),
        ("care.intake.submitted.v1", {"notes": "x" * 4001}, "string_too_long", "data.notes"),
        ("care.intake.submitted.v1", {"activity_goals": ["walk"] * 11}, "too_long", "data.activity_goals"),
        ("care.session.reported.v1", {"pain_during": 10.5}, "less_than_equal", "data.pain_during"),
        ("care.session.reported.v1", {"pain_during": None}, "float_type", "data.pain_during"),
        ("care.session.reported.v1", {"started_at": "2026-03-02"}, "invalid_instant", "data.started_at"),
        ("care.session.reported.v1", {"started_at": "2026-03-02T09:00:00"}, "invalid_instant", "data.started_at"),
        ("care.session.reported.v1", {"started_at": "1999-03-02T09:00:00Z"}, "impossible_time", "data.started_at"),
        (
            "care.session.reported.v1",
            {"exercises": [{"exercise_id": "juggling", "sets": [{"reps": 1}]}]},
            "unknown_id",
            "data.exercises.0.exercise_id",
        ),
        (
            "care.session.reported.v1",
            {"exercises": [{"exercise_id": "band_clam", "sets": [{"reps": 1}], "skipped": True}]},
            "contradiction",
            "data.exercises.0",
        ),
        (
            "care.session.reported.v1",
            {"exercises": [{"exercise_id": "band_clam", "sets": [{"reps": -1}]}]},
            "greater_than_equal",
            "data.exercises.0.sets.0.reps",
        ),
        ("care.checkin.reported.v1", {"next_morning_pain": -1}, "greater_than_equal", "data.next_morning_pain"),
        ("care.clinician.decided.v1", {"decision": "ignore"}, "literal_error", "data.decision"),
        ("care.clinician.decided.v1", {"rationale": " "}, "missing_rationale", "data"),
        ("care.clinician.decided.v1", {"decision": "reclassify"}, "missing_conditions", "data"),
        ("care.clinician.decided.v1", {"decision": "modify"}, "missing_changes", "data"),
        ("care.patient.updated.v1", {"timezone": "Mars/Olympus"}, "unknown_timezone", "data.timezone"),
        (
            "care.patient.updated.v1",
            {"quiet_hours": {"start": "25:00", "end": "08:00"}},
            "string_pattern",
            "data.quiet",
        ),
        (
            "care.patient.updated.v1",
            {"away": {"from": "2026-03-12", "to": "2026-03-10"}},
            "contradiction",
            "data.away",
        ),
    ],
)
def test_a_value_outside_its_bounds_is_rejected_where_it_stands(
    event_type: str, change: dict[str, Any], code: str, path: str
) -> None:
    """Nothing is clipped or guessed: the error names the place and the reason."""
    with pytest.raises(ValidationError) as caught:
        parse(event_type, EXAMPLES[event_type] | change)
    error = caught.value.errors()[0]
    assert error["type"].startswith(code)
    assert ".".join(map(str, error["loc"])).startswith(path)


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"id": "two words"},
        {"subject": "Jane Doe"},
        {"subject": "x" * 129},
        {"time": "yesterday"},
        {"time": 1772442000},
        {"datacontenttype": "text/plain"},
        {"data": "hello"},
    ],
)
def test_a_broken_envelope_is_rejected(change: dict[str, Any]) -> None:
    """An event without a usable id, patient or time cannot be handled."""
    with pytest.raises(ValidationError):
        parse("care.patient.erased.v1", change.pop("data", {}), **change)


def test_an_unknown_symptom_rejects_nothing() -> None:
    """A symptom that the vocabulary does not know is kept for a clinician."""
    event = parse("care.session.reported.v1", SESSION | {"symptoms": ["hums_at_night"]})
    assert event.data.symptoms == ("hums_at_night",)


def test_an_instant_is_read_in_any_offset_and_written_in_utc() -> None:
    """Two clocks with different offsets mean the same instant."""
    event = parse("care.patient.erased.v1", {}, time="2026-03-02T11:00:00+02:00")
    assert event.time == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert '"time":"2026-03-02T09:00:00Z"' in event.model_dump_json()


def test_a_validation_error_never_quotes_what_a_patient_wrote() -> None:
    """Free text must not travel into an error message."""
    with pytest.raises(ValidationError) as caught:
        parse("care.session.reported.v1", SESSION | {"notes": "my secret " * 1000})
    assert "secret" not in str(caught.value)


def test_an_event_without_a_correlation_correlates_with_itself() -> None:
    """A chain of events can be followed from its first."""
    assert parse("care.patient.erased.v1", {}).correlation_id == "e-1"
    assert parse("care.patient.erased.v1", {}, correlationid="c-9").correlation_id == "c-9"


def test_an_id_follows_from_its_parts_and_nothing_else() -> None:
    """The same input can never produce two different outputs."""
    assert derive_id("a", "b") == derive_id("a", "b")
    assert derive_id("ab", "c") != derive_id("a", "bc")
    assert len(derive_id("a")) == 32


def test_every_type_of_the_contract_has_one_model_and_one_stream() -> None:
    """The registry is the contract's table of streams."""
    assert len({payload.event_type for payload in PAYLOADS}) == len(PAYLOADS) == 19
    assert sum(len(types_of(stream)) for stream in Stream) == len(PAYLOADS)
    assert types_of(Stream.ADJUSTMENTS) == ("care.load.adjusted.v1", "care.goal.reached.v1")


def test_words_that_python_reserves_are_spelled_as_the_contract_does() -> None:
    """`from`, `to` and `stream` stand on the wire, whatever they are called in code."""
    change = Change(
        exercise_id="band_clam", decision="hold", from_={"reps": 10}, to={"reps": 10}, rule="P17", because="amber"
    )
    assert '"from":{"reps":10}' in change.model_dump_json()
    rejected = EventRejected(
        origin_stream="care:{0}:intakes",
        entry_id="1-1",
        service="intake",
        error=RejectionError(code="invalid_json", path="$", message="not JSON"),
        original="",
        attempts=1,
    )
    assert json.loads(rejected.model_dump_json())["stream"] == "care:{0}:intakes"


def test_what_has_no_value_is_left_out_where_the_contract_says_optional() -> None:
    """`load_kg` is absent, not null, where nothing is weighed; `session_id` is null where none caused it."""
    event = parse("care.checkin.reported.v1", {"checkin_id": "c", "reported_at": "2026-03-03T07:00:00Z"})
    assert "next_morning_pain" not in event.model_dump_json()
    required = json.loads(json_schemas()["care.load.adjusted.v1.json"])["$defs"]["LoadAdjusted"]["required"]
    assert "session_id" in required
