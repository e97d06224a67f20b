"""The published cases through the four pure cores: each patient gets what the case demands."""

from typing import Any

import pytest

from shared.event.adjustment import LoadAdjusted
from shared.event.escalation import EscalationRaised
from shared.event.program import ProgramChanged
from shared.event.wire import Payload, Stream
from shared.journey.library import shipped_journeys
from shared.stream.pure_pipeline import PurePipeline, time_of
from tests.journeys.build import new_pipeline
from tests.journeys.case import Case
from tests.journeys.cases import CASES, J02, J06, J16, J18
from tests.journeys.course import deviations, last_adjustment, outcome, shuffled
from tests.journeys.patient import end_of

JOURNEYS = {journey.journey_id: journey for journey in shipped_journeys()}


def replayed(case: Case) -> PurePipeline:
    """The shipped file of a case through the pure cores."""
    pipeline = new_pipeline()
    pipeline.replay(JOURNEYS[case.journey].events)
    pipeline.advance(end_of(case))
    return pipeline


@pytest.mark.parametrize("case", CASES, ids=[case.journey for case in CASES])
def test_each_published_patient_gets_what_the_published_course_demands(case: Case) -> None:
    """Diagnosis, program, verdict and alarms are those that the published case calls for."""
    assert deviations(case, outcome(replayed(case))) == []


def test_the_same_file_twice_gives_the_same_events() -> None:
    """Whoever replays a patient's history gets the same decisions to the letter."""
    first, second = replayed(J02), replayed(J02)
    assert [e.model_dump_json() for e in first.published()] == [e.model_dump_json() for e in second.published()]


def test_a_file_delivered_twice_changes_nothing() -> None:
    """An event that the platform sends again has no second effect."""
    once, twice = new_pipeline(), new_pipeline()
    for raw in JOURNEYS[J02.journey].events:
        once.replay([raw])
        twice.replay([raw, raw])
    assert [e.id for e in twice.published()] == [e.id for e in once.published()]


def test_four_weeks_of_another_exercise_are_no_failed_care() -> None:
    """The athlete who had done the wrong exercise is never told that care has failed, before or after the switch."""
    pipeline = replayed(J02)
    statuses = {a.data.response.status for a in pipeline.published(Stream.ADJUSTMENTS) if hasattr(a.data, "response")}
    assert "failed_conservative_care" not in statuses
    assert any(isinstance(event.data, ProgramChanged) for event in pipeline.published(Stream.PROGRAMS))


def test_who_only_waited_has_not_failed_care() -> None:
    """One session in twenty weeks is too little care to call it failed, whatever the date."""
    last = [a.data for a in replayed(J06).published(Stream.ADJUSTMENTS) if isinstance(a.data, LoadAdjusted)][-1]
    assert (last.response.status, last.response.sessions_done) == ("under_dosed", 1)


def test_bladder_trouble_is_an_emergency_in_the_step_that_reads_it() -> None:
    """The check-in that tells of the bladder raises the alarm and holds the program in the same transaction."""
    events = JOURNEYS[J18.journey].events
    flagged = next(n for n, raw in enumerate(events) if b"bladder_dysfunction" in raw)
    pipeline = new_pipeline()
    pipeline.replay(events[:flagged])
    before = len(pipeline.published())
    pipeline.replay(events[flagged : flagged + 1])

    caused = [e for e in pipeline.published() if e.causationid == "J18-d059-happening-0"]
    assert len(pipeline.published()) > before
    raised = [e.data for e in caused if isinstance(e.data, EscalationRaised)]
    assert [(r.reason, r.severity, r.holds_program) for r in raised] == [("red_flag", "emergency", True)]
    held = [e.data for e in caused if isinstance(e.data, ProgramChanged)]
    assert [(h.status, h.prescription) for h in held] == [("held", ())]


def test_every_state_stays_small() -> None:
    """Months of care do not make a patient's record grow: what is kept is bounded."""
    pipeline = new_pipeline()
    sizes: list[int] = []
    for raw in JOURNEYS["J12"].events:
        pipeline.replay([raw])
        sizes.append(len(pipeline.record("progression", "journey-J12")))
    months = len(sizes) // 4
    assert max(sizes[-months:]) < 1.5 * max(sizes[months : 2 * months])


@pytest.mark.parametrize("journey_id", ["J02", "J04", "J12"])
def test_any_order_of_arrival_ends_in_the_same_prescription(journey_id: str) -> None:
    """Sessions that were recorded offline and arrive in any order lead to the same load in the end."""
    case = next(case for case in CASES if case.journey == journey_id)
    mixed = new_pipeline()
    mixed.replay(shuffled(JOURNEYS[journey_id].events))
    mixed.advance(end_of(case))
    in_order = replayed(case)
    assert last_adjustment(mixed.entries(Stream.ADJUSTMENTS)) == last_adjustment(in_order.entries(Stream.ADJUSTMENTS))


def test_a_clock_that_jumps_changes_no_decision() -> None:
    """Whether the clock passes through every instant or jumps from event to event, the patient gets the same."""
    fine, coarse = replayed(J06), new_pipeline(coarse=True)
    coarse.replay(JOURNEYS["J06"].events)
    coarse.advance(end_of(J06))
    for stream in (Stream.PROGRAMS, Stream.ADJUSTMENTS, Stream.ESCALATIONS):
        told = [[(e.time, e.type, without_ids(e.data)) for e in run.published(stream)] for run in (fine, coarse)]
        assert told[0] == told[1]


def without_ids(data: Payload) -> dict[str, Any]:
    """What an event says, without the ids that name what caused it."""
    return {key: value for key, value in data.model_dump(mode="json").items() if key != "escalation_id"}


def test_without_the_measures_that_are_owed_nothing_is_called_failed() -> None:
    """Where the source publishes no rating of change, the services say that data is missing, not that care failed."""
    blank = [raw for raw in JOURNEYS[J16.journey].events if b'"GROC"' not in raw]
    pipeline = new_pipeline()
    pipeline.replay(blank)
    statuses = {response.status for response in outcome(pipeline).responses}
    assert "failed_conservative_care" not in statuses


def test_every_journey_is_in_order_of_time() -> None:
    """A file can be replayed line by line."""
    for journey in JOURNEYS.values():
        times = [time_of(raw) for raw in journey.events]
        assert times == sorted(times)
