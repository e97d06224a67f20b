"""What a service adds to `adaptive-care status`: a function `report(ages) -> Report`, named by an entry point."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Ages = Callable[[str, Sequence[float]], Awaitable[tuple[list[int], float]]]
"""A list of the service, and floors in seconds: how many items are as old, and the age of the oldest."""


@dataclass(frozen=True, slots=True)
class Report:
    """One section of the screen."""

    title: str
    lines: tuple[str, ...]
    """In plain words; none where there is nothing to tell."""
    figures: Mapping[str, Any]
    """The same for programs."""
    problems: tuple[str, ...] = ()
    """What somebody must act on now."""
