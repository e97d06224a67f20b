"""The planner among the services: what it reads and writes, with the runtime's own pure parts."""

from datetime import timedelta
from typing import Any

import pytest

from services.planner.app import make_service
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, intake, wire
from tests.support.four_services import four_services


@pytest.fixture
def pipeline() -> PurePipeline:
    """Intake and planner joined in memory."""
    return PurePipeline(four_services(("intake", "planner")), EPOCH)


def _decision(pipeline: PurePipeline, kind: str, **fields: Any) -> None:
    time = pipeline.now
    data = {"decision_id": f"d-{kind}", "clinician_id": "clinician-1", "decision": kind, "rationale": "Seen."}
    pipeline.submit(wire("care.clinician.decided.v1", data | fields, event_id=f"e-{kind}", time=time))


def test_an_intake_becomes_a_program(pipeline: PurePipeline) -> None:
    """A typical intake of gluteal tendinopathy ends in an active program with prescription one."""
    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1"))

    (planned,) = pipeline.published(Stream.PROGRAMS)
    assert planned.type == "care.program.planned.v1"
    assert planned.data.conditions == ("gluteal_tendinopathy",)
    assert planned.data.prescription_seq == 1
    assert planned.correlation_id == "i-1"
    assert pipeline.published(Stream.DEAD_LETTERS) == []


def test_reclassification_raises_version_and_sequence(pipeline: PurePipeline) -> None:
    """One counter per program, one version per plan."""
    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1"))
    pipeline.advance(EPOCH + timedelta(days=1))
    _decision(pipeline, "reclassify", program_id="prg-intake-1", conditions=["sacroiliac_joint_pain"])

    changed = pipeline.published(Stream.PROGRAMS)[-1]
    assert (changed.type, changed.data.version, changed.data.prescription_seq) == ("care.program.changed.v1", 2, 2)


def test_a_decision_for_nobodys_program_is_rejected_once(pipeline: PurePipeline) -> None:
    """After two weeks of waiting there is one dead letter."""
    _decision(pipeline, "modify", program_id="prg-nobody", changes={"sessions_per_week": 2})
    assert pipeline.published(Stream.DEAD_LETTERS) == []

    pipeline.advance(EPOCH + timedelta(days=15))

    (letter,) = pipeline.published(Stream.DEAD_LETTERS)
    assert (letter.data.service, letter.data.error.code) == ("planner", "unknown_program")


def test_the_planner_keeps_little_of_a_patient(pipeline: PurePipeline) -> None:
    """Twenty replans leave no longer a record than two."""
    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1"))
    sizes = []
    for n in range(20):
        pipeline.advance(EPOCH + timedelta(days=n + 1))
        other = "sacroiliac_joint_pain" if n % 2 else "deep_gluteal_syndrome"
        data = {
            "decision_id": f"d-{n:02}",
            "clinician_id": "clinician-1",
            "decision": "reclassify",
            "rationale": "Seen.",
            "program_id": "prg-intake-1",
            "conditions": [other],
        }
        pipeline.submit(wire("care.clinician.decided.v1", data, event_id=f"e-{n:02}", time=pipeline.now))
        sizes.append(len(pipeline.state("planner", "patient-1").waiting) + len(pipeline.record("planner", "patient-1")))
    assert sizes[-1] <= 1.2 * max(sizes[:2])
    assert len(pipeline.state("planner", "patient-1").episodes) == 1


def test_clinicians_can_ask_to_approve_every_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """CARE_APPROVAL=clinician proposes."""
    monkeypatch.setenv("CARE_APPROVAL", "clinician")
    services = (*four_services(("intake",)), make_service(Settings(clock="replay")))
    pipeline = PurePipeline(services, EPOCH)

    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1"))

    assert pipeline.published(Stream.PROGRAMS)[0].data.status == "proposed"
    assert pipeline.published(Stream.ESCALATIONS)[0].data.reason == "clinician_review"
    _decision(pipeline, "approve", program_id="prg-intake-1")
    assert pipeline.published(Stream.PROGRAMS)[-1].data.status == "active"
