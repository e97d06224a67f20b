"""What a session and its next morning do to the load of each exercise."""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain import load
from services.progression.domain.book import Dose
from services.progression.domain.fact import Performed, SessionFact
from services.progression.domain.load import Light, Span, Track
from services.progression.domain.phase import begin_track, is_allowed, planned_dose
from services.progression.domain.state import Pending, Relief
from services.progression.domain.trend import is_rising
from services.progression.domain.turn import Turn
from shared.event.adjustment import ChangeKind
from shared.protocol.program import PhaseExercise


def strictest_limits(turn: Turn) -> tuple[float, float, float, frozenset[str]]:
    """Pain that may progress, pain that is allowed, rise by the morning, symptoms that count as red.

    In a mix each condition has its rule and the stricter one holds. Source: P02-P06, DOMINANCE.
    """
    rules = [protocol.course.pain for protocol in turn.treated]
    return (
        min(rule.progress_at_most for rule in rules),
        min(rule.allowed_at_most for rule in rules),
        min(rule.morning_rise_at_most for rule in rules),
        frozenset(symptom for rule in rules for symptom in rule.regress_symptoms),
    )


def light_of(turn: Turn, pain_nprs: float, symptoms: tuple[str, ...]) -> Light:
    """Green may progress, amber holds, red goes back. Source: P02."""
    progress, allowed, _, regress = strictest_limits(turn)
    if pain_nprs > allowed or not regress.isdisjoint(symptoms):
        return "red"
    return "amber" if pain_nprs > progress else "green"


def obstacle(turn: Turn) -> tuple[str, str] | None:
    """What forbids any rise of load now: the rule and a sentence. None where nothing does.

    The safety envelope: whatever a protocol says, nothing passes here.
    """
    s, rules = turn.s, turn.protocols.progression
    if not s.is_running:
        return "P17", "The program is not running, so nothing rises."
    if s.escalation("red_flag") is not None:
        return "RF19", "A red flag is open, so nothing rises."
    if s.rest_until is not None:
        return "P19", "The patient is ill, so nothing rises."
    if s.flare is not None or s.escalation("flare") is not None:
        return "P15", "Symptoms have flared, so nothing rises."
    if s.escalation("adverse_response") is not None:
        return "P17", "A clinician is to look at the response first, so nothing rises."
    if s.relief is not None and turn.at < s.relief.until:
        return s.relief.rule, "A lighter week is under way, so nothing rises."
    if s.statistic is not None and is_rising(s.statistic, turn.at, rules.trend.weeks, rules.trend.rise_points):
        return "P22", "Average pain has risen for two weeks, so nothing rises."
    return None


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
            fall(turn, track, f"{_pain_words(turn, fact, performed)}, so this exercise goes one step back.")
            continue
        if second_amber and own == "amber":
            ease(turn, track)
            continue
        if track.reds:
            _put(turn, replace(track, reds=0))
        rule, because, has_earned = _judge(turn, fact, track, performed, own, light, block)
        turn.change(exercise_id, "hold", track.dose, track.dose, rule, because)
        if has_earned:
            earned.append(exercise_id)
        elif track.at_top and own != "green":
            _put(turn, replace(track, at_top=0, reds=0))
    if second_amber or light == "red":
        turn.set(regressed_at=turn.at)
    turn.set(pending=_pending(fact, tuple(earned)))


def exercise_light(turn: Turn, fact: SessionFact, performed: Performed, light: Light) -> Light:
    """The exercise's own pain where it was reported, else that of the session."""
    if performed.skipped or performed.pain_nprs is None:
        return light
    return light_of(turn, performed.pain_nprs, fact.symptoms)


def fall(turn: Turn, track: Track, because: str, rule: str = "P17") -> None:
    """One step back; after repeated red sessions the easier variant, or none. Source: P17."""
    rules, book = turn.protocols.progression.regress, turn.book
    if book is None:
        return
    reds = track.reds + 1
    lighter = load.lighten(track.dose, rules.load_factor, book, levels_back=1)
    if reds < rules.reds_to_substitute and lighter != track.dose:
        turn.change(track.dose.exercise_id, "regress", track.dose, lighter, rule, because)
        _put(turn, load.mark(replace(track, dose=lighter, reds=reds, at_top=0), turn.at))
        return
    easier = _variant(turn, track, up=False)
    exercise_id = track.dose.exercise_id
    if easier is not None:
        turn.change(exercise_id, "substitute", track.dose, easier, rule, f"{because} Its easier variant replaces it.")
        _swap(turn, track, replace(begin_track(easier, turn.at), variant_since=turn.at))
    elif len(turn.s.tracks) > 1:
        turn.change(exercise_id, "stop", track.dose, None, rule, f"{because} Nothing easier is left of it.")
        turn.set(
            tracks=tuple(t for t in turn.s.tracks if t.dose.exercise_id != exercise_id),
            stopped_exercises=tuple(sorted({*turn.s.stopped_exercises, exercise_id})),
        )
    else:
        # Not all loading stops unless a red flag says so (P17): the last exercise stays at its least.
        turn.change(exercise_id, "regress", track.dose, lighter, rule, because)
        _put(turn, load.mark(replace(track, dose=lighter, reds=reds, at_top=0), turn.at))


