"""The exercise library with its constraint tags."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.event.intake import Equipment, Kilograms
from shared.event.vocabulary import ExerciseId
from shared.protocol.activity import ActivityWords
from shared.protocol.program import PhaseExercise
from shared.protocol.source import Figure, Record, Sourced

ExerciseKind = Literal["activation", "isometric", "isotonic", "energy_storage", "aerobic", "mobility", "stretch"]
Resistance = Literal["none", "hold", "kg", "level"]
"""What makes it harder beside repetitions: nothing, seconds of hold, kilograms, a band's or stage's level."""


class LateEntry(Sourced):
    """In the first phase that allows it, an exercise comes only from a later week on."""

    condition: str
    from_week: Annotated[int, Field(ge=2, le=26)]
    """Of that phase, counted from 1."""


class Exercise(Sourced):
    """What an exercise demands of hip, joint and nerve, and from which phase each condition allows it."""

    name: str
    instructions: str
    kind: ExerciseKind
    loads: tuple[Literal["gluteal", "hamstring"], ...] = ()
    """The tendons that it loads; heavy loading of one tendon needs its spacing (P12)."""
    max_flexion_deg: Annotated[int, Field(ge=0, le=140)]
    adduction_past_neutral: Annotated[int, Field(ge=0, le=1)]
    unilateral: Annotated[int, Field(ge=0, le=2)]
    neural_tension: Annotated[int, Field(ge=0, le=2)]
    stretch_shortening: Annotated[int, Field(ge=0, le=2)]
    supine: bool = False
    equipment: tuple[Equipment, ...] = ()
    """Any one of these serves as resistance; empty: nothing is needed."""
    works_without_equipment: bool = True
    resistance: Resistance = "none"
    level_labels: tuple[str, ...] = ()
    """For `level`: the name of each step, from the easiest; level 0 is body weight or the lightest band."""
    easier: str | None = None
    """The exercise to regress or substitute to."""
    harder: str | None = None
    earliest_phase: dict[str, int | None]
    """Condition id to the first phase number (1 to 4) that allows it; null: never. Absent: not for it."""
    late: tuple[LateEntry, ...] = ()
    """Where its first phase allows it only late."""


class ExerciseLibrary(Record):
    """Every exercise of the vocabulary, by id."""

    exercises: dict[ExerciseId, Exercise]
    default_load_steps_kg: Figure[dict[Equipment, tuple[Kilograms, ...]]]
    """Where the intake names no weights for an item that the patient has."""
    fallback: Annotated[tuple[PhaseExercise, ...], Field(min_length=4)]
    """Fills a session that constraints leave too short, in this order."""
    only_if_needed: dict[ExerciseKind, ActivityWords] = Field(default_factory=dict)
    """Kinds that a program holds only where the patient's own goals name what needs them."""

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        for exercise_id, exercise in self.exercises.items():
            for other in (exercise.easier, exercise.harder):
                if other is not None and other not in self.exercises:
                    raise ValueError(f"{exercise_id} names {other}, which the library does not hold")
        return self
