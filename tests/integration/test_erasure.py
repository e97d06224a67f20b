"""An erased patient leaves nothing behind, and numbering is shared by two services."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.decision import Arrival, Decision, Draft, Incoming, Numbering
from shared.event.adjustment import LoadAdjusted, MinimalImportantChange, Response
from shared.event.explanation import ProtocolRef
from shared.event.wire import Stream
from shared.stream.record import to_plain
from tests.integration.test_exactly_once import pump_for, reported, taken
from tests.support.example import EPOCH, wire
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import Count, session, toy

STATE = "care:{0}:progression:state:patient-1"


def erased(at: datetime, event_id: str = "erase") -> bytes:
    return wire("care.patient.erased.v1", {}, event_id=event_id, time=at)


async def test_erasure_deletes_state_marks_timers_and_numbers(redis_url: str) -> None:
    """Of an erased patient only a digest is kept that tells of the erasure, for as long as duplicates are known."""
    async with client_for(redis_url) as client, running([toy()], redis_url):
        await client.hset("care:{0}:prescriptions:patient-1", "program-1", 3)
        future = reported(1, notes="timer review 999999999")
        await publish(client, Stream.SESSIONS, future)
        await until_idle(client, 1)
        assert await client.zcard("care:{0}:progression:timers") == 1
        await publish(client, Stream.PATIENTS, erased(EPOCH + timedelta(hours=1)))
        await until_idle(client)
        assert await client.keys("*patient-1*") == []
        assert await client.zcard("care:{0}:progression:timers") == 0
        (buried,) = await client.keys("care:{0}:progression:erased:*")
        tombstone: Any = await client.get(buried)
        assert b"sessions" not in tombstone
        assert await client.pttl(buried) > 0


async def test_events_from_before_an_erasure_are_dropped_and_later_ones_begin_anew(redis_url: str) -> None:
    """A late report does not bring an erased patient back; coming back does."""
    async with client_for(redis_url) as client:
        async with running([toy()], redis_url):
            await publish(client, Stream.SESSIONS, reported(1), reported(2))
            await until_idle(client, 2)
            await publish(client, Stream.PATIENTS, erased(EPOCH + timedelta(hours=1)))
            await until_idle(client)
            later = wire("care.session.reported.v1", session(4), event_id="e4", time=EPOCH + timedelta(hours=2))
            await publish(client, Stream.SESSIONS, reported(1), reported(3), later)
            await until_idle(client, 3)
            await publish(client, Stream.PATIENTS, erased(EPOCH + timedelta(hours=1)))
            await until_idle(client)
            record: Any = await client.get(STATE)
            assert b'"sessions":1' in to_plain(record)
        values = [event["data"]["value"] for event in await read(client, Stream.ADJUSTMENTS)]
        assert values == [1, 2, 1]


def prescribe(state: Count | None, event: Incoming, protocols: Any, now: datetime) -> Decision[Count]:
    """Publishes a numbered prescription for each session."""
    assert isinstance(event, Arrival)
    adjusted = LoadAdjusted(
        protocol=ProtocolRef(id="toy", version="1.0.0"),
        rationale='as "prescription_seq":0 says',
        program_id="program-1",
        session_id=event.event.data.session_id,
        checkin_id=None,
        phase_id="phase-1",
        prescription_seq=0,
        changes=(),
        prescription=(),
        response=Response(
            status="on_track",
            week=0,
            sessions_done=0,
            adherence=None,
            adherence_4w=None,
            pain_trend_per_week=None,
            probability_of_meaningful_change=None,
            minimal_important_change=MinimalImportantChange(instrument="NPRS", points=2),
        ),
        late=False,
    )
    drafts = (
        Draft(adjusted, event.time, numbering=Numbering.NEXT),
        Draft(adjusted, event.time, key="again", numbering=Numbering.CURRENT),
    )
    return Decision(Count(), drafts)


async def test_two_services_number_one_programs_prescriptions_without_gap(redis_url: str) -> None:
    """Whoever prescribes, the highest number is in force, and no number is given twice."""
    only = (Stream.SESSIONS,)
    services = [toy(reads=only, decide=prescribe), toy("notifier", reads=only, decide=prescribe)]
    async with client_for(redis_url) as client:
        async with running(services, redis_url, batch_size=3), running(services, redis_url, consumer="b", batch_size=3):
            for start in range(0, 40, 8):
                await publish(client, Stream.SESSIONS, *(reported(n) for n in range(start, start + 8)))
            await until_idle(client, 160)
        numbers = [event["data"]["prescription_seq"] for event in await read(client, Stream.ADJUSTMENTS)]
        assert numbers[::2] == numbers[1::2] == list(range(1, 81))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=8), min_size=1, max_size=6))
async def test_any_interleaving_of_commits_sent_again_has_one_effect(redis_url: str, batches: list[list[int]]) -> None:
    """However often, and in whatever portions, work is done again: the result is that of doing it once."""
    async with client_for(redis_url) as client:
        await client.flushdb()
        pump = pump_for(client, redis_url)
        await client.xgroup_create(pump.key, "progression", id="0", mkstream=True)
        await publish(client, Stream.SESSIONS, *(reported(n) for n in range(7)), b"garbage")
        ids, rows = await taken(client)
        for batch in [*batches, list(range(8))]:
            await pump.process([ids[n] for n in batch], [rows[n] for n in batch])
        outputs = await read(client, Stream.ADJUSTMENTS)
        assert sorted(event["causationid"] for event in outputs) == [f"e{n}" for n in range(7)]
        assert [event["data"]["value"] for event in outputs] == list(range(1, 8))
        assert len(await read(client, Stream.DEAD_LETTERS)) == 1