def ease(turn: Turn, track: Track) -> None:
    """One step back after repeated amber, never below where the phase began: amber is allowed pain. Source: P17."""
    book, factor = turn.book, turn.protocols.progression.regress.load_factor
    if book is None:
        return
    stand = turn.s.stands[0] if turn.s.stands else None
    floor = planned_dose(book, stand.phase_id if stand else "", track.dose.exercise_id)
    lighter = load.lighten(track.dose, factor, book, levels_back=1)
    dose = track.dose if floor is None or load.volume_of(lighter) < load.volume_of(floor) else lighter
    if dose == track.dose:
        _hold(turn, dose.exercise_id, "P17", "Repeated amber, and already where the phase began, so it stays.")
        return
    because = "This was the second amber session within a week, so it goes one step back."
    turn.change(dose.exercise_id, "regress", track.dose, dose, "P17", because)
    _put(turn, load.mark(replace(track, dose=dose, at_top=0, reds=0), turn.at))


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
            _hold(turn, exercise_id, *block)
        return
    if s.relief is not None:
        turn.set(relief=None, lightened_at=turn.at)
        turn.say("P13", "The lighter time is over and was tolerated: the usual volume returns, the load stays.")
        for track in s.tracks:
            before = load.reduce_volume(track.dose, s.relief.volume_factor)
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
        _hold(turn, exercise_id, rule, because)


def deload_if_due(turn: Turn) -> bool:
    """Every few weeks a lighter one. True where it begins. Source: P13."""
    rule, s, book = turn.protocols.progression.deload, turn.s, turn.book
    if book is None or s.lightened_at is None or s.relief is not None:
        return False
    if turn.weeks_since(s.lightened_at) < rule.after_weeks:
        return False
    tracks = []
    for track in s.tracks:
        dose = track.dose
        if dose.load_kg is not None:
            dose = load.lighten(dose, rule.load_factor, book)
        lighter = load.reduce_volume(dose, rule.volume_factor)
        turn.change(
            dose.exercise_id,
            "regress" if lighter != track.dose else "hold",
            track.dose,
            lighter,
            "P13",
            f"After {rule.after_weeks} weeks a lighter one: less volume, and less load where there is any.",
        )
        tracks.append(load.mark(replace(track, dose=dose, at_top=0), turn.at))
    turn.set(
        tracks=tuple(tracks),
        relief=Relief(turn.at + timedelta(days=rule.days), rule.volume_factor, "P13"),
        lightened_at=turn.at,
    )
    return True


def lighten_all(turn: Turn, factor: float, rule: str, because: str, *, levels_back: int = 0) -> None:
    """Takes load off every exercise."""
    book = turn.book
    if book is None:
        return
    tracks = []
    for track in turn.s.tracks:
        lighter = load.lighten(track.dose, factor, book, levels_back=levels_back)
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
    if not fact.completed:
        return "P21", "The session was not completed, so it stays as it is.", False
    if not load.is_fulfilled(load_in_force(turn, track), performed):
        return "P08", "Not every set was done, or reported, as prescribed, so it stays as it is.", False
    if performed.rpe is None:
        return "P21", "Its effort was not reported, so it stays as it is.", False
    if performed.rpe > effort.allowed_at_most:
        return "P10", f"Its effort of {performed.rpe:g} was above {effort.allowed_at_most:g}, so it stays.", False
    if performed.rpe > effort.progress_at_most:
        return "P08", f"Its effort of {performed.rpe:g} was above {effort.progress_at_most:g}, so it stays.", False
    return "P08", "It went well: a step up waits for a good next morning.", True


def load_in_force(turn: Turn, track: Track) -> Dose:
    """What was prescribed: the dose, with fewer sets in a lighter time."""
    relief = turn.s.relief
    return load.reduce_volume(track.dose, relief.volume_factor) if relief else track.dose


def _climb(turn: Turn, track: Track) -> None:
    book, rules = turn.book, turn.protocols.progression
    exercise = turn.protocols.exercises.exercises.get(track.dose.exercise_id)
    if book is None or exercise is None:
        return
    scheme = _scheme_row(turn, track)
    span = load.span_of(turn.dose_rule(track.dose.exercise_id), track.dose)
    if scheme is not None:
        sets, reps = scheme
        if reps < track.dose.reps or (reps == track.dose.reps and sets > track.dose.sets):
            _give(
                turn, track, replace(track.dose, sets=sets, reps=reps), "P09", "the next step of heavy slow resistance"
            )
            return
        span = Span(track.dose.reps, track.dose.reps, track.dose.hold_s, track.dose.hold_s)
    if not load.is_at_top(track.dose, span):
        step = load.raise_within_range(track, span, turn.at, rules)
        if step is None:
            _hold(turn, track.dose.exercise_id, "P11", "This week's rise is used up, so it stays as it is.")
        else:
            _give(turn, track, step.dose, step.rule, step.what)
        return
    at_top = track.at_top + 1
    if at_top < rules.double_progression.sessions_at_top:
        _put(turn, replace(track, at_top=at_top))
        _hold(
            turn, track.dose.exercise_id, "P08", "The top of its range was reached once; a second time earns more load."
        )
        return
    step = load.raise_load(track, span, exercise, book, turn.at, rules)
    if step is not None:
        _give(turn, track, step.dose, step.rule, step.what)
        return
    _put(turn, replace(track, at_top=at_top))
    harder = None if _load_may_still_rise(turn, track) else _variant(turn, track, up=True)
    if harder is None:
        _hold(turn, track.dose.exercise_id, "P11", "No further step is allowed in this phase now, so it stays.")
        return
    turn.change(
        track.dose.exercise_id, "progress", track.dose, harder, "P08", "Two good sessions at its top: a harder variant."
    )
    turn.set(held_progress=turn.at)
    _swap(turn, track, replace(begin_track(harder, turn.at), variant_since=turn.at))


