"""What one fact does to the snapshot."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.progression.domain import adherence, goal, statistic
from services.progression.domain.decision import decide_as_clinician
from services.progression.domain.escalation import escalate, resolve
from services.progression.domain.fact import (
    CheckinFact,
    DecisionFact,
    Fact,
    FlagFact,
    LateFact,
    PatientFact,
    ProgramFact,
    SessionFact,
    StopFact,
)
from services.progression.domain.flare import NIGHT_SYMPTOM, follow_flare, note_night, note_pain
from services.progression.domain.hold import begin_pause, end_program
from services.progression.domain.light import light_of, session_light, strictest_limits, usual_morning, worst_pain
from services.progression.domain.load import Light
from services.progression.domain.phase import advance, count_for_phase, read_criteria
from services.progression.domain.progress import expire, settle, work_through
from services.progression.domain.regress import deload_if_due, fall
from services.progression.domain.review import review
from services.progression.domain.state import Note, ReachedNote
from services.progression.domain.symptom import follow_fit, hear
from services.progression.domain.takeover import take_over
from services.progression.domain.tolerance import performed_share
from services.progression.domain.turn import Turn
from shared.protocol import ceiling

NOTE_LIMIT = 12
REACHED_LIMIT = 40
STOPPED_REASON = "The patient ended the program."


def apply(turn: Turn, fact: Fact) -> None:
    """Takes one fact in. Red flags act before anything else."""
    match fact:
        case SessionFact():
            hear(turn, fact.symptoms)
            _session(turn, fact)
        case CheckinFact():
            hear(turn, fact.symptoms)
            _checkin(turn, fact)
        case FlagFact():
            hear(turn, fact.flags)
        case DecisionFact():
            decide_as_clinician(turn, fact)
        case ProgramFact():
            take_over(turn, fact)
        case PatientFact():
            _update(turn, fact)
        case StopFact():
            _stop(turn, fact)
        case LateFact():
            count_late(turn, fact.report)


def count_late(turn: Turn, fact: SessionFact | CheckinFact) -> None:
    """What comes after the late window counts toward the outcome statistics only, those of its own program."""
    match fact:
        case SessionFact() if fact.program_id == turn.s.program_id:
            _count_session(turn, fact)
        case CheckinFact():
            _count_measures(turn, fact)


def _session(turn: Turn, fact: SessionFact) -> None:
    s = turn.s
    turn.set(last_contact=_later(s.last_contact, turn.at))
    if s.program_id != fact.program_id or s.status in ("none", "ended"):
        if s.program_id == fact.program_id:
            _count_session(turn, fact)
            turn.say("P18", "The program has ended: the session counts, no load follows from it.")
            turn.adjust(session_id=fact.session_id, late=True)
        return
    _count_session(turn, fact)
    before = turn.s.pending
    light = session_light(turn, fact) if turn.treated else "amber"
    note = Note(
        fact.session_id,
        fact.time,
        light,
        worst_pain(fact),
        fact.pain_before,
        performed_share=performed_share(turn, fact),
    )
    turn.set(
        notes=(*turn.s.notes, note)[-NOTE_LIMIT:],
        last_session=turn.at,
        gap=None,
        pending=None,
        unanswered=turn.s.unanswered + (1 if before is not None else 0),
    )
    count_for_phase(turn, fact)
    note_night(turn, fact.symptoms)
    follow_fit(turn, fact.symptoms)
    if not turn.s.is_running:
        turn.say("P17", "The program is not running: the session counts, no load follows from it.")
        note_pain(turn, worst_pain(fact))
        turn.adjust(session_id=fact.session_id)
        return
    if before is not None and before.earned:
        turn.say("P21", "The morning after the session before was not reported, so what it earned is not given.")
    _explain_light(turn, fact, light)
    _work(turn, fact, light)
    note_pain(turn, worst_pain(fact))
    _adverse(turn)
    turn.adjust(session_id=fact.session_id)


def _work(turn: Turn, fact: SessionFact, light: Light) -> None:
    if _rest(turn, fact.symptoms):
        return
    if follow_flare(turn, worst_pain(fact), fact.symptoms, unsettled=False, lasts=False) and turn.changes:
        return
    if light == "green" and turn.s.flare is None and deload_if_due(turn):
        turn.say("P13", "A lighter week begins, as every few weeks.")
        return
    work_through(turn, fact, light)


def _checkin(turn: Turn, fact: CheckinFact) -> None:
    s = turn.s
    turn.set(last_contact=_later(s.last_contact, turn.at))
    if s.program_id is None or s.status in ("none", "ended"):
        return
    _count_measures(turn, fact)
    note_night(turn, fact.symptoms)
    follow_fit(turn, fact.symptoms)
    if s.status != "active":
        return
    note = note_of(turn, fact)
    if turn.s.is_running and not _rest(turn, fact.symptoms):
        if note is not None and fact.next_morning_pain is not None:
            _morning(turn, note, fact.next_morning_pain, fact.symptoms)
        else:
            follow_flare(turn, 0.0, fact.symptoms, unsettled=False, lasts=True) if fact.symptoms else None
        read_criteria(turn)
        if not turn.changes or all(change.kind in ("hold", "progress") for change in turn.changes):
            _advance_after(turn)
    elif fact.next_morning_pain is not None:
        note_pain(turn, fact.next_morning_pain)
    _adverse(turn)
    review(turn)
    if turn.changes or turn.why:
        turn.adjust(checkin_id=fact.checkin_id)
    elif fact.measures and turn.s.is_running:
        turn.adjust(checkin_id=fact.checkin_id, is_news=False)


def _advance_after(turn: Turn) -> None:
    """A phase is left in place of a step within it, never together with one; more effort alone is no such step."""
    if not any(change.kind == "progress" and change.rule != "P10" for change in turn.changes):
        advance(turn)


def note_of(turn: Turn, fact: CheckinFact) -> Note | None:
    """The session whose next morning this is: the one it names, else the latest that can be meant.

    Without a name, what is told before a night has passed is no next morning. Source: R5.
    """
    earlier = [note for note in turn.s.notes if note.time < turn.at]
    if fact.session_id is not None:
        return next((note for note in earlier if note.session_id == fact.session_id), None)
    night = timedelta(hours=ceiling.MORNING_AFTER_HOURS)
    hours = turn.protocols.progression.no_data.morning_hours
    last = next((note for note in reversed(earlier) if turn.at - note.time >= night), None)
    return last if last is not None and turn.at - last.time <= timedelta(hours=hours) else None


def _morning(turn: Turn, note: Note, morning_nprs: float, symptoms: tuple[str, ...]) -> None:
    """The 24-hour response: settled gives what was earned, unsettled takes it away. Source: R5, P01, P21."""
    if note.morning_nprs is not None:
        return
    rise, usual = strictest_limits(turn)[2], usual_morning(turn, note)
    settled = morning_nprs <= usual + rise and NIGHT_SYMPTOM not in symptoms
    light: Light = note.light
    report = light_of(turn, morning_nprs, symptoms)
    # A smaller rise is within what a rating errs by: it gives nothing, and takes nothing away.
    has_risen = morning_nprs >= usual + turn.protocols.progression.regress.morning_rise_points
    if not settled and (has_risen or NIGHT_SYMPTOM in symptoms):
        light = "red" if "red" in (light, report) else "amber"
    elif report == "red" and not set(symptoms).isdisjoint(strictest_limits(turn)[3]):
        light = "red"
    answered = replace(note, light=light, morning_nprs=morning_nprs, is_settled=settled)
    turn.set(notes=tuple(answered if n.session_id == note.session_id else n for n in turn.s.notes))
    pending = turn.s.pending
    is_newest = pending is not None and pending.session_id == note.session_id
    if is_newest:
        turn.set(unanswered=0)
    flared = follow_flare(
        turn,
        morning_nprs,
        symptoms,
        unsettled=note.pain_nprs > turn.protocols.progression.flare.unsettled_above and not settled,
        lasts=True,
    )
    note_pain(turn, morning_nprs)
    if flared:
        return
    if light == "red" and note.light != "red":
        turn.say("P17", f"The next morning's pain of {morning_nprs:g}/10 or its symptoms call for less load.")
        turn.set(pending=None, regressed_at=turn.at)
        for track in turn.s.tracks:
            fall(turn, track, "The next morning was red, so this exercise goes one step back.")
    elif is_newest and settled:
        if pending is not None and pending.earned:
            turn.say("P01", f"The next morning was back at {morning_nprs:g}/10, as before the session.")
            turn.turning_point = (
                f"A next morning above {usual + rise:g}/10, or none reported, would have held the load."
            )
        settle(turn)
    elif is_newest and pending is not None:
        if pending.earned:
            turn.say(
                "P01",
                f"The next morning was at {morning_nprs:g}/10, not back at {usual:g}/10 as before the session.",
            )
            turn.turning_point = f"A next morning of at most {usual + rise:g}/10 would have let the load rise."
        expire(turn, "P01", "The next morning was not back to where it was before, so it stays as it is.")


def _rest(turn: Turn, symptoms: tuple[str, ...]) -> bool:
    """Ill: no session until a day after the last report of it. Source: P19."""
    rule = turn.protocols.progression.illness
    if rule.symptom not in symptoms:
        return turn.s.rest_until is not None
    turn.set(rest_until=turn.at + timedelta(hours=rule.rest_hours), pending=None)
    begin_pause(turn)
    turn.say("P19", f"Ill or feverish: no session until {rule.rest_hours} hours without fever, then with less load.")
    turn.turning_point = "Without the report of illness the program would have gone on."
    return True


def _adverse(turn: Turn) -> None:
    """Repeated red sessions need a clinician. Source: NOTIFY."""
    rule = turn.protocols.progression.adverse
    since = turn.at - timedelta(days=rule.days)
    reds = [note for note in turn.s.notes if note.light == "red" and note.time > since]
    if len(reds) >= rule.reds:
        escalate(
            turn,
            "adverse_response",
            rule.severity,
            "P17",
            f"{len(reds)} red sessions within {rule.days} days.",
            evidence=tuple(
                ("red session", f"{n.time.date().isoformat()}, worst pain {n.pain_nprs:g}/10") for n in reds
            ),
        )


def _explain_light(turn: Turn, fact: SessionFact, light: Light) -> None:
    if not turn.treated:
        return
    progress, allowed, _, _ = strictest_limits(turn)
    pain = worst_pain(fact)
    turn.say("P02", f"Worst pain was {pain:g}/10; up to {progress:g} load may rise, up to {allowed:g} it holds.")
    if light == "green":
        turn.turning_point = f"A worst pain above {progress:g}/10 would have held every load."
    elif light == "amber":
        turn.turning_point = f"A worst pain of at most {progress:g}/10 would have counted as a good session."
    elif pain > allowed:
        turn.turning_point = f"A worst pain of at most {allowed:g}/10 would have held the load."
    else:
        turn.turning_point = "Without the reported symptom the load would have held."


def _count_session(turn: Turn, fact: SessionFact) -> None:
    s = turn.s
    efforts = [one.rpe for one in fact.exercises if one.rpe is not None]
    if s.statistic is not None:
        turn.set(statistic=statistic.with_session(s.statistic, fact.pain_during, max(efforts, default=None), fact.time))
    # A platform that knows no prescription may report no exercises; without them nothing earns a step.
    is_done = fact.completed or any(not one.skipped for one in fact.exercises)
    if s.adherence is not None and is_done:
        turn.set(adherence=adherence.with_session(s.adherence, turn.local_day(fact.time)))


def _count_measures(turn: Turn, fact: CheckinFact) -> None:
    for instrument, value in fact.measures:
        s = turn.s
        if s.statistic is None:
            return
        counted = statistic.with_measure(s.statistic, instrument, value, fact.time)
        started_at = s.started_at or s.statistic.started_at
        goals, reached = goal.with_report(s.goals, instrument, value, fact.time, started_at)
        notes = tuple(
            ReachedNote(one.goal_id, one.horizon, one.value, one.target, one.week, fact.time) for one in reached
        )
        turn.set(statistic=counted, goals=goals, reached=(*s.reached, *notes)[-REACHED_LIMIT:])


def _update(turn: Turn, fact: PatientFact) -> None:
    if fact.timezone is not None:
        turn.set(timezone=fact.timezone)
    if fact.away is not None:
        zone = ZoneInfo(turn.s.timezone)
        begin = datetime.combine(fact.away[0], time(), zone).astimezone(UTC)
        end = datetime.combine(fact.away[1] + timedelta(days=1), time(), zone).astimezone(UTC)
        turn.set(away=(begin, end))
    turn.set(last_contact=_later(turn.s.last_contact, turn.at))


def _stop(turn: Turn, fact: StopFact) -> None:
    """The patient ends the program: all that is open closes, red flags do not."""
    if turn.s.program_id != fact.program_id or turn.s.status == "ended":
        return
    for one in turn.s.open:
        if one.reason != "red_flag":
            resolve(turn, one.reason, "stopped")
    end_program(turn, STOPPED_REASON)


def _later(a: datetime | None, b: datetime) -> datetime:
    return b if a is None or b > a else a
