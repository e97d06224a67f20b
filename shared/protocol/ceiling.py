"""The ceilings of the safety envelope: the one place where clinical numbers stand in code, on purpose.

A protocol may be stricter than these and never looser, so a protocol cannot hold them. They are wider than
what the shipped protocols ask for and are met only where one of those is wrong. Why, and why here:
`docs/safety-envelope.md` and decision 6. Each is a judgement on the rows that it names.
"""

from shared.event.vocabulary import URGENCIES, Urgency

PAIN_AT_MOST_NPRS = 5.0
"""During a session, and the morning after it; above that nothing rises. Source: P01, P02."""
MORNING_RISE_AT_MOST_POINTS = 1.0
"""A morning above the pain before the session by more than this is not settled. Source: P01, P14."""
MORNING_AFTER_HOURS = 6
"""What is told sooner after a session, and names none, is no next morning. Source: R5."""
WELL_AGAIN_AFTER_HOURS = 24
"""After the last report of illness nothing rises for so long. Source: P19."""
EFFORT_AT_MOST_RPE = 8.0
"""Asked for, or reported by who may rise: never to failure in a remote program. Source: P10."""
EFFORT_STEP_RPE = 1.0
"""Of one rise of the effort asked for. Source: P10."""

LOAD_PER_SESSION = 0.10
"""Or one smallest step that exists, whichever is more. Source: P11."""
LOAD_PER_WEEK = 0.20
"""Of kilograms, and of sets by repetitions by load; or one smallest step. Source: P11."""
SMALLEST_STEP_KG = 1.0
"""Where nobody told which weights exist. Source: P11."""
SMALLEST_STEP_REPS = 1
SMALLEST_STEP_HOLD_S = 5.0
SMALLEST_STEP_AEROBIC_S = 60.0
VARIANT_AFTER_DAYS = 7
"""Between two harder variants of one exercise. Source: P23."""

SETS_AT_MOST = 6
REPS_AT_MOST = 30
HOLD_AT_MOST_S = 90.0
AEROBIC_AT_MOST_S = 3600.0
TIMES_PER_DAY_AT_MOST = 3
EXERCISES_AT_MOST = 5
"""In a session, unless the plan itself held more. Source: DOMINANCE."""
HEAVY_FROM_RPE = 7.0
HEAVY_HOURS = 48
ENERGY_STORAGE_HOURS = 72
"""Hours at least between two such loads of one tendon. Source: P12."""

PHASE_DAYS_AT_LEAST = 7
PHASE_SESSIONS_AT_LEAST = 2
"""In a phase before the next one opens. Source: P16."""

FAILED_WEEKS_AT_LEAST = 6
FAILED_SESSIONS_AT_LEAST = 12
FAILED_ADHERENCE_AT_LEAST = 0.5
"""Without so much of it nobody says that care has failed. Source: RULEOUT, F.DGS, NOTIFY."""

HOLDING: tuple[Urgency, ...] = ("emergency", "urgent")
"""An open red flag of this urgency holds the program. Source: R1, RF19."""
_LEAST_URGENCY: dict[str, Urgency] = {"sudden_severe_pain": "urgent"}


def at_least(symptom: str, urgency: Urgency | None) -> Urgency | None:
    """A symptom that acts as a red flag is never less urgent than this, nor left out. Source: RF19."""
    floor = _LEAST_URGENCY.get(symptom)
    if floor is None or (urgency is not None and URGENCIES.index(urgency) >= URGENCIES.index(floor)):
        return urgency
    return floor
