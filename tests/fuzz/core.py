"""Spoilt events through decoder and cores, in process: none may raise, each is handled or has one dead letter."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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


def fuzz(count: int, seed: int, tell: Callable[[Report], None] = lambda _: None, processes: int = 1) -> Report:
    """So many events. Raises AssertionError, or what a core raised, with the seed of the batch.

    The events are the same however many processes share the work.
    """
    whole = Report()
    seeds = [f"{seed}/{number}" for number in range(-(-count // BATCH))]
    sizes = [min(BATCH, count - BATCH * number) for number in range(len(seeds))]
    with ProcessPoolExecutor(processes) as pool:
        for one in pool.map(_batch, seeds, sizes) if processes > 1 else map(_batch, seeds, sizes):
            whole.events += one.events
            whole.dead += one.dead
            whole.outcomes += one.outcomes
            tell(whole)
    return whole


def _batch(seed: str, count: int) -> Report:
    try:
        return _played(Random(seed), count)  # noqa: S311  # no secret
    except Exception as error:
        error.add_note(f"batch {seed}")
        raise


def _played(rng: Random, count: int) -> Report:
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
    dead = Counter(letter.error.code for letter in letters)
    assert not dead["handler_failed"], f"{dead['handler_failed']} events could not be handled"
    return Report(count, dead, Counter(step.outcome for step in pipeline.steps))
