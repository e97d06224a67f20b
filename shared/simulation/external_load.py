"""The load of a session as one number, so that three plans are compared on the same scale.

For one exercise, with the figures of `data/world.yaml`:

    demand     = kind x (1 + per_unilateral u + per_right_angle_of_flexion deg/90 + per_stretch_shortening s)
    resistance = 1 + per_level level, or 1 + kg / moved_kg
    effort     = 1 + per_rpe (target RPE - reference_rpe)
    repeats    = sets x times a day x reps; a hold counts as its seconds / seconds_per_repetition

    session    = ( sum of (demand x resistance x effort)^p x repeats / reference_repetitions ) ^ (1/p), p = `exponent`

A harder repetition counts for more than one more repetition, and the hardest exercise for more than one more light
one, as in laws of tissue fatigue: with p = 3, twice the repetitions are 1.26 times the load. Every axis along which a
program rises raises it. The unit is the capacity of the mean patient at the start; `reference_repetitions` was chosen
so that the first prescriptions feel as hard as the effort that they ask for. A judgement throughout (J-SIMULATION): no
trial measured tendon load at home.
"""

from collections.abc import Iterable

from shared.event.program import PrescribedExercise
from shared.protocol.exercise import Exercise
from shared.protocol.library import Protocols
from shared.simulation.world import ExternalLoadRules, world


def session_load(exercises: Iterable[PrescribedExercise], protocols: Protocols) -> float:
    """The load of these exercises done once as prescribed; 0 for none."""
    rules, library = world().external_load, protocols.exercises.exercises
    damage: float = sum(_damage(exercise, library[exercise.exercise_id], rules) for exercise in exercises)
    return float(damage ** (1 / rules.exponent))


def intensity_of(exercise: PrescribedExercise, protocols: Protocols) -> float:
    """How hard one repetition is: demand, resistance and effort."""
    return _intensity(exercise, protocols.exercises.exercises[exercise.exercise_id], world().external_load)


def _damage(exercise: PrescribedExercise, known: Exercise, rules: ExternalLoadRules) -> float:
    stress: float = _intensity(exercise, known, rules) ** rules.exponent
    return stress * _repeats(exercise, known, rules) / rules.reference_repetitions


def _intensity(exercise: PrescribedExercise, known: Exercise, rules: ExternalLoadRules) -> float:
    demand = rules.demand_by_kind[known.kind] * (
        1
        + rules.per_unilateral * known.unilateral
        + rules.per_right_angle_of_flexion * known.max_flexion_deg / 90
        + rules.per_stretch_shortening * known.stretch_shortening
    )
    resistance = 1 + rules.per_level * (exercise.load_level or 0)
    if exercise.load_kg is not None:
        moved_kg = rules.moved_kg_by_exercise.get(exercise.exercise_id, rules.moved_kg)
        resistance = 1 + exercise.load_kg / moved_kg
    effort = 1 + rules.per_rpe * (exercise.target_rpe - rules.reference_rpe)
    return demand * resistance * effort


def _repeats(exercise: PrescribedExercise, known: Exercise, rules: ExternalLoadRules) -> float:
    repeats = exercise.sets * exercise.reps * (exercise.times_per_day or 1)
    if exercise.hold_s is None:
        return repeats
    per_repetition = rules.aerobic_seconds_per_repetition if known.kind == "aerobic" else rules.seconds_per_repetition
    return repeats * exercise.hold_s / per_repetition
