"""The shipped files: they parse, they hide nothing, and they are what the builder writes."""

import json

import pytest

from shared.decision import Arrival
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from shared.journey.library import Journey, is_head, shipped_folder, shipped_journeys
from shared.protocol.library import shipped_protocols
from shared.stream.decode import MAX_BYTES, Source, decode
from shared.stream.key import DATA_FIELD
from shared.stream.pure_pipeline import time_of
from tests.journeys.build import written
from tests.journeys.case import Case
from tests.journeys.cases import CASES
from tests.journeys.patient import START

JOURNEYS = shipped_journeys()
PLATFORM = (Stream.INTAKES, Stream.SESSIONS, Stream.DECISIONS, Stream.PATIENTS)


def test_every_case_ships_as_one_file() -> None:
    """What the demonstration replays is what the tests judge."""
    assert [journey.journey_id for journey in JOURNEYS] == sorted(case.journey for case in CASES)


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey.journey_id for journey in JOURNEYS])
def test_every_line_is_an_event_of_the_contract_for_one_patient(journey: Journey) -> None:
    """A service would read every line without a complaint."""
    ids = set()
    for raw in journey.events:
        assert not is_head(raw)
        stream = PAYLOAD_BY_TYPE[json.loads(raw)["type"]].stream
        assert stream in PLATFORM
        source = Source(0, 1, stream, f"care:{{0}}:{stream}", max_ahead=time_of(raw) - START)
        arrival = decode("1-0", {DATA_FIELD: raw}, source, START)
        assert isinstance(arrival, Arrival)
        assert arrival.subject == journey.patient
        assert len(raw) < MAX_BYTES
        ids.add(arrival.id)
    assert len(ids) == len(journey.events)


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey.journey_id for journey in JOURNEYS])
def test_every_head_says_what_is_published_and_what_is_assumed(journey: Journey) -> None:
    """No figure hides where it comes from; its references stand in the evidence base or name a source."""
    head = journey.head
    assert head["published"]
    assert head["interpolated"]
    assert head["assumed"]
    assert head["expected"]["disposition"]
    assert head["references"][0] in shipped_protocols().evidence


@pytest.mark.parametrize("case", CASES, ids=[case.journey for case in CASES])
def test_every_file_is_what_the_builder_writes_today(case: Case) -> None:
    """A changed protocol changes what a patient is asked to do; then `python -m tests.journeys.build` is due."""
    assert (shipped_folder() / f"{case.journey}.jsonl").read_bytes() == written(case)
