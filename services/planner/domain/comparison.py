"""What a new plan keeps of the one before it, what it leaves out and why, and what is new."""

from services.planner.domain.case import Patient
from shared.event.program import Prescription, ProgramChanged, ProgramPlanned
from shared.event.vocabulary import vocabulary
from shared.protocol.constraint import Obstacle, obstacle
from shared.protocol.limit import Tag
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier

ORDINALS = ("first", "second", "third", "fourth")
DEMANDS: dict[Tag, str] = {
    "max_flexion_deg": "bends the hip further than {who} allows now",
    "adduction_past_neutral": "crosses the middle, which {who} does not allow now",
    "unilateral": "loads one side more than {who} allows now",
    "neural_tension": "pulls on the nerve more than {who} allows now",
    "stretch_shortening": "makes the tendon spring, which {who} does not allow now",
    "supine": "is done lying on the back, which {who} does not allow",
}


def compare(patient: Patient, before: tuple[str, ...], session: Prescription) -> str:
    """Exercise by exercise against the plan before, whichever of its phases had been reached; empty without one.

    What was in use keeps its load: progression, which knows it, takes it over.
    """
    if not before:
        return ""
    now = [e.exercise_id for e in session]
    kept = [e.name for e in session if e.exercise_id in before]
    new = [e.name for e in session if e.exercise_id not in before]
    reasons: dict[str, list[str]] = {}
    for exercise_id in before:
        if exercise_id not in now:
            reasons.setdefault(why_not(patient, exercise_id), []).append(_name(patient, exercise_id))
    dropped = [f"{'; '.join(names)} ({reason})" for reason, names in reasons.items()]
    parts = (
        ("Kept, with the load that was tolerated where it was in use", kept),
        ("Left out for now", dropped),
        ("New", new),
    )
    return " ".join(f"{word}: {'; '.join(names)}." for word, names in parts if names)


def exercises_of(plan: ProgramPlanned | ProgramChanged) -> tuple[str, ...]:
    """Every exercise of a plan, those of the session first."""
    tables = (plan.prescription, *(phase.exercises for phase in plan.phases))
    return tuple(dict.fromkeys(e.exercise_id for table in tables for e in table))


def why_not(patient: Patient, exercise_id: str) -> str:
    """Why an exercise is not part of the first session, as one would say it to the patient."""
    found = obstacle(exercise_id, patient.restrictions(), patient.protocols.exercises)
    if found is None:
        at_most = patient.protocols.mixes.session.at_most
        return f"allowed, others come first: a session holds {at_most} at most"
    return words(patient, found)


def words(patient: Patient, found: Obstacle) -> str:
    """An obstacle in words, with who it is that objects."""
    match found.reason:
        case "removed":
            return "a clinician took it out"
        case "equipment":
            return "it needs equipment that is not at hand"
        case "unneeded":
            return "no goal that could be read needs it"
        case "phase":
            name = objector(patient, found)
            if found.earliest_phase is None:
                return f"it is not for {name}"
            return f"{name} allows it only from its {ORDINALS[found.earliest_phase - 1]} phase on"
        case "limit" if found.limit is not None:
            return f"it {DEMANDS[found.limit.tag].format(who=objector(patient, found))}"
        case _:
            return f"{objector(patient, found)} rules it out"


def objector(patient: Patient, found: Obstacle) -> str:
    """Who stands against an exercise: a condition, a mix, a circumstance, or the safe start."""
    if found.condition is not None:
        return patient.protocol(found.condition).name.lower()
    match found.rule:
        case Mix(conditions=pair) if pair:
            return f"the mix of {' and '.join(patient.protocol(c).name.lower() for c in pair)}"
        case Mix(route=route):
            return f"the {route} involvement"
        case Modifier():
            known = patient.protocols.modifiers.modifiers
            labels = vocabulary().modifiers
            return next(f"“{labels[m].lower()}”" for m, rule in known.items() if rule is found.rule)
        case _:
            return "the safe start"


def _name(patient: Patient, exercise_id: str) -> str:
    return patient.protocols.exercises.exercises[exercise_id].name
