"""What a patient reports of the truth: whole points, with a mood that lasts some days and what is left as chance.

Pain at a moment is the truth plus the day's mood plus a little, the week's average the truth plus the week's own
error, so that one report scatters by about a point. Function scores fall by so many points for each point of pain
from where the patient's own began; the rating of change follows the share of the pain that is gone.
"""

from collections.abc import Iterable
from math import exp
from random import Random

from shared.simulation.patient import Day
from shared.simulation.world import world

_HIGHEST = {"VISA-G": 100.0, "VISA-H": 100.0, "LEFS": 80.0, "ODI": 100.0, "PSFS": 10.0, "PSEQ": 60.0}


class Reporter:
    """One patient's way of answering; draws from a stream of its own."""

    def __init__(self, chance: Random, pain_at_start: float) -> None:
        self._chance = chance
        self._start = pain_at_start
        self._rules = world().report
        rules = self._rules
        self._slope = {
            "VISA-G": -rules.visa_per_nprs,
            "VISA-H": -rules.visa_per_nprs,
            "LEFS": -rules.lefs_per_nprs,
            "ODI": rules.odi_per_nprs,
            "PSFS": -rules.psfs_per_nprs,
            "PSEQ": -rules.pseq_per_nprs,
        }
        self._sd = {
            "VISA-G": rules.visa_sd,
            "VISA-H": rules.visa_sd,
            "LEFS": rules.lefs_sd,
            "ODI": rules.odi_sd,
            "PSFS": rules.psfs_sd,
            "PSEQ": rules.pseq_sd,
        }
        free = {"VISA-G": 86.0, "VISA-H": 80.0, "LEFS": 76.0, "ODI": 4.0, "PSFS": 9.0, "PSEQ": 54.0}
        self._free = {name: value + chance.gauss(0, self._sd[name]) for name, value in free.items()}

    def pain(self, truth: float, day: Day) -> float:
        """Pain at a moment."""
        return _points(truth + day.mood_nprs + self._chance.gauss(0, self._rules.moment_sd_nprs))

    def effort(self, intensity: float, bias_rpe: float) -> float:
        """Effort of an exercise, in half points."""
        rules = self._rules
        felt = rules.rpe_at_rest + rules.rpe_per_intensity * intensity + bias_rpe
        return round(2 * min(10.0, max(0.0, felt + self._chance.gauss(0, rules.rpe_sd)))) / 2

    def measures(self, instruments: Iterable[str], week_nprs: float, day: Day) -> dict[str, float]:
        """The measures asked for, after a week of this true mean pain; unknown instruments are left out."""
        found = {name: self._measure(name, week_nprs, day) for name in instruments}
        return {name: value for name, value in found.items() if value is not None}

    def _measure(self, instrument: str, week_nprs: float, day: Day) -> float | None:
        rules, chance = self._rules, self._chance
        if instrument == "NPRS":
            return _points(week_nprs + day.mood_nprs / 2 + chance.gauss(0, rules.weekly_sd_nprs))
        if instrument == "NPRS_NIGHT":
            return _points(0.9 * week_nprs + day.mood_nprs / 2 + chance.gauss(0, rules.weekly_sd_nprs))
        if instrument == "GROC":
            gone = (self._start - week_nprs) / self._start
            return float(
                round(max(-5.0, min(5.0, rules.groc_per_full_recovery * gone + chance.gauss(0, rules.groc_sd))))
            )
        if instrument == "SIT_TOLERANCE_MIN":
            minutes = rules.sitting_free_min * exp(-week_nprs / rules.sitting_e_fold_nprs)
            return float(max(1, round(minutes * (1 + chance.gauss(0, rules.sitting_sd_share)))))
        if instrument not in self._slope:
            return None
        value = self._free[instrument] + self._slope[instrument] * week_nprs + chance.gauss(0, self._sd[instrument])
        value = min(_HIGHEST[instrument], max(0.0, value))
        return round(value, 1) if instrument == "PSFS" else float(round(value))


def _points(value: float) -> float:
    return float(round(min(10.0, max(0.0, value))))
