"""When a phase is left, and what the next one brings."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.progression.domain.adherence import figures
from services.progression.domain.book import Book, Dose
from services.progression.domain.load import Track, mark
from services.progression.domain.state import Stand
from services.progression.domain.statistic import baseline_of, week_of
from services.progression.domain.turn import Turn
from shared.event.vocabulary import vocabulary
from shared.protocol.program import Criterion, PhaseRules


def leading(turn: Turn) -> Stand | None:
    """The condition that progresses: the first one not yet in its last phase. The others hold. Source: M1-M9."""
    for stand in turn.s.stands:
        if _following(turn, stand) is not None:
            return stand
    return None


def read_criteria(turn: Turn) -> None:
    """At a check-in: counts how often in a row the leading condition met its way out. Source: P16."""
    stand = leading(turn)
    if stand is None:
        return
    following = _following(turn, stand)
    rules = turn.phase_rules(stand.condition_id, stand.phase_id)
    if rules is None or following is None:
        return
    criteria = (*rules.exit, *following.entry)
    met = all(is_met(turn, criterion) for criterion in criteria)
    _set_stand(turn, replace(stand, met=stand.met + 1 if met else 0))


def advance(turn: Turn) -> bool:
    """Leaves the phase where everything allows it. True where it did.

    Source: P16.
    """
    stand = leading(turn)
    if stand is None or turn.book is None:
        return False
    rules, following = turn.phase_rules(stand.condition_id, stand.phase_id), _following(turn, stand)
    need = turn.protocols.progression.advance
    if rules is None or following is None or stand.met < need.checkins or stand.sessions < need.sessions:
        return False
    if turn.at - stand.since < timedelta(weeks=rules.min_weeks):
        return False
    adherence = figures(turn.s.adherence).adherence if turn.s.adherence else None
    if adherence is not None and adherence < need.adherence:
        return False
    last = turn.s.notes[-need.clean_sessions :]
    if len(last) < need.clean_sessions or any(note.light != "green" for note in last):
        return False
    unseen = [c.statement for c in (*rules.exit, *following.entry) if c.kind == "unreportable"]
    turn.say("P16", f"The criteria to leave the phase “{rules.name}” were met at {stand.met} check-ins in a row.")
    if unseen:
        turn.say("P16", f"No report can show these, a clinician should check them: {'; '.join(unseen)}.")
    _set_stand(turn, Stand(stand.condition_id, following.phase_id, turn.at))
    _enter(turn, following, "P16", f"The phase “{following.name}” begins.")
    return True


def retreat(turn: Turn, rule: str) -> bool:
    """One phase back for the leading condition, with the loads as they now stand. Source: P18."""
    for stand in turn.s.stands:
        protocol = next((p for p in turn.treated if p.condition_id == stand.condition_id), None)
        rules = turn.phase_rules(stand.condition_id, stand.phase_id)
        if protocol is None or rules is None:
            continue
        earlier = [p for p in protocol.program.phases if p.number < rules.number]
        if not earlier:
            continue
        previous = max(earlier, key=lambda p: p.number)
        _set_stand(turn, Stand(stand.condition_id, previous.phase_id, turn.at))
        _enter(turn, previous, rule, f"After the gap, care goes on from the phase “{previous.name}”.")
        return True
    return False


def is_met(turn: Turn, criterion: Criterion) -> bool:
    """One criterion by what was reported. Evidence that is absent is unknown, and unknown is not met."""
    s, value = turn.s, criterion.value or 0.0
    match criterion.kind:
        case "unreportable":
            return True
        case "session_pain_at_most":
            last = s.notes[-criterion.count :]
            return len(last) == criterion.count and all(note.pain_nprs <= value for note in last)
        case "morning_settled":
            answered = [note for note in s.notes if note.is_settled is not None][-criterion.count :]
            return len(answered) == criterion.count and all(note.is_settled for note in answered)
        case "symptom_absent":
            days = criterion.days or 7
            if criterion.symptom == "night_pain_increased":
                return not any(turn.at - night < timedelta(days=days) for night in s.nights)
            if criterion.symptom in ("distal_spread", "paraesthesia"):
                return s.unfit == 0
            return not any(note.time > turn.at - timedelta(days=days) and note.light == "red" for note in s.notes)
        case "week_at_least":
            return s.statistic is not None and week_of(s.statistic, turn.at) >= value
    return _instrument_met(turn, criterion)


def is_allowed(turn: Turn, exercise_id: str) -> bool:
    """No treated condition excludes it at the number of its current phase. Source: CONSTRAINT."""
    exercise = turn.protocols.exercises.exercises.get(exercise_id)
    if exercise is None:
        return False
    for stand in turn.s.stands:
        rules = turn.phase_rules(stand.condition_id, stand.phase_id)
        earliest = exercise.earliest_phase.get(stand.condition_id)
        if rules is None or earliest is None or rules.number < earliest:
            return False
    return exercise_id not in turn.s.stopped_exercises


def planned_dose(book: Book, phase_id: str, exercise_id: str) -> Dose | None:
    """As the planner laid it out, in the phase first, else in any."""
    phase = book.phase(phase_id)
    phases = [phase, *book.phases] if phase else list(book.phases)
    return next((dose for one in phases for dose in one.doses if dose.exercise_id == exercise_id), None)


def begin_track(dose: Dose, at: datetime) -> Track:
    return mark(Track(dose), at)


def _enter(turn: Turn, phase: PhaseRules, rule: str, because: str) -> None:
    """The new phase's exercises, the essential ones first, beside those of the conditions that hold."""
    book = turn.book
    planned = book.phase(phase.phase_id) if book else None
    if book is None or planned is None:
        return  # the planner laid out no such phase: the exercises stay as they are
    essential = {one.exercise_id for one in phase.exercises if one.essential}
    doses = sorted(
        (dose for dose in planned.doses if is_allowed(turn, dose.exercise_id)),
        key=lambda dose: dose.exercise_id not in essential,
    )
    if not doses:
        return
    held = _held_exercises(turn, book, phase.phase_id)
    kept = {track.dose.exercise_id: track for track in turn.s.tracks}
    tracks = [track for track in turn.s.tracks if track.dose.exercise_id in held]
    room = max(turn.protocols.progression.advance.exercises_at_most, len(book.doses))
    for dose in doses:
        if len(tracks) >= room or dose.exercise_id in held & kept.keys():
            continue
        track = kept.get(dose.exercise_id)
        if track is None:
            track = begin_track(dose, turn.at)
            turn.change(dose.exercise_id, "introduce", None, dose, rule, because)
        tracks.append(track)
    for exercise_id in sorted(kept.keys() - {track.dose.exercise_id for track in tracks}):
        words = f"{because} It no longer holds this exercise."
        turn.change(exercise_id, "stop", kept[exercise_id].dose, None, rule, words)
    turn.set(tracks=tuple(tracks), pending=None)


