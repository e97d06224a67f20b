"""What the contract promises of every output, over all journeys at once."""

import json
from functools import cache

import pytest

from shared.event.adjustment import GoalReached, LoadAdjusted
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.wire import Stream
from shared.journey.library import shipped_journeys
from shared.protocol.library import shipped_protocols
from shared.stream.pure_pipeline import PurePipeline, time_of
from tests.journeys.build import new_pipeline
from tests.journeys.cases import CASES
from tests.journeys.patient import end_of

JOURNEYS = {journey.journey_id: journey for journey in shipped_journeys()}
IDS = [case.journey for case in CASES]


@cache
def replayed(journey_id: str) -> PurePipeline:
    pipeline = new_pipeline()
    pipeline.replay(JOURNEYS[journey_id].events)
    pipeline.advance(next(end_of(case) for case in CASES if case.journey == journey_id))
    return pipeline


@pytest.mark.parametrize("journey_id", IDS)
def test_every_prescription_has_its_own_number_and_the_numbers_rise(journey_id: str) -> None:
    """The platform always knows which prescription is in force: the highest number."""
    run = replayed(journey_id)
    numbers: dict[int, str] = {}
    for stream in (Stream.PROGRAMS, Stream.ADJUSTMENTS):
        last = 0
        for event in run.published(stream):
            if isinstance(event.data, GoalReached):
                continue
            assert event.data.prescription_seq >= last
            last = event.data.prescription_seq
            shown = json.dumps(event.data.model_dump(mode="json")["prescription"])
            assert numbers.setdefault(last, shown) == shown


@pytest.mark.parametrize("journey_id", IDS)
def test_failed_care_is_the_status_exactly_while_its_escalation_is_open(journey_id: str) -> None:
    """No one reads that care has failed unless a clinician has been asked, and the other way round."""
    run = replayed(journey_id)
    failed = [
        event
        for event in run.published(Stream.ESCALATIONS)
        if getattr(event.data, "reason", "") == "failed_conservative_care"
    ]
    opened = [event for event in failed if isinstance(event.data, EscalationRaised)]
    closed = [event for event in failed if isinstance(event.data, EscalationResolved)]
    for event in run.published(Stream.ADJUSTMENTS):
        if isinstance(event.data, LoadAdjusted) and not event.data.late:
            is_open = sum(e.time <= event.time for e in opened) > sum(e.time <= event.time for e in closed)
            assert (event.data.response.status == "failed_conservative_care") is is_open, event.time


@pytest.mark.parametrize("journey_id", IDS)
def test_one_reason_has_one_open_escalation(journey_id: str) -> None:
    """What adds to an alarm joins it; nobody is called twice for one thing."""
    open_now: dict[str, str] = {}
    for event in replayed(journey_id).published(Stream.ESCALATIONS):
        if isinstance(event.data, EscalationRaised):
            assert open_now.setdefault(event.data.reason, event.data.escalation_id) == event.data.escalation_id
        elif isinstance(event.data, EscalationResolved):
            open_now.pop(event.data.reason, None)


@pytest.mark.parametrize("journey_id", IDS)
def test_a_program_that_is_held_prescribes_nothing(journey_id: str) -> None:
    """Until a clinician decides there is no next session."""
    for event in replayed(journey_id).published(Stream.PROGRAMS):
        if event.data.status in ("held", "ended"):
            assert isinstance(event.data, ProgramChanged)
            assert event.data.prescription == ()
        else:
            assert isinstance(event.data, ProgramPlanned | ProgramChanged)


@pytest.mark.parametrize("journey_id", IDS)
def test_every_decision_names_evidence_that_exists_and_no_identifier(journey_id: str) -> None:
    """A clinician can look up what each decision rests on, and reads no id in its words."""
    evidence = shipped_protocols().evidence
    for stream in (Stream.CLASSIFICATIONS, Stream.PROGRAMS, Stream.ADJUSTMENTS):
        for event in replayed(journey_id).published(stream):
            if isinstance(event.data, GoalReached):
                continue
            assert event.data.rationale
            assert set(event.data.references) <= evidence.keys()
            assert journey_id not in event.data.rationale
            assert event.data.protocol.version


@pytest.mark.parametrize("journey_id", IDS)
def test_what_follows_carries_its_cause_and_no_later_time(journey_id: str) -> None:
    """Every output can be traced to the report that began it, and is no younger than the clock."""
    run = replayed(journey_id)
    reported = {json.loads(raw)["id"] for raw in JOURNEYS[journey_id].events}
    times = {time_of(raw) for raw in JOURNEYS[journey_id].events}
    for event in run.published():
        assert event.correlationid in reported
        assert event.causationid
        assert min(times) <= event.time <= run.now


@pytest.mark.parametrize("journey_id", IDS)
def test_a_replay_is_fast(journey_id: str) -> None:
    """Months of care are few decisions: their number does not explode with timers."""
    run = replayed(journey_id)
    begun = [step for step in run.steps if step.what.startswith("performed")]  # each was decided twice
    assert len(run.steps) - len(begun) < 12 * len(JOURNEYS[journey_id].events) + 100
