"""One run of the simulation: what was asked for, what came out, and which targets it met."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shared.simulation.course import Archetype, Course
from shared.simulation.figure import Figures, figures_of
from shared.simulation.latent import Model
from shared.simulation.target import Target, targets_of

if TYPE_CHECKING:
    from shared.simulation.trial import Reproduced

LIMITS = (
    "Every patient is virtual. The figures say how the rules behave in a world that is fully known; they are no "
    "evidence that a real patient gets better, and no claim about one.",
    "The latent model decides what load does to pain and tissue. It is plausible and simple, and nobody has "
    "validated it in single patients; another model gives other figures.",
    "How many patients are of which archetype is a choice, not an epidemiology: shares of the whole cohort, and "
    "predictive values, would not carry over.",
    "Virtual patients report in numbers, tell nothing in free text and mistake no question; the virtual clinician "
    "answers by rule, examines nobody, and care ends with a referral.",
    "Which of the trials' figures the world was fitted to is said with them: that those are reproduced is no test of "
    "the model. The others were in sight while it was fitted, so they are a weak one.",
)
"""What a run cannot show."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for: the same run gives the same figures."""

    patients: int
    weeks: int
    seed: int
    model: Model
    archetypes: tuple[Archetype, ...]
    """The only ones of the cohort; empty: the usual mix of all."""
    protocols: dict[str, str]
    """The version of each condition's protocol."""
    digest: str
    """Of all protocol files together."""
    fitted_to: tuple[str, ...]
    """Evidence rows that the latent model's figures were fitted to."""
    fitted: tuple[str, ...]
    """The published figures that the world was fitted to, whether or not the trials were simulated in this run."""
    predicted: tuple[str, ...]
    """The published figures that were not aimed at."""


@dataclass(frozen=True, slots=True)
class Report:
    """A run with everything that it showed."""

    run: Run
    targets: tuple[Target, ...]
    figures: Figures
    trials: "tuple[Reproduced, ...]"
    """Empty where the trials were not simulated."""

    @property
    def has_missed(self) -> bool:
        """Whether a target was missed or could not be measured, or a trial arm lies outside its tolerance."""
        return any(target.is_met is not True for target in self.targets) or not all(
            one.is_within for one in self.trials
        )


def report_of(run: Run, courses: Sequence[Course], trials: "tuple[Reproduced, ...]" = ()) -> Report:
    """The report of a run from its courses."""
    figures = figures_of(courses)
    return Report(run, targets_of(figures, courses), figures, trials)


def as_json(report: Report) -> str:
    """The report for other programs. It holds no time of day: the same run gives the same bytes."""
    trials = [asdict(one) | {"is_within": one.is_within} for one in report.trials]
    return json.dumps(asdict(report) | {"trials": trials, "limits": LIMITS}, indent=2, allow_nan=False) + "\n"
