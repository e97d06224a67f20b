"""A short form of the fuzzing in process."""

from collections import Counter
from datetime import timedelta
from random import Random

import pytest

from shared.event.wire import Stream
from shared.stream.decode import Source as Place
from shared.stream.decode import Undecodable, decode
from shared.stream.key import DATA_FIELD, stream_key
from tests.fuzz.core import fuzz
from tests.fuzz.mutation import Source
from tests.support.example import EPOCH

EVENTS = 6000


@pytest.mark.slow
def test_no_event_stops_the_decoder_or_a_core() -> None:
    """Thousands of spoilt events: nothing raises, and each that is no event has one dead letter with its reason."""
    report = fuzz(EVENTS, seed=20)
    assert report.events == EVENTS
    assert set(report.dead) >= {"invalid_json", "invalid_envelope", "invalid_data", "out_of_range", "unknown_id"}
    assert report.outcomes["handled"] > EVENTS / 20, "too few events were good enough to reach a core"


def test_spoilt_events_reach_every_corner_of_the_decoder() -> None:
    """The mutations are worth something: they lead to each reason for which a decoder rejects."""
    source = Source(Random(1), 8, EPOCH)  # noqa: S311  # no secret
    found: Counter[str] = Counter()
    for _ in range(8000):
        stream, raw = source.spoilt()
        place = Place(0, 1, stream, stream_key(0, stream), timedelta(hours=24))
        content = decode("1-0", {DATA_FIELD: raw}, place, EPOCH)
        found[content.code if isinstance(content, Undecodable) else "valid"] += 1
    assert stream in Stream
    assert set(found) >= {
        "valid",
        "invalid_json",
        "invalid_envelope",
        "invalid_data",
        "out_of_range",
        "unknown_id",
        "unknown_type",
        "impossible_time",
        "wrong_stream",
    }
