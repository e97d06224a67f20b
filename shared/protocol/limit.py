"""Limits on what an exercise may demand, by its tag."""

from typing import Annotated, Literal

from pydantic import Field

from shared.event.vocabulary import ExerciseId
from shared.protocol.source import Sourced

Tag = Literal[
    "max_flexion_deg",
    "adduction_past_neutral",
    "unilateral",
    "neural_tension",
    "stretch_shortening",
    "supine",
]


class Limit(Sourced):
    """No exercise whose tag is above `at_most`, for as long as the limit holds."""

    tag: Tag
    at_most: Annotated[int, Field(ge=0)]
    until_phase: int | None = None
    """Holds up to and including this phase number; None: throughout."""
    condition: str | None = None
    """Whose phase counts; None: that of the condition that sets the limit, else the least advanced one."""
    exempt: tuple[ExerciseId, ...] = ()
