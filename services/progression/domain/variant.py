"""The harder or easier exercise in the place of one, where everything allows it."""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain.book import Dose
from services.progression.domain.circumstance import is_allowed, is_barred
from services.progression.domain.load import Track
from services.progression.domain.start import starting_dose
from services.progression.domain.turn import Turn


def variant_of(turn: Turn, track: Track, *, up: bool) -> Dose | None:
    """How the harder or easier one would begin; None where it is not allowed or comes too soon.

    Source: P08, P17, P23.
    """
    rules, library = turn.protocols.progression, turn.protocols.exercises.exercises
    exercise = library.get(track.dose.exercise_id)
    other = (exercise.harder if up else exercise.easier) if exercise else None
    if other is None or turn.s.track(other) is not None or not is_allowed(turn, other):
        return None
    if is_barred(turn, library[other]):
        return None
    since = track.variant_since
    if up and since is not None and turn.at - since < timedelta(days=rules.variant.days):
        return None
    if up and library[other].kind == "energy_storage" and not _is_listed(turn, other):
        return None
    dose = starting_dose(turn, other)
    if dose is None or _is_listed(turn, other):
        return dose
    # No current phase says how much of it: no more sets, days or effort than of what it replaces.
    return replace(
        dose,
        sets=min(dose.sets, track.dose.sets),
        target_rpe=min(dose.target_rpe, track.dose.target_rpe),
        days_per_week=min(dose.days_per_week or 7, track.dose.days_per_week or 7),
    )


def _is_listed(turn: Turn, exercise_id: str) -> bool:
    """Whether a current phase lists it: jumps and sprints only where the protocol has them. Source: EX29, EX30."""
    phases = [turn.phase_rules(stand.condition_id, stand.phase_id) for stand in turn.s.stands]
    return any(one.exercise_id == exercise_id for phase in phases if phase is not None for one in phase.exercises)
