"""Bad input never stops the stream."""

import base64

from shared.event.wire import Stream
from shared.stream.key import stream_key
from tests.integration.test_exactly_once import pump_for, reported, taken
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import toy

FAST = {"claim_idle_s": 0.05, "max_deliveries": 3}


async def test_a_poison_entry_is_dead_lettered_and_its_neighbours_go_on(redis_url: str) -> None:
    """One unreadable report is put aside with its bytes; all others are handled."""
    async with client_for(redis_url) as client:
        async with running([toy(), toy("notifier")], redis_url):
            await publish(client, Stream.SESSIONS, reported(1), b"\xffgarbage", reported(2))
            await until_idle(client, 4)
        (dead,) = await read(client, Stream.DEAD_LETTERS)
        assert dead["data"]["error"] == {"code": "invalid_json", "path": "$", "message": "not JSON in UTF-8"}
        assert base64.b64decode(dead["data"]["original"]) == b"\xffgarbage"
        assert (dead["subject"], dead["data"]["service"], dead["data"]["attempts"]) == ("unknown", "progression", 1)


async def test_red_flags_of_a_rejected_session_act_in_the_same_step(redis_url: str) -> None:
    """A report with a red flag and a mistake alarms once, and is put aside."""
    broken = reported(1, pain_during=99, symptoms=["sudden_severe_pain"])
    async with client_for(redis_url) as client:
        async with running([toy(), toy("notifier")], redis_url):
            await publish(client, Stream.SESSIONS, broken, broken)
            await until_idle(client, 1)
        assert [event["data"]["goal_id"] for event in await read(client, Stream.ADJUSTMENTS)] == ["flags"]
        assert len(await read(client, Stream.DEAD_LETTERS)) == 2


async def test_an_event_whose_handling_fails_is_dead_lettered_after_its_last_try(redis_url: str) -> None:
    """A bug in a rule holds up one report, not the patient's other reports, and not for ever."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url, **FAST):
            await publish(client, Stream.SESSIONS, reported(1), reported(2, notes="raise"), reported(3))
            await until_idle(client, 2)
        (dead,) = await read(client, Stream.DEAD_LETTERS)
        assert (dead["data"]["error"]["code"], dead["data"]["attempts"]) == ("handler_failed", 3)
        assert (dead["subject"], dead["correlationid"]) == ("patient-1", "e2")
        assert "leg hurts" not in str(dead["data"]["error"])


async def test_red_flags_act_even_where_the_handling_fails(redis_url: str) -> None:
    """A bug in a rule does not swallow an alarm."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url, **FAST):
            failing = reported(1, notes="raise", symptoms=["sudden_severe_pain"])
            await publish(client, Stream.SESSIONS, failing)
            await until_idle(client, 1)
        assert [event["data"]["goal_id"] for event in await read(client, Stream.ADJUSTMENTS)] == ["flags"]
        assert len(await read(client, Stream.DEAD_LETTERS)) == 1


async def test_a_dead_letter_replayed_after_a_fix_is_handled(redis_url: str) -> None:
    """Nothing about the first, failed try stands in the way of a second."""
    async with client_for(redis_url) as client:
        pump = pump_for(client, redis_url, max_deliveries=1)
        await client.xgroup_create(pump.key, "progression", id="0", mkstream=True)
        await publish(client, Stream.SESSIONS, reported(1, notes="raise"))
        await pump.process(*await taken(client))
        await publish(client, Stream.SESSIONS, reported(1))
        await pump.process(*await taken(client))
        assert len(await read(client, Stream.ADJUSTMENTS)) == 1


async def test_a_record_that_cannot_be_read_is_left_as_it_is(redis_url: str) -> None:
    """Data of another version is not overwritten; the events that need it are put aside."""
    key = "care:{0}:progression:state:patient-1"
    async with client_for(redis_url) as client:
        await client.set(key, b'7:{"state":{"sessions":"many"}}')
        async with running([toy()], redis_url, **FAST):
            await publish(client, Stream.SESSIONS, reported(1))
            await until_idle(client, 1, Stream.DEAD_LETTERS)
        assert await client.get(key) == b'7:{"state":{"sessions":"many"}}'
        assert await client.xlen(stream_key(0, Stream.ADJUSTMENTS)) == 0
