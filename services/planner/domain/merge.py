"""Mixed presentations: who leads, which tendon loads alternate, and the gentler of two doses.

Source: DOMINANCE, M1 to M9.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from services.planner.domain.case import Patient
from shared.protocol.program import PhaseExercise, Range

Step = Literal["nerve", "tendon", "goal", "probability", "order"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads a mix, and by what it comes before the next."""

    condition: str
    next: str
    by: Step


GLUTEAL, HAMSTRING = frozenset({"gluteal"}), frozenset({"hamstring"})


def leading_condition(patient: Patient) -> str:
    """Who leads, and so progresses first while the others hold."""
    return leading(patient).condition


def leading(patient: Patient) -> Lead:
    """The irritable nerve, then the most irritable tendon, then what hampers the main goal, then the more
    probable, then the order given. Source: DOMINANCE.
    """
    ranked = sorted(patient.conditions, key=lambda c: _rank(patient, c), reverse=True)
    if len(ranked) == 1:
        return Lead(ranked[0], ranked[0], "order")
    pairs = zip(STEPS, _rank(patient, ranked[0]), _rank(patient, ranked[1]), strict=True)
    return Lead(ranked[0], ranked[1], next(step for step, one, other in pairs if one != other))


def hampered(patient: Patient) -> frozenset[str] | None:
    """The conditions treated that hamper the goal named first; None where no goal was told."""
    if not patient.facts.activity_goals:
        return None
    main, rules = patient.facts.activity_goals[0], patient.protocols.mixes.dominance.hampers
    return frozenset(c for c in patient.conditions if c in rules and rules[c].named_in(main) is not None)


def _rank(patient: Patient, condition: str) -> tuple[bool, float, bool, float, int]:
    rules = patient.protocols.mixes.dominance
    present = set(patient.facts.findings_present)
    irritable = rules.tendon.get(condition, ())
    return (
        bool(present.intersection(rules.neural.get(condition, ()))),
        len(present.intersection(irritable)) / len(irritable) if irritable else 0.0,
        condition in (hampered(patient) or ()),
        patient.probability(condition),
        -patient.conditions.index(condition),
    )


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
