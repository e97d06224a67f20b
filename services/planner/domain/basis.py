"""What a plan rests on, as inputs that can be tried: each with the value that would have turned it.

Nothing here is claimed from the rules alone: every turn is found by planning once more with that one input changed.
In `then` stand conditions joined by `+`, an exercise of the session, or a phase and an exercise of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from services.planner.domain.case import Patient, conditions_to_treat
from services.planner.domain.merge import leading, leading_condition
from services.planner.domain.outline import Outline, outline, session_of
from shared.event.classification import ConditionClassified, IntakeFacts
from shared.event.explanation import Basis
from shared.protocol.activity import ActivityWords
from shared.protocol.modifier import Modifier

TURNS_AT_MOST = 3
"""Of one input: the first of what it changes stand for the rest."""
JOINTLY_TRIED_AT_MOST = 4
STEP = 0.01
SPORT = "running"


def basis_of(patient: Patient) -> tuple[Basis, ...]:
    """Why these conditions, why this one leads, what was excluded, and what begins lower."""
    now = outline(patient)
    return (
        *_conditions(patient),
        *_lead(patient),
        *_others_phase(patient, now),
        *_circumstances(patient, now),
        *_equipment(patient, now),
        *_activities(patient, now),
    )


def _conditions(patient: Patient) -> Iterator[Basis]:
    """Which conditions are treated. Source: C7."""
    treated, threshold = "+".join(patient.conditions), patient.protocols.mixes.threshold
    if patient.chosen_by_clinician:
        yield Basis(rule="C7", input="decision.conditions", value=treated, source=threshold.source, then=treated)
        return
    data = patient.classification
    if patient.is_start:
        own = "+".join(conditions_to_treat(data, patient.conditions[0], patient.protocols))
        yield Basis(rule="UND", input="primary", turned_by=patient.conditions[0], source=("UND", "C6"), then=own)
        return
    rest = [r for r in data.conditions if r.condition_id not in patient.conditions]
    rest = [r for r in rest if r.condition_id in patient.protocols.conditions]
    nearest = sorted(rest, key=lambda r: (-r.probability, r.condition_id))[:1]
    for condition in (*patient.conditions[1:], *(r.condition_id for r in nearest)):
        is_treated = condition in patient.conditions
        turned_by = round(threshold.value - STEP, 2) if is_treated else threshold.value
        turned = _with_probability(patient, condition, turned_by)
        yield Basis(
            rule="C7",
            input=f"conditions.{condition}.probability",
            value=patient.probability(condition),
            threshold=threshold.value,
            source=threshold.source,
            turned_by=turned_by,
            then="+".join(turned.conditions),
        )


def _lead(patient: Patient) -> Iterator[Basis]:
    """Why one condition leads a mix, and what would have put another first. Source: DOMINANCE."""
    if len(patient.conditions) < 2:
        return
    lead, rules = leading(patient), patient.protocols.mixes.dominance
    leader, facts, source = lead.condition, patient.facts, rules.source
    present = set(facts.findings_present)
    findings = (*rules.neural.get(leader, ()), *rules.tendon.get(leader, ()))
    for finding in (one for one in findings if one in present):
        rest = tuple(one for one in facts.findings_present if one != finding)
        path = f"intake.findings_present.{finding}"
        yield from _leads_then(patient, _with_facts(patient, findings_present=rest), path, True, False)
    hampers = rules.hampers.get(leader)
    if hampers is not None and facts.activity_goals and (word := hampers.named_in(facts.activity_goals[0])):
        turned = _with_facts(patient, activity_goals=_without(hampers, word, facts.activity_goals))
        path = f"intake.activity_goals.{word.replace(' ', '_')}"
        yield from _leads_then(patient, turned, path, True, False)
    below, now = patient.probability(lead.next), patient.probability(leader)
    turned_by = round(below - STEP, 2)
    if not patient.chosen_by_clinician and 0 <= turned_by < now:
        turned = _with_probability(patient, leader, turned_by)
        if leading_condition(turned) != leader:
            yield Basis(
                rule="DOMINANCE",
                input=f"conditions.{leader}.probability",
                value=now,
                threshold=below,
                source=source,
                turned_by=turned_by,
                then=leading_condition(turned),
            )


def _leads_then(patient: Patient, turned: Patient, path: str, value: bool, turned_by: bool) -> Iterator[Basis]:
    then = leading_condition(turned)
    if then != leading_condition(patient):
        source = patient.protocols.mixes.dominance.source
        yield Basis(rule="DOMINANCE", input=path, value=value, source=source, turned_by=turned_by, then=then)


def _others_phase(patient: Patient, now: Outline) -> Iterator[Basis]:
    """What a second condition keeps out of the session as long as it stands in its first phase."""
    if patient.chosen_by_clinician or patient.is_start:
        return
    threshold = patient.protocols.mixes.threshold
    for condition in patient.conditions[1:]:
        turned_by = round(threshold.value - STEP, 2)
        turned = session_of(_with_probability(patient, condition, turned_by))
        gained = [e.exercise_id for e in turned if e.exercise_id not in now.session]
        for exercise_id in gained[:TURNS_AT_MOST]:
            if now.obstacle_condition(exercise_id) == condition:
                yield Basis(
                    rule="CONSTRAINT",
                    input=f"conditions.{condition}.probability",
                    value=patient.probability(condition),
                    threshold=threshold.value,
                    source=patient.protocols.exercises.exercises[exercise_id].source,
                    turned_by=turned_by,
                    then=exercise_id,
                )


def _circumstances(patient: Patient, now: Outline) -> Iterator[Basis]:
    """What each circumstance of the patient excludes or begins lower; several may do so only together."""
    present = sorted(set(patient.facts.modifiers))
    silent: list[str] = []
    for modifier in present:
        turns = now.turns(outline(_without_modifiers(patient, modifier)))[:TURNS_AT_MOST]
        if not turns and _rule(patient, modifier).restricts:
            silent.append(modifier)
        yield from (_circumstance(patient, modifier, then) for then in turns)
    tried, number = silent[:JOINTLY_TRIED_AT_MOST], 0
    for index, one in enumerate(tried):
        for other in tried[index + 1 :]:
            turns = now.turns(outline(_without_modifiers(patient, one, other)))[:1]
            for then in turns:
                number += 1
                yield from (_circumstance(patient, m, then, together=number) for m in (one, other))


def _circumstance(patient: Patient, modifier: str, then: str, together: int | None = None) -> Basis:
    rule = _rule(patient, modifier)
    field = then.split(" ")[1] if " " in then else ""
    thresholds = {"reps": rule.start_factor, "hold_s": rule.hold_cap_s or rule.start_factor, "effort": rule.rpe_cap}
    return Basis(
        rule=rule.source[0],
        input=f"intake.modifiers.{modifier}",
        value=True,
        threshold=thresholds.get(field),
        source=rule.source,
        turned_by=False,
        then=then,
        together=together,
    )


def _equipment(patient: Patient, now: Outline) -> Iterator[Basis]:
    """What no equipment is at hand for: the first item that would bring it. Source: EX28."""
    library = patient.protocols.exercises.exercises
    missing = dict.fromkeys(
        exercise.equipment[0]
        for exercise in library.values()
        if not exercise.works_without_equipment and not set(exercise.equipment) & set(patient.facts.equipment)
    )
    for item in missing:
        turned = outline(_with_facts(patient, equipment=(*patient.facts.equipment, item)))
        for then in [one for one in now.turns(turned) if one.split(" ")[-1] in library][:TURNS_AT_MOST]:
            yield Basis(
                rule="CONSTRAINT",
                input=f"intake.equipment.{item}",
                value=False,
                source=library[then.split(" ")[-1]].source,
                turned_by=True,
                then=then,
            )


def _activities(patient: Patient, now: Outline) -> Iterator[Basis]:
    """Jumps and sprints that the patient's goals call for, or do not. Source: GT4, DG3, PH4."""
    for words in patient.protocols.exercises.only_if_needed.values():
        goals, named = patient.facts.activity_goals, words.named(patient.facts.activity_goals)
        if not named and SPORT in words.words:
            turned = outline(_with_facts(patient, activity_goals=(*goals, SPORT)))
            turns = now.turns(turned)[:TURNS_AT_MOST]
            yield from (_activity(words, SPORT, False, then) for then in turns)
        elif len(named) == 1:
            turned = outline(_with_facts(patient, activity_goals=_without(words, named[0], goals)))
            turns = turned.turns(now)[:TURNS_AT_MOST]
            yield from (_activity(words, named[0], True, f"no {then}") for then in turns)


