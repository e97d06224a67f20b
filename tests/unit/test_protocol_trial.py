"""`protocols try`: protocols that say the same differ in nothing, and each change is told where it first acts."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.protocol.library import Protocols, load_protocols, shipped_protocols
from shared.recording import Recorded, RecordingError, parse_event, salvage_recording
from shared.stream.pure_pipeline import PurePipeline
from shared.trial import Course, Outcome, compare, try_protocols
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services
from tests.support.protocol_folder import change, copy_of_shipped
from tests.support.recorded_care import live

CARE = ("intake", "planner", "progression")
GT = "conditions/gluteal_tendinopathy.yaml"
SETTLE = timedelta(days=15)


def recorded(raws: list[bytes]) -> list[Recorded]:
    events = [parse_event(raw.decode(), f"line {n}") for n, raw in enumerate(raws)]
    return [event for event in events if event is not None]


@pytest.fixture(scope="module")
def events() -> list[Recorded]:
    """Two patients: one improves and one is sore after every session from the second week on."""
    found: list[Recorded] = []
    for patient, soreness in (("patient-better", 2.0), ("patient-sore", 4.0)):
        run = PurePipeline(four_services(CARE), EPOCH)
        by_week = (2, soreness, soreness)
        found += recorded(live(run, patient, [4, 3.5, 3], session_pain=by_week.__getitem__))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_shipped(tmp_path / "protocols")


def tried(events: list[Recorded], new: Protocols) -> Outcome:
    return try_protocols(events, four_services(), shipped_protocols(), new, settle=SETTLE)


def test_identical_protocols_change_nobodys_care(events: list[Recorded], folder: Path) -> None:
    """A copy of the files gives an empty list."""
    outcome = tried(events, load_protocols(folder))
    assert (outcome.patients, outcome.events) == (2, len(events))
    assert outcome.turnings == []


def test_a_change_that_concerns_nobody_changes_nobodys_care(events: list[Recorded], folder: Path) -> None:
    """Other words, signatures and another condition's numbers are no change of care."""
    change(
        folder,
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: judgement, signed_by: 'Dr A. Example, 2026-05-31'",
    )
    change(folder, GT, "version: 1.0.0", "version: 1.0.1")
    change(folder, "conditions/deep_gluteal_syndrome.yaml", "sessions_per_week: 7", "sessions_per_week: 3")
    assert tried(events, load_protocols(folder)).turnings == []


def test_a_stricter_pain_rule_is_told_of_the_patient_whom_it_concerns(events: list[Recorded], folder: Path) -> None:
    """Who is sore would be held back from the first sore session on; who is not keeps the same care."""
    change(
        folder, GT, "    progress_at_most: 3\n    allowed_at_most: 5", "    progress_at_most: 2\n    allowed_at_most: 3"
    )
    outcome = tried(events, load_protocols(folder))
    assert {turning.patient for turning in outcome.turnings} == {"patient-sore"}
    first = min(turning.at for turning in outcome.turnings)
    assert first >= EPOCH + timedelta(weeks=1)
    prescription = next(turning for turning in outcome.turnings if turning.aspect == "prescription")
    assert prescription.rule
    assert prescription.old != prescription.new


def test_a_changed_threshold_of_recognition_changes_the_classification(events: list[Recorded], folder: Path) -> None:
    """With a prior that is next to nothing the plan is another, from the intake on."""
    change(folder, GT, "prior: {value: 0.20", "prior: {value: 0.0001")
    outcome = tried(events, load_protocols(folder))
    assert outcome.count("classification") == 2
    turning = next(turning for turning in outcome.turnings if turning.aspect == "classification")
    assert turning.at == EPOCH
    assert turning.old["primary"] == "gluteal_tendinopathy"
    assert turning.rule


def test_a_program_is_told_by_what_differs_in_it(events: list[Recorded], folder: Path) -> None:
    """Only the review that moved is shown, not the whole plan."""
    change(folder, GT, "review_weeks: [4, 8, 12, 26, 52]", "review_weeks: [3, 8, 12, 26, 52]")
    turnings = [turning for turning in tried(events, load_protocols(folder)).turnings if turning.aspect == "program"]
    assert [(dict(turning.old), dict(turning.new)) for turning in turnings] == 2 * [
        ({"reviews": "4 8 12 26 52"}, {"reviews": "3 8 12 26 52"})
    ]


def test_a_protocol_that_a_core_cannot_follow_is_a_finding(events: list[Recorded], folder: Path) -> None:
    """A broken file ends that patient's trial, never the whole one."""
    change(folder, GT, "education: [hurt-is-not-harm, safety-net,", "education: [hurt-is-not-harm, no-such-topic,")
    outcome = tried(events, load_protocols(folder))
    failures = [turning for turning in outcome.turnings if turning.aspect == "failure"]
    assert [dict(failure.new) for failure in failures] == 2 * [{"failure": "KeyError"}]


def test_rejected_events_are_counted_on_both_sides(events: list[Recorded]) -> None:
    """A recording with broken events still says what it can, and how much was left out."""
    bad = wire("care.checkin.reported.v1", {"checkin_id": "c"}, subject="patient-better", event_id="bad", time=EPOCH)
    outcome = tried([*events, *recorded([bad])], shipped_protocols())
    assert (outcome.rejected_old, outcome.rejected_new) == (1, 1)


def test_the_first_difference_is_the_earliest_one() -> None:
    """Care is compared as it was at each instant, whichever side changed it."""
    old, new = Course(), Course()
    old.add("verdict", EPOCH, {"status": "on_track"}, "A")
    new.add("verdict", EPOCH, {"status": "on_track"}, "A")
    old.add("verdict", EPOCH + timedelta(days=9), {"status": "slow"}, "B")
    new.add("verdict", EPOCH + timedelta(days=7), {"status": "slow"}, "C")
    (turning,) = compare("patient", old, new)
    assert (turning.at, turning.rule) == (EPOCH + timedelta(days=7), "C")
    assert (turning.old, turning.new) == ({"status": "on_track"}, {"status": "slow"})


def test_what_is_told_again_is_no_change() -> None:
    """A second prescription of the same is none, and a late report does not turn back time."""
    course = Course()
    course.add("hold", EPOCH + timedelta(days=1), {"program": "active"}, "")
    course.add("hold", EPOCH + timedelta(days=2), {"program": "active"}, "")
    course.add("hold", EPOCH, {"program": "held"}, "")
    assert [(m.at - EPOCH, m.value["program"]) for m in course.moments["hold"]] == [
        (timedelta(days=1), "held"),
    ]


def test_bad_lines_of_a_recording_are_named_and_skipped(tmp_path: Path) -> None:
    """One broken line does not spoil a recording."""
    good = wire("care.intake.submitted.v1", {}, event_id="e", time=EPOCH).decode()
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"journey": "J1"}}\n{good}\nnonsense\n\n{{"type": "care.load.adjusted.v1"}}\n', encoding="utf-8")
    found, errors = salvage_recording([path])
    assert [event.event_id for event in found] == ["e"]
    assert [str(error).partition(":")[0] for error in errors] == [f"{path}, line 3", f"{path}, line 5"]
    with pytest.raises(RecordingError, match="cannot be read"):
        salvage_recording([tmp_path / "none.jsonl"])
