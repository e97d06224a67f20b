"""How load follows symptoms: the rules P01 to P23 that all conditions share, as data."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.event.vocabulary import Urgency
from shared.protocol.source import Record, Sourced

Share = Annotated[float, Field(gt=0, le=1)]
Rpe = Annotated[float, Field(ge=0, le=10)]
Pain = Annotated[float, Field(ge=0, le=10)]


class EffortRule(Sourced):
    """P08, P10: up to `progress_at_most` a session counts as earned, above `allowed_at_most` it never does.

    Within the phase's range the effort asked for rises by `step_rpe`, at most once in `step_days`, where
    nothing else of the exercise rises.
    """

    progress_at_most: Rpe
    allowed_at_most: Rpe
    step_rpe: Annotated[float, Field(gt=0, le=3)]
    step_days: Annotated[int, Field(ge=1, le=28)]


class DoubleProgressionRule(Sourced):
    """P07, P08: repetitions or seconds rise to the top of their range, then the load, and all starts again."""

    sessions_at_top: Annotated[int, Field(ge=1, le=10)]
    reps_step: Annotated[int, Field(ge=1, le=5)]
    hold_step_s: Annotated[float, Field(gt=0, le=30)]


class AerobicRule(Sourced):
    """P11: walking and cycling grow by a share of their time in whole steps, one step at least."""

    step_share: Share
    whole_s: Annotated[int, Field(ge=1, le=600)]


class CapRule(Sourced):
    """P11: the share by which load may rise, or one smallest step that exists, whichever is more."""

    per_session: Share
    per_week: Share
    step_kg_where_none_is_known: Annotated[float, Field(gt=0, le=5)]


class SpacingRule(Sourced):
    """P12: hours between two days that load the same tendon."""

    heavy_hours: Annotated[int, Field(ge=24)]
    heavy_from_rpe: Rpe
    energy_storage_hours: Annotated[int, Field(ge=24)]


class DeloadRule(Sourced):
    """P13: after so many weeks without a lighter one, less volume and less load for some days."""

    after_weeks: Annotated[int, Field(ge=2)]
    volume_factor: Share
    load_factor: Share
    days: Annotated[int, Field(ge=1)]


class RegressRule(Sourced):
    """P17: one red session, or so many amber ones within the days, takes one step back."""

    ambers: Annotated[int, Field(ge=1)]
    amber_days: Annotated[int, Field(ge=1)]
    load_factor: Share
    reds_to_substitute: Annotated[int, Field(ge=2)]
    """Red sessions in a row on one exercise after which its easier variant replaces it."""
    rest_rise_points: Pain
    """Pain at most this much above the pain before the session was there already: the load did not bring it."""
    rest_floor_share: Share
    """Pain that was there already lowers no exercise below this share of what its phase began with."""
    morning_rise_points: Pain
    """A morning this much above the pain before calls for less load; a smaller rise only holds it."""


class FlareRule(Sourced):
    """P14, P15: what a flare is, and its three grades."""

    rise_points: Pain
    median_days: Annotated[int, Field(ge=1)]
    unsettled_above: Pain
    night_reports: Annotated[int, Field(ge=1)]
    mild_hours: Annotated[int, Field(ge=1)]
    severe_days: Annotated[int, Field(ge=1)]
    severe_pain: Pain
    neurological_symptoms: tuple[str, ...]
    load_factor: Share
    volume_factor: Share
    days: Annotated[int, Field(ge=1)]
    respond_within_hours: Annotated[int, Field(ge=1)]


class GapStep(Record):
    """From so many missed days on: what remains of the load."""

    missed_days: Annotated[int, Field(ge=1)]
    load_factor: Share
    steps_back: Annotated[int, Field(ge=0, le=3)]
    phases_back: Annotated[int, Field(ge=0, le=1)]
    screen_again: bool = False


class GapRule(Sourced):
    """P18: days missed beyond the interval that the schedule leaves between sessions anyway."""

    steps: Annotated[tuple[GapStep, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        days = [step.missed_days for step in self.steps]
        if days != sorted(set(days)):
            raise ValueError("the steps of a gap must rise in missed_days")
        return self


class IllnessRule(Sourced):
    """P19: no session until so many hours after the last report of illness, then less load."""

    symptom: str
    rest_hours: Annotated[int, Field(ge=1)]
    load_factor: Share


class NoDataRule(Sourced):
    """P21: silence is never good news."""

    morning_hours: Annotated[int, Field(ge=12, le=48)]
    """Hours after a session until its morning answer counts as missing."""
    no_contact_days: Annotated[int, Field(ge=1)]
    severity: Urgency


class AdvanceRule(Sourced):
    """P16: what must hold before a phase is left."""

    checkins: Annotated[int, Field(ge=1)]
    sessions: Annotated[int, Field(ge=1)]
    adherence: Share
    clean_sessions: Annotated[int, Field(ge=1)]
    """The last so many sessions were neither amber nor red."""
    performed_share: Share
    """A session counts for the phase where so much of the phase's prescribed exercises was done."""


class TrendRule(Sourced):
    """P22: weeks in a row in which average pain rose, by so many points in all."""

    weeks: Annotated[int, Field(ge=1)]
    rise_points: Pain


class VariantRule(Sourced):
    """P23: days between two changes of variant of one exercise."""

    days: Annotated[int, Field(ge=1)]


class AdverseRule(Sourced):
    """So many red sessions within the days, or pain rising so many weeks in a row, need a clinician."""

    reds: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]
    rising_weeks: Annotated[int, Field(ge=2)]
    severity: Urgency


class NonAdherenceRule(Sourced):
    """So many weeks in a row with less than this share of the sessions due."""

    weeks: Annotated[int, Field(ge=1)]
    below: Share
    severity: Urgency


class UnfitRule(Sourced):
    """Reports in a row of a symptom that the condition does not explain."""

    symptoms: tuple[str, ...]
    explained_for: tuple[str, ...]
    """Conditions that do explain them."""
    reports: Annotated[int, Field(ge=1)]
    severity: Urgency


class QuietRule(Sourced):
    """After `continue`, weeks of event time before the same reason may be raised again."""

    weeks: Annotated[int, Field(ge=1)]


class RespondRule(Sourced):
    """How soon a person must answer."""

    emergency_minutes: Annotated[int, Field(ge=1)]
    urgent_minutes: Annotated[int, Field(ge=1)]
    routine_working_days: Annotated[int, Field(ge=1)]


class SymptomFlagRule(Sourced):
    """Symptoms that are no red flag of the vocabulary and act as one."""

    urgency: dict[str, Urgency]
    holds: tuple[Urgency, ...]
    """Urgencies of a red flag that hold the program."""

    def holds_program(self, urgency: Urgency) -> bool:
        return urgency in self.holds


class ProgressionRules(Record):
    """How load follows symptoms."""

    effort: EffortRule
    double_progression: DoubleProgressionRule
    aerobic: AerobicRule
    cap: CapRule
    spacing: SpacingRule
    deload: DeloadRule
    regress: RegressRule
    flare: FlareRule
    gap: GapRule
    illness: IllnessRule
    no_data: NoDataRule
    advance: AdvanceRule
    trend: TrendRule
    variant: VariantRule
    adverse: AdverseRule
    non_adherence: NonAdherenceRule
    unfit: UnfitRule
    quiet: QuietRule
    respond: RespondRule
    symptom_flags: SymptomFlagRule
