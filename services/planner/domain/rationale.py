"""Says why a program is as it is, in words that a clinician can read. No identifiers, no patient's words."""

from collections.abc import Iterable, Iterator

from services.planner.domain.case import Patient
from services.planner.domain.comparison import words
from services.planner.domain.merge import GLUTEAL, Lead, alternates, hampered, leading
from services.planner.domain.prescription import weights_on_hand
from services.planner.domain.selection import tendon_that_leads
from shared.event.program import Prescription
from shared.protocol.constraint import obstacle


def explain(patient: Patient, prescription: Prescription, phases: Iterable[Prescription] = ()) -> str:
    """Certainty, who leads and why, what constrains, what was capped, and what the evidence does not support."""
    sentences = [_certainty(patient), *_mix(patient), _pain_rule(patient)]
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
    sentences += [*_impact(patient), *_assumed_weights(patient), *_too_few(patient, prescription, phases)]
    sentences.append(
        "No exercise is known to be specific to the condition; the dose, steady practice, education and "
        "load management carry the effect."
    )
    return " ".join(sentences)


def _mix(patient: Patient) -> Iterator[str]:
    """Who leads, what follows from it, and each conflict's resolution. Source: DOMINANCE, M1 to M9."""
    if len(patient.conditions) > 1:
        lead = leading(patient)
        others = _join([_name(patient, c).lower() for c in patient.conditions if c != lead.condition])
        yield f"{_name(patient, lead.condition)} leads the mix, {_why_it_leads(patient, lead)}."
        yield (
            f"It progresses first, while work for {others} holds its level. Only exercises that are safe for every "
            "condition are used."
        )
    yield from (mix.resolution for mix in patient.mixes)
    if alternates(patient) and patient.sessions == 1:
        tendon = "gluteal" if tendon_that_leads(patient) == GLUTEAL else "hamstring"
        yield (
            f"With one day a week the two tendons cannot alternate: the {tendon} tendon gets the load, the other "
            "no more than light work."
        )


def _why_it_leads(patient: Patient, lead: Lead) -> str:
    following = _name(patient, lead.next).lower()
    match lead.by:
        case "nerve":
            return "since symptoms down the leg point to an irritable nerve"
        case "tendon":
            return f"since more signs of an irritable tendon are present than for {following}"
        case "goal":
            return "since it is what hampers the goal that was named first, as far as the words tell"
    read = hampered(patient)
    if read is None:
        goals = "no goals were told, so they could not be weighed"
    elif read:
        goals = "the goal that was named first does not tell them apart"
    else:
        goals = "which of them hampers the main goal could not be read from the patient's words"
    if lead.by == "probability":
        return f"since it is more probable than {following}; {goals}"
    return f"in the order given; {goals}"


def _pain_rule(patient: Patient) -> str:
    """The strictest of the conditions' limits. Source: P01 to P06, DOMINANCE."""
    rules = [p.course.pain for p in patient.treated]
    allowed, easy = min(r.allowed_at_most for r in rules), min(r.progress_at_most for r in rules)
    which = "The strictest of their pain rules holds: pain" if len(rules) > 1 else "Pain"
    return (
        f"{which} of up to {allowed:g} out of 10 is allowed in a session; load rises only at {easy:g} or less and "
        "when the next morning is settled."
    )


def _impact(patient: Patient) -> Iterator[str]:
    """Whether jumping and running are part of it. Source: GT4, DG3, SI4, PH4."""
    if patient.is_start:
        return
    for kind, needed in patient.protocols.exercises.only_if_needed.items():
        if any(kind in rule.excluded_kinds for rule in patient.circumstances):
            continue
        if needed.named(patient.facts.activity_goals):
            yield "The goals name running, jumping or sport, so these come back in the last phase."
        elif patient.facts.activity_goals:
            yield (
                "No goal that could be read needs running or jumping, so jumps and sprints are left out; the goals are "
                "read by a list of words, which a clinician should confirm."
            )
        else:
            yield "No goals were told, so jumps and sprints are left out until someone asks for them."


def _assumed_weights(patient: Patient) -> Iterator[str]:
    assumed = [e for e in weights_on_hand(patient) if not patient.facts.load_steps_kg.get(e)]
    if assumed:
        names = _join([e.replace("_", " ") for e in assumed])
        yield f"The intake does not say which weights there are ({names}); the usual ones are assumed."


def _too_few(patient: Patient, prescription: Prescription, phases: Iterable[Prescription]) -> Iterator[str]:
    """Why a session or a later phase holds fewer exercises than it should."""
    least = patient.protocols.mixes.session.at_least
    if len(prescription) < least:
        yield (
            f"Only {len(prescription)} exercises remain for the first session, fewer than the usual {least}: "
            f"everything else is excluded, {_join(_objections(patient))}."
        )
    elif any(len(table) < least for table in phases):
        yield (
            f"In a later phase fewer than {least} exercises remain, since everything else is excluded for what the "
            "patient has and has at hand."
        )


def _objections(patient: Patient) -> list[str]:
    library = patient.protocols.exercises
    listed = [e.exercise_id for p in patient.treated for phase in p.program.phases for e in phase.exercises]
    candidates = dict.fromkeys((*listed, *(e.exercise_id for e in library.fallback)))
    case = patient.restrictions()
    found = [o for e in candidates if (o := obstacle(e, case, library)) is not None]
    return list(dict.fromkeys(f"since {words(patient, o)}" for o in found))


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
    return f"{who} changed the treatment from {earlier} to {names}; it begins at the first phase."


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
