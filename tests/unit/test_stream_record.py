"""A patient's record as it lies in Redis: small, readable by every release that may, and never misread."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bench import workload
from services.progression.app import make_service as make_progression
from shared.decision import Decision
from shared.service import Service
from shared.stream.record import NewerStateError, Record, Timer, encode, reader, to_plain

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


class Older(msgspec.Struct, frozen=True):
    """A state with all that JSON knows no type for."""

    seen_at: datetime
    packed: bytes
    pain: float


class Newer(msgspec.Struct, frozen=True):
    """The same with a field of another name."""

    noted_at: datetime
    packed: bytes
    pain: float


def _renamed(state: dict[str, Any]) -> dict[str, Any]:
    """An upcast is told of JSON: instants are text, bytes are base64."""
    assert isinstance(state["seen_at"], str)
    assert state["packed"] == "AP8="
    return {"noted_at": state.pop("seen_at")} | state


def _nothing(*_: Any) -> Decision[Any]:
    return Decision(None)


OLDER: Service[Any] = Service("progression", "", (), (), Older, _nothing)
NEWER = replace(OLDER, state_type=Newer, state_version=2, upcasts={1: _renamed})
RECORD = Record(Older(AT, b"\x00\xff", 2.5), {"review": Timer(5, "c")}, lists={"open": {"e-1": 7}})
PLAIN = (
    b'4:{"state":{"seen_at":"2026-03-01T08:30:00Z","packed":"AP8=","pain":2.5},'
    b'"timers":{"review":[5,"c"]},"lists":{"open":{"e-1":7}}}'
)


def test_what_is_written_is_read() -> None:
    """The version and all of the record."""
    stored = reader(OLDER)(encode(RECORD, 4))
    assert (stored.version, stored.record, stored.unreadable) == (4, RECORD, None)


def test_a_record_in_plain_json_is_read() -> None:
    """So it was written once, and so a person may mend one."""
    stored = reader(OLDER)(PLAIN)
    assert (stored.version, stored.record, stored.unreadable) == (4, RECORD, None)


def test_a_person_can_read_a_packed_record() -> None:
    """An export of a patient's data shows what is kept, also where no release here can decode the state."""
    assert to_plain(encode(RECORD, 4)) == PLAIN
    assert to_plain(PLAIN) == PLAIN


@pytest.mark.parametrize("raw", [encode(RECORD, 4), PLAIN], ids=["packed", "plain"])
def test_an_upcast_is_told_of_json_whatever_the_state_was_packed_in(raw: bytes) -> None:
    """It is written once, for all records of that version."""
    stored = reader(NEWER)(raw)
    assert stored.unreadable is None
    assert stored.record == replace_state(RECORD, Newer(AT, b"\x00\xff", 2.5), 2)


def test_a_newer_state_keeps_its_timers_and_lists() -> None:
    """An erasure by an older release takes these too."""
    stored = reader(OLDER)(encode(replace_state(RECORD, Newer(AT, b"", 1.0), 2), 4))
    assert isinstance(stored.unreadable, NewerStateError)
    assert (stored.record.state, stored.record.timers, stored.record.lists) == (None, RECORD.timers, RECORD.lists)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x28\xb5\x2f\xfdbroken",
        encode(RECORD, 4).partition(b":")[2][:-3],
        b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little") + b"\x01\x00\x00",
        b"[1]",
        b'{"state":',
    ],
    ids=["empty", "no frame", "cut off", "an exabyte", "no object", "half of JSON"],
)
def test_a_broken_record_is_said_to_be_unreadable(body: bytes) -> None:
    """It fails its own entries with a reason, is not overwritten, and stops nobody else."""
    stored = reader(OLDER)(b"4:" + body)
    assert stored.version == 4
    assert stored.unreadable is not None
    assert stored.record.state is None
    if not body.startswith(b"{"):
        with pytest.raises(ValueError, match="no record"):
            to_plain(b"4:" + body)


def test_threads_do_not_mix_up_records() -> None:
    """Packing gives way to other threads in its midst."""
    records = [Record(Older(AT, bytes([number]) * 50_000, number)) for number in range(8)]
    read = reader(OLDER)

    def round_trips(record: Record[Any]) -> bool:
        return all(read(encode(record, 1)).record == record for _ in range(200))

    with ThreadPoolExecutor(len(records)) as pool:
        assert all(pool.map(round_trips, records))


def test_a_record_takes_less_than_half_of_its_json() -> None:
    """Memory decides how many patients a Redis holds."""
    record = workload.after(20).record
    assert len(record) * 2 < len(to_plain(record))
    assert reader(make_progression(workload.SETTINGS))(record).unreadable is None


def replace_state(record: Record[Any], state: Any, version: int) -> Record[Any]:
    return msgspec.structs.replace(record, state=state, state_version=version)
