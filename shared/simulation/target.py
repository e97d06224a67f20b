"""What the pipeline must reach on a cohort whose latent model its rules were not tuned to."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.simulation.course import Course
from shared.simulation.estimate import Estimate, Share
from shared.simulation.figure import Figures, rate_of

Measured = Share | Estimate | None

MIN_SENSITIVITY = 0.95
MIN_SPECIFICITY = 0.95
MIN_FLARE_DAYS_SAVED = 0.20
MIN_CAPACITY_GAINED = 0.0
MAX_ROUTINE_PER_MONTH = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """One aim, and whether the cohort reached it."""

    name: str
    wanted: str
    measured: Measured
    is_met: bool | None
    """By the measured value, not by its interval; None where there was nobody to measure it on."""


def targets_of(figures: Figures, courses: Sequence[Course]) -> tuple[Target, ...]:
    """Every target, in a fixed order; `courses` are those that the figures were made from."""
    verdict, safety = figures.verdict, figures.safety
    responders = [course for course in courses if course.plan == "adaptive" and course.archetype == "responder"]
    against = {comparison.other: comparison for comparison in figures.comparisons}
    return (
        _at_least(
            "failed care: sensitivity by two weeks after the adequate course",
            verdict.sensitivity,
            MIN_SENSITIVITY,
            f"at least {MIN_SENSITIVITY:.0%}",
        ),
        _at_least(
            "failed care: specificity among responders on course by the review",
            verdict.specificity,
            MIN_SPECIFICITY,
            f"at least {MIN_SPECIFICITY:.0%}",
        ),
        _never("under-dosed patients called failed", verdict.under_dosed_called),
        _always("red flag becomes an escalation in the same event", safety.red_flags_at_once),
        _never(
            "patients with a progression after pain above 5/10 or an unsettled morning",
            safety.patients_with_unsafe_progression,
        ),
        _at_least(
            "flare days saved against the naive plan, as a share",
            against["naive"].flare_days_saved,
            MIN_FLARE_DAYS_SAVED,
            f"at least {MIN_FLARE_DAYS_SAVED:g}",
        ),
        _at_least(
            "final capacity less that of the fixed plan",
            against["fixed"].final_capacity,
            MIN_CAPACITY_GAINED,
            "not < 0",
        ),
        _at_most(
            "routine escalations per patient-month of responders",
            rate_of(responders, "routine"),
            MAX_ROUTINE_PER_MONTH,
            f"at most {MAX_ROUTINE_PER_MONTH:g}",
        ),
    )


def _at_least(name: str, measured: Measured, limit: float, wanted: str) -> Target:
    return Target(name, wanted, measured, None if measured is None else measured.value >= limit)


def _at_most(name: str, measured: Measured, limit: float, wanted: str) -> Target:
    return Target(name, wanted, measured, None if measured is None else measured.value <= limit)


def _never(name: str, measured: Share | None) -> Target:
    return Target(name, "0", measured, None if measured is None else measured.count == 0)


def _always(name: str, measured: Share | None) -> Target:
    return Target(name, "always", measured, None if measured is None else measured.count == measured.of)
