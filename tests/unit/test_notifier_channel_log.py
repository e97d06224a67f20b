"""The log as a channel: ids for whoever watches it, as loud as the matter is."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.notifier.channels.channel import Receipt
from services.notifier.channels.log import LogChannel
from tests.support.outward import MESSAGES


async def logged(name: str) -> Any:
    with capture_logs() as lines:
        assert await LogChannel().send(MESSAGES[name], "secret@clinic.example") == Receipt("logged")
    (line,) = lines
    return line


@pytest.mark.parametrize(
    ("name", "event", "level"),
    [
        ("alert-emergency", "escalation", "critical"),
        ("alert", "escalation", "error"),
        ("digest", "digest", "warning"),
        ("notice-address", "notice", "critical"),
        ("notice-address-of-patient", "notice", "warning"),
        ("reminder-session", "reminder", "info"),
    ],
)
async def test_a_line_is_as_loud_as_the_matter(name: str, event: str, level: str) -> None:
    """Whoever watches for `critical` hears of every emergency."""
    line = await logged(name)
    assert (line["event"], line["log_level"]) == (event, level)
    assert line["notification_id"] == MESSAGES[name].notification_id


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_line_holds_neither_text_nor_address_nor_link(name: str) -> None:
    """The log may be read by people who may not read the message."""
    line = str(await logged(name))
    message = MESSAGES[name]
    for hidden in ("secret@clinic.example", "https://", message.subject, message.text[:40]):
        assert hidden not in line
