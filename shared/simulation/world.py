"""What the simulation assumes about the world, from `data/world.yaml`: schema and loader.

`Spread` is a normal distribution cut at its bounds. Rates are per day or per week as named, pain in points of the
0 to 10 scale, loads in capacities of the mean patient at the start.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from random import Random
from typing import Annotated

import yaml
from pydantic import Field

from shared.event.vocabulary import ExerciseId
from shared.protocol.exercise import ExerciseKind
from shared.protocol.source import EvidenceId, Record, Sourced
from shared.simulation.course import Archetype
from shared.simulation.latent import Model

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Spread(Sourced):
    """A trait of patients: mean and standard deviation, cut at `low` and `high`."""

    mean: float
    sd: Annotated[float, Field(ge=0)]
    low: float
    high: float

    def draw(self, chance: Random) -> float:
        """One patient's value. Takes one number from `chance`."""
        return min(self.high, max(self.low, chance.gauss(self.mean, self.sd)))


class ExternalLoadRules(Sourced):
    """How hard an exercise is before anybody does it."""

    demand_by_kind: dict[ExerciseKind, Positive]
    per_unilateral: float
    per_right_angle_of_flexion: float
    per_stretch_shortening: float
    per_level: Positive
    moved_kg: Positive
    """What the body itself weighs in the movement: so many added kilograms double it."""
    moved_kg_by_exercise: dict[ExerciseId, Positive]
    reference_rpe: Positive
    per_rpe: Positive
    seconds_per_repetition: Positive
    aerobic_seconds_per_repetition: Positive
    exponent: Annotated[float, Field(ge=1)]
    reference_repetitions: Positive
    """So many repetitions of an exercise of demand 1 are a load of 1."""


class TissueRules(Sourced):
    """Figures of `shared.simulation.tissue`."""

    healing_per_day: Positive
    drive_days: Positive
    drive_from: Positive
    drive_full_at: Positive
    drive_none_over_tolerance: Positive
    strengthening_per_day: Positive
    highest_capacity: Positive
    detraining_days: Positive
    fitted_to: tuple[EvidenceId, ...]


class FitnessFatigueRules(Sourced):
    """Figures of `shared.simulation.fitness_fatigue`."""

    fitness_days: Positive
    fatigue_days: Positive
    fitness_exponent: Positive
    fatigue_exponent: Positive
    fitness_reference: Positive
    relief: Share
    strengthening: Positive
    fatigue_tolerance: Positive
    fitted_to: tuple[EvidenceId, ...]


class ReportRules(Sourced):
    """How reports follow the truth."""

    mood_sd_nprs: float
    mood_days: Positive
    moment_sd_nprs: float
    weekly_sd_nprs: float
    rpe_at_rest: float
    rpe_per_intensity: float
    rpe_sd: float
    groc_per_full_recovery: float
    groc_sd: float
    visa_per_nprs: float
    visa_sd: float
    odi_per_nprs: float
    odi_sd: float
    lefs_per_nprs: float
    lefs_sd: float
    psfs_per_nprs: float
    psfs_sd: float
    pseq_per_nprs: float
    pseq_sd: float
    sitting_free_min: float
    sitting_e_fold_nprs: Positive
    sitting_sd_share: float


class MixShares(Sourced):
    """Who comes."""

    shares: dict[Archetype, Share]


class HappeningRules(Sourced):
    """What happens to some archetypes."""

    low_effort_share: Share
    """Of the under-dosers: they come, and do it lightly."""
    low_effort: Spread
    low_effort_adherence: Spread
    silent_from_week: tuple[int, int]
    red_flag_share_of_weeks: Share
    """A red flag comes on any day up to this share of the time."""
    red_flags: tuple[str, ...]
    mixed_share: Share
    """Patients with the findings of two conditions."""
    elsewhere_share: Share
    """Of the wrongly diagnosed: it comes from elsewhere, and they report its symptom."""
    elsewhere_symptom: str
    elsewhere_reports: Share
    irritable_rise_nprs: Positive
    """From so many points of irritation overnight on, the condition's symptom may be reported."""
    irritable_reports: Share
    irritable_symptom: dict[str, str]
    """By condition; none where it is not named."""
    unaccustomed_intensity: tuple[float, float]
    """Relative intensity above tolerance that an unaccustomed day brings."""
    measures_reported: Share


class Arm(Sourced):
    """One arm of a trial: the dose as published."""

    weeks: int
    sessions_per_week: Annotated[int, Field(ge=0, le=7)]
    adherence: Share
    rpe_by_week: Annotated[tuple[float, ...], Field(min_length=1)]
    """Effort asked for in each week; the last one stays."""
    rpe_by_model: Mapping[Model, tuple[float, ...]] = Field(default_factory=dict)
    """The same where no row tells the effort, so that it was fitted in each latent model by itself."""
    injection: bool = False
    lost: Share = 0
    """Lost to follow-up, whoever they are."""


class Injection(Sourced):
    """A short-lived analgesic without load."""

    works_in: Share
    relief: Share
    begins_after_days: int
    lasts_weeks: Positive
    """Time constant with which the relief fades."""


class Published(Record):
    """One figure of a trial."""

    row: EvidenceId
    arm: str
    figure: str
    value: float
    fitted: bool
    """Whether the world was fitted to it; else it is a prediction."""

    @property
    def name(self) -> str:
        """As a reader names it."""
        return f"{self.row} {self.arm} {self.figure}"


class TrialRules(Sourced):
    """What trials are reproduced, and how close counts."""

    patients: int
    responder_share: Share
    success_groc: float
    """Rating of change, before rounding, that counts as success: much better on the trial's own scale."""
    share_tolerance: Share
    nprs_tolerance: Positive
    visa_tolerance: Positive
    arms: dict[str, Arm]
    """By row and arm."""
    injection: Injection
    published: tuple[Published, ...]


class World(Record):
    """Everything that is assumed."""

    external_load: ExternalLoadRules
    traits: dict[str, Spread]
    tissue: TissueRules
    fitness_fatigue: FitnessFatigueRules
    report: ReportRules
    mix: MixShares
    archetypes: dict[Archetype, dict[str, Spread]]
    event: HappeningRules
    trial: TrialRules


@cache
def world() -> World:
    """The world as shipped."""
    text = (files("shared.simulation") / "data" / "world.yaml").read_text(encoding="utf-8")
    return World.model_validate(yaml.safe_load(text))
