"""What restricts this patient now: phases, modifiers, mix, equipment, and what was taken out.

The planner asks the same question of the same rules (`shared.protocol.constraint`).
"""

from collections.abc import Sequence

from services.progression.domain.book import Dose
from services.progression.domain.state import Stand
from services.progression.domain.statistic import week_of
from services.progression.domain.turn import Turn
from shared.protocol.constraint import Case, exclusion
from shared.protocol.exercise import Exercise
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier, hold_cap_s, rpe_cap


def modifiers_of(turn: Turn) -> tuple[Modifier, ...]:
    return turn.protocols.modifiers.of(turn.book.modifiers) if turn.book else ()


def mixes_of(turn: Turn) -> tuple[Mix, ...]:
    """The mixes that the plan names, which includes a referral route's, and those of what is treated."""
    book, rules = turn.book, turn.protocols.mixes
    if book is None:
        return ()
    treated = {mix.mix_id for mix in rules.of(book.conditions)}
    return tuple(mix for mix in rules.mixes if mix.mix_id in treated or mix.mix_id in book.mixes)


def restrictions(turn: Turn) -> Case:
    """All that excludes exercises with every condition in the phase in which it stands."""
    return turn.case(lambda: _restrictions(turn))


def _restrictions(turn: Turn) -> Case:
    stands = {stand.condition_id: stand for stand in turn.s.stands}
    phases = {}
    for protocol in turn.treated:
        stand = stands.get(protocol.condition_id)
        rules = turn.phase_rules(stand.condition_id, stand.phase_id) if stand else None
        phases[protocol.condition_id] = rules.number if rules else 1
    return Case(
        programs={protocol.condition_id: protocol.program for protocol in turn.treated},
        phases=phases,
        modifiers=modifiers_of(turn),
        mixes=mixes_of(turn),
        equipment=frozenset(turn.book.equipment if turn.book else ()),
        removed=frozenset(turn.s.stopped_exercises),
        start=turn.protocols.start_program if is_start_program(turn) else None,
        activities=turn.book.payload().intake.activity_goals if turn.book else None,
    )


def is_start_program(turn: Turn) -> bool:
    """The safe start of an undetermined condition: known by the early examination that only it has."""
    week = turn.protocols.start_program.reexamine_week
    if turn.book is None or week not in turn.book.review_weeks:
        return False
    return not any(week in protocol.program.review_weeks for protocol in turn.treated)


def is_allowed(turn: Turn, exercise_id: str, case: Case | None = None) -> bool:
    """Nothing excludes it now. Source: CONSTRAINT, and the rows of modifiers and mixes."""
    library = turn.protocols.exercises
    exercise = library.exercises.get(exercise_id)
    if exercise is None or exclusion(exercise_id, case or restrictions(turn), library) is not None:
        return False
    return not is_too_early(turn, exercise)


def is_too_early(turn: Turn, exercise: Exercise) -> bool:
    """It comes late in the first phase that allows it, and that week has not come. Source: EX15."""
    for late in exercise.late:
        for stand in turn.s.stands:
            rules = turn.phase_rules(stand.condition_id, stand.phase_id)
            if stand.condition_id != late.condition or rules is None:
                continue
            in_first = rules.number == exercise.earliest_phase.get(late.condition)
            if in_first and turn.weeks_since(stand.since) + 1 < late.from_week:
                return True
    return False


def effort_cap_rpe(turn: Turn) -> float | None:
    """The lowest cap on effort in this week of the program."""
    week = week_of(turn.s.statistic, turn.at) if turn.s.statistic else 0
    return rpe_cap(modifiers_of(turn), week)


def highest_effort_rpe(turn: Turn, dose: Dose) -> float:
    """The most effort that the phase and the patient's circumstances let an exercise ask for. Source: P10."""
    rule, cap = turn.dose_rule(dose.exercise_id), effort_cap_rpe(turn)
    highest = rule.rpe.high if rule is not None else dose.target_rpe
    return highest if cap is None else min(highest, cap)


