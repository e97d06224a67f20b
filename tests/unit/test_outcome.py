"""The summary table says what happened, not what was planned."""

from typing import Any

from shared.cli.outcome import describe_load, gather_outcomes, outcome_table
from shared.cli.summary import summarise
from shared.event.wire import Stream
from shared.stream.history import Entry


def entry(stream: Stream, event_type: str, data: dict[str, Any]) -> Entry:
    event = {"type": event_type, "subject": "p-1", "data": data}
    return Entry(stream, f"care:{{0}}:{stream}", "1-1", b"", event)


def exercise(**fields: Any) -> dict[str, Any]:
    return {"exercise_id": "band_clam", "sets": 2, "reps": 10, "target_rpe": 3} | fields


def prescribed(number: int, phase: str, *exercises: dict[str, Any]) -> dict[str, Any]:
    return {"prescription_seq": number, "phase_id": phase, "prescription": list(exercises)}


RESPONSE = {"status": "on_track", "week": 3}


def test_first_and_last_load_follow_the_number_of_the_prescription() -> None:
    """A program that is held in the end shows what was done before, in the order in which it was in force."""
    planned = prescribed(1, "GT1", exercise()) | {"conditions": ["gluteal_tendinopathy"], "status": "active"}
    held = prescribed(3, "GT2") | {"conditions": ["gluteal_tendinopathy"], "status": "held"}
    adjusted = prescribed(2, "GT2", exercise(sets=3, load_kg=5)) | {"response": RESPONSE}
    (outcome,) = gather_outcomes(
        [
            entry(Stream.PROGRAMS, "care.program.planned.v1", planned),
            entry(Stream.PROGRAMS, "care.program.changed.v1", held),
            entry(Stream.ADJUSTMENTS, "care.load.adjusted.v1", adjusted),
        ]
    )
    assert outcome.phases == ["GT1", "GT2"]
    assert [describe_load(load) for load in outcome.loads] == [
        "1 exercises, 20 reps, RPE 3",
        "1 exercises, 30 reps, 5 kg, RPE 3",
    ]
    assert outcome.program_status == "held"
    assert outcome_table([outcome], {}).row_count == 1


def test_a_line_about_an_event_never_shows_free_text() -> None:
    """A trace is read over shoulders."""
    session = {"session_id": "s", "exercises": [], "pain_during": 2, "notes": "my secret"}
    assert summarise({"type": "care.session.reported.v1", "data": session}) == "session s: 0 exercises, pain 2"


def test_a_line_about_a_broken_event_says_so() -> None:
    """Whatever lies in a stream, a trace shows the rest."""
    assert "not as the contract" in summarise({"type": "care.session.reported.v1", "data": {}})
    assert summarise({"type": "something.else", "data": {}}) == ""
