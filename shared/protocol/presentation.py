"""A rule's condition on how a patient presents: who they are, what was answered."""

from functools import cached_property
from typing import Annotated

from pydantic import Field

from shared.event.intake import Onset, Sex, Side
from shared.event.vocabulary import FindingId, ModifierId
from shared.protocol.source import Record


class Presents(Record):
    """Holds where every part that is given holds. What is unknown meets nothing."""

    all_present: tuple[FindingId, ...] = ()
    any_present: tuple[FindingId, ...] = ()
    none_present: tuple[FindingId, ...] = ()
    """None of these is answered present; unknown is enough."""
    all_absent: tuple[FindingId, ...] = ()
    any_modifier: tuple[ModifierId, ...] = ()
    no_modifier: tuple[ModifierId, ...] = ()
    onset: tuple[Onset, ...] = ()
    sex: tuple[Sex, ...] = ()
    side: tuple[Side, ...] = ()
    age_at_least: Annotated[int, Field(ge=0, le=120)] | None = None
    age_at_most: Annotated[int, Field(ge=0, le=120)] | None = None
    weeks_at_least: Annotated[float, Field(ge=0)] | None = None
    weeks_at_most: Annotated[float, Field(ge=0)] | None = None

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every finding that it reads."""
        return frozenset((*self.all_present, *self.any_present, *self.none_present, *self.all_absent))
