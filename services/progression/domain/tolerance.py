"""What a patient has tolerated of each exercise, and for how many weeks nothing harder was. Source: RULEOUT b, J-STALL.

The phase alone excludes nobody: who stands at the top of a phase that only an improvement can leave has had
as much dose as is tolerated.
"""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain import load
from services.progression.domain.book import Dose
from services.progression.domain.circumstance import highest_effort_rpe, load_may_rise
from services.progression.domain.fact import Performed, SessionFact
from services.progression.domain.load import Track
from services.progression.domain.phase import is_met, leading
from services.progression.domain.state import PLANNED_RELIEF, Snapshot, Tolerated
from services.progression.domain.turn import Turn
from shared.protocol.program import Criterion

TRIED_LIMIT = 24
REDUCED_BY_SYMPTOMS = ("P15", "P17")
WEEK = timedelta(weeks=1)


def note_tolerance(turn: Turn, before: Snapshot) -> None:
    """After a step: a good session with its settled morning shows that the dose before the step was tolerated."""
    tried = {one.exercise_id: one for one in turn.s.tolerated}
    for change in turn.changes:
        if change.rule in REDUCED_BY_SYMPTOMS and change.kind in ("regress", "substitute", "stop"):
            had = tried.get(change.exercise_id, Tolerated(change.exercise_id))
            tried[change.exercise_id] = replace(had, times_reduced=had.times_reduced + 1)
    if _becomes_harder(turn):
        turn.set(harder_at=turn.at, stalled_weeks=0)
    for track in _shown(turn, before):
        dose = before.in_force(track.dose)
        had = tried.get(dose.exercise_id, Tolerated(dose.exercise_id))
        if had.highest is not None and _hardness(dose) <= _hardness(had.highest):
            continue
        tried[dose.exercise_id] = replace(had, highest=dose)
    _count_dose(turn, before, tried)
    if tuple(tried.values()) != turn.s.tolerated:
        current = {track.dose.exercise_id for track in turn.s.tracks}
        old = [one for one in tried.values() if one.exercise_id not in current]
        kept = [one for one in tried.values() if one.exercise_id in current]
        turn.set(tolerated=(*old, *kept)[-TRIED_LIMIT:])


def _count_dose(turn: Turn, before: Snapshot, tried: dict[str, Tolerated]) -> None:
    """Adds what a session of the program in force was to do and what it did, in repetitions or seconds of hold."""
    fact = turn.fact
    if not isinstance(fact, SessionFact) or fact.program_id != before.program_id or not before.is_running:
        return
    done = {one.exercise_id: one for one in fact.exercises if not one.skipped}
    for track in before.tracks:
        dose = before.in_force(track.dose)
        had = tried.get(dose.exercise_id, Tolerated(dose.exercise_id))
        performed = done.get(dose.exercise_id)
        tried[dose.exercise_id] = replace(
            had,
            sessions=had.sessions + 1,
            sessions_done=had.sessions_done + (performed is not None),
            prescribed=had.prescribed + _asked(dose),
            performed=had.performed + (0.0 if performed is None else _done(dose, performed)),
        )


def _asked(dose: Dose) -> float:
    """Repetitions, or seconds of hold."""
    return dose.sets * dose.reps * (dose.hold_s or 1.0)


def _done(dose: Dose, performed: Performed) -> float:
    """What was done of it, in the same."""
    return performed.total_reps * (1.0 if dose.hold_s is None else performed.hold_s or 0.0)


def close_week(turn: Turn, done: int, due: int) -> None:
    """Counts the week that is over where all was done and answered and nothing became harder.

    A lighter week and one of missing reports are no evidence; one without a session done as prescribed ends the count.
    Source: RULEOUT b, J-STALL.
    """
    s = turn.s
    if not turn.treated or s.is_lighter_by_plan:
        return
    share = turn.treated[0].course.dose.fulfilled_share
    if not _is_trained(turn, share):
        turn.set(stalled_weeks=0)
        return
    has_risen = s.harder_at is not None and turn.at - s.harder_at < WEEK
    if s.is_running and s.rest_until is None and not has_risen and _is_evidence(turn, done, due, share):
        turn.set(stalled_weeks=s.stalled_weeks + 1)


