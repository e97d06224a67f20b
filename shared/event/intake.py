"""`care.intake.submitted.v1`: what a patient tells, and what an examiner finds, before care begins."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.event.measure import Measure
from shared.event.vocabulary import FindingId, ModifierId, RedFlagId
from shared.event.wire import FreeText, Identifier, Omittable, Payload, Stream

Answer = Literal["present", "absent", "unknown"]
Sex = Literal["female", "male", "other", "unknown"]
Side = Literal["left", "right", "both"]
Onset = Literal["gradual", "sudden", "traumatic", "postpartum"]
Equipment = Literal["none", "band", "dumbbell", "ankle_weight", "barbell", "machine", "step", "bench"]
Kilograms = Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)]
ActivityGoal = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class IntakeSubmitted(Payload):
    """One intake. A later one with the same `intake_id` replaces it."""

    event_type: ClassVar[str] = "care.intake.submitted.v1"
    stream: ClassVar[Stream] = Stream.INTAKES

    intake_id: Identifier
    age_years: Annotated[int, Field(ge=0, le=120)]
    sex: Sex
    side: Side
    onset: Onset
    duration_weeks: Annotated[float, Field(ge=0, le=6000)]
    findings: Annotated[dict[FindingId, Answer], Field(max_length=200)] = Field(default_factory=dict)
    red_flags: Annotated[dict[RedFlagId, Answer], Field(max_length=200)] = Field(default_factory=dict)
    red_flag_screen: Literal["complete", "partial"] = "partial"
    modifiers: Annotated[tuple[ModifierId, ...], Field(max_length=50)] = ()
    measures: Annotated[tuple[Measure, ...], Field(max_length=50)]
    activity_goals: Annotated[tuple[ActivityGoal, ...], Field(max_length=10)] = ()
    sessions_per_week: Annotated[int, Field(ge=1, le=7)] = 3
    equipment: Annotated[tuple[Equipment, ...], Field(max_length=20)] = ("none",)
    load_steps_kg: dict[Equipment, Annotated[tuple[Kilograms, ...], Field(max_length=200)]] = Field(
        default_factory=dict
    )
    notes: Omittable[FreeText] = None

    @model_validator(mode="after")
    def _has_pain_baseline(self) -> Self:
        if not any(measure.instrument == "NPRS" for measure in self.measures):
            raise PydanticCustomError("missing_baseline", "measures must hold an NPRS value, the baseline of pain")
        return self
