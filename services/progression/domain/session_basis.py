"""What the decision on a session rests on, and the smallest change of the session that would have turned it."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from services.progression.domain.circumstance import effort_cap_rpe
from services.progression.domain.escalation import flag_evidence, flag_urgency
from services.progression.domain.fact import Performed, SessionFact
from services.progression.domain.flare import LASTING_SYMPTOM, NIGHT_SYMPTOM, usual_pain
from services.progression.domain.light import exercise_light, session_light, strictest_limits, worst_pain
from services.progression.domain.load import Light
from services.progression.domain.trial import (
    TENTH,
    Report,
    Trial,
    basis,
    changes_of,
    exercises_of,
    outcome,
    outcome_of,
    with_pain,
    without_symptom,
)
from services.progression.domain.turn import Adjusted, Turn
from shared.event.explanation import Basis
from shared.event.vocabulary import vocabulary


def session_basis(trial: Trial, said: Adjusted, fact: SessionFact) -> Iterator[Basis]:
    """Every entry, the session's own first."""
    turn = trial.reader()
    was = outcome(trial.ground.before, said.snapshot, said.changes)
    if not turn.treated:
        return
    if not trial.ground.before.is_running:
        yield basis("P17", "history.is_running", False, True, ("P17",), was)
        return
    yield from _pain(trial, turn, fact, was)
    yield from symptom_basis(trial, turn, fact, was)
    if not fact.completed:
        then = outcome_of(trial.again(replace(fact, completed=True)))
        yield basis("P21", "completed", False, True, ("P21",), then, True if then != was else None)
    if was in ("earned", "hold", "regress", "deload"):
        yield from _exercises(trial, turn, said, fact)


def symptom_basis(trial: Trial, turn: Turn, fact: Report, was: str) -> Iterator[Basis]:
    """Each reported symptom that something is decided on, as if it had not been reported."""
    for symptom in fact.symptoms:
        rule = symptom_rule(turn, symptom)
        if rule is None:
            continue
        then = outcome_of(trial.again(without_symptom(fact, symptom)))
        turned = False if then != was else None
        yield basis(rule[0], f"symptoms.{symptom}", True, None, rule[1], then, turned)


def symptom_rule(turn: Turn, symptom: str) -> tuple[str, tuple[str, ...]] | None:
    """The rule that reads a symptom, with its source; None where none does, or where it is unknown."""
    rules = turn.protocols.progression
    if flag_urgency(symptom, rules) is not None:
        row = flag_evidence(symptom)
        return row, (row,)
    if symptom not in vocabulary().symptoms:
        return None
    if symptom == rules.illness.symptom:
        return "P19", rules.illness.source
    if symptom in strictest_limits(turn)[3]:
        return "P02", pain_source(turn)
    if symptom in (NIGHT_SYMPTOM, LASTING_SYMPTOM) or symptom in rules.flare.neurological_symptoms:
        return "P14", rules.flare.source
    return ("C8", rules.unfit.source) if symptom in rules.unfit.symptoms else None


def pain_source(turn: Turn) -> tuple[str, ...]:
    """Evidence rows of the pain rules in force."""
    return tuple(dict.fromkeys(row for protocol in turn.treated for row in protocol.course.pain.source))


def pains_to_try(turn: Turn, worst: float) -> tuple[float, list[float]]:
    """The limit that the worst pain of a session is read against, and values beyond limits, the nearest first."""
    progress, allowed, _, _ = strictest_limits(turn)
    flare, usual = turn.protocols.progression.flare, usual_pain(turn)
    limits = [progress, allowed]
    edges = [flare.severe_pain, *([usual + flare.rise_points] if usual is not None else [])]
    below = [one for one in limits if one < worst] + [one - TENTH for one in edges if one <= worst]
    above = [one + TENTH for one in limits if one >= worst] + [one for one in edges if one > worst]
    threshold = allowed if worst > allowed else progress
    tried = sorted({round(one, 3) for one in (*below, *above) if 0 <= one <= 10}, key=lambda one: abs(one - worst))
    return threshold, tried


def _pain(trial: Trial, turn: Turn, fact: SessionFact, was: str) -> Iterator[Basis]:
    worst = worst_pain(fact)
    threshold, tried = pains_to_try(turn, worst)
    source = pain_source(turn)
    for pain in tried:
        changed = with_pain(fact, pain)
        then = outcome_of(trial.again(changed))
        if then != was:
            yield from pain_entries(fact, changed, threshold, source, then)
            return
    yield basis("P02", "pain_during", fact.pain_during, threshold, source, was)


def pain_entries(
    fact: SessionFact, changed: SessionFact, threshold: float, source: tuple[str, ...], then: str, rule: str = "P02"
) -> Iterator[Basis]:
    """What of the pains was changed: both where both are too high."""
    fields = [f for f in ("pain_during", "pain_after") if getattr(fact, f) != getattr(changed, f)]
    together = 1 if len(fields) > 1 else None
    for name in fields:
        yield basis(rule, name, getattr(fact, name), threshold, source, then, getattr(changed, name), together)


