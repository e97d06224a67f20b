"""The safety envelope: what no protocol may bring about, whatever its rules say.

It stands where a step of the fold ends, outside the rules: it reads the patient's state before and after, and
what was heard. What breaches a ceiling is taken back to the dose as it was, and the words say so.
The ceilings stand in `shared.protocol.ceiling`.
"""

from dataclasses import dataclass
from dataclasses import replace as amend
from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain.barrier import (
    RED_FLAG,
    Reports,
    bars_dose,
    bars_earning,
    bars_morning,
    bars_new,
    bars_rise,
    is_advanced,
    most,
)
from services.progression.domain.fact import DecisionFact, Fact, ProgramFact, SessionFact
from services.progression.domain.load import MARK_LIMIT, Track
from services.progression.domain.review import adherence_of_course
from services.progression.domain.start import begin_track
from services.progression.domain.state import Relief, Snapshot, Stand
from services.progression.domain.statistic import week_of
from services.progression.domain.turn import Adjusted, LoadChange, Turn, with_open, worse
from shared.event.adjustment import ChangeKind
from shared.protocol import ceiling

RULE = "ENVELOPE"
FAILED = "failed_conservative_care"
HELD = "nothing is prescribed until a clinician has decided."
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that was held back. Without an exercise it concerns the program."""

    what: str
    allowed: str
    """What would have stayed within the envelope."""
    exercise_id: str | None = None


def hold_back(turn: Turn, before: Snapshot, fact: Fact | None) -> None:
    """Keeps a step within the envelope, and makes its words say what was held back."""
    book, now = turn.book, turn.s
    course = adherence_of_course(turn) if now.open is not before.open and book is not None else None
    reports = Reports(
        turn.at,
        fact,
        turn.protocols.exercises.exercises,
        book.load_steps_kg if book is not None else {},
        course,
        week_of(now.statistic, turn.at) if now.statistic is not None else None,
    )
    safe, breaches = enclose(before, now, reports)
    turn.s = safe
    if not breaches:
        return
    words = tuple(dict.fromkeys(f"The safety envelope held this back: {one.what}" for one in breaches))
    outputs = [
        _corrected(one, before, enclose(before, one.snapshot, reports)[0], breaches, words)
        if isinstance(one, Adjusted)
        else amend(one, snapshot=enclose(before, one.snapshot, reports)[0])
        for one in turn.outputs
    ]
    turn.outputs = []
    if safe.holds and not now.holds and safe.status == "active":
        turn.rewrite("held", words[0])
    turn.outputs += outputs
    if safe.status == "active" and not any(isinstance(one, Adjusted) for one in outputs):
        turn.changes, turn.why, turn.rules = [], [], []
        turn.adjust()
        turn.outputs[-1:] = [
            _corrected(one, before, safe, breaches, words) if isinstance(one, Adjusted) else one
            for one in turn.outputs[-1:]
        ]


def enclose(before: Snapshot, after: Snapshot, reports: Reports) -> tuple[Snapshot, tuple[Breach, ...]]:
    """The step within the envelope, and what of it was held back: nothing, where the rules are right."""
    breaches: list[Breach] = []
    safe = _keep_ended(before, after, breaches)
    safe = _keep_severity(before, safe, breaches)
    safe = _keep_holds(before, safe, reports, breaches)
    safe = _keep_denominator(before, safe, reports, breaches)
    safe = _keep_phase(before, safe, reports, breaches)
    safe = _keep_relief(before, safe, reports, breaches)
    safe = _keep_loads(before, safe, reports, breaches)
    safe = _keep_earned(safe, reports, breaches)
    return safe, tuple(breaches)


def _keep_ended(before: Snapshot, after: Snapshot, breaches: list[Breach]) -> Snapshot:
    """A stop stops."""
    if before.status != "ended" or after.program_id != before.program_id or after.status == "ended":
        return after
    breaches.append(Breach("the program has ended and does not begin again.", "A new program may begin."))
    return replace(after, status="ended", holds=(), week_end=None, pending=None, rest_until=None)


def _keep_severity(before: Snapshot, after: Snapshot, breaches: list[Breach]) -> Snapshot:
    """An escalation that is open never becomes less severe."""
    if after.open is before.open:
        return after
    for had in before.open:
        now = after.escalation(had.reason)
        if now is not None and now.escalation_id == had.escalation_id and worse(had.severity, now.severity):
            breaches.append(Breach("what a clinician is asked stays as urgent as it was.", "A clinician's answer."))
            after = with_open(after, replace(now, severity=had.severity, holds=now.holds or had.holds))
    return after


def _keep_holds(before: Snapshot, after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """A dangerous red flag holds, and only a person ends a hold. Source: R1, RF19."""
    flag, missing = after.escalation(RED_FLAG), set[str]()
    if flag is not None and flag.severity in ceiling.HOLDING:
        if not flag.holds:
            after = with_open(after, replace(flag, holds=True))
            breaches.append(Breach(HELD, "A clinician's decision ends the hold."))
        if after.status in ("active", "proposed"):
            missing |= {RED_FLAG} - set(after.holds)
    is_decided = isinstance(reports.fact, DecisionFact | ProgramFact) or after.status in ("ended", "none")
    if not is_decided and after.program_id == before.program_id:
        missing |= set(before.holds) - set(after.holds)
    if not missing:
        return after
    breaches.append(Breach(HELD, "A clinician's decision ends the hold."))
    return replace(
        after,
        holds=tuple(sorted({*after.holds, *missing})),
        pending=None,
        off_since=after.off_since or reports.at,
    )


def _keep_denominator(before: Snapshot, after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """Care is called failed only with sessions, adherence and weeks known, and enough of each. Source: RULEOUT."""
    opened = after.escalation(FAILED)
    if opened is None or before.escalation(FAILED) is not None or _is_delivered(reports):
        return after
    breaches.append(
        Breach(
            "care cannot be called failed, since too little of it was given, or nobody knows how much.",
            f"At least {ceiling.FAILED_WEEKS_AT_LEAST} weeks, {ceiling.FAILED_SESSIONS_AT_LEAST} sessions and "
            f"{ceiling.FAILED_ADHERENCE_AT_LEAST:.0%} of those due would have been enough to judge.",
        )
    )
    return replace(after, open=tuple(one for one in after.open if one is not opened))


def _is_delivered(reports: Reports) -> bool:
    done, weeks = reports.adherence, reports.weeks
    return (
        done is not None
        and weeks is not None
        and done.adherence is not None
        and weeks >= ceiling.FAILED_WEEKS_AT_LEAST
        and done.sessions_done >= ceiling.FAILED_SESSIONS_AT_LEAST
        and done.adherence >= ceiling.FAILED_ADHERENCE_AT_LEAST
    )


def _keep_phase(before: Snapshot, after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """The next phase opens at a report, one at a time, and not before there was time to tolerate this one."""
    if not is_advanced(before, after, reports):
        return after
    why = bars_rise(before, after, reports) or bars_morning(after.notes[-1] if after.notes else None)
    phases = {one.phase_id for one in after.stands}
    left = [one for one in before.stands if one.phase_id not in phases]
    if why is None and any(_is_young(one, reports) for one in left):
        why = "the phase has only just begun"
    if why is None and len(left) > 1:
        why = "only one phase opens at a time"
    if why is None:
        return after
    breaches.append(Breach(f"the next phase does not open yet, since {why}.", "A settled morning after some sessions."))
    had = {track.dose.exercise_id: track for track in before.tracks}
    now = {track.dose.exercise_id: track for track in after.tracks}
    breaches.extend(Breach("the phase stays, and so does this.", "", one) for one in sorted(had.keys() ^ now.keys()))
    return replace(after, stands=before.stands, tracks=before.tracks)


def _is_young(stand: Stand, reports: Reports) -> bool:
    is_early = reports.at - stand.since < timedelta(days=ceiling.PHASE_DAYS_AT_LEAST)
    return is_early or stand.sessions < ceiling.PHASE_SESSIONS_AT_LEAST


def _keep_relief(before: Snapshot, after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """A lighter time ends with a good morning only, and another one never gives back a part of it. Source: P13."""
    had, now = before.relief, after.relief
    if now == had or after.program_id != before.program_id or after.status == "ended":
        return after
    if now is None:
        if bars_rise(before, after, reports) is None and bars_earning(before, after, reports) is None:
            return after
        breaches.append(Breach("the lighter time goes on.", "A good session with its settled morning."))
        return replace(after, relief=had)
    factor = had.volume_factor if had is not None else 1.0
    if now.volume_factor <= factor + _TOLERANCE:
        return after
    what = "a lighter time does not become a heavier one."
    breaches.append(Breach(what, "The same share of the volume, or less."))
    breaches.extend(Breach(what, "", track.dose.exercise_id) for track in after.tracks)
    return replace(after, relief=Relief(now.until, factor, now.rule))


def _keep_loads(before: Snapshot, after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """Every exercise: one axis, within the caps, on good grounds only; nothing beyond what a session may ask."""
    if after.tracks is before.tracks:
        return after
    is_new = after.program_id != before.program_id or (
        isinstance(reports.fact, ProgramFact) and before.status == "proposed"
    )
    had = {} if is_new else {track.dose.exercise_id: track for track in before.tracks}
    # What was stopped makes room and leaves no harder variant behind.
    gone = (one for one in had if after.track(one) is None and one not in after.stopped_exercises)
    left = [had[one] for one in gone]
    found: list[Track] = []
    for track in after.tracks:
        exercise_id = track.dose.exercise_id
        old = had.get(exercise_id)
        if old is not None:
            why = bars_dose(old, track, before, after, reports)
            if why is not None:
                breaches.append(Breach(f"it stays as it was, since {why}.", "A smaller step.", exercise_id))
            found.append(_remembered(old, track, reports) if why is None else old)
            continue
        source = next((one for one in left if reports.exercises[one.dose.exercise_id].harder == exercise_id), None)
        why = None if isinstance(reports.fact, ProgramFact) else bars_new(source, track, before, after, reports)
        if why is None:
            found.append(_bounded(track, reports, breaches))
            continue
        breaches.append(
            Breach(f"it is not brought in, since {why}.", "A settled morning after a session.", exercise_id)
        )
        if source is not None:
            breaches.append(Breach(f"it stays as it was, since {why}.", "", source.dose.exercise_id))
            found.append(source)
    at_most = max(ceiling.EXERCISES_AT_MOST, len(before.tracks))
    if not isinstance(reports.fact, ProgramFact) and len(found) > at_most:
        for track in [one for one in reversed(found) if one.dose.exercise_id not in had][: len(found) - at_most]:
            found.remove(track)
            breaches.append(Breach("a session holds no more exercises.", "", track.dose.exercise_id))
    return replace(after, tracks=tuple(found)) if tuple(found) != after.tracks else after


def _keep_earned(after: Snapshot, reports: Reports, breaches: list[Breach]) -> Snapshot:
    """Only what was done, with its effort reported and without much pain, may earn a step. Source: P02, P10, P21."""
    fact, pending = reports.fact, after.pending
    if not isinstance(fact, SessionFact) or pending is None or not pending.earned:
        return after
    worst = max(fact.pain_during, fact.pain_after or 0.0)
    good = {
        one.exercise_id
        for one in fact.exercises
        if fact.completed
        and not one.skipped
        and one.sets
        and one.rpe is not None
        and one.rpe <= ceiling.EFFORT_AT_MOST_RPE
        and max(worst, one.pain_nprs or 0.0) <= ceiling.PAIN_AT_MOST_NPRS
    }
    lost = [one for one in pending.earned if one not in good]
    if not lost:
        return after
    what = "this session earns no step: not done, without its effort, or with too much effort or pain."
    breaches.extend(Breach(what, "Less effort and less pain, both reported.", one) for one in lost)
    return replace(after, pending=replace(pending, earned=tuple(one for one in pending.earned if one in good)))


def _remembered(old: Track, new: Track, reports: Reports) -> Track:
    """An exercise that left and came back within the step keeps its past: the week's cap is measured against it."""
    if old.marks and [one.since for one in new.marks] == [reports.at] and old.marks[-1].since < reports.at:
        return replace(new, marks=(*old.marks, *new.marks)[-MARK_LIMIT:])
    return new


