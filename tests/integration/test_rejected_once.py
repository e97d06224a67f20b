"""Several services may wait for what one decision names; it has one dead letter all the same."""

from datetime import timedelta

from redis.asyncio import Redis

from shared.cli.dead_letter import _replay
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.key import CLOCK, rejected_key
from tests.support.example import EPOCH, wire
from tests.support.four_services import NAMES, four_services, four_services_pipeline
from tests.support.running import client_for, move_clock, publish, read, running

LATE = EPOCH + timedelta(days=15)
VAIN = wire(
    "care.clinician.decided.v1",
    {
        "decision_id": "d-1",
        "clinician_id": "c-1",
        "decision": "reclassify",
        "program_id": "prg-nobody-knows",
        "intake_id": "nobody-knows",
        "escalation_id": "esc-nobody-knows",
        "conditions": ["gluteal_tendinopathy"],
        "rationale": "examined again",
    },
    event_id="e-1",
    time=EPOCH,
)


async def letters(client: Redis) -> list[tuple[str, str]]:
    return [(one["causationid"], one["data"]["error"]["code"]) for one in await read(client, Stream.DEAD_LETTERS)]


async def test_a_decision_that_names_nothing_known_has_one_dead_letter_for_each_try(redis_url: str) -> None:
    """Intake, planner and notifier each give it up at the end of the late window; after a replay all try again."""
    async with client_for(redis_url) as client:
        await client.set(CLOCK, EPOCH.isoformat())
        async with running(four_services(), redis_url, clock="replay"):
            await publish(client, Stream.DECISIONS, VAIN)
            await move_clock(client, EPOCH + timedelta(hours=1), NAMES, timeout_s=60)
            assert await letters(client) == []
            await move_clock(client, LATE, NAMES, timeout_s=60)
            ((cause, code),) = await letters(client)
            assert cause == "e-1"
            assert code in ("unknown_intake", "unknown_program", "unknown_escalation")
            assert await client.zcard(rejected_key(0)) == 1
            assert await client.pttl(rejected_key(0)) > 0
            assert await _replay(Settings(redis_url=redis_url), None) == 1
            await move_clock(client, LATE + timedelta(days=1), NAMES, timeout_s=60)
            assert len(await letters(client)) == 1
            assert await client.zcard(rejected_key(0)) == 2


def test_in_memory_it_has_one_as_well() -> None:
    pipeline = four_services_pipeline(EPOCH)
    pipeline.submit(VAIN)
    pipeline.advance(LATE)
    assert len(pipeline.published(Stream.DEAD_LETTERS)) == 1