def _exercises(trial: Trial, turn: Turn, said: Adjusted, fact: SessionFact) -> Iterator[Basis]:
    was = exercises_of(trial.ground.before, said.snapshot, said.changes)
    done = {one.exercise_id: one for one in fact.exercises if one.exercise_id in was}
    light = session_light(turn, fact)
    for exercise_id in was:
        if exercise_id not in done or done[exercise_id].skipped:
            yield basis("P21", f"exercises.{exercise_id}.skipped", True, None, ("P21",), was[exercise_id])
    done = {key: one for key, one in done.items() if not one.skipped}
    own_pain, (progress, allowed, _, _) = _own_pain(turn, fact, light), strictest_limits(turn)
    for find in (own_pain, _effort(turn), _volume(turn)):
        asked = {key: found for key, one in done.items() if (found := find(one, was[key])) is not None}
        if not asked:
            continue
        falls = find is own_pain and progress >= allowed
        alone = falls or any(was[key] not in ("earned", "hold") for key in asked)
        # What rises or holds does so by itself; what falls may make room for another exercise.
        groups = [{key: one} for key, one in asked.items()] if alone else [asked]
        for group in groups:
            then: dict[str, str] = {}
            # What is earned needs every condition met: without one of them it holds, which needs no trial,
            # unless pain that is too much for a rise is too much to hold as well.
            if falls or any(was[key] != "earned" for key in group):
                changed = tuple(
                    replace(one, **group[one.exercise_id].fields) if one.exercise_id in group else one
                    for one in fact.exercises
                )
                again = trial.again(replace(fact, exercises=changed))
                then = exercises_of(again.before, again.s, changes_of(again))
            for exercise_id, entry in group.items():
                outcome_then = then.get(exercise_id, "hold")
                is_turned = outcome_then != was[exercise_id]
                yield basis(
                    entry.rule,
                    f"exercises.{exercise_id}.{entry.name}",
                    entry.value,
                    entry.threshold,
                    entry.source,
                    outcome_then,
                    entry.turned_by if is_turned else None,
                )


class _Change:
    """One field of one exercise as it would have to be."""

    __slots__ = ("fields", "name", "rule", "source", "threshold", "turned_by", "value")

    def __init__(
        self,
        rule: str,
        name: str,
        value: float | None,
        threshold: float,
        turned_by: float,
        source: tuple[str, ...],
        **fields: float | int | None,
    ) -> None:
        self.rule, self.name, self.value = rule, name, value
        self.threshold, self.turned_by, self.source = threshold, turned_by, source
        self.fields = fields or {name: turned_by}


_Find = Callable[[Performed, str], _Change | None]


def _own_pain(turn: Turn, fact: SessionFact, light: Light) -> _Find:
    progress, allowed, _, _ = strictest_limits(turn)
    source = pain_source(turn)

    def find(one: Performed, was: str) -> _Change | None:
        if one.pain_nprs is None:
            return None
        own = exercise_light(turn, fact, one, light)
        limit = allowed if own == "red" else progress
        to = limit if one.pain_nprs > limit else limit + TENTH
        if to > 10 or (was == "hold" and own == "green"):
            return None
        return _Change("P02", "pain", one.pain_nprs, limit, to, source, pain_nprs=to)

    return find


def _effort(turn: Turn) -> _Find:
    rule, cap = turn.protocols.progression.effort, effort_cap_rpe(turn)
    limit = rule.progress_at_most if cap is None else min(cap, rule.progress_at_most)

    def find(one: Performed, was: str) -> _Change | None:
        if was == "earned":
            to = limit + TENTH
        elif was == "hold" and (one.rpe is None or one.rpe > limit):
            to = limit
        else:
            return None
        return _Change("P08", "rpe", one.rpe, limit, to, rule.source) if to <= 10 else None

    return find


def _volume(turn: Turn) -> _Find:
    source = turn.protocols.progression.double_progression.source

    def find(one: Performed, was: str) -> _Change | None:
        track = turn.s.track(one.exercise_id)
        if track is None or was not in ("earned", "hold"):
            return None
        dose = turn.s.in_force(track.dose)
        if dose.hold_s is not None:
            short = one.hold_s is None or one.hold_s < dose.hold_s
            to = dose.hold_s - 1 if was == "earned" else dose.hold_s
            wanted = was == "earned" or short
            return _Change("P08", "hold_s", one.hold_s, dose.hold_s, to, source) if wanted and to >= 0 else None
        to_reps = dose.reps - 1 if was == "earned" else dose.reps
        if was == "hold" and one.reps >= dose.reps:
            return None
        return _Change("P08", "reps", one.reps, dose.reps, to_reps, source, reps=to_reps, total_reps=to_reps * one.sets)

    return find
