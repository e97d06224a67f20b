"""A condition's pain rules, expected course, and when care for it has failed."""

from typing import Annotated, Literal

from pydantic import Field

from shared.event.vocabulary import InstrumentId, ModifierId
from shared.protocol.exercise import ExerciseKind
from shared.protocol.source import Record, Sourced

Share = Annotated[float, Field(ge=0, le=1)]
Weeks = Annotated[int, Field(ge=1, le=104)]
Primary = Literal["NPRS", "GROC"]
"""Pain against its baseline, or the patient's own rating of change."""


class PainRule(Sourced):
    """Up to `progress_at_most` load may rise, up to `allowed_at_most` it holds, above that it falls."""

    progress_at_most: Annotated[float, Field(ge=0, le=10)]
    allowed_at_most: Annotated[float, Field(ge=0, le=10)]
    morning_rise_at_most: Annotated[float, Field(ge=0, le=10)]
    """Points by which the next morning may exceed the pain before the session."""
    regress_symptoms: tuple[str, ...] = ()
    """Symptoms that count as red for this condition, such as `distal_spread`."""


class AdequateRules(Sourced):
    """What must have been tried before care can be called failed."""

    min_weeks: Annotated[int, Field(ge=1)]
    min_sessions: Annotated[int, Field(ge=1)]
    min_adherence: Annotated[float, Field(ge=0, le=1)]
    review_week: Annotated[int, Field(ge=1)]


class AdequateVariant(AdequateRules):
    """The adequate course of patients who have one of these modifiers."""

    modifiers: Annotated[tuple[ModifierId, ...], Field(min_length=1)]


class NextOption(Sourced):
    """What the evidence offers after failed care; never automatic."""

    option_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    label: str
    evidence_grade: str
    not_with: tuple[ModifierId, ...] = ()
    """Never offered to patients with one of these."""
    from_week: Annotated[int, Field(ge=0)] = 0
    """Offered only once care has lasted this many weeks."""


class Improvement(Sourced):
    """A change for the better that counts: at least `points`, or at least `percent` of the baseline."""

    instrument: InstrumentId
    points: Annotated[float, Field(gt=0)]
    percent: Annotated[float | None, Field(gt=0, le=100)] = None
    of: Literal["change", "value"] = "change"
    """`value`: the instrument is itself a change, as GROC is, and needs no baseline."""
    max_age_days: Annotated[int, Field(ge=1)]
    """An older report says nothing about now."""


class Checkpoint(Sourced):
    """What patients who respond have reached by a week: any one of these."""

    week: Weeks
    statement: str
    any_of: Annotated[tuple[Improvement, ...], Field(min_length=1)]


class ExpectedCourse(Sourced):
    """Expected pain: from the baseline towards `remaining_share` of it, exponentially."""

    remaining_share: Share
    time_constant_weeks: Annotated[float, Field(gt=0)]
    slow_below_share: Share
    """Less than this share of the expected improvement is slow."""
    judged_from_week: Weeks
    """Before it nobody is called slow."""


class DoseRules(Sourced):
    """Whether the load was high enough: effort, or no further progress tolerated (rule b)."""

    effort_rpe: Annotated[float, Field(ge=0, le=10)]
    within_weeks: Weeks
    weeks_at_effort: Weeks
    """In how many of those weeks the hardest session reached the effort."""
    stalled_weeks: Weeks
    """So many weeks in which nothing became harder, in spite of adherence, are enough dose too."""
    fulfilled_share: Share
    """A week says something of tolerance where so much of the prescribed repetitions was done."""
    kinds: tuple[ExerciseKind, ...] = ("isometric", "isotonic", "energy_storage")
    """Exercises whose rise is progress of dose; a longer walk is none."""
    active_weeks_share: Share
    """Of the planned weeks, those in which the patient trained."""


class PrimaryVariant(Sourced):
    """The primary criterion of patients who have one of these modifiers."""

    modifiers: Annotated[tuple[ModifierId, ...], Field(min_length=1)]
    primary: Primary


