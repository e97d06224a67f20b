"""State and events of older releases are read, those of newer ones are left alone."""

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from shared.event import upcast
from shared.event.patient import PatientErased
from shared.event.wire import Stream
from shared.stream.record import NewerStateError, reader, to_plain
from tests.integration.test_exactly_once import reported
from tests.support.example import EPOCH, wire
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import session, toy
from tests.support.upgrade import Tally, release

STATE = "care:{0}:progression:state:patient-1"
WRITTEN_BY_FIRST = b'7:{"state":{"sessions":5,"fired":[],"flags":[],"begun":0,"timers":{}}}'


def values(events: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Count and release of each output."""
    return [(event["data"]["value"], event["data"]["week"]) for event in events]


def test_state_of_the_first_release_is_cast_up() -> None:
    """What was written before states had versions is of version 1."""
    stored = reader(release(2))(WRITTEN_BY_FIRST)
    assert (stored.version, stored.record.state, stored.unreadable) == (7, Tally(done=5), None)
    assert stored.record.state_version == 2


def test_state_of_a_newer_release_is_no_state_to_an_older_one() -> None:
    """Reading it by the old names would count from nothing."""
    raw = b'7:{"state":{"done":5,"release":2},"timers":{"review":[1,"c"]},"state_version":2}'
    stored = reader(release(1))(raw)
    assert stored.record.state is None
    assert isinstance(stored.unreadable, NewerStateError)
    assert list(stored.record.timers) == ["review"]


def test_a_service_without_an_upcast_for_each_older_version_cannot_be_built() -> None:
    """A gap would show only at the first old patient."""
    with pytest.raises(ValueError, match="one upcast is needed for each version before 3"):
        replace(release(2), state_version=3)


async def test_care_goes_on_where_the_older_release_left_it(redis_url: str) -> None:
    """After an upgrade nobody begins anew."""
    async with client_for(redis_url) as client:
        async with running([release(1)], redis_url):
            await publish(client, Stream.SESSIONS, reported(1), reported(2))
            await until_idle(client, 2)
        async with running([release(2)], redis_url):
            await publish(client, Stream.SESSIONS, reported(3))
            await until_idle(client, 3)
        assert values(await read(client, Stream.ADJUSTMENTS)) == [(1, 0), (2, 0), (3, 2)]
        record: Any = await client.get(STATE)
        assert json.loads(to_plain(record).partition(b":")[2])["state_version"] == 2


async def test_after_a_rollback_an_older_release_waits_for_the_newer(redis_url: str) -> None:
    """Not misread, not overwritten, not tried to death: each entry is there when the newer release comes back."""
    fast = {"claim_idle_s": 0.2, "max_deliveries": 1}
    bad = wire("care.session.reported.v1", session(9, symptoms=["saddle_anaesthesia"], pain_during=99), event_id="e9")
    async with client_for(redis_url) as client:
        async with running([release(2)], redis_url):
            await publish(client, Stream.SESSIONS, reported(1))
            await until_idle(client, 1)
        before = await client.get(STATE)
        other = wire("care.session.reported.v1", session(1), subject="patient-2", event_id="o1")
        async with running([release(1)], redis_url, **fast):
            await publish(client, Stream.SESSIONS, reported(2), bad, reported(3), other)
            group = ("care:{0}:sessions", "progression")
            summary: Any = {"pending": None}
            async with asyncio.timeout(60):
                while summary["pending"] != 3 or len(await read(client, Stream.ADJUSTMENTS)) < 2:
                    await asyncio.sleep(0.05)
                    summary = await client.xpending(*group)
            await asyncio.sleep(1)  # several looks at what is pending; whatever they did is asserted
            summary = await client.xpending(*group)
        assert await client.get(STATE) == before
        assert await read(client, Stream.DEAD_LETTERS) == []
        (held,) = summary["consumers"]
        assert held["name"] == b"state-version-2"
        waiting: Any = await client.xpending_range(*group, min="-", max="+", count=10)
        assert [entry["times_delivered"] for entry in waiting] == [0, 0, 0]
        async with running([release(2)], redis_url, **fast):
            await until_idle(client, 5)
        told = [event for event in await read(client, Stream.ADJUSTMENTS) if event["subject"] == "patient-1"]
        assert values(told) == [(1, 2), (2, 2), (2, 2), (3, 2)]
        assert [event["data"]["goal_id"] for event in told][2] == "flags"
        (letter,) = await read(client, Stream.DEAD_LETTERS)
        assert (letter["data"]["error"]["code"], letter["data"]["attempts"]) == ("out_of_range", 1)


async def test_an_older_release_erases_what_a_newer_one_wrote(redis_url: str) -> None:
    """The right to be erased waits for no rollout, and takes lists and timers of a state that nobody can read."""
    async with client_for(redis_url) as client:
        later = 4102444800000
        timers = {"review": [later, "c"]}
        body = {"state": {"done": 5}, "timers": timers, "lists": {"open": {"e-1": 5}}, "state_version": 2}
        await client.set(STATE, b"3:" + json.dumps(body).encode())
        await client.zadd("care:{0}:progression:timers", {"patient-1|review": later})
        await client.zadd("care:{0}:progression:list:open", {"patient-1|e-1": 5})
        async with running([release(1)], redis_url):
            await publish(client, Stream.PATIENTS, wire(PatientErased.event_type, {}, event_id="x", time=EPOCH))
            await until_idle(client)
        assert await client.keys("*patient-1*") == []
        assert await client.keys("care:{0}:progression:timers") == []
        assert await client.keys("care:{0}:progression:list:open") == []


async def test_a_red_flag_in_a_rejected_event_overwrites_no_state_that_cannot_be_read(redis_url: str) -> None:
    """It is reported as a failure to handle, and what is kept of the patient stays as it is."""
    broken = b'3:{"state":{"sessions":"many"}}'
    async with client_for(redis_url) as client:
        await client.set(STATE, broken)
        bad = wire(
            "care.session.reported.v1", session(9, symptoms=["saddle_anaesthesia"], pain_during=99), event_id="e"
        )
        async with running([toy()], redis_url, max_deliveries=1):
            await publish(client, Stream.SESSIONS, bad)
            await until_idle(client)
        assert await client.get(STATE) == broken
        (letter,) = await read(client, Stream.DEAD_LETTERS)
        assert letter["data"]["error"]["code"] == "handler_failed"


@pytest.fixture
def _older_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if sessions had once been `v0`, with the worst pain under another name and on a scale of 100."""

    def to_v1(event: dict[str, Any]) -> dict[str, Any]:
        data = dict(event["data"])
        data["pain_during"] = data.pop("worst_pain_percent") / 10
        return event | {"type": "care.session.reported.v1", "data": data}

    monkeypatch.setitem(upcast.UPCASTS, "care.session.reported.v0", to_v1)


def older(number: int, **data: Any) -> bytes:
    body = {name: value for name, value in session(number).items() if name != "pain_during"} | data
    return wire("care.session.reported.v0", body, event_id=f"e{number}")


@pytest.mark.usefixtures("_older_type")
async def test_an_older_type_still_arrives_beside_the_newer(redis_url: str) -> None:
    """Platforms change when they can: both forms count, once each, and what is wrong in either is rejected."""
    async with client_for(redis_url) as client, running([toy()], redis_url):
        await publish(
            client,
            Stream.SESSIONS,
            older(1, worst_pain_percent=20),
            reported(2),
            older(1, worst_pain_percent=20),
            older(3),
            older(4, worst_pain_percent=2000),
        )
        await until_idle(client, 2)
        letters = await read(client, Stream.DEAD_LETTERS)
    found = [(letter["data"]["error"]["code"], letter["data"]["error"]["path"]) for letter in letters]
    assert found == [("invalid_data", "$.data"), ("out_of_range", "$.data.pain_during")]
    assert base64.b64decode(letters[0]["data"]["original"]) == older(3), "the original is what the platform wrote"


@pytest.mark.usefixtures("_older_type")
def test_an_event_that_was_kept_in_its_older_form_is_read_in_the_newer() -> None:
    """A session may wait for its program over an upgrade."""
    event = upcast.parse(older(1, worst_pain_percent=20))
    assert (event.type, event.data.pain_during) == ("care.session.reported.v1", 2)
