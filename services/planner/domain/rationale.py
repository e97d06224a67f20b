"""Says why a program is as it is, in words that a clinician can read. No identifiers, no patient's words."""

from services.planner.domain.case import Patient
from services.planner.domain.merge import leading_condition
from shared.event.program import Prescription


def explain(patient: Patient, prescription: Prescription) -> str:
    """Certainty, who leads, what constrains, what was capped, and what the evidence does not support."""
    sentences = [_certainty(patient)]
    if len(patient.conditions) > 1:
        name = patient.protocol(leading_condition(patient)).name
        sentences.append(
            f"{name} leads the mix; only exercises that are safe for every condition are used, "
            "and the stricter pain rule holds."
        )
    sentences += [mix.resolution for mix in patient.mixes]
    sentences += [f"{note}." for m in patient.modifiers if (note := (m.clinician_note or "").rstrip("."))]
    asked = max(p.program.sessions_per_week for p in patient.treated)
    if patient.sessions < asked:
        days = "day" if patient.sessions == 1 else "days"
        sentences.append(
            f"The protocol asks for up to {asked} days a week; all work is capped at the "
            f"{patient.sessions} {days} a week that are possible."
        )
    if patient.facts.side == "both":
        sentences.append("Both sides are sore: sides alternate within the same total.")
    if patient.removed:
        sentences.append("Exercises that a clinician removed stay out.")
    size = patient.protocols.mixes.session
    if len(prescription) < size.at_least:
        sentences.append("Fewer exercises than usual remain after what was removed.")
    sentences.append(
        "No exercise is known to be specific to the condition; the dose, steady practice, education and "
        "load management carry the effect."
    )
    return " ".join(sentences)


def turning_point(patient: Patient) -> str:
    """The smallest change that would have given another program."""
    if patient.chosen_by_clinician:
        return "The clinician named the conditions; another choice would have given another program."
    threshold = patient.protocols.mixes.threshold.value
    rest = [r for r in patient.classification.conditions if r.condition_id not in patient.conditions]
    if patient.is_start:
        return "A condition with a probability of 0.50 or more would have given a program of its own."
    if len(patient.conditions) > 1:
        least = min(patient.conditions[1:], key=patient.probability)
        name = patient.protocol(least).name
        return (
            f"With {name.lower()} below {threshold:.2f} (now {patient.probability(least):.2f}) "
            "it would not have been treated as well."
        )
    if rest:
        nearest = max(rest, key=lambda r: (r.probability, r.condition_id))
        name = _name(patient, nearest.condition_id)
        return (
            f"Had {name.lower()} reached {threshold:.2f} (now {nearest.probability:.2f}), "
            "it would have been treated as well."
        )
    return "No other condition was rated."


def references(patient: Patient) -> tuple[str, ...]:
    """The evidence rows behind the program, in order of their ids."""
    rules = patient.protocols.mixes
    rows = {*rules.threshold.source, *rules.session.source, "SCHEDULE", "CONSTRAINT"}
    for protocol in patient.treated:
        rows.update(protocol.program.phases[0].source)
        rows.update(protocol.course.adequate_for(patient.facts.modifiers).source)
        rows.update(row for goal in protocol.program.goals for row in goal.source)
    for rule in patient.circumstances:
        rows.update(rule.source)
    if patient.is_start:
        rows.update(patient.protocols.start_program.source)
    if patient.facts.side == "both":
        rows.update(rules.bilateral.source)
    return tuple(sorted(rows))


def change_reason(patient: Patient, before: tuple[str, ...]) -> str:
    """What a new plan changes against the one before."""
    names = _join([_name(patient, c).lower() for c in patient.conditions])
    who = "A clinician" if patient.chosen_by_clinician else "A newer intake"
    if patient.conditions == before:
        return f"{who} asked for a new plan for {names}; it begins again at the first phase."
    earlier = _join([_name(patient, c).lower() for c in before]) or "an undetermined condition"
    kept = " Loads that were tolerated are kept where the new plan still uses them." if patient.tolerated else ""
    return f"{who} changed the treatment from {earlier} to {names}; it begins at the first phase.{kept}"


def _certainty(patient: Patient) -> str:
    names = _join([_name(patient, c) for c in patient.conditions])
    if patient.is_start:
        week = patient.protocols.start_program.reexamine_week
        return (
            f"The condition is undetermined; a clinician approved a safe start program. {names} is the most "
            "probable so far and sets the course. "
            f"An examination is due within {week} weeks."
        )
    if patient.chosen_by_clinician:
        return f"A clinician decided on {names.lower()}."
    probable_from = patient.protocols.mixes.probable_from.value
    parts = []
    for condition in patient.conditions:
        probability = patient.probability(condition)
        word = "probable" if probability >= probable_from else "possible"
        parts.append(f"{_name(patient, condition)} is {word} (probability {probability:.2f}).")
    return " ".join(parts)


def _name(patient: Patient, condition: str) -> str:
    protocol = patient.protocols.conditions.get(condition)
    return protocol.name if protocol else condition.replace("_", " ")


def _join(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
