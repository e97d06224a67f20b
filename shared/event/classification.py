"""`care.condition.classified.v1`: what the condition probably is, and what follows from it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.event.decision import ConditionId
from shared.event.explanation import Explained
from shared.event.intake import ActivityGoal, Equipment, Kilograms, Onset, Sex, Side
from shared.event.measure import Measure
from shared.event.vocabulary import FindingId, ModifierId, RedFlagId, Urgency
from shared.event.wire import Identifier, Payload, Probability, Stream, Wire

Disposition = Literal["program", "more_information", "clinician_review", "urgent_referral", "emergency"]


class RatedCondition(Wire):
    """One condition with its probability by itself: mixes are real, so they do not sum to one."""

    condition_id: ConditionId
    probability: Probability
    supporting: tuple[FindingId, ...]
    opposing: tuple[FindingId, ...]


class RaisedFlag(Wire):
    """A red flag and how it came to light: ticked, following from other answers, or found in free text."""

    red_flag_id: RedFlagId
    urgency: Urgency
    source: Literal["reported", "derived", "suspected"]


class NextFinding(Wire):
    """What to ask next; a red flag id where a red flag is unanswered."""

    finding_id: Identifier
    information_gain_bits: Annotated[float, Field(ge=0)]


class IntakeFacts(Wire):
    """What the planner needs of the intake. Beyond the contract's table: the planner reads no intakes."""

    age_years: int
    sex: Sex
    side: Side
    onset: Onset
    duration_weeks: float
    findings_present: tuple[FindingId, ...] = ()
    modifiers: tuple[ModifierId, ...] = ()
    measures: tuple[Measure, ...] = ()
    activity_goals: tuple[ActivityGoal, ...] = ()
    sessions_per_week: int = 3
    equipment: tuple[Equipment, ...] = ("none",)
    load_steps_kg: dict[Equipment, tuple[Kilograms, ...]] = Field(default_factory=dict)


class ConditionClassified(Explained, Payload):
    event_type: ClassVar[str] = "care.condition.classified.v1"
    stream: ClassVar[Stream] = Stream.CLASSIFICATIONS

    intake_id: Identifier
    disposition: Disposition
    conditions: tuple[RatedCondition, ...]
    primary: ConditionId | None
    mixed: bool
    red_flags: tuple[RaisedFlag, ...]
    referral_route: Literal["lumbar", "hip"] | None
    next_findings: tuple[NextFinding, ...]
    intake: IntakeFacts