def _activity(words: ActivityWords, word: str, value: bool, then: str) -> Basis:
    path = f"intake.activity_goals.{word.replace(' ', '_')}"
    return Basis(rule="GT4", input=path, value=value, source=words.source, turned_by=not value, then=then)


def _without(words: ActivityWords, word: str, goals: Iterable[str]) -> tuple[str, ...]:
    return tuple(goal for goal in goals if words.named_in(goal) != word)


def _rule(patient: Patient, modifier: str) -> Modifier:
    return patient.protocols.modifiers.modifiers[modifier]


def _without_modifiers(patient: Patient, *modifiers: str) -> Patient:
    return _with_facts(patient, modifiers=tuple(m for m in patient.facts.modifiers if m not in modifiers))


def _with_facts(patient: Patient, **changes: object) -> Patient:
    facts: IntakeFacts = patient.facts.model_copy(update=changes)
    return replace(patient, classification=patient.classification.model_copy(update={"intake": facts}))


def _with_probability(patient: Patient, condition: str, probability: float) -> Patient:
    """The same patient with one condition rated otherwise, and what is then treated."""
    data: ConditionClassified = patient.classification
    rated = tuple(
        r.model_copy(update={"probability": probability}) if r.condition_id == condition else r for r in data.conditions
    )
    data = data.model_copy(update={"conditions": rated})
    conditions = conditions_to_treat(data, data.primary or patient.conditions[0], patient.protocols)
    return replace(patient, classification=data, conditions=conditions)
