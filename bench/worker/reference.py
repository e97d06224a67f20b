"""A loop tuned by hand on redis-py: batches, one round trip to load, one script to commit with a compare-and-set.

Does the session hop and nothing else: no timers, no dead letters, no retries, no log line, one event for each session.
"""

import gc
from pathlib import Path
from typing import Any

import redis

from bench.worker.plain import STEP, URL
from shared.event.wire import Stream
from shared.stream.key import DATA_FIELD, prescriptions_key, seen_key, state_key, stream_key

BATCH = 200
SESSIONS, ADJUSTMENTS = stream_key(0, Stream.SESSIONS), stream_key(0, Stream.ADJUSTMENTS)


def main() -> None:
    """Until it is killed."""
    client = redis.Redis.from_url(URL)
    commit = client.register_script((Path(__file__).parent / "reference.lua").read_bytes())
    gc.collect()
    gc.freeze()
    while True:
        found: Any = client.xreadgroup("progression", "reference", {SESSIONS: ">"}, count=BATCH, block=1000)
        if found:
            _handle(client, commit, found[0][1])


def _handle(client: Any, commit: Any, entries: list[Any]) -> None:
    arrivals = [(entry_id, STEP.decode("0-1", row[DATA_FIELD])) for entry_id, row in entries]
    pipeline = client.pipeline(transaction=False)
    for _, arrival in arrivals:
        pipeline.get(state_key(0, "progression", arrival.subject))
        pipeline.zmscore(seen_key(0, "progression", arrival.subject), list(STEP.marks(arrival)))
    answers = pipeline.execute()
    keys: list[str] = []
    arguments: list[Any] = []
    for number, (entry_id, arrival) in enumerate(arrivals):
        if any(score is not None for score in answers[2 * number + 1]):
            continue
        stepped = STEP.take("0-1", arrival, answers[2 * number])
        event, subject = stepped.events[0], arrival.subject
        keys += [
            state_key(0, "progression", subject),
            seen_key(0, "progression", subject),
            prescriptions_key(0, subject),
        ]
        arguments += [entry_id, stepped.version, stepped.record, *stepped.marks]
        arguments += [event.program_id, event.prefix, event.suffix]
    lost = commit(keys=[*keys, ADJUSTMENTS, SESSIONS], args=arguments)
    if lost:
        raise RuntimeError("somebody else works on these patients")


if __name__ == "__main__":
    main()
