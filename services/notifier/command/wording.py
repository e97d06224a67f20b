"""Spans and instants in few words, and how grave a thing is in colour."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from services.notifier.domain.state import LAST_RESORT
from shared.cli.terminal import span
from shared.event.vocabulary import Urgency

SHORT_ID = 8
COLOUR: dict[Urgency, str] = {"emergency": "bold red", "urgent": "yellow", "routine": "cyan"}


def severity(value: Urgency) -> Text:
    """Coloured on a terminal, and the word everywhere."""
    return Text(value, COLOUR[value])


def shortened(ids: Sequence[str]) -> dict[str, str]:
    """Each id's shortest beginning, of 8 characters or more, that no other of them has."""
    ordered = sorted(set(ids))
    found = {}
    for place, one in enumerate(ordered):
        neighbours = ordered[max(0, place - 1) : place] + ordered[place + 1 : place + 2]
        length = SHORT_ID
        while length < len(one) and any(other.startswith(one[:length]) for other in neighbours):
            length += 1
        found[one] = one[:length]
    return found


def moment(instant: datetime | None) -> str:
    """To the minute, in UTC."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def when(instant: datetime, now: datetime) -> str:
    """`in 12 min`, `3 h ago`."""
    return f"in {span(instant - now)}" if instant > now else f"{span(now - instant)} ago"


def step(number: int) -> str:
    """A step of the policy's chain."""
    return "last resort" if number == LAST_RESORT else f"step {number}"