def _give(turn: Turn, track: Track, dose: Dose, rule: str, what: str) -> None:
    turn.change(
        track.dose.exercise_id, "progress", track.dose, dose, rule, f"Well tolerated, and a good next morning: {what}."
    )
    turn.set(held_progress=turn.at)
    _put(turn, load.mark(replace(track, dose=dose, at_top=0), turn.at))


def _load_may_still_rise(turn: Turn, track: Track) -> bool:
    """Whether load is the axis that waits, so that no variant changes in its place."""
    dose, book = track.dose, turn.book
    exercise = turn.protocols.exercises.exercises.get(dose.exercise_id)
    if dose.load_kg is not None and book is not None:
        steps = book.load_steps_kg.get(dose.equipment or "none", ())
        return not steps or steps[-1] > dose.load_kg
    if dose.load_level is not None and exercise is not None:
        return not exercise.level_labels or dose.load_level < len(exercise.level_labels) - 1
    return False


def _variant(turn: Turn, track: Track, *, up: bool) -> Dose | None:
    """The harder or easier exercise in its place, where every treated condition allows it. Source: P23."""
    rules, book = turn.protocols.progression, turn.book
    exercise = turn.protocols.exercises.exercises.get(track.dose.exercise_id)
    other = (exercise.harder if up else exercise.easier) if exercise else None
    if other is None or book is None or turn.s.track(other) is not None or not is_allowed(turn, other):
        return None
    since = track.variant_since
    if up and since is not None and turn.at - since < timedelta(days=rules.variant.days):
        return None
    stand = turn.s.stands[0] if turn.s.stands else None
    planned = planned_dose(book, stand.phase_id if stand else "", other)
    if planned is not None:
        return planned
    rule = turn.dose_rule(other)
    return _lowest(rule, track.dose) if rule is not None else None


def _lowest(rule: PhaseExercise, like: Dose) -> Dose:
    return Dose(
        exercise_id=rule.exercise_id,
        sets=rule.sets,
        reps=int(rule.reps.low),
        target_rpe=rule.rpe.low,
        side=like.side,
        hold_s=rule.hold_s.low if rule.hold_s else None,
        days_per_week=min(rule.days_per_week, like.days_per_week or rule.days_per_week),
        times_per_day=rule.times_per_day if rule.times_per_day > 1 else None,
        tempo=rule.tempo,
        rest_s=rule.rest_s,
    )


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


def _hold(turn: Turn, exercise_id: str, rule: str, because: str) -> None:
    track = turn.s.track(exercise_id)
    if track is not None:
        turn.change(exercise_id, "hold", track.dose, track.dose, rule, because)


def _put(turn: Turn, track: Track) -> None:
    turn.set(tracks=tuple(track if one.dose.exercise_id == track.dose.exercise_id else one for one in turn.s.tracks))


def _swap(turn: Turn, old: Track, new: Track) -> None:
    turn.set(tracks=tuple(new if one.dose.exercise_id == old.dose.exercise_id else one for one in turn.s.tracks))


def _ambers(turn: Turn) -> int:
    """Amber sessions within the days, since the last step back; the newest note is this session's."""
    rule = turn.protocols.progression.regress
    since = turn.at - timedelta(days=rule.amber_days)
    return sum(
        note.light == "amber" and note.time > since and (turn.s.regressed_at is None or note.time > turn.s.regressed_at)
        for note in turn.s.notes
    )


def _pain_words(turn: Turn, fact: SessionFact, performed: Performed) -> str:
    _, allowed, _, _ = strictest_limits(turn)
    pain = performed.pain_nprs if performed.pain_nprs is not None else worst_pain(fact)
    if pain > allowed:
        return f"Pain of {pain:g}/10 was above the {allowed:g}/10 that is allowed"
    return "A symptom that calls for less load was reported"


def worst_pain(fact: SessionFact) -> float:
    return max(fact.pain_during, fact.pain_after or 0.0)


def _pending(fact: SessionFact, earned: tuple[str, ...]) -> Pending:
    return Pending(fact.session_id, fact.time, earned)
