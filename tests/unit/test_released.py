"""What earlier releases wrote is read by this one, and care goes on from it as if nothing had been changed."""

import json
from pathlib import Path

import pytest

from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.upcast import parse
from shared.stream.record import reader
from tests.support.four_services import four_services
from tests.support.released import FOLDER, LEFT, fresh, go_on, read_lines, read_records, write

RELEASES = sorted(FOLDER.glob("*")) if FOLDER.is_dir() else []


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this very code would release."""
    folder = tmp_path_factory.mktemp("released") / "present"
    write(folder)
    return folder


@pytest.fixture(params=["present", *(path.name for path in RELEASES)])
def release(request: pytest.FixtureRequest) -> Path:
    if request.param == "present":
        found: Path = request.getfixturevalue("present")
        return found
    return FOLDER / str(request.param)


def test_every_event_that_a_release_wrote_can_still_be_read(release: Path) -> None:
    """One of each type, by the platform or by a service."""
    events = [parse(raw) for raw in read_lines(release / "events.jsonl")]
    assert {json.loads(raw)["type"] for raw in read_lines(release / "events.jsonl")} <= {
        *PAYLOAD_BY_TYPE,
        *(event.type for event in events),
    }
    assert len(events) >= len(PAYLOAD_BY_TYPE)


def test_every_record_that_a_release_wrote_can_still_be_read(release: Path) -> None:
    """Of each service, in the midst of care."""
    readers = {service.name: reader(service) for service in four_services()}
    seen = set()
    for held in read_records(release)["holdings"]:
        stored = readers[held["service"]](held["record"].encode())
        assert stored.unreadable is None, held["service"]
        assert stored.record.state is not None
        seen.add(held["service"])
    assert seen == readers.keys()


def test_care_goes_on_from_a_release_s_records_as_from_the_beginning(release: Path) -> None:
    """The same program, the same load, the same alarms to the byte."""
    told = read_lines(release / "inputs.jsonl")
    began, went_on = fresh(), fresh()
    began.replay(told[:-LEFT])
    went_on.restore(read_records(release))
    expected = go_on(began, told[-LEFT:])
    assert go_on(went_on, told[-LEFT:]) == expected
    assert sum(len(events) for events in expected.values()) > 20


def test_a_release_is_written_once(present: Path) -> None:
    """A fixture that is written anew proves nothing."""
    with pytest.raises(FileExistsError):
        write(present)
