"""Latent model `fitness_fatigue`: Banister's two sums of impulses, with pain as what they leave.

A session of load L is an impulse of fitness w = (L / C(0)) ^ fitness_exponent and one of fatigue
g = (L / C) ^ fatigue_exponent, both felt from the next morning. Each night:

    fitness   F <- F exp(-1 / fitness_days) + w
    fatigue   G <- G exp(-1 / fatigue_days) + g; an unaccustomed day lifts it to T at least, and by
              T unaccustomed C(0) / C
    base      B <- B exp(-natural_per_week / 7)

    fit       f = 1 - exp(-F / fitness_reference)                        0 untrained to 1
    capacity  C = C(0) (1 + strengthening f)
    tolerated T = fatigue_tolerance (tolerance / mean tolerance) ^ fatigue_exponent
    relieved  e = 1 - exp(-response F / fitness_reference)               as f, at the patient's own rate
    pain      B (1 - min(relief, 1 - lasting_share) e) + irritation_nprs max(0, G / T - 1), within 0 to 10

`fatigue_tolerance` is set so that three sessions a week at an intensity of the mean tolerance are just tolerated; more
often, or after an unaccustomed day, less is. Nothing heals for good: without load, fitness fades and pain returns.
There is no window: more load is always more fitness, and more fatigue for as long as its time constant says (stretched
by the patient's `calm_days`).
"""

from math import exp

from shared.simulation.latent import Traits
from shared.simulation.world import FitnessFatigueRules, world


class FitnessFatigue:
    """One patient's fitness and fatigue."""

    def __init__(self, traits: Traits, rules: FitnessFatigueRules) -> None:
        self._traits = traits
        self._rules = rules
        typical = world().traits
        self._fitness = 0.0
        self._fatigue = 0.0
        self._fitting = 0.0
        self._tiring = 0.0
        self._base = traits.pain_nprs
        self._fit = 0.0
        self._relieved = 0.0
        self._irritation = 0.0
        self._keeping = exp(-1 / rules.fitness_days)
        self._calming = exp(-1 / (rules.fatigue_days * traits.calm_days / typical["calm_days"].mean))
        share = traits.tolerance / typical["tolerance"].mean
        self._tolerated = rules.fatigue_tolerance * share**rules.fatigue_exponent
        self._relief = min(rules.relief, 1 - traits.lasting_share)

    @property
    def pain_nprs(self) -> float:
        return min(10.0, max(0.0, self._base * (1 - self._relief * self._relieved) + self._irritation))

    @property
    def irritation_nprs(self) -> float:
        return self._irritation

    @property
    def capacity(self) -> float:
        return self._traits.capacity * (1 + self._rules.strengthening * self._fit)

    def sleep(self, unaccustomed: float) -> None:
        traits, rules = self._traits, self._rules
        self._fitness = self._fitness * self._keeping + self._fitting
        self._fatigue = self._fatigue * self._calming + self._tiring
        if unaccustomed:
            life = self._tolerated * unaccustomed * traits.capacity / self.capacity
            self._fatigue = max(self._fatigue, self._tolerated) + life
        self._fitting = self._tiring = 0.0
        self._base = min(10.0, self._base * exp(-traits.natural_per_week / 7))
        self._fit = 1 - exp(-self._fitness / rules.fitness_reference)
        self._relieved = 1 - exp(-traits.response * self._fitness / rules.fitness_reference)
        self._irritation = min(10.0, traits.irritation_nprs * max(0.0, self._fatigue / self._tolerated - 1))

    def bear(self, load: float) -> float:
        intensity = load / self.capacity
        self._fitting += (load / self._traits.capacity) ** self._rules.fitness_exponent
        self._tiring += intensity**self._rules.fatigue_exponent
        return intensity
