"""Mixed presentations: who leads, which tendon loads alternate, and the gentler of two doses.

Source: DOMINANCE, M1 to M9.
"""

from services.planner.domain.case import Patient
from shared.protocol.program import PhaseExercise, Range

GLUTEAL, HAMSTRING = frozenset({"gluteal"}), frozenset({"hamstring"})


def leading_condition(patient: Patient) -> str:
    """The irritable nerve, then the most irritable tendon, then the more probable, then the order given."""
    if len(patient.conditions) == 1:
        return patient.conditions[0]
    rules = patient.protocols.mixes.dominance
    present = set(patient.facts.findings_present)

    def rank(condition: str) -> tuple[bool, float, float, int]:
        irritable = rules.tendon.get(condition, ())
        share = len(present.intersection(irritable)) / len(irritable) if irritable else 0.0
        return (
            bool(present.intersection(rules.neural.get(condition, ()))),
            share,
            patient.probability(condition),
            -patient.conditions.index(condition),
        )

    return max(patient.conditions, key=rank)


def alternates(patient: Patient) -> bool:
    """Whether gluteal and hamstring loads fall on different days."""
    return any(mix.alternate_tendons for mix in patient.mixes)


def days_of_tendon(patient: Patient, loads: frozenset[str], leading: frozenset[str], rpe: float) -> int:
    """Days a week for one exercise where tendon loads alternate: the leading tendon gets the odd day."""
    sessions = patient.sessions
    first, second = (sessions + 1) // 2, sessions // 2
    if loads in (GLUTEAL, HAMSTRING):
        return first if loads == leading else second
    if loads and rpe >= patient.protocols.mixes.light_below_rpe.value:
        return first
    return sessions


def gentler(one: PhaseExercise, other: PhaseExercise) -> PhaseExercise:
    """The lower of two doses in each of its parts."""
    return one.model_copy(
        update={
            "sets": min(one.sets, other.sets),
            "reps": _lower(one.reps, other.reps),
            "hold_s": _lower(one.hold_s, other.hold_s) if one.hold_s and other.hold_s else one.hold_s,
            "rpe": _lower(one.rpe, other.rpe),
            "days_per_week": min(one.days_per_week, other.days_per_week),
            "times_per_day": min(one.times_per_day, other.times_per_day),
            "loaded": one.loaded and other.loaded,
            "source": tuple(dict.fromkeys((*one.source, *other.source))),
        }
    )


def _lower(one: Range, other: Range) -> Range:
    return Range(low=min(one.low, other.low), high=min(one.high, other.high))
