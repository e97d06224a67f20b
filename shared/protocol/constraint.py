"""Which exercises are safe: what no condition, mix, modifier or decision excludes at this phase.

Planning and progression ask the same question, so that neither can prescribe what the other forbids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.protocol.exercise import Exercise, ExerciseLibrary
from shared.protocol.limit import Limit
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier
from shared.protocol.program import ProgramRules
from shared.protocol.start_program import StartProgram


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
    limits: tuple[tuple[Limit, int], ...] = field(init=False)
    """Every limit in force, with the phase number that it counted."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", tuple(self._limits()))

    def _limits(self) -> Iterable[tuple[Limit, int]]:
        least = min(self.phases.values(), default=1)
        sets: list[tuple[Iterable[Limit], int]] = [
            (program.limits, self.phases[condition]) for condition, program in sorted(self.programs.items())
        ]
        sets += [(modifier.limits, least) for modifier in self.modifiers]
        sets += [(mix.limits, least) for mix in self.mixes]
        if self.start is not None:
            sets.append((self.start.limits, least))
        for limits, own in sets:
            for limit in limits:
                phase = own if limit.condition is None else self.phases.get(limit.condition, own)
                if limit.until_phase is None or phase <= limit.until_phase:
                    yield limit, phase


def exclusion(exercise_id: str, case: Case, library: ExerciseLibrary) -> str | None:
    """Why an exercise must not be prescribed now, in words; None where nothing stands against it.

    Source: CONSTRAINT, and the rows of the modifiers and mixes.
    """
    exercise = library.exercises[exercise_id]
    if exercise_id in case.removed:
        return "a clinician removed it"
    if not exercise.works_without_equipment and not case.equipment.intersection(exercise.equipment):
        return "its equipment is not on hand"
    for condition in sorted(case.programs):
        earliest = _earliest_phase(exercise_id, exercise, condition, case.programs[condition])
        if earliest is None or case.phases[condition] < earliest:
            return "a treated condition does not allow it in this phase"
    rules: tuple[Modifier | Mix, ...] = (*case.modifiers, *case.mixes)
    kinds = {kind for rule in rules for kind in rule.excluded_kinds}
    kinds.update(case.start.excluded_kinds if case.start else ())
    if exercise.kind in kinds or any(exercise_id in rule.excluded_exercises for rule in rules):
        return "the patient's circumstances exclude it"
    for limit, _ in case.limits:
        if exercise_id not in limit.exempt and getattr(exercise, limit.tag) > limit.at_most:
            return f"it exceeds the limit on {limit.tag.replace('_', ' ')}"
    return None


def _earliest_phase(exercise_id: str, exercise: Exercise, condition: str, program: ProgramRules) -> int | None:
    """A condition that the library does not know of is a newer file: its own phases say what it allows."""
    if condition in exercise.earliest_phase:
        return exercise.earliest_phase[condition]
    listed = [p.number for p in program.phases if any(e.exercise_id == exercise_id for e in p.exercises)]
    return min(listed, default=None)
