"""Turns doses of a protocol into a patient's prescription: low end, on-hand load, capped by circumstance."""

from dataclasses import dataclass
from math import floor
from typing import get_args

from services.planner.domain.case import Patient
from services.planner.domain.merge import alternates, days_of_tendon
from services.planner.domain.selection import tendon_that_leads
from services.planner.domain.state import ToleratedLoad
from shared.event.intake import Equipment
from shared.event.program import PrescribedExercise, Prescription
from shared.protocol.exercise import Exercise
from shared.protocol.modifier import hold_cap_s, rpe_cap, start_factor
from shared.protocol.program import PhaseExercise, PhaseRules

EQUIPMENT: tuple[Equipment, ...] = get_args(Equipment)


@dataclass(frozen=True, slots=True)
class _Load:
    equipment: Equipment | None = None
    load_kg: float | None = None
    load_level: int | None = None
    load_label: str | None = None


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What is the same for a whole session: the phase, its earliest week, the tendon that leads where two alternate."""

    phase: PhaseRules | None
    week: int
    leads: frozenset[str] | None


def prescribe(
    patient: Patient, doses: tuple[PhaseExercise, ...], phase: PhaseRules | None = None, week: int = 0
) -> Prescription:
    """The doses as a patient reads them. `phase`: whose repetition scheme counts; `week`: when it begins at the
    earliest, in whole weeks of the program.
    """
    tolerated = {e.exercise_id: e for e in patient.tolerated}
    begin = _Beginning(phase, week, tendon_that_leads(patient) if alternates(patient) else None)
    return tuple(_prescribe(patient, dose, begin, tolerated.get(dose.exercise_id)) for dose in doses)


def _prescribe(
    patient: Patient, dose: PhaseExercise, begin: _Beginning, before: ToleratedLoad | None
) -> PrescribedExercise:
    exercise = patient.protocols.exercises.exercises[dose.exercise_id]
    factor = start_factor(patient.modifiers)
    sets, reps = _sets_and_reps(dose, exercise, begin.phase)
    cap = rpe_cap(patient.modifiers, begin.week)
    load = _load(patient, dose, exercise)
    if dose.loaded:
        load = _carry(patient, exercise, load, before)
    return PrescribedExercise(
        exercise_id=dose.exercise_id,
        name=exercise.name,
        sets=sets,
        reps=max(1, floor(reps * factor + 1e-9)),
        hold_s=_hold_s(patient, dose, exercise, factor),
        equipment=load.equipment,
        load_kg=load.load_kg,
        load_level=load.load_level,
        load_label=load.load_label,
        days_per_week=_days_per_week(patient, dose, exercise, begin.leads),
        times_per_day=dose.times_per_day if dose.times_per_day > 1 else None,
        target_rpe=dose.rpe.low if cap is None else min(dose.rpe.low, cap),
        tempo=dose.tempo,
        rest_s=dose.rest_s,
        side=patient.facts.side,
        instructions=_instructions(patient, exercise),
    )


def _sets_and_reps(dose: PhaseExercise, exercise: Exercise, phase: PhaseRules | None) -> tuple[int, int]:
    """Heavy slow resistance begins at its first week, where its repetitions lie within the exercise's own range (a
    Nordic curl's do not); everything else begins at the low end. Source: P09, EX15.
    """
    if phase is not None and phase.rep_scheme and exercise.kind == "isotonic" and dose in phase.exercises:
        _, sets, reps = phase.rep_scheme[0]
        if dose.reps.low <= reps <= dose.reps.high:
            return sets, reps
    return dose.sets, int(dose.reps.low)


def _hold_s(patient: Patient, dose: PhaseExercise, exercise: Exercise, factor: float) -> float | None:
    if dose.hold_s is None:
        return None
    hold_s = float(max(1, floor(dose.hold_s.low * factor + 1e-9)))
    cap = hold_cap_s(patient.modifiers)
    return hold_s if cap is None or exercise.kind == "aerobic" else min(hold_s, cap)


def _days_per_week(patient: Patient, dose: PhaseExercise, exercise: Exercise, leads: frozenset[str] | None) -> int:
    """Never more days than the patient can; two tendons share them where they must alternate. Source: M2, P12."""
    days = patient.sessions
    if leads is not None:
        days = max(1, days_of_tendon(patient, frozenset(exercise.loads), leads, dose.rpe.low))
    return min(dose.days_per_week, days)


def _load(patient: Patient, dose: PhaseExercise, exercise: Exercise) -> _Load:
    """The lightest that is on hand; nothing where nothing resists."""
    on_hand = [e for e in exercise.equipment if e in patient.facts.equipment]
    if not exercise.equipment and exercise.level_labels:
        return _Load(load_level=0, load_label=exercise.level_labels[0])
    has_band = "band" in on_hand and len(exercise.level_labels) > 1
    if not dose.loaded:
        return _Load(load_level=0, load_label=exercise.level_labels[0]) if has_band else _Load()
    weights = [(steps[0], EQUIPMENT.index(e), e) for e in on_hand if (steps := _steps_kg(patient, e))]
    if weights:
        kg, _, equipment = min(weights)
        return _Load(equipment=equipment, load_kg=_scaled(patient, equipment, kg))
    if has_band:
        return _Load(equipment="band", load_level=1, load_label=exercise.level_labels[1])
    return _Load()


def _carry(patient: Patient, exercise: Exercise, load: _Load, before: ToleratedLoad | None) -> _Load:
    """Keeps a load that was tolerated, if its equipment is still on hand."""
    if before is None or (before.equipment is not None and before.equipment not in patient.facts.equipment):
        return load
    if before.load_kg is not None and before.equipment is not None:
        kg = _scaled(patient, before.equipment, before.load_kg)
        return _Load(equipment=before.equipment, load_kg=kg)
    if before.load_level is not None and before.load_level < len(exercise.level_labels):
        return _Load(before.equipment, None, before.load_level, exercise.level_labels[before.load_level])
    return load


def _scaled(patient: Patient, equipment: Equipment, kg: float) -> float:
    """The clinician's factor, down to a weight that exists; the lightest one at least."""
    if patient.load_factor == 1.0:
        return kg
    steps = _steps_kg(patient, equipment) or (kg,)
    return max((step for step in steps if step <= kg * patient.load_factor), default=steps[0])


def weights_on_hand(patient: Patient) -> dict[Equipment, tuple[float, ...]]:
    """Weights by which load can rise, for each item on hand that has any: progression goes by the same ones."""
    known = {e: steps for e in EQUIPMENT if e in patient.facts.equipment and (steps := _steps_kg(patient, e))}
    return dict(patient.facts.load_steps_kg) | known


def _steps_kg(patient: Patient, equipment: Equipment) -> tuple[float, ...]:
    """Weights that exist, rising: the intake's, else what a home usually has; none for what has no weight."""
    usual = patient.protocols.exercises.default_load_steps_kg.value
    if equipment not in usual:
        return ()
    return tuple(sorted(patient.facts.load_steps_kg.get(equipment) or usual[equipment]))


def _instructions(patient: Patient, exercise: Exercise) -> str:
    parts = [exercise.instructions]
    if exercise.unilateral and patient.facts.side == "both":
        parts.append(patient.protocols.mixes.bilateral.instruction)
    if alternates(patient) and patient.sessions > 1 and len(exercise.loads) == 1:
        other = "hamstring" if exercise.loads[0] == "gluteal" else "gluteal"
        parts.append(f"Do this on other days than the {other} exercises.")
    return " ".join(parts)
