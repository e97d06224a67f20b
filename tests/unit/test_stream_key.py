"""Where patients and their data lie."""

import pytest

from shared.event.wire import Stream
from shared.stream.key import ANSWERS_FOR, READERS, partition_of, state_key, stream_key


@pytest.mark.parametrize(("patient", "slot"), [("123456789", 12739), ("foo", 12182), ("bar", 5061)])
def test_a_patients_partition_is_the_key_slot_of_redis_cluster(patient: str, slot: int) -> None:
    """Every platform can compute where a patient's events belong."""
    assert partition_of(patient, 16384) == slot
    assert partition_of(patient, 7) == slot % 7


def test_all_keys_of_a_partition_share_its_hash_tag() -> None:
    """All that changes together lies on one Redis node."""
    assert stream_key(3, Stream.DEAD_LETTERS) == "care:{3}:dead-letters"
    assert state_key(3, "planner", "p1") == "care:{3}:planner:state:p1"


def test_whoever_answers_for_a_stream_also_reads_it() -> None:
    """No stream is left without a service that reports what cannot be read."""
    assert {stream for stream, readers in READERS.items() if readers} == set(ANSWERS_FOR)
    assert all(name in READERS[stream] for stream, name in ANSWERS_FOR.items())
