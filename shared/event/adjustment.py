"""`care.load.adjusted.v1` and `care.goal.reached.v1`: how a program follows the patient."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.event.explanation import Explained
from shared.event.program import Prescription
from shared.event.vocabulary import ExerciseId, InstrumentId
from shared.event.wire import Identifier, Omittable, Payload, Probability, Stream, Wire

ChangeKind = Literal["progress", "hold", "regress", "stop", "substitute", "introduce"]
ResponseStatus = Literal[
    "on_track",
    "slow",
    "plateau",
    "flare",
    "worsening",
    "under_dosed",
    "insufficient_data",
    "failed_conservative_care",
    "resolved",
]


class Change(Wire):
    """One exercise's decision. `from` and `to` hold only the prescription fields that differ."""

    exercise_id: ExerciseId
    decision: ChangeKind
    from_: Annotated[dict[str, Any] | None, Field(alias="from")]
    to: dict[str, Any] | None
    rule: str
    because: str


class MinimalImportantChange(Wire):
    instrument: InstrumentId
    points: float
    percent: Omittable[float] = None


class Band(Wire):
    """Average pain of the week (NPRS) within which care goes as the protocol expects."""

    lower: float
    upper: float
    """Above it the course is slow."""


class MeasureTrend(Wire):
    """The condition's own measure of function: points of the instrument a week, in its own direction."""

    instrument: InstrumentId
    per_week: float
    sd_per_week: float
    probability_of_meaningful_change: Omittable[Probability] = None


class Response(Wire):
    """How care is going. `pain_trend_per_week`: NPRS points a week, negative is better."""

    status: ResponseStatus
    week: Annotated[int, Field(ge=0)]
    sessions_done: Annotated[int, Field(ge=0)]
    adherence: Probability | None
    adherence_4w: Probability | None
    pain_trend_per_week: float | None
    probability_of_meaningful_change: Probability | None
    minimal_important_change: MinimalImportantChange
    # Beyond the contract's table.
    pain_trend_sd_per_week: Omittable[float] = None
    """Standard deviation of the trend: four of five true trends lie within 1.28 of it."""
    probability_by_review: Omittable[Probability] = None
    """That the true change reaches what matters by the review week, if the recent weeks go on as they went."""
    expected_pain: Omittable[Band] = None
    function_trend: Omittable[MeasureTrend] = None


class LoadAdjusted(Explained, Payload):
    event_type: ClassVar[str] = "care.load.adjusted.v1"
    stream: ClassVar[Stream] = Stream.ADJUSTMENTS

    program_id: Identifier
    session_id: Identifier | None
    checkin_id: Identifier | None
    phase_id: Identifier
    prescription_seq: int
    changes: tuple[Change, ...]
    prescription: Prescription
    response: Response
    late: bool


class GoalReached(Payload):
    event_type: ClassVar[str] = "care.goal.reached.v1"
    stream: ClassVar[Stream] = Stream.ADJUSTMENTS

    program_id: Identifier
    goal_id: Identifier
    horizon: Literal["short_term", "long_term"]
    value: float
    target: float
    week: Annotated[int, Field(ge=0)]
