"""Latent model `tissue`: capacity, irritability and a source of pain that heals under load.

Each evening with a session of load L, with relative intensity r = L / C:

    drive         D <- D + u(r) (1 - D)       u rises from 0 at `drive_from` to 1 at `drive_full_at`, stays 1 up to
                                              the tolerance and falls to 0 at tolerance + `drive_none_over_tolerance`
    overload      o <- irritation_nprs max(0, r - tolerance), felt from the next morning

Each night:

    irritability  I <- I exp(-1 / calm_days) + o + irritation_nprs unaccustomed C(0) / C
    source        S <- F + (S - F) exp(-natural_per_week / 7 - healing_per_day response D),  F = lasting_share S(0);
                  where the natural course is for the worse, S grows by it
    capacity      C <- C + strengthening_per_day D C (1 - C / highest) - (C - C(0)) / detraining_days (1 - D)
    drive         D <- D exp(-1 / drive_days)

Pain of the day is S + I, within 0 to 10. Strength grows in everybody; whether pain follows is the trait `response`.
"""

from math import exp

from shared.simulation.latent import Traits
from shared.simulation.world import TissueRules


class Tissue:
    """One patient's tissue."""

    def __init__(self, traits: Traits, rules: TissueRules) -> None:
        self._traits = traits
        self._rules = rules
        self._source = traits.pain_nprs
        self._floor = traits.lasting_share * traits.pain_nprs
        self._irritability = 0.0
        self._overload = 0.0
        self._drive = 0.0
        self._capacity = traits.capacity
        self._calming = exp(-1 / traits.calm_days)
        self._resting = exp(-1 / rules.drive_days)

    @property
    def pain_nprs(self) -> float:
        return min(10.0, max(0.0, self._source + self._irritability))

    @property
    def irritation_nprs(self) -> float:
        return min(self._irritability, self.pain_nprs)

    @property
    def capacity(self) -> float:
        return self._capacity

    def sleep(self, unaccustomed: float) -> None:
        traits, rules = self._traits, self._rules
        life = traits.irritation_nprs * unaccustomed * traits.capacity / self._capacity
        self._irritability = min(10.0, self._irritability * self._calming + self._overload + life)
        self._overload = 0.0
        self._heal()
        growth = rules.strengthening_per_day * self._drive * self._capacity
        loss = (self._capacity - traits.capacity) / rules.detraining_days * (1 - self._drive)
        highest = rules.highest_capacity * traits.capacity
        self._capacity += growth * (1 - self._capacity / highest) - loss
        self._drive *= self._resting

    def bear(self, load: float) -> float:
        intensity = load / self._capacity
        self._overload += self._traits.irritation_nprs * max(0.0, intensity - self._traits.tolerance)
        self._drive += self._stimulus(intensity) * (1 - self._drive)
        return intensity

    def _heal(self) -> None:
        natural = self._traits.natural_per_week / 7
        healing = self._rules.healing_per_day * self._traits.response * self._drive
        if natural < 0:
            self._source = min(10.0, self._source * exp(-natural))
            natural = 0.0
        if self._source > self._floor:
            self._source = self._floor + (self._source - self._floor) * exp(-natural - healing)

    def _stimulus(self, intensity: float) -> float:
        rules, tolerance = self._rules, self._traits.tolerance
        rise = (intensity - rules.drive_from) / (rules.drive_full_at - rules.drive_from)
        fall = (tolerance + rules.drive_none_over_tolerance - intensity) / rules.drive_none_over_tolerance
        return max(0.0, min(1.0, rise, fall))