def _held_exercises(turn: Turn, book: Book, entered: str) -> set[str]:
    """Exercises of the current phases of the other treated conditions."""
    found: set[str] = set()
    for stand in turn.s.stands:
        phase = book.phase(stand.phase_id)
        if phase is not None and stand.phase_id != entered:
            found.update(dose.exercise_id for dose in phase.doses if is_allowed(turn, dose.exercise_id))
    return found


def _instrument_met(turn: Turn, criterion: Criterion) -> bool:
    statistic = turn.s.statistic
    series = statistic.of(criterion.instrument) if statistic and criterion.instrument else None
    if statistic is None or criterion.instrument is None or series is None or series.last is None:
        return False
    newest = series.last.value
    if criterion.kind == "instrument_at_most":
        return criterion.value is not None and newest <= criterion.value
    if criterion.kind == "instrument_at_least":
        return criterion.value is not None and newest >= criterion.value
    baseline = baseline_of(statistic, criterion.instrument, 1)
    if baseline is None:
        return False
    change = newest - baseline
    if vocabulary().instruments[criterion.instrument].lower_is_better:
        change = -change
    by_points = criterion.value is not None and change >= criterion.value
    by_percent = criterion.percent is not None and baseline != 0 and 100 * change / abs(baseline) >= criterion.percent
    return by_points or by_percent


def _following(turn: Turn, stand: Stand) -> PhaseRules | None:
    protocol = next((p for p in turn.treated if p.condition_id == stand.condition_id), None)
    rules = turn.phase_rules(stand.condition_id, stand.phase_id)
    if protocol is None or rules is None:
        return None
    later = [p for p in protocol.program.phases if p.number > rules.number]
    return min(later, key=lambda p: p.number) if later else None


def _set_stand(turn: Turn, stand: Stand) -> None:
    turn.set(stands=tuple(stand if one.condition_id == stand.condition_id else one for one in turn.s.stands))
