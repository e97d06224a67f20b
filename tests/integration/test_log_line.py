"""The canonical log line: one for each entry, ids only."""

from datetime import UTC, datetime

from structlog.testing import capture_logs

from shared.event.wire import Stream
from shared.log import FIELDS
from tests.integration.test_exactly_once import reported
from tests.support.example import intake, wire
from tests.support.four_services import four_services
from tests.support.running import client_for, publish, running, until_idle
from tests.support.toy import toy


async def test_each_entry_gives_one_line_of_documented_fields_without_free_text(redis_url: str) -> None:
    """An operator can follow every report, and reads nothing that a patient wrote."""
    async with client_for(redis_url) as client:
        with capture_logs() as lines:
            async with running([toy()], redis_url, max_deliveries=1):
                await publish(
                    client, Stream.SESSIONS, reported(1), reported(1), reported(2, notes="raise"), b"my secret words"
                )
                await until_idle(client, 1)
    handled = [line for line in lines if line["event"] == "handled"]
    outcomes = sorted(str(line["outcome"]) for line in handled)
    assert outcomes == ["dead_lettered", "dead_lettered", "duplicate", "handled"]
    assert {name for line in handled for name in line} - {"log_level"} <= set(FIELDS)
    assert "leg hurts" not in str(lines)
    assert "secret" not in str(lines)


async def test_an_id_that_may_identify_is_noticed_once_and_not_repeated(redis_url: str) -> None:
    """Whoever connects a platform learns that it sends record numbers; the intake counts all the same."""
    (service,) = [service for service in four_services() if service.name == "intake"]
    numbers = ("0012345", "0012346")
    raws = [
        wire("care.intake.submitted.v1", intake(), subject=number, event_id=f"e-{number}", time=datetime.now(UTC))
        for number in numbers
    ]
    async with client_for(redis_url) as client:
        with capture_logs() as lines:
            async with running([service], redis_url):
                await publish(client, Stream.INTAKES, *raws)
                await until_idle(client, 2, Stream.CLASSIFICATIONS)
    (line,) = [line for line in lines if line["event"] == "patient_ids_may_identify"]
    assert not any(number in str(line) for number in numbers)
