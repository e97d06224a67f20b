"""What patients report during care: exercise sessions and check-ins."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.event.measure import Measure
from shared.event.vocabulary import ExerciseId
from shared.event.wire import FreeText, Identifier, Instant, Nprs, Omittable, Payload, Rpe, Stream, Wire

Symptoms = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...], Field(max_length=50)]
"""Symptom or red flag ids. An id that nobody knows rejects nothing: it is kept and shown to a clinician."""


class PerformedSet(Wire):
    """One set as performed; for a hold `reps` is 1 and `hold_s` its seconds."""

    reps: Annotated[int, Field(ge=0, le=1000)]
    load_kg: Omittable[Annotated[float, Field(ge=0, le=500, allow_inf_nan=False)]] = None
    load_level: Omittable[Annotated[int, Field(ge=0, le=100)]] = None
    hold_s: Omittable[Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]] = None
    rpe: Omittable[Rpe] = None
    pain: Omittable[Nprs] = None


class PerformedExercise(Wire):
    """One exercise as performed, or `skipped` and no sets."""

    exercise_id: ExerciseId
    sets: Annotated[tuple[PerformedSet, ...], Field(max_length=100)] = ()
    skipped: bool = False

    @model_validator(mode="after")
    def _done_or_skipped(self) -> Self:
        if self.skipped and self.sets:
            raise PydanticCustomError("contradiction", "a skipped exercise has no sets")
        if not self.skipped and not self.sets:
            raise PydanticCustomError("contradiction", "an exercise needs its sets, or skipped: true")
        return self


class SessionReported(Payload):
    """One exercise session; `pain_during` is the worst pain within it."""

    event_type: ClassVar[str] = "care.session.reported.v1"
    stream: ClassVar[Stream] = Stream.SESSIONS
    identity: ClassVar[str | None] = "session_id"

    session_id: Identifier
    program_id: Identifier
    prescription_seq: Omittable[Annotated[int, Field(ge=1)]] = None
    started_at: Instant
    completed: bool
    exercises: Annotated[tuple[PerformedExercise, ...], Field(max_length=50)]
    pain_before: Omittable[Nprs] = None
    pain_during: Nprs
    pain_after: Omittable[Nprs] = None
    symptoms: Symptoms = ()
    notes: Omittable[FreeText] = None


class CheckinReported(Payload):
    """A check-in: the morning after a session, outcome measures, symptoms, in any combination."""

    event_type: ClassVar[str] = "care.checkin.reported.v1"
    stream: ClassVar[Stream] = Stream.SESSIONS
    identity: ClassVar[str | None] = "checkin_id"

    checkin_id: Identifier
    reported_at: Instant
    next_morning_pain: Omittable[Nprs] = None
    session_id: Omittable[Identifier] = None
    measures: Annotated[tuple[Measure, ...], Field(max_length=50)] = ()
    symptoms: Symptoms = ()
    notes: Omittable[FreeText] = None