def load_may_rise(turn: Turn, dose: Dose) -> bool:
    """Whether weight or level leaves room above a dose: the axis that waits, before a variant or none is left."""
    book, exercise = turn.book, turn.protocols.exercises.exercises.get(dose.exercise_id)
    if dose.load_kg is not None and book is not None:
        steps = book.load_steps_kg.get(dose.equipment or "none", ())
        return not steps or steps[-1] > dose.load_kg
    if dose.load_level is not None and exercise is not None:
        return not exercise.level_labels or dose.load_level < len(exercise.level_labels) - 1
    return False


def longest_hold_s(turn: Turn, exercise: Exercise | None) -> float | None:
    """The cap on a hold; walking and cycling are no holds."""
    return None if exercise is None or exercise.kind == "aerobic" else hold_cap_s(modifiers_of(turn))


def leading(turn: Turn) -> Stand | None:
    """The condition that progresses: the leader, and once it is in its last phase the next. Source: DOMINANCE."""
    return next((stand for stand in turn.s.stands if not _is_last(turn, stand)), None)


def may_progress(turn: Turn, exercise_id: str) -> bool:
    """In a mix only what the leading condition's phase asks for rises, or what loads no tendon.

    Where two tendons alternate, work for the other tendon alone holds whichever phase lists it.
    Source: DOMINANCE.
    """
    stands = turn.s.stands
    exercise = turn.protocols.exercises.exercises.get(exercise_id)
    if len(stands) < 2 or exercise is None or not exercise.loads:
        return True
    lead = leading(turn) or stands[0]
    rules = turn.phase_rules(lead.condition_id, lead.phase_id)
    if rules is None or all(one.exercise_id != exercise_id for one in rules.exercises):
        return False
    return not alternates(turn) or len(exercise.loads) > 1 or frozenset(exercise.loads) == leading_tendon(turn, lead)


def alternates(turn: Turn) -> bool:
    """Whether gluteal and hamstring loads fall on different days."""
    return any(mix.alternate_tendons for mix in mixes_of(turn))


def leading_tendon(turn: Turn, lead: Stand | None = None) -> frozenset[str]:
    """Of the condition that leads, as its first exercise for one tendon alone shows."""
    stand = lead or (turn.s.stands[0] if turn.s.stands else None)
    library = turn.protocols.exercises.exercises
    for protocol in turn.treated:
        if stand is not None and protocol.condition_id == stand.condition_id:
            for one in protocol.program.phases[0].exercises:
                loads = frozenset(library[one.exercise_id].loads)
                if len(loads) == 1:
                    return loads
    return frozenset({"gluteal"})


def able_days(turn: Turn) -> int:
    """Days a week on which this patient exercises at most: able to, and a clinician's word."""
    able = turn.book.able_days if turn.book else 7
    cap = turn.s.days_cap
    return able if cap is None else cap


def days_of(turn: Turn, exercise: Exercise, days_per_week: int, target_rpe: float) -> int:
    """Days a week for one exercise; two tendons share them, the leading one gets the odd day. Source: M2, P12."""
    days = able_days(turn)
    loads = frozenset(exercise.loads)
    if alternates(turn):
        is_heavy = target_rpe >= turn.protocols.mixes.light_below_rpe.value
        if len(loads) == 1:
            days = (days + 1) // 2 if loads == leading_tendon(turn) else days // 2
        elif loads and is_heavy:
            days = (days + 1) // 2
    return max(1, min(days_per_week, days))


def is_barred(turn: Turn, exercise: Exercise) -> bool:
    """With one day a week two tendons cannot alternate: only the leading one is loaded. Source: M2."""
    loads = frozenset(exercise.loads)
    return able_days(turn) == 1 and alternates(turn) and len(loads) == 1 and loads != leading_tendon(turn)


def named_first(turn: Turn) -> Sequence[str]:
    """Exercises that a modifier or a mix puts before the condition's own."""
    rules: tuple[Mix | Modifier, ...] = (*modifiers_of(turn), *mixes_of(turn))
    return list(dict.fromkeys(exercise_id for rule in rules for exercise_id in rule.first))


def _is_last(turn: Turn, stand: Stand) -> bool:
    rules = turn.phase_rules(stand.condition_id, stand.phase_id)
    protocol = next((p for p in turn.treated if p.condition_id == stand.condition_id), None)
    return rules is None or protocol is None or all(p.number <= rules.number for p in protocol.program.phases)
