"""The dose with which an exercise begins: as the planner laid it out, else low, within every cap."""

from datetime import datetime
from math import floor
from typing import get_args

from msgspec.structs import replace

from services.progression.domain.book import Book, Dose
from services.progression.domain.circumstance import days_of, effort_cap_rpe, longest_hold_s, modifiers_of
from services.progression.domain.load import Track, mark
from services.progression.domain.turn import Turn
from shared.event.intake import Equipment
from shared.protocol.exercise import Exercise
from shared.protocol.modifier import start_factor
from shared.protocol.program import PhaseExercise

EQUIPMENT: tuple[Equipment, ...] = get_args(Equipment)


def begin_track(dose: Dose, at: datetime) -> Track:
    return mark(Track(dose), at)


def planned_dose(book: Book, phase_id: str, exercise_id: str) -> Dose | None:
    """As the planner laid it out for a phase."""
    phase = book.phase(phase_id)
    return next((dose for dose in phase.doses if dose.exercise_id == exercise_id), None) if phase else None


def starting_dose(turn: Turn, exercise_id: str) -> Dose | None:
    """How an exercise begins now; None where neither planner nor protocol knows it.

    Of two conditions that list it the one that leads counts.
    """
    book, rule = turn.book, turn.dose_rule(exercise_id)
    exercise = turn.protocols.exercises.exercises.get(exercise_id)
    if book is None or exercise is None:
        return None
    planned = (planned_dose(book, stand.phase_id, exercise_id) for stand in turn.s.stands)
    dose = next((one for one in planned if one is not None), None)
    if dose is not None and rule is not None and dose.reps > rule.reps.high:
        # A scheme of repetitions that is not meant for this exercise: its own range holds.
        dose = replace(dose, sets=rule.sets, reps=max(1, floor(rule.reps.low * _start_factor(turn) + 1e-9)))
    if dose is None:
        dose = _lowest(turn, book, rule, exercise) if rule is not None else None
    return None if dose is None else capped(turn, dose)


def capped(turn: Turn, dose: Dose) -> Dose:
    """Within the caps on effort, hold and days that hold now. Source: S02-S12, M2."""
    exercise = turn.protocols.exercises.exercises.get(dose.exercise_id)
    effort, hold_s = effort_cap_rpe(turn), longest_hold_s(turn, exercise)
    if effort is not None and dose.target_rpe > effort:
        dose = replace(dose, target_rpe=effort)
    if hold_s is not None and dose.hold_s is not None and dose.hold_s > hold_s:
        dose = replace(dose, hold_s=hold_s)
    if exercise is not None and dose.days_per_week is not None:
        dose = replace(dose, days_per_week=days_of(turn, exercise, dose.days_per_week, dose.target_rpe))
    return dose


def _lowest(turn: Turn, book: Book, rule: PhaseExercise, exercise: Exercise) -> Dose:
    """The low end of the protocol's range, less where a modifier starts lower, with the least resistance."""
    factor = _start_factor(turn)
    equipment, load_kg, load_level = _resistance(turn, book, rule, exercise)
    return Dose(
        exercise_id=rule.exercise_id,
        sets=rule.sets,
        reps=max(1, floor(rule.reps.low * factor + 1e-9)),
        target_rpe=rule.rpe.low,
        side=book.payload().intake.side,
        hold_s=float(max(1, floor(rule.hold_s.low * factor + 1e-9))) if rule.hold_s else None,
        equipment=equipment,
        load_kg=load_kg,
        load_level=load_level,
        days_per_week=rule.days_per_week,
        times_per_day=rule.times_per_day if rule.times_per_day > 1 else None,
        tempo=rule.tempo,
        rest_s=rule.rest_s,
    )


def _start_factor(turn: Turn) -> float:
    return start_factor(modifiers_of(turn))


def _resistance(
    turn: Turn, book: Book, rule: PhaseExercise, exercise: Exercise
) -> tuple[Equipment | None, float | None, int | None]:
    """Equipment, kilograms and level: the lightest on hand, nothing where nothing resists."""
    on_hand = [one for one in exercise.equipment if one in book.equipment]
    has_band = "band" in on_hand and len(exercise.level_labels) > 1
    if not exercise.equipment or not rule.loaded:
        return None, None, 0 if exercise.level_labels and (has_band or not exercise.equipment) else None
    usual = turn.protocols.exercises.default_load_steps_kg.value
    weights = [
        (min(steps), EQUIPMENT.index(one), one)
        for one in on_hand
        if (steps := book.load_steps_kg.get(one) or usual.get(one))
    ]
    if weights:
        kg, _, equipment = min(weights)
        return equipment, kg, None
    return ("band", None, 1) if has_band else (None, None, None)
