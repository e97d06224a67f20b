"""`care.program.planned.v1` and `.changed.v1`: a program of exercise with goals."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.event.classification import IntakeFacts
from shared.event.decision import ConditionId
from shared.event.explanation import Explained, ProtocolRef
from shared.event.intake import Equipment, Side
from shared.event.vocabulary import ExerciseId, InstrumentId
from shared.event.wire import Identifier, Omittable, Payload, Probability, Rpe, Stream, Wire

ProgramStatus = Literal["active", "proposed", "held", "ended"]
Direction = Literal["increase", "decrease"]


class PrescribedExercise(Wire):
    """One exercise of the next session. `reps` are per side; with `hold_s` they are holds per set."""

    exercise_id: ExerciseId
    name: str
    sets: Annotated[int, Field(ge=1, le=20)]
    reps: Annotated[int, Field(ge=1, le=100)]
    hold_s: Omittable[float] = None
    equipment: Omittable[Equipment] = None
    load_kg: Omittable[float] = None
    load_level: Omittable[Annotated[int, Field(ge=0)]] = None
    """Where something resists that has no kilograms (a band): higher is harder within one exercise."""
    load_label: Omittable[str] = None
    days_per_week: Omittable[Annotated[int, Field(ge=1, le=7)]] = None
    times_per_day: Omittable[Annotated[int, Field(ge=1, le=6)]] = None
    target_rpe: Rpe
    tempo: Omittable[str] = None
    """Seconds lifting, holding, lowering: `3-0-3`."""
    rest_s: Omittable[int] = None
    side: Side
    instructions: str


Prescription = tuple[PrescribedExercise, ...]


class GoalMeasure(Wire):
    """Baseline and target in the instrument's points; baseline is null where none was reported yet."""

    instrument: InstrumentId
    baseline: float | None
    target: float
    direction: Direction


class Goal(Wire):
    goal_id: Identifier
    horizon: Literal["short_term", "long_term"]
    statement: str
    measure: GoalMeasure
    due_week: Annotated[int, Field(ge=1)]
    items: Omittable[tuple[str, ...]] = None
    """The patient's own activities, each to be rated by itself; the instrument's value is their mean."""


class Phase(Wire):
    """Criteria are sentences; the protocol file holds them as rules."""

    phase_id: Identifier
    name: str
    intent: str
    entry_criteria: tuple[str, ...]
    exit_criteria: tuple[str, ...]
    exercises: Prescription


class Topic(Wire):
    topic_id: Identifier
    title: str
    text: str
    references: tuple[str, ...]


class MeasureSchedule(Wire):
    instrument: InstrumentId
    every_weeks: Annotated[int, Field(ge=1)]


class CheckinSchedule(Wire):
    next_morning: bool
    measures: tuple[MeasureSchedule, ...]


class Schedule(Wire):
    """`days`: 1 Monday to 7, local; without it sessions are due by the week."""

    sessions_per_week: Annotated[int, Field(ge=1, le=7)]
    days: Omittable[tuple[int, ...]] = None
    checkin: CheckinSchedule
    review_weeks: tuple[int, ...]


class AdequateCourse(Wire):
    """What must have been tried before care can be called failed."""

    min_weeks: int
    min_sessions: int
    min_adherence: float
    review_week: int


class Avoid(Wire):
    what: str
    reason: str
    exercise_id: Omittable[ExerciseId] = None


class Rival(Wire):
    """A condition that is not treated, with its probability by itself when the program was planned."""

    condition_id: ConditionId
    probability: Probability


class _Program(Explained, Payload):
    program_id: Identifier
    version: Annotated[int, Field(ge=1)]
    intake_id: Identifier
    status: ProgramStatus
    prescription_seq: int
    conditions: tuple[ConditionId, ...]
    goals: tuple[Goal, ...]
    phases: tuple[Phase, ...]
    prescription: Prescription
    education: tuple[Topic, ...]
    schedule: Schedule
    adequate_course: AdequateCourse
    avoid: tuple[Avoid, ...]
    # Beyond the contract's table: what progression needs to follow the program.
    phase_id: Identifier
    """The phase that the prescription belongs to."""
    phase_by_condition: dict[ConditionId, Identifier] = Field(default_factory=dict)
    """For a mix: where each condition stands in its own protocol."""
    protocols: tuple[ProtocolRef, ...]
    """One for each condition, in the order of `conditions`."""
    mix_id: Omittable[str] = None
    intake: IntakeFacts
    rivals: Annotated[tuple[Rival, ...], Field(exclude_if=lambda value: not value)] = ()
    """What else it may be, the most probable first: for the packet, where care does not help."""


class ProgramPlanned(_Program):
    event_type: ClassVar[str] = "care.program.planned.v1"
    stream: ClassVar[Stream] = Stream.PROGRAMS


class ProgramChanged(_Program):
    event_type: ClassVar[str] = "care.program.changed.v1"
    stream: ClassVar[Stream] = Stream.PROGRAMS

    previous_version: Annotated[int, Field(ge=1)]
    reason: str