def stalled_weeks(s: Snapshot) -> int:
    """Whole weeks up to the last session in which nothing harder was tolerated, lighter ones left out.

    All but one of them are calendar weeks that count: what became harder did so in the middle of one.
    """
    since = s.harder_at or s.started_at
    if since is None or s.last_session is None:
        return 0
    until = s.lightened_at if s.is_lighter_by_plan and s.lightened_at is not None else s.last_session
    return max(0, min(s.stalled_weeks + 1, (min(until, s.last_session) - since) // WEEK))


def _is_trained(turn: Turn, share: float) -> bool:
    """Whether a session of the week that is over did what was prescribed."""
    recent = [note for note in turn.s.notes if turn.at - note.time <= WEEK]
    return any(note.performed_share is not None and note.performed_share >= share for note in recent)


def _becomes_harder(turn: Turn) -> bool:
    """Whether the step asks for more of an exercise that loads; the end of a lighter week asks for no more."""
    return any(
        change.kind == "progress" and change.rule != PLANNED_RELIEF and _loads(turn, change.exercise_id)
        for change in turn.changes
    )


def performed_share(turn: Turn, fact: SessionFact) -> float | None:
    """How much of the prescribed repetitions or seconds a session did, with effort told; None: nothing prescribed."""
    done = {one.exercise_id: one for one in fact.exercises if not one.skipped}
    shares = []
    for track in turn.s.tracks:
        dose = turn.s.in_force(track.dose)
        performed = done.get(dose.exercise_id)
        # Without its effort nothing may rise, so it says nothing of what would have been tolerated.
        is_told = performed is not None and performed.rpe is not None
        shares.append(min(1.0, _done(dose, performed) / _asked(dose)) if performed and is_told else 0.0)
    return round(sum(shares) / len(shares), 3) if shares else None


def _is_evidence(turn: Turn, done: int, due: int, share: float) -> bool:
    """Whether a week without a rise shows that no more is tolerated: trained in full."""
    if not due or 2 * done < due or not _is_delivered(turn, share):
        return False
    # At the top of a phase of which nobody has told what would open the next, nothing was withheld by symptoms.
    return not _stands_at_top(turn) or _phase_needs_improvement(turn)


def _is_delivered(turn: Turn, share: float) -> bool:
    """Whether the week's sessions did what was prescribed, and most of their mornings are known."""
    recent = [note for note in turn.s.notes if turn.at - note.time <= WEEK]
    told = [note.performed_share for note in recent if note.performed_share is not None]
    answered = sum(note.is_settled is not None for note in recent)
    return bool(told) and sum(told) >= share * len(told) and 2 * answered >= len(recent)


def _shown(turn: Turn, before: Snapshot) -> list[Track]:
    """What the newest session did as prescribed, without pain, now that its morning is known to be settled."""
    pending = before.pending
    if pending is None or not pending.earned or before.program_id != turn.s.program_id:
        return []
    note = next((n for n in turn.s.notes if n.session_id == pending.session_id), None)
    if note is None or not note.is_settled or note.light != "green":
        return []
    return [track for track in before.tracks if track.dose.exercise_id in pending.earned]


def _hardness(dose: Dose) -> tuple[float, float]:
    resistance = dose.load_kg if dose.load_kg is not None else float(dose.load_level or 0)
    return resistance, load.volume_of(dose)


def _loads(turn: Turn, exercise_id: str) -> bool:
    exercise = turn.protocols.exercises.exercises.get(exercise_id)
    return exercise is not None and any(exercise.kind in one.course.dose.kinds for one in turn.treated)


def _stands_at_top(turn: Turn) -> bool:
    need = turn.protocols.progression.double_progression.sessions_at_top
    loading = [track for track in turn.s.tracks if _loads(turn, track.dose.exercise_id)]
    return all(track.at_top >= need or not _may_rise(turn, track) for track in loading)


def _may_rise(turn: Turn, track: Track) -> bool:
    """Whether range, effort, weight or level leave room above the dose in this phase."""
    dose = track.dose
    if not load.is_at_top(dose, load.span_of(turn.dose_rule(dose.exercise_id), dose)):
        return True
    return dose.target_rpe < highest_effort_rpe(turn, dose) or load_may_rise(turn, dose)


def _phase_needs_improvement(turn: Turn) -> bool:
    """No phase follows, or reports show that what must improve to leave the leading condition's has not."""
    stand = leading(turn)
    if stand is None:
        return bool(turn.s.stands)
    protocol = next((one for one in turn.treated if one.condition_id == stand.condition_id), None)
    rules = turn.phase_rules(stand.condition_id, stand.phase_id)
    if protocol is None or rules is None:
        return False
    later = [phase for phase in protocol.program.phases if phase.number > rules.number]
    criteria = (*rules.exit, *min(later, key=lambda phase: phase.number).entry)
    return any(_is_reported(turn, one) and not is_met(turn, one) for one in criteria)


def _is_reported(turn: Turn, criterion: Criterion) -> bool:
    """Whether patients improve on it and have told of it; a measure that nobody reported is no failure."""
    match criterion.kind:
        case "unreportable" | "week_at_least":
            return False
        case "session_pain_at_most":
            return len(turn.s.notes) >= criterion.count
        case "morning_settled":
            return sum(note.is_settled is not None for note in turn.s.notes) >= criterion.count
        case "symptom_absent":
            return True
    series = turn.s.statistic.of(criterion.instrument) if turn.s.statistic and criterion.instrument else None
    return series is not None and series.last is not None
