"""No backlog delays an emergency."""

from typing import Any

from bench import workload
from services.intake.app import make_service as make_intake
from services.progression.app import make_service as make_progression
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.idle import wait_until_idle
from shared.stream.key import CLOCK, stream_key
from shared.stream.scout import _pattern
from tests.support.example import EPOCH, intake, wire
from tests.support.running import client_for, publish, read, running

BACKLOG = 500
BATCH = 20


def entry_ids(entries: Any) -> list[tuple[int, ...]]:
    return [tuple(map(int, entry_id.decode().split("-"))) for entry_id, _ in entries]


async def test_a_red_flag_at_the_end_of_a_long_queue_is_escalated_first(redis_url: str) -> None:
    """A patient with a red flag does not wait for the hundreds whose sessions came before; all are handled once."""
    work = workload.after(3)
    flagged = workload.patient_id(BACKLOG)
    async with client_for(redis_url) as client:
        await client.set(CLOCK, work.now.isoformat())
        await workload.seed(client, work, range(BACKLOG + 1))
        await workload.send(client, work, range(BACKLOG))
        await publish(client, Stream.SESSIONS, workload.flagged(flagged, 3, work.now)[1])
        service = make_progression(Settings(redis_url=redis_url))
        async with running([service], redis_url, clock="replay", batch_size=BATCH):
            await wait_until_idle(client, 1, timeout_s=120)
        (raised,) = await read(client, Stream.ESCALATIONS)
        assert (raised["subject"], raised["data"]["reason"]) == (flagged, "red_flag")
        (escalated_at,) = entry_ids(await client.xrange(stream_key(0, Stream.ESCALATIONS)))
        adjusted_at = entry_ids(await client.xrange(stream_key(0, Stream.ADJUSTMENTS)))
        assert sum(at < escalated_at for at in adjusted_at) < BACKLOG / 2
        causes = [event["causationid"] for event in await read(client, Stream.ADJUSTMENTS)]
        assert len(causes) == len(set(causes)) == BACKLOG + 1


async def test_a_spoilt_report_with_a_red_flag_acts_before_its_turn_and_is_put_aside_in_it(redis_url: str) -> None:
    """What else is wrong with a report delays its red flag as little as a queue does; its dead letter comes once."""
    work = workload.after(3)
    flagged = workload.patient_id(BACKLOG)
    raw = workload.flagged(flagged, 3, work.now)[1].replace(b'"pain_during": 6', b'"pain_during": 66')
    async with client_for(redis_url) as client:
        await client.set(CLOCK, work.now.isoformat())
        await workload.seed(client, work, range(BACKLOG + 1))
        await workload.send(client, work, range(BACKLOG))
        await publish(client, Stream.SESSIONS, raw)
        service = make_progression(Settings(redis_url=redis_url))
        async with running([service], redis_url, clock="replay", batch_size=BATCH):
            await wait_until_idle(client, 1, timeout_s=120)
        (escalated_at,) = entry_ids(await client.xrange(stream_key(0, Stream.ESCALATIONS)))
        adjusted_at = entry_ids(await client.xrange(stream_key(0, Stream.ADJUSTMENTS)))
        assert sum(at < escalated_at for at in adjusted_at) < BACKLOG / 2
        (letter,) = await read(client, Stream.DEAD_LETTERS)
        assert letter["data"]["error"]["code"] == "out_of_range"


async def test_an_intake_with_an_emergency_is_classified_before_the_others(redis_url: str) -> None:
    """An emergency among many new patients is told at once."""
    count = 300
    async with client_for(redis_url) as client:
        for number in range(count):
            data = intake(intake_id=f"i-{number}", red_flags={"saddle_anaesthesia": "absent"})
            raw = wire("care.intake.submitted.v1", data, subject=f"p-{number}", event_id=f"e-{number}", time=EPOCH)
            await publish(client, Stream.INTAKES, raw)
        data = intake(intake_id="i-last", red_flags={"saddle_anaesthesia": "present"})
        await publish(
            client,
            Stream.INTAKES,
            wire("care.intake.submitted.v1", data, subject="p-last", event_id="e-last", time=EPOCH),
        )
        service = make_intake(Settings(redis_url=redis_url))
        async with running([service], redis_url, batch_size=10):
            await wait_until_idle(client, 1, timeout_s=120)
        order = [event["subject"] for event in await read(client, Stream.CLASSIFICATIONS)]
        assert len(order) == count + 1
        assert order.index("p-last") < count / 2


def test_a_flag_that_was_asked_and_is_absent_is_no_reason_to_hurry() -> None:
    """A whole screen names every flag; only one that is present, or reported as a symptom, hurries."""
    pattern = _pattern()
    assert pattern.search(b'{"red_flags": {"saddle_anaesthesia": "present"}}')
    assert pattern.search(b'{"symptoms":["night_pain_increased","saddle_anaesthesia"]}')
    assert pattern.search(b'{"symptoms": ["sudden_severe_pain" ]}')
    assert not pattern.search(b'{"red_flags": {"saddle_anaesthesia": "absent", "fever": "unknown"}}')
