"""What a session and its next morning do to the load of each exercise."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain import load
from services.progression.domain.book import Dose
from services.progression.domain.circumstance import (
    effort_cap_rpe,
    highest_effort_rpe,
    load_may_rise,
    longest_hold_s,
    may_progress,
)
from services.progression.domain.fact import Performed, SessionFact
from services.progression.domain.light import blame_for, exercise_light, obstacle, pain_words, strictest_limits
from services.progression.domain.load import Light, Span, Track
from services.progression.domain.regress import ease, fall
from services.progression.domain.start import begin_track
from services.progression.domain.state import Pending
from services.progression.domain.turn import Turn
from services.progression.domain.variant import variant_of
from shared.event.adjustment import ChangeKind


def work_through(turn: Turn, fact: SessionFact, light: Light) -> None:
    """Holds or lowers each exercise at once, and notes which have earned a step for the next morning.

    Source: P08, P10, P17, P21.
    """
    block = obstacle(turn)
    done = {one.exercise_id: one for one in fact.exercises}
    earned: list[str] = []
    second_amber = light == "amber" and _ambers(turn) >= turn.protocols.progression.regress.ambers
    for track in turn.s.tracks:
        exercise_id = track.dose.exercise_id
        performed = done.get(exercise_id, Performed(exercise_id, skipped=True))
        own = exercise_light(turn, fact, performed, light)
        if own == "red":
            words = f"{pain_words(turn, fact, performed)}, so this exercise goes one step back."
            fall(turn, track, words, blame=blame_for(turn, fact, performed))
            continue
        if second_amber and own == "amber":
            ease(turn, track)
            continue
        if track.reds:
            turn.put(replace(track, reds=0))
        rule, because, has_earned = _judge(turn, fact, track, performed, own, light, block)
        turn.change(exercise_id, "hold", track.dose, track.dose, rule, because)
        if has_earned:
            earned.append(exercise_id)
        elif track.at_top and own != "green":
            turn.put(replace(track, at_top=0, reds=0))
    if second_amber or light == "red":
        turn.set(regressed_at=turn.at)
    turn.set(pending=_pending(fact, tuple(earned)))


def settle(turn: Turn) -> None:
    """The next morning was good: gives what the session has earned, one axis for each exercise.

    Source: P07, P08, P09, P11, P13, P23.
    """
    pending, s = turn.s.pending, turn.s
    turn.set(pending=None)
    if pending is None or not pending.earned:
        return
    block = obstacle(turn)
    if block is not None:
        for exercise_id in pending.earned:
            turn.keep(exercise_id, *block)
        return
    if s.relief is not None:
        turn.end_lighter_time()
        turn.set(lightened_at=turn.at)
        turn.say("P13", "The lighter time is over and was tolerated: the usual volume returns, the load stays.")
        for track in s.tracks:
            before = s.in_force(track.dose)
            kind: ChangeKind = "progress" if before != track.dose else "hold"
            turn.change(track.dose.exercise_id, kind, before, track.dose, "P13", "The usual number of sets returns.")
        return
    for exercise_id in pending.earned:
        earner = turn.s.track(exercise_id)
        if earner is not None:
            _climb(turn, earner)


def expire(turn: Turn, rule: str, because: str) -> None:
    """What was earned is not given: it holds. Source: P21."""
    pending = turn.s.pending
    turn.set(pending=None)
    for exercise_id in pending.earned if pending else ():
        turn.keep(exercise_id, rule, because)


def lighten_all(
    turn: Turn,
    factor: float,
    rule: str,
    because: str,
    *,
    levels_back: int = 0,
    measured_from: Mapping[str, Dose] | None = None,
) -> None:
    """Takes load off every exercise: off its dose now, or an earlier one; nothing of it ends harder than now."""
    book = turn.book
    if book is None:
        return
    tracks = []
    for track in turn.s.tracks:
        earlier = (measured_from or {}).get(track.dose.exercise_id, track.dose)
        lighter = load.no_harder(load.lighten(earlier, factor, book, levels_back=levels_back), track.dose)
        kind: ChangeKind = "regress" if lighter != track.dose else "hold"
        turn.change(track.dose.exercise_id, kind, track.dose, lighter, rule, because)
        tracks.append(load.mark(replace(track, dose=lighter, at_top=0), turn.at))
    turn.set(tracks=tuple(tracks), pending=None)


def _judge(
    turn: Turn,
    fact: SessionFact,
    track: Track,
    performed: Performed,
    own: Light,
    light: Light,
    block: tuple[str, str] | None,
) -> tuple[str, str, bool]:
    effort = turn.protocols.progression.effort
    progress, _, _, _ = strictest_limits(turn)
    if performed.skipped:
        return "P21", "It was not done, so it stays as it is.", False
    if own == "amber" or light != "green":
        return "P02", f"Pain was above {progress:g}/10 and within what is allowed, so it stays as it is.", False
    if block is not None:
        return *block, False
    if not may_progress(turn, track.dose.exercise_id):
        return "DOMINANCE", "Another condition leads for now; what serves this one holds its load.", False
    if not fact.completed:
        return "P21", "The session was not completed, so it stays as it is.", False
    if not load.is_fulfilled(turn.s.in_force(track.dose), performed):
        return "P08", "Not every set was done, or reported, as prescribed, so it stays as it is.", False
    if performed.rpe is None:
        return "P21", "Its effort was not reported, so it stays as it is.", False
    cap = effort_cap_rpe(turn)
    if cap is not None and performed.rpe > cap:
        return "P10", f"Its effort of {performed.rpe:g} was above the {cap:g} that is allowed now, so it stays.", False
    if performed.rpe > effort.allowed_at_most:
        return "P10", f"Its effort of {performed.rpe:g} was above {effort.allowed_at_most:g}, so it stays.", False
    if performed.rpe > effort.progress_at_most:
        return "P08", f"Its effort of {performed.rpe:g} was above {effort.progress_at_most:g}, so it stays.", False
    return "P08", "It went well: a step up waits for a good next morning.", True


def _climb(turn: Turn, track: Track) -> None:
    book, rules = turn.book, turn.protocols.progression
    exercise = turn.protocols.exercises.exercises.get(track.dose.exercise_id)
    if book is None or exercise is None:
        return
    scheme = _scheme_row(turn, track)
    if not may_progress(turn, track.dose.exercise_id):
        return
    span = span_of(turn, track.dose)
    if scheme is not None:
        sets, reps = scheme
        if reps < track.dose.reps or (reps == track.dose.reps and sets > track.dose.sets):
            following = replace(track.dose, sets=sets, reps=reps)
            if load.is_within_week(track, following, turn.at, rules):
                _give(turn, track, following, "P09", "the next step of heavy slow resistance")
            else:
                turn.keep(track.dose.exercise_id, "P11", "This week's rise is used up, so it stays as it is.")
            return
        span = Span(track.dose.reps, track.dose.reps, track.dose.hold_s, track.dose.hold_s)
    if not load.is_at_top(track.dose, span):
        step = load.raise_within_range(track, span, exercise, turn.at, rules)
        if step is None:
            _ask_more_effort(turn, track, "This week's rise is used up, so it stays as it is.")
        else:
            _give(turn, track, step.dose, step.rule, step.what)
        return
    at_top = track.at_top + 1
    if at_top < rules.double_progression.sessions_at_top:
        turn.put(replace(track, at_top=at_top))
        turn.keep(
            track.dose.exercise_id, "P08", "The top of its range was reached once; a second time earns more load."
        )
        return
    step = load.raise_load(track, span, exercise, book, turn.at, rules)
    if step is not None:
        _give(turn, track, step.dose, step.rule, step.what)
        return
    turn.put(replace(track, at_top=at_top))
    harder = None if load_may_rise(turn, track.dose) else variant_of(turn, track, up=True)
    if harder is None:
        held = replace(track, at_top=at_top)
        _ask_more_effort(turn, held, "No further step is allowed in this phase now, so it stays.")
        return
    turn.change(
        track.dose.exercise_id, "progress", track.dose, harder, "P08", "Two good sessions at its top: a harder variant."
    )
    turn.swap(track, replace(begin_track(harder, turn.at), variant_since=turn.at))


def _ask_more_effort(turn: Turn, track: Track, otherwise: str) -> None:
    """Where neither range nor load rises, the effort asked for may: early light, later hard. Source: P10."""
    exercise_id, highest_rpe = track.dose.exercise_id, highest_effort_rpe(turn, track.dose)
    step = load.raise_effort(track, highest_rpe, turn.at, turn.protocols.progression)
    if step is None:
        turn.keep(exercise_id, "P11", otherwise)
        turn.put(replace(track, effort_since=track.effort_since or turn.at))
        return
    why = f"Well tolerated, and a good next morning: {step.what}."
    turn.change(exercise_id, "progress", track.dose, step.dose, step.rule, why)
    turn.put(replace(track, dose=step.dose, effort_since=turn.at))


def span_of(turn: Turn, dose: Dose) -> Span:
    """The protocol's range within the patient's cap on holds."""
    span = load.span_of(turn.dose_rule(dose.exercise_id), dose)
    longest_s = longest_hold_s(turn, turn.protocols.exercises.exercises.get(dose.exercise_id))
    if longest_s is None or span.hold_high_s is None:
        return span
    low_s = span.hold_low_s if span.hold_low_s is None else min(span.hold_low_s, longest_s)
    return replace(span, hold_low_s=low_s, hold_high_s=min(span.hold_high_s, longest_s))


def _give(turn: Turn, track: Track, dose: Dose, rule: str, what: str) -> None:
    turn.change(
        track.dose.exercise_id, "progress", track.dose, dose, rule, f"Well tolerated, and a good next morning: {what}."
    )
    turn.put(load.mark(replace(track, dose=dose, at_top=0), turn.at))


def _scheme_row(turn: Turn, track: Track) -> tuple[int, int] | None:
    """Sets and repetitions of heavy slow resistance in this week of the phase. Source: P09."""
    exercise = turn.protocols.exercises.exercises.get(track.dose.exercise_id)
    if exercise is None or exercise.kind != "isotonic" or track.dose.load_kg is None:
        return None
    for stand in turn.s.stands:
        rules = turn.phase_rules(stand.condition_id, stand.phase_id)
        if rules is None or not any(e.exercise_id == track.dose.exercise_id for e in rules.exercises):
            continue
        week = turn.weeks_since(stand.since) + 1
        rows = [row for row in rules.rep_scheme if row[0] <= week]
        if rows:
            return max(rows)[1], max(rows)[2]
    return None


def _ambers(turn: Turn) -> int:
    """Amber sessions within the days, since the last step back; the newest note is this session's."""
    rule = turn.protocols.progression.regress
    since = turn.at - timedelta(days=rule.amber_days)
    return sum(
        note.light == "amber" and note.time > since and (turn.s.regressed_at is None or note.time > turn.s.regressed_at)
        for note in turn.s.notes
    )


def _pending(fact: SessionFact, earned: tuple[str, ...]) -> Pending:
    return Pending(fact.session_id, fact.time, earned)
