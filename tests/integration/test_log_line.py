"""The canonical log line: one for each entry, ids only."""

from structlog.testing import capture_logs

from shared.event.wire import Stream
from shared.log import FIELDS
from tests.integration.test_exactly_once import reported
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
