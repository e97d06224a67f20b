"""Which exercises are safe: what no condition, mix, modifier or decision excludes at this phase.

Planning and progression ask the same question, so that neither can prescribe what the other forbids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.protocol.exercise import Exercise, ExerciseLibrary
from shared.protocol.limit import Limit
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier
from shared.protocol.program import ProgramRules
from shared.protocol.start_program import StartProgram

_NEVER = 99
"""Later than any phase."""


@dataclass(frozen=True, slots=True)
class LimitInForce:
    """A limit that holds now, and who sets it."""

    limit: Limit
    condition: str | None = None
    rule: Modifier | Mix | StartProgram | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that restricts a patient's exercises."""

    programs: Mapping[str, ProgramRules]
    """Of each condition treated, by id."""
    phases: Mapping[str, int]
    """The phase number in which each of them is."""
    modifiers: tuple[Modifier, ...] = ()
    mixes: tuple[Mix, ...] = ()
    equipment: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    """By a clinician."""
    start: StartProgram | None = None
    """Set while the condition is undetermined."""
    activities: tuple[str, ...] | None = None
    """The patient's own goals, which tell what is needed; None: not asked here, and nothing is left out for it."""
    limits: tuple[LimitInForce, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", tuple(self._limits()))

    def _limits(self) -> Iterable[LimitInForce]:
        least = min(self.phases.values(), default=1)
        sets: list[tuple[Iterable[Limit], int, str | None, Modifier | Mix | StartProgram | None]] = [
            (program.limits, self.phases[condition], condition, None)
            for condition, program in sorted(self.programs.items())
        ]
        sets += [(modifier.limits, least, None, modifier) for modifier in self.modifiers]
        sets += [(mix.limits, least, None, mix) for mix in self.mixes]
        if self.start is not None:
            sets.append((self.start.limits, least, None, self.start))
        for limits, own, condition, rule in sets:
            for limit in limits:
                phase = own if limit.condition is None else self.phases.get(limit.condition, own)
                if limit.until_phase is None or phase <= limit.until_phase:
                    yield LimitInForce(limit, condition, rule)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against an exercise: the first reason found, and who gives it."""

    reason: Literal["removed", "equipment", "phase", "rule", "limit", "unneeded"]
    condition: str | None = None
    """Whose phase forbids it, or whose limit it exceeds."""
    earliest_phase: int | None = None
    """For `phase`: the first that allows it; None: never."""
    rule: Modifier | Mix | StartProgram | None = None
    """For `rule` and `limit`: what sets it, where no condition does."""
    limit: Limit | None = None

    @property
    def words(self) -> str:
        match self.reason:
            case "removed":
                return "a clinician removed it"
            case "equipment":
                return "its equipment is not on hand"
            case "phase":
                return "a treated condition does not allow it in this phase"
            case "unneeded":
                return "no goal that could be read needs it"
            case "limit" if self.limit is not None:
                return f"it exceeds the limit on {self.limit.tag.replace('_', ' ')}"
            case _:
                return "the patient's circumstances exclude it"


def exclusion(exercise_id: str, case: Case, library: ExerciseLibrary) -> str | None:
    """Why an exercise must not be prescribed now, in words; None where nothing stands against it."""
    found = obstacle(exercise_id, case, library)
    return None if found is None else found.words


def obstacle(exercise_id: str, case: Case, library: ExerciseLibrary) -> Obstacle | None:
    """What stands against an exercise now; None where nothing does.

    Source: CONSTRAINT, and the rows of the modifiers and mixes.
    """
    exercise = library.exercises[exercise_id]
    if exercise_id in case.removed:
        return Obstacle("removed")
    if not exercise.works_without_equipment and not case.equipment.intersection(exercise.equipment):
        return Obstacle("equipment")
    too_early = [
        Obstacle("phase", condition, earliest)
        for condition in sorted(case.programs)
        if (earliest := _earliest_phase(exercise_id, exercise, condition, case.programs[condition])) is None
        or case.phases[condition] < earliest
    ]
    if too_early:
        return max(too_early, key=lambda one: one.earliest_phase or _NEVER)
    rules: tuple[Modifier | Mix, ...] = (*case.modifiers, *case.mixes)
    for rule in rules:
        if exercise.kind in rule.excluded_kinds or exercise_id in rule.excluded_exercises:
            return Obstacle("rule", rule=rule)
    if case.start is not None and exercise.kind in case.start.excluded_kinds:
        return Obstacle("rule", rule=case.start)
    for one in case.limits:
        if exercise_id not in one.limit.exempt and getattr(exercise, one.limit.tag) > one.limit.at_most:
            return Obstacle("limit", one.condition, rule=one.rule, limit=one.limit)
    needed = library.only_if_needed.get(exercise.kind)
    if needed is not None and case.activities is not None and not needed.named(case.activities):
        return Obstacle("unneeded")
    return None


def _earliest_phase(exercise_id: str, exercise: Exercise, condition: str, program: ProgramRules) -> int | None:
    """A condition that the library does not know of is a newer file: its own program says what it allows."""
    if condition in exercise.earliest_phase:
        return exercise.earliest_phase[condition]
    if exercise_id in program.allows:
        return program.allows[exercise_id]
    listed = [p.number for p in program.phases if any(e.exercise_id == exercise_id for e in p.exercises)]
    return min(listed, default=None)
