"""Adding a condition is adding a file: docs/adding-a-condition.md, followed for real. The fixture is no medicine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.event.adjustment import LoadAdjusted
from shared.event.program import ProgramPlanned
from shared.event.wire import Stream
from shared.protocol.library import Protocols, load_protocols, shipped_folder, shipped_protocols
from shared.protocol.lint.check import lint
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services
from tests.support.protocol_folder import FIFTH, with_fifth_condition
from tests.support.recorded_care import FIFTH_FINDINGS, live, prescription

PATIENT = "patient-fifth"
CARE = ("intake", "planner", "progression")
Run = Callable[[], PurePipeline]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_fifth_condition(tmp_path_factory.mktemp("fifth") / "protocols")


@pytest.fixture(scope="module")
def protocols(folder: Path) -> Protocols:
    return load_protocols(folder)


@pytest.fixture
def run(protocols: Protocols) -> PurePipeline:
    return PurePipeline(four_services(CARE), EPOCH, protocols=protocols)


def test_the_fixture_is_never_shipped() -> None:
    """Nobody is treated by numbers that were made up for a test."""
    assert FIFTH not in shipped_protocols().conditions
    assert "FIXTURE" not in shipped_protocols().evidence


def test_a_fifth_condition_lints_as_clean_as_the_shipped_ones(folder: Path) -> None:
    """One file and its row of evidence bring no error and no warning of their own."""
    shipped = {str(problem) for problem in lint(shipped_folder())}
    assert [str(problem) for problem in lint(folder) if str(problem) not in shipped] == []
    assert not any(problem.severity == "error" for problem in lint(folder))


def test_an_intake_is_classified_with_the_fifth_condition_as_primary(run: PurePipeline) -> None:
    """Who presents like it is called it, and the four others are still rated beside it."""
    live(run, PATIENT, [], findings=FIFTH_FINDINGS)
    (classified,) = run.published(Stream.CLASSIFICATIONS)
    assert (classified.data.primary, classified.data.disposition) == (FIFTH, "program")
    assert len(classified.data.conditions) == 5
    assert "Ischiofemoral impingement" in classified.data.rationale


def test_the_fifth_condition_gets_a_program_of_its_own_exercises(run: PurePipeline) -> None:
    """The plan holds the phases, goals and first doses of the new file."""
    live(run, PATIENT, [], findings=FIFTH_FINDINGS)
    (planned,) = run.published(Stream.PROGRAMS)
    assert isinstance(planned.data, ProgramPlanned)
    assert planned.data.conditions == (FIFTH,)
    assert planned.data.status == "active"
    assert [phase.phase_id for phase in planned.data.phases] == ["IF1", "IF2"]
    assert {goal.goal_id for goal in planned.data.goals} == {"ifi-less-pain", "ifi-strength", "return-to-activity"}
    assert len(planned.data.prescription) >= 4
    assert planned.data.protocol.id == FIFTH


def test_the_load_of_the_fifth_condition_rises_and_its_phase_is_left(run: PurePipeline) -> None:
    """Sessions that are tolerated make the next one harder, up to the second phase."""
    live(run, PATIENT, [4, 3.5, 3, 2.5], findings=FIFTH_FINDINGS)
    adjusted = [event.data for event in run.published(Stream.ADJUSTMENTS) if isinstance(event.data, LoadAdjusted)]
    decisions = {change.decision for data in adjusted for change in data.changes}
    assert "progress" in decisions
    assert adjusted[-1].phase_id == "IF2"
    assert {one.exercise_id for one in prescription(run, PATIENT)} & {"hip_extension", "single_leg_bridge"}


def test_failed_care_of_the_fifth_condition_is_called_failed(run: PurePipeline) -> None:
    """Enough dose without a response ends in a verdict with the options of the new file."""
    live(run, PATIENT, [5] * 8, findings=FIFTH_FINDINGS)
    reasons = {event.data.reason: event.data for event in run.published(Stream.ESCALATIONS)}
    assert "failed_conservative_care" in reasons
    assert [option.option_id for option in reasons["failed_conservative_care"].options] == ["imaging"]
    verdicts = [e.data.response.status for e in run.published(Stream.ADJUSTMENTS) if isinstance(e.data, LoadAdjusted)]
    assert verdicts[-1] == "failed_conservative_care"


def test_a_mix_with_the_fifth_condition_holds_only_what_both_allow(run: PurePipeline, protocols: Protocols) -> None:
    """A clinician who reclassifies to the new condition and a shipped one gets a session that is safe for both."""
    live(run, PATIENT, [], findings=FIFTH_FINDINGS)
    decision = {
        "decision_id": "d1",
        "clinician_id": "c1",
        "decision": "reclassify",
        "intake_id": f"{PATIENT}-intake",
        "conditions": [FIFTH, "sacroiliac_joint_pain"],
        "rationale": "Both were found on examination.",
    }
    run.submit(wire("care.clinician.decided.v1", decision, subject=PATIENT, event_id="reclassify", time=EPOCH))
    changed = run.published(Stream.PROGRAMS)[-1].data
    assert changed.conditions == (FIFTH, "sacroiliac_joint_pain")
    assert len(changed.prescription) >= protocols.mixes.session.at_least


def test_a_condition_without_a_file_is_rejected_as_ever() -> None:
    """An id that no file holds is a dead letter with its place, also where the fifth is known elsewhere."""
    run = PurePipeline(four_services(CARE), EPOCH)
    live(run, PATIENT, [])
    decision = {
        "decision_id": "d1",
        "clinician_id": "c1",
        "decision": "reclassify",
        "intake_id": f"{PATIENT}-intake",
        "conditions": [FIFTH],
        "rationale": "It fits better.",
    }
    run.submit(wire("care.clinician.decided.v1", decision, subject=PATIENT, event_id="reclassify", time=EPOCH))
    (letter,) = run.published(Stream.DEAD_LETTERS)
    assert (letter.data.error.code, letter.data.error.path) == ("unknown_condition", "$.data.conditions[0]")
