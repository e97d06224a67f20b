"""Spans and instants in few words, and how grave a thing is in colour."""

from datetime import UTC, datetime, timedelta

from rich.text import Text

from services.notifier.domain.state import LAST_RESORT
from shared.event.vocabulary import Urgency

COLOUR: dict[Urgency, str] = {"emergency": "bold red", "urgent": "yellow", "routine": "cyan"}


def severity(value: Urgency) -> Text:
    """Coloured on a terminal, and the word everywhere."""
    return Text(value, COLOUR[value])


def span(length: timedelta | float) -> str:
    """`4 min`, `3 h 20 min`, `2 d 4 h`: two units at most."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    minutes = round(abs(seconds) / 60)
    if minutes < 1:
        return f"{abs(seconds):.0f} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:2]) if days == 0 else " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


def moment(instant: datetime | None) -> str:
    """To the minute, in UTC."""
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def when(instant: datetime, now: datetime) -> str:
    """`in 12 min`, `3 h ago`."""
    return f"in {span(instant - now)}" if instant > now else f"{span(now - instant)} ago"


def step(number: int) -> str:
    """A step of the policy's chain."""
    return "last resort" if number == LAST_RESORT else f"step {number}"
