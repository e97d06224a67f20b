"""The safe start program for an undetermined condition."""

from typing import Annotated

from pydantic import Field

from shared.protocol.exercise import ExerciseKind
from shared.protocol.limit import Limit
from shared.protocol.program import AvoidRule, PhaseExercise
from shared.protocol.source import Sourced


class StartProgram(Sourced):
    """What is safe whatever the condition turns out to be, until someone has examined."""

    exercises: Annotated[tuple[PhaseExercise, ...], Field(min_length=4)]
    limits: tuple[Limit, ...]
    excluded_kinds: tuple[ExerciseKind, ...]
    education: tuple[str, ...]
    avoid: tuple[AvoidRule, ...]
    reexamine_week: Annotated[int, Field(ge=1)]
    """A clinician examines by the end of this week."""
