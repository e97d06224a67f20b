"""A condition's phases, goals and schedule."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.event.vocabulary import ExerciseId, InstrumentId
from shared.protocol.limit import Limit
from shared.protocol.source import Record, Sourced


class Range(Record):
    """From the start of a phase to its top, both inclusive."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"the range {self.low} to {self.high} runs backwards")
        return self


class Dose(Sourced):
    """How much of an exercise: it starts at `low` and progresses within the range before load rises."""

    sets: Annotated[int, Field(ge=1, le=20)]
    reps: Range
    """Per side; with `hold_s`, holds in a set."""
    hold_s: Range | None = None
    rpe: Range
    days_per_week: Annotated[int, Field(ge=1, le=7)]
    times_per_day: Annotated[int, Field(ge=1, le=6)] = 1
    tempo: str | None = None
    rest_s: int | None = None


class PhaseExercise(Dose):
    exercise_id: ExerciseId
    essential: bool = False
    """Chosen first when a session holds only four to five exercises."""
    loaded: bool = True
    """False: body weight only in this phase, whatever equipment is on hand."""


CriterionKind = Literal[
    "session_pain_at_most",  # worst pain in the last `count` sessions <= value
    "morning_settled",  # `count` mornings in a row back to the baseline before the session
    "instrument_at_most",  # newest report <= value
    "instrument_at_least",  # newest report >= value
    "instrument_improved",  # change since baseline, toward better, >= value points or >= percent
    "symptom_absent",  # not reported in the last `days`
    "week_at_least",  # whole weeks in the program
    "unreportable",  # no event can tell: counts as met and is listed for the clinician
]


class Criterion(Sourced):
    """One condition for entering or leaving a phase, as a sentence and as a rule."""

    statement: str
    kind: CriterionKind
    instrument: InstrumentId | None = None
    value: float | None = None
    percent: float | None = None
    symptom: str | None = None
    count: int = 1
    days: int | None = None


class PhaseRules(Sourced):
    """One phase. `number` counts from 1 and is what an exercise's `earliest_phase` refers to."""

    phase_id: Annotated[str, Field(pattern=r"^[A-Z]{2}[1-9]$")]
    number: Annotated[int, Field(ge=1, le=4)]
    name: str
    intent: str
    min_weeks: Annotated[int, Field(ge=0)]
    """No advance before this many weeks in the phase."""
    entry: tuple[Criterion, ...] = ()
    exit: tuple[Criterion, ...] = ()
    exercises: Annotated[tuple[PhaseExercise, ...], Field(min_length=1)]
    rep_scheme: tuple[tuple[int, int, int], ...] = ()
    """Heavy slow resistance: (week of the phase from 1, sets, repetition maximum), empty where not used."""


class GoalRules(Sourced):
    """One goal: its target is baseline plus or minus the change, never beyond the instrument's range."""

    goal_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,63}$")]
    horizon: Literal["short_term", "long_term"]
    kind: Literal[
        "less_pain",
        "calmer_tissue",
        "control",
        "understanding",
        "strength",
        "less_compression",
        "lumbopelvic_stability",
        "return_to_activity",
    ]
    statement: str
    instrument: InstrumentId
    direction: Literal["increase", "decrease"]
    change_points: float | None = None
    change_percent: float | None = None
    """The larger change of the two holds, where both stand."""
    floor_target: float | None = None
    """Where no baseline was reported: the target itself."""
    start_value: float | None = None
    """The baseline by definition, whatever was reported: 0 for a rating of change since the start."""
    due_week: Annotated[int, Field(ge=1, le=52)]


class MeasureRule(Sourced):
    instrument: InstrumentId
    every_weeks: Annotated[int, Field(ge=1, le=26)]


class AvoidRule(Sourced):
    what: str
    reason: str
    exercise_id: ExerciseId | None = None
    until_phase: int | None = None
    """Avoided up to and including this phase number; None: throughout."""


class ProgramRules(Record):
    """A condition's whole program."""

    phases: Annotated[tuple[PhaseRules, ...], Field(min_length=1)]
    goals: Annotated[tuple[GoalRules, ...], Field(min_length=2)]
    education: tuple[str, ...]
    """Topic ids of education.yaml."""
    measures: tuple[MeasureRule, ...]
    review_weeks: tuple[int, ...]
    avoid: tuple[AvoidRule, ...]
    sessions_per_week: int
    next_morning_checkin: bool = True
    limits: tuple[Limit, ...] = ()
    """What no exercise of a plan that treats this condition may demand, also in a mix."""
    allows: dict[ExerciseId, Annotated[int, Field(ge=1, le=4)] | None] = Field(default_factory=dict)
    """For a condition that the library does not name: what it allows beside its own exercises, in a mix or to fill
    a session, from which phase number on; null: never."""
