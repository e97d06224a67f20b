"""Reads a patient's own activity goals by lists of words. What no list names stays unread, and is said so."""

import re
from collections.abc import Iterable

from pydantic import Field

from shared.protocol.source import Sourced


class ActivityWords(Sourced):
    """Words by which a goal is recognised, in lower case and whole. English only; a clinician may correct it."""

    words: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    """Phrases that hold one of the words and mean something else, or deny it. They are passed over."""

    def named_in(self, goal: str) -> str | None:
        """The first word of the list that a goal names; None where it names none."""
        text = _plain(goal)
        for phrase in self.unless:
            text = text.replace(f" {phrase} ", " ")
        return next((word for word in self.words if f" {word} " in text), None)

    def named(self, goals: Iterable[str]) -> tuple[str, ...]:
        """The words of the list that any of the goals names, in the order of the goals."""
        found = (self.named_in(goal) for goal in goals)
        return tuple(dict.fromkeys(word for word in found if word is not None))


def _plain(goal: str) -> str:
    return f" {re.sub(r'[^a-z0-9]+', ' ', goal.lower()).strip()} "
