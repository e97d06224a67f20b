"""When a phase is left, and what the next one brings."""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain.adherence import figures
from services.progression.domain.book import Dose
from services.progression.domain.circumstance import is_start_program, modifiers_of
from services.progression.domain.circumstance import leading as leading
from services.progression.domain.fact import SessionFact
from services.progression.domain.light import obstacle, usual_morning
from services.progression.domain.load import Track, mark, volume_of
from services.progression.domain.selection import exercises_of_phase, fill_session, follow_days
from services.progression.domain.start import begin_track, starting_dose
from services.progression.domain.state import Note, Stand
from services.progression.domain.statistic import baseline_of, week_of
from services.progression.domain.turn import Turn
from shared.event.adjustment import ChangeKind
from shared.event.vocabulary import vocabulary
from shared.protocol.modifier import phase_factor
from shared.protocol.program import Criterion, PhaseRules


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


def count_for_phase(turn: Turn, fact: SessionFact) -> None:
    """Counts a session for each condition of whose phase enough was really done. Source: P16."""
    share = turn.protocols.progression.advance.performed_share
    done = {one.exercise_id for one in fact.exercises if not one.skipped}
    prescribed = {track.dose.exercise_id for track in turn.s.tracks}
    stands = []
    for stand in turn.s.stands:
        rules = turn.phase_rules(stand.condition_id, stand.phase_id)
        listed = {one.exercise_id for one in rules.exercises} if rules else set()
        asked = prescribed & listed or prescribed
        counts = bool(asked) and len(asked & done) >= share * len(asked)
        stands.append(replace(stand, sessions=stand.sessions + 1) if counts else stand)
    turn.set(stands=tuple(stands))


def advance(turn: Turn) -> bool:
    """Leaves the phase where everything allows it. True where it did.

    Source: P16.
    """
    stand = leading(turn)
    if stand is None or turn.book is None or is_start_program(turn):
        return False  # an undetermined condition is examined before anything follows its phases (UND)
    rules, following = turn.phase_rules(stand.condition_id, stand.phase_id), _following(turn, stand)
    need = turn.protocols.progression.advance
    if rules is None or following is None or stand.met < need.checkins or stand.sessions < need.sessions:
        return False
    if obstacle(turn) is not None or turn.at - stand.since < least_time(turn, rules):
        return False
    adherence = figures(turn.s.adherence).adherence if turn.s.adherence else None
    if adherence is not None and adherence < need.adherence:
        return False
    last = turn.s.notes[-need.clean_sessions :]
    if len(last) < need.clean_sessions or any(note.light != "green" for note in last) or not last[-1].is_settled:
        return False
    unseen = [c.statement for c in (*rules.exit, *following.entry) if c.kind == "unreportable"]
    turn.say("P16", f"The criteria to leave the phase “{rules.name}” were met at {stand.met} check-ins in a row.")
    if unseen:
        turn.say("P16", f"No report can show these, a clinician should check them: {'; '.join(unseen)}.")
    entered = Stand(stand.condition_id, following.phase_id, turn.at)
    _set_stand(turn, entered)
    _enter(turn, entered, following, "P16", f"The phase “{following.name}” begins.")
    return True


def _is_back(turn: Turn, note: Note) -> bool:
    """Whether a good session's morning was back to where it was, as well as a rating tells. Source: O01, J-REST."""
    if note.is_settled or note.morning_nprs is None:
        return bool(note.is_settled)
    rise = note.morning_nprs - usual_morning(turn, note)
    return note.light == "green" and rise < turn.protocols.progression.regress.morning_rise_points


def least_time(turn: Turn, phase: PhaseRules) -> timedelta:
    """In a phase before it may be left; slower healers stay longer. Source: S02, S08, S10, S15."""
    return timedelta(weeks=phase.min_weeks * phase_factor(modifiers_of(turn)))


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
        entered = Stand(stand.condition_id, previous.phase_id, turn.at)
        _set_stand(turn, entered)
        _enter(turn, entered, previous, rule, f"After the gap, care goes on from the phase “{previous.name}”.")
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
            return len(answered) == criterion.count and all(_is_back(turn, note) for note in answered)
        case "symptom_absent":
            days = criterion.days or 7
            last_heard = dict(s.heard).get(criterion.symptom or "")
            return last_heard is None or turn.at - last_heard >= timedelta(days=days)
        case "week_at_least":
            return s.statistic is not None and week_of(s.statistic, turn.at) >= value
    return _instrument_met(turn, criterion)


def _enter(turn: Turn, stand: Stand, phase: PhaseRules, rule: str, because: str) -> None:
    """The new phase's exercises beside those of the conditions that hold; what is known goes on with its load."""
    kept = {track.dose.exercise_id: track for track in turn.s.tracks}
    tracks = []
    for exercise_id in exercises_of_phase(turn, stand, phase):
        dose = starting_dose(turn, exercise_id)
        track = kept.get(exercise_id)
        if track is not None:
            tracks.append(_carry_over(turn, track, dose, phase, rule, because))
        elif dose is not None:
            turn.change(exercise_id, "introduce", None, dose, rule, because)
            tracks.append(begin_track(dose, turn.at))
    turn.set(tracks=tuple(tracks), pending=None)
    fill_session(turn, rule, because)
    for exercise_id in sorted(kept.keys() - {track.dose.exercise_id for track in turn.s.tracks}):
        words = f"{because} It no longer holds this exercise."
        turn.change(exercise_id, "stop", kept[exercise_id].dose, None, rule, words)
    follow_days(turn)


def _carry_over(turn: Turn, track: Track, begins: Dose | None, phase: PhaseRules, rule: str, because: str) -> Track:
    """An exercise that the new phase lists too: its days, tempo and effort follow the phase, its load stays.

    Sets and repetitions follow one at a time, by no more than a week may add; back in an earlier phase
    nothing rises. Source: P11, P18.
    """
    before, is_forward = track.dose, rule == "P16"
    if begins is None or all(one.exercise_id != before.exercise_id for one in phase.exercises):
        return track
    dose = replace(
        before,
        days_per_week=begins.days_per_week if is_forward else min(before.days_per_week or 7, begins.days_per_week or 7),
        times_per_day=begins.times_per_day if is_forward or before.times_per_day else None,
        target_rpe=begins.target_rpe if is_forward else min(before.target_rpe, begins.target_rpe),
        tempo=begins.tempo,
        rest_s=begins.rest_s,
    )
    if (dose.hold_s is None) == (begins.hold_s is None):
        asked = replace(dose, sets=begins.sets, reps=begins.reps, hold_s=begins.hold_s)
        risen = (asked.sets > dose.sets) + (asked.reps > dose.reps) + ((asked.hold_s or 0) > (dose.hold_s or 0))
        rise = turn.protocols.progression.cap.per_week if is_forward else 0.0
        if risen <= is_forward and volume_of(asked) <= volume_of(before) * (1 + rise) + 1e-9:
            dose = asked
    if dose == before:
        return track
    kind: ChangeKind = "progress" if volume_of(dose) > volume_of(before) else "hold"
    turn.change(dose.exercise_id, kind, before, dose, rule, f"{because} This exercise goes on in its way.")
    return mark(replace(track, dose=dose, at_top=0), turn.at)


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
