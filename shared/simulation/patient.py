"""One virtual patient: archetype, traits, findings, and the days that chance has in store.

All of it comes from the seed and the patient's number alone, so that the three plans of one patient meet the same
days (common random numbers), and any patient can be run again without the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random

from shared.simulation.course import Archetype
from shared.simulation.fitness_fatigue import FitnessFatigue
from shared.simulation.latent import Body, Model, Traits
from shared.simulation.presentation import Presentation, present
from shared.simulation.tissue import Tissue
from shared.simulation.world import HappeningRules, world


@dataclass(frozen=True, slots=True)
class Day:
    """What one day brings, under any plan."""

    unaccustomed: float
    """Relative intensity above tolerance that daily life brings; 0 on most days."""
    attendance: float
    """0 to 1: a session that is due is done if this is below the adherence."""
    answer: float
    """0 to 1: the morning's question is answered if this is below the trait."""
    measures: float
    symptom: float
    mood_nprs: float
    """What the patient's mood adds to every report of the day."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One virtual patient, as drawn."""

    number: int
    archetype: Archetype
    traits: Traits
    presentation: Presentation
    days: tuple[Day, ...]
    seed: str
    silent_from: int | None = None
    """Day from which the patient neither trains nor reports."""
    red_flag_on: int | None = None
    """Day from which the next report tells of a red flag."""
    red_flag: str | None = None
    is_elsewhere: bool = False
    """The pain comes from where nobody looks, and shows it in a symptom."""

    def body(self, model: Model) -> Body:
        """The patient's tissue at the start."""
        if model == "tissue":
            return Tissue(self.traits, world().tissue)
        return FitnessFatigue(self.traits, world().fitness_fatigue)

    def chance(self, what: str) -> Random:
        """A stream of chance of its own."""
        return Random(f"{self.seed}:{what}")  # noqa: S311  # a simulation, no secret

    def trains(self, day: int) -> bool:
        """Whether a session that is due on this day is done."""
        return not self.is_silent(day) and self.days[day].attendance < self.traits.adherence

    def is_silent(self, day: int) -> bool:
        return self.silent_from is not None and day >= self.silent_from


def draw_patient(
    number: int, weeks: int, seed: int, mix: Mapping[Archetype, float] | None = None, archetype: Archetype | None = None
) -> Patient:
    """The patient of this number; of the archetype given, or as the mix has it."""
    own = f"{seed}:{number}"
    chance = Random(f"{own}:traits")  # noqa: S311  # a simulation, no secret
    drawn = _archetype(mix or world().mix.shares, chance)
    kind = archetype or drawn
    rules = world().event
    spreads = {**world().traits, **world().archetypes[kind]}
    values = {field.name: spreads[field.name].draw(chance) for field in fields(Traits)}
    low_effort, low_adherence = rules.low_effort.draw(chance), rules.low_effort_adherence.draw(chance)
    if kind == "under_doser" and chance.random() < rules.low_effort_share:
        values |= {"excess": low_effort, "adherence": low_adherence}
    traits = Traits(**values)
    presentation = present(chance, is_mixed=chance.random() < rules.mixed_share)
    silent_week = chance.randint(*rules.silent_from_week)
    flag_day = chance.randint(3, max(4, int(weeks * 7 * rules.red_flag_share_of_weeks)))
    flag = chance.choice(rules.red_flags)
    is_elsewhere = chance.random() < rules.elsewhere_share
    return Patient(
        number=number,
        archetype=kind,
        traits=traits,
        presentation=presentation,
        days=_days(Random(f"{own}:days"), traits, weeks, rules),  # noqa: S311  # a simulation, no secret
        seed=own,
        silent_from=silent_week * 7 if kind == "silent" else None,
        red_flag_on=flag_day if kind == "red_flag" else None,
        red_flag=flag if kind == "red_flag" else None,
        is_elsewhere=kind == "wrong_diagnosis" and is_elsewhere,
    )


def _archetype(mix: Mapping[Archetype, float], chance: Random) -> Archetype:
    kinds = sorted(mix)
    return chance.choices(kinds, [mix[kind] for kind in kinds])[0]


def _days(chance: Random, traits: Traits, weeks: int, rules: HappeningRules) -> tuple[Day, ...]:
    report = world().report
    lasting = 1 - 1 / report.mood_days
    mood, days = chance.gauss(0, report.mood_sd_nprs), []
    for _ in range(weeks * 7 + 1):
        is_unaccustomed = chance.random() < traits.unaccustomed_per_week / 7
        how_hard = chance.uniform(*rules.unaccustomed_intensity)
        days.append(
            Day(
                unaccustomed=how_hard if is_unaccustomed else 0.0,
                attendance=chance.random(),
                answer=chance.random(),
                measures=chance.random(),
                symptom=chance.random(),
                mood_nprs=mood,
            )
        )
        mood = lasting * mood + chance.gauss(0, report.mood_sd_nprs * (1 - lasting**2) ** 0.5)
    return tuple(days)
