"""Spoilt events through decoder and cores, in process: none may raise, each is handled or has one dead letter."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from shared.event.wire import Stream
from tests.fuzz.mutation import Source
from tests.support.example import EPOCH
from tests.support.four_services import four_services_pipeline

BATCH = 2000
"""Events of one set of patients; then others begin, so that no history is longer than it would be."""
PATIENTS = 8
EVENTS_A_DAY = 100
VALID_SHARE = 0.1


@dataclass(slots=True)
class Report:
    """What became of the events."""

    events: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    """By code."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of each service's decision on each event or timer."""


def fuzz(count: int, seed: int, tell: Callable[[Report], None] = lambda _: None) -> Report:
    """So many events. Raises AssertionError, or what a core raised, with the seed of the batch."""
    report = Report()
    for number in range(-(-count // BATCH)):
        batch_seed = f"{seed}/{number}"
        try:
            _batch(Random(batch_seed), min(BATCH, count - report.events), report)  # noqa: S311  # no secret
        except Exception as error:
            error.add_note(f"batch {batch_seed}")
            raise
        tell(report)
    return report


def _batch(rng: Random, count: int, report: Report) -> None:
    source = Source(rng, PATIENTS, EPOCH)
    pipeline = four_services_pipeline(EPOCH)
    for stream, raw in source.first():
        pipeline.submit(raw, stream)
    for number in range(count):
        if number % EVENTS_A_DAY == 0:
            source.now += timedelta(days=1)
            pipeline.advance(source.now)
        stream, raw = source.valid() if rng.random() < VALID_SHARE else source.spoilt()
        pipeline.submit(raw, stream)
    letters = [event.data for event in pipeline.published(Stream.DEAD_LETTERS)]
    places = Counter((letter.origin_stream, letter.entry_id) for letter in letters)
    twice = [place for place, times in places.items() if times > 1]
    assert not twice, f"dead letters twice: {twice[:3]}"
    assert all(letter.error.code and letter.error.path.startswith("$") for letter in letters)
    report.events += count
    report.dead.update(letter.error.code for letter in letters)
    report.outcomes.update(step.outcome for step in pipeline.steps)