def _bounded(track: Track, reports: Reports, breaches: list[Breach]) -> Track:
    """An exercise that comes in asks for no more than a session may."""
    least = most(track.dose, reports)
    if least == track.dose:
        return track
    breaches.append(
        Breach("the plan asked for more than a session may.", "Fewer of them, or less effort.", least.exercise_id)
    )
    return replace(begin_track(least, reports.at), variant_since=track.variant_since)


def _corrected(
    said: Adjusted, before: Snapshot, safe: Snapshot, breaches: tuple[Breach, ...], words: tuple[str, ...]
) -> Adjusted:
    """The words of a step that was held back: what stands now, and by which rule."""
    held = {one.exercise_id: one for one in breaches if one.exercise_id is not None}
    changes = [one for one in said.changes if one.exercise_id not in held]
    for exercise_id, breach in held.items():
        old, new = before.track(exercise_id), safe.track(exercise_id)
        if new is None:
            continue
        was = old.dose if old is not None else None
        kind: ChangeKind = "introduce" if was is None else "hold" if was == new.dose else "regress"
        because = f"The safety envelope held this back: {breach.what}"
        changes.append(LoadChange(exercise_id, kind, was, new.dose, RULE, because))
    return amend(
        said,
        snapshot=safe,
        changes=tuple(changes),
        why=(*words, *said.why),
        rules=(RULE, *said.rules),
        turning_point=next((one.allowed for one in breaches if one.allowed), said.turning_point),
    )
