"""Chooses the four to five exercises of a session from what is safe. Source: DOMINANCE, CONSTRAINT."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from services.planner.domain.case import Patient
from services.planner.domain.merge import (
    GLUTEAL,
    HAMSTRING,
    alternates,
    gentler,
    leading_condition,
)
from shared.protocol.constraint import Case, obstacle
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier
from shared.protocol.program import PhaseExercise, PhaseRules


def phase_of(patient: Patient, condition: str, number: int) -> PhaseRules:
    """A condition's phase by number; its last one where it has fewer."""
    phases = patient.protocol(condition).program.phases
    return next((p for p in phases if p.number == number), phases[-1])


def select_session(patient: Patient) -> tuple[PhaseExercise, ...]:
    """The first session: the leading condition's essentials first, then in turn."""
    leader = leading_condition(patient)
    order = (leader, *(c for c in patient.conditions if c != leader))
    pools = {c: phase_of(patient, c, 1).exercises for c in order}
    if patient.is_start:
        pools = {leader: patient.protocols.start_program.exercises}
    return _fill(patient, pools, patient.restrictions(), is_session=True)


def select_phase(patient: Patient, condition: str, phase: PhaseRules) -> tuple[PhaseExercise, ...]:
    """What a phase will hold once every condition treated has come as far."""
    phases = {c: phase_of(patient, c, phase.number).number for c in patient.conditions}
    case = patient.restrictions(phases | {condition: phase.number})
    return _fill(patient, {condition: phase.exercises}, case, is_session=False)


def _fill(
    patient: Patient, pools: Mapping[str, tuple[PhaseExercise, ...]], case: Case, *, is_session: bool
) -> tuple[PhaseExercise, ...]:
    size = patient.protocols.mixes.session
    library = patient.protocols.exercises
    merged: dict[str, PhaseExercise] = {}
    for exercise in _in_turn(pools.values()):
        known = merged.get(exercise.exercise_id)
        merged[exercise.exercise_id] = gentler(known, exercise) if known else exercise
    fallback = {e.exercise_id: e for e in library.fallback}
    # What the patient's circumstances put first comes before what a mix does: the pelvic floor after birth (S04).
    rules: tuple[Modifier | Mix, ...] = (*patient.modifiers, *patient.mixes)
    named = dict.fromkeys(e for rule in rules for e in rule.first)
    spare = fallback if is_session else {}
    first = {e: dose for e in named if (dose := merged.get(e) or spare.get(e)) is not None}
    barred = _barred_tendon(patient)

    def is_safe(exercise_id: str) -> bool:
        return obstacle(exercise_id, case, library) is None

    def is_barred(exercise_id: str) -> bool:
        return barred is not None and frozenset(library.exercises[exercise_id].loads) == barred

    safe = [dose for e, dose in (first | merged).items() if is_safe(e) and not is_barred(e)]
    chosen = safe[: size.at_most]
    taken = {dose.exercise_id for dose in chosen}
    # Light enough that even the barred tendon may have it where nothing else is left: those come last.
    for exercise_id, dose in sorted(fallback.items(), key=lambda item: is_barred(item[0])):
        if len(chosen) < size.at_least and exercise_id not in taken and is_safe(exercise_id):
            chosen.append(dose)
    return tuple(chosen)


def _in_turn(pools: Iterable[tuple[PhaseExercise, ...]]) -> Iterator[PhaseExercise]:
    """Essentials of each condition in turn, then what is left, in turn."""
    for essential in (True, False):
        ranks = zip_longest(*([e for e in pool if e.essential is essential] for pool in pools))
        yield from (exercise for rank in ranks for exercise in rank if exercise is not None)


def _barred_tendon(patient: Patient) -> frozenset[str] | None:
    """With one day a week two tendons cannot alternate: only the leading one is loaded. Source: M2."""
    if not alternates(patient) or patient.sessions > 1:
        return None
    return HAMSTRING if tendon_that_leads(patient) == GLUTEAL else GLUTEAL


def tendon_that_leads(patient: Patient) -> frozenset[str]:
    """The tendon of the leading condition, as its first exercise for one tendon alone shows."""
    library = patient.protocols.exercises.exercises
    for dose in phase_of(patient, leading_condition(patient), 1).exercises:
        loads = frozenset(library[dose.exercise_id].loads)
        if loads in (GLUTEAL, HAMSTRING):
            return loads
    return GLUTEAL