class NonResponse(Sourced):
    """Care has not worked only if none of these is met; a criterion that is unknown proves nothing."""

    criteria: Annotated[tuple[Improvement, ...], Field(min_length=1)]
    primary: Primary = "NPRS"
    """The criterion without which nothing is judged."""
    primary_variants: tuple[PrimaryVariant, ...] = ()
    """In order: the first that fits the patient's modifiers holds instead of `primary`."""
    goals_unmet: bool = False
    """Long-term goals must be unmet as well."""
    baseline_within_weeks: Weeks
    """A first report later than this is no baseline."""
    pain_response_share: Share
    """This share of the expected improvement in pain is a response, whatever else stands still."""
    extend_weeks: Weeks
    """A partial response extends care by this, once."""
    on_the_way_probability: Annotated[float, Field(gt=0.5, le=1)]
    """Care that is this likely to reach what matters within the extension is extended too, once."""
    growth_share: Share
    """A partial response has grown if one of its measures gained this share of what matters since then."""


class ResponseRules(Sourced):
    """How the answers on the way to the review are told apart."""

    stale_after_days: Annotated[int, Field(ge=1)]
    """Without a pain report for so long there is too little data."""
    under_dosed_from_week: Weeks
    early_warning_week: Weeks
    early_warning_change_points: Annotated[float, Field(gt=0)]
    """Less improvement than this by then, in spite of adherence, asks for another look."""
    plateau_weeks: Annotated[int, Field(ge=1, le=7)]
    plateau_change_points: Annotated[float, Field(gt=0)]
    """Less improvement than this within `plateau_weeks` is none."""
    worsening_rise_points: Annotated[float, Field(gt=0)]
    """NPRS above the baseline, in two weeks running."""
    worsening_groc_at_most: Annotated[float, Field(ge=-5, lt=0)]
    """In two weeks running."""
    resolved_nprs_at_most: Annotated[float, Field(ge=0, le=10)]


class TrendRules(Sourced):
    """The Bayesian trend of the pain reports: what is assumed before the first of them."""

    measurement_error_points: Annotated[float, Field(gt=0)]
    """Standard deviation of one report around the patient's true pain."""
    slope_sd_per_week: Annotated[float, Field(gt=0)]
    """Prior standard deviation of the weekly change, around none."""
    level_mean_points: float
    level_sd_points: Annotated[float, Field(gt=0)]
    recent_weeks: Annotated[int, Field(ge=2, le=8)]
    """What counts as now."""


class PsychosocialRules(Sourced):
    """Answers that call for a psychologically informed path first."""

    startmsk_at_least: float
    pseq_below: float
    symptoms: tuple[str, ...]


class Course(Record):
    """How care for one condition should go."""

    measure: InstrumentId
    """The condition's own measure of function."""
    pain: PainRule
    adequate: AdequateRules
    adequate_variants: tuple[AdequateVariant, ...] = ()
    """In order: the first that fits the patient's modifiers holds instead of `adequate`."""
    options: tuple[NextOption, ...]
    expected: ExpectedCourse
    checkpoints: tuple[Checkpoint, ...]
    dose: DoseRules
    non_response: NonResponse
    response: ResponseRules
    trend: TrendRules
    psychosocial: PsychosocialRules

    def adequate_for(self, modifiers: tuple[str, ...]) -> AdequateRules:
        """The adequate course of a patient with these modifiers."""
        for variant in self.adequate_variants:
            if not set(variant.modifiers).isdisjoint(modifiers):
                return variant
        return self.adequate

    def primary_for(self, modifiers: tuple[str, ...]) -> Primary:
        """The primary criterion of a patient with these modifiers."""
        for variant in self.non_response.primary_variants:
            if not set(variant.modifiers).isdisjoint(modifiers):
                return variant.primary
        return self.non_response.primary
