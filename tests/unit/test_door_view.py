"""What the views show is what the services have published: no second truth beside the streams."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from shared.event.wire import Stream
from shared.journey.library import Journey, shipped_journeys
from shared.protocol.library import shipped_protocols
from shared.stream.pure_pipeline import PurePipeline, time_of
from shared.view import Inquiry
from tests.support.example import EPOCH, intake, wire
from tests.support.four_services import four_services, four_services_pipeline

JOURNEYS = shipped_journeys()
PAUSE = 5


def ask(run: PurePipeline, patient: str, name: str) -> BaseModel | None:
    """The answer of the view of that name, by the service that has it."""
    (service, view) = next((s, v) for s in run.services.values() for v in s.views if v.name == name)
    state = run.state(service.name, patient)
    if state is None:
        return None
    return view.show(state, Inquiry(patient, run.now, shipped_protocols(), numbers(run, patient)))


def told(run: PurePipeline, patient: str) -> list[Any]:
    return [
        event.data
        for event in [*run.published(Stream.PROGRAMS, patient), *run.published(Stream.ADJUSTMENTS, patient)]
        if hasattr(event.data, "prescription_seq")
    ]


def numbers(run: PurePipeline, patient: str) -> dict[str, int]:
    """What the counter in Redis says: the highest number that was published for each program."""
    found: dict[str, int] = {}
    for data in told(run, patient):
        found[data.program_id] = max(found.get(data.program_id, 0), data.prescription_seq)
    return found


def open_ids(run: PurePipeline, patient: str) -> set[str]:
    standing: set[str] = set()
    for event in run.published(Stream.ESCALATIONS, patient):
        if event.type == "care.escalation.raised.v1":
            standing.add(event.data.escalation_id)
        elif event.type == "care.escalation.resolved.v1":
            standing.discard(event.data.escalation_id)
    return standing


def lived(journey: Journey) -> Iterator[PurePipeline]:
    """The journey, paused after every fifth of its events and after the last."""
    run = four_services_pipeline(time_of(journey.events[0]) - timedelta(minutes=1))
    for number, raw in enumerate(journey.events, start=1):
        run.replay([raw])
        if number % PAUSE == 0 or number == len(journey.events):
            yield run


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.journey_id)
def test_through_every_journey_the_views_say_what_was_published(journey: Journey) -> None:
    """The prescription with the highest number, the newest program, what is open, the verdict."""
    patient, seen = journey.patient, 0
    for run in lived(journey):
        classified = run.published(Stream.CLASSIFICATIONS, patient)
        assert ask(run, patient, "classification") == (classified[-1].data if classified else None)
        escalations: Any = ask(run, patient, "escalations")
        shown = {one.escalation_id for one in escalations.escalations} if escalations else set()
        assert shown == open_ids(run, patient)
        programs = run.published(Stream.PROGRAMS, patient)
        program: Any = ask(run, patient, "program")
        if not programs:
            assert program is None
            continue
        newest = programs[-1].data
        assert (program.program_id, program.version, program.status) == (
            newest.program_id,
            newest.version,
            newest.status,
        )
        prescription: Any = ask(run, patient, "prescription")
        mine = [data for data in told(run, patient) if data.program_id == program.program_id]
        in_force = max(mine, key=lambda data: data.prescription_seq)
        assert prescription.prescription_seq == in_force.prescription_seq
        assert prescription.prescription == program.prescription == in_force.prescription
        state: Any = ask(run, patient, "state")
        assert {one.escalation_id for one in state.escalations} <= open_ids(run, patient)
        adjusted = run.published(Stream.ADJUSTMENTS, patient)
        adjusted = [event for event in adjusted if event.type == "care.load.adjusted.v1"]
        if adjusted and adjusted[-1].time == run.now:
            seen += 1
            assert state.response.status == adjusted[-1].data.response.status
    assert seen or not programs, "nothing was compared"


def test_a_settled_red_flag_of_another_event_stays_in_the_classification_that_named_it() -> None:
    """A clinician's word closes the escalation; what was published about the intake is still what is shown."""
    run = PurePipeline(four_services(("intake",)), EPOCH)
    run.submit(wire("care.intake.submitted.v1", intake(), event_id="i1"))
    broken = intake(sex="unsure", red_flags={"saddle_anaesthesia": "present"})
    run.submit(wire("care.intake.submitted.v1", broken, event_id="i2", time=EPOCH + timedelta(minutes=1)))
    first, second = run.published(Stream.CLASSIFICATIONS)
    assert (first.data.disposition, second.data.disposition) == ("program", "emergency")
    assert ask(run, "patient-1", "classification") == second.data
    (raised,) = run.published(Stream.ESCALATIONS)
    decision = {
        "decision_id": "d1",
        "clinician_id": "c1",
        "decision": "continue",
        "escalation_id": raised.data.escalation_id,
        "rationale": "Seen.",
    }
    run.submit(wire("care.clinician.decided.v1", decision, event_id="d1", time=EPOCH + timedelta(minutes=2)))
    assert run.published(Stream.ESCALATIONS)[-1].type == "care.escalation.resolved.v1"
    assert ask(run, "patient-1", "classification") == run.published(Stream.CLASSIFICATIONS)[-1].data


def test_an_erased_patient_is_nowhere() -> None:
    """No service shows anything of a patient whom it has forgotten."""
    run = four_services_pipeline(EPOCH)
    run.submit(wire("care.intake.submitted.v1", intake(), event_id="i1"))
    names = [view.name for service in run.services.values() for view in service.views]
    assert all(ask(run, "patient-1", name) is not None for name in names)
    run.submit(wire("care.patient.erased.v1", {}, event_id="gone", time=EPOCH + timedelta(minutes=1)))
    assert [ask(run, "patient-1", name) for name in names] == [None] * len(names)
