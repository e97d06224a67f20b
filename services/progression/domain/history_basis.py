"""What decisions rest on that no single report holds: weeks, sessions, adherence, effort, silence, gaps.

Their inputs begin with `history.`. Sessions and adherence are judged again with the other figure; what only
other weeks of care could change is told with its threshold.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from math import ceil

import msgspec

from services.progression.domain.adherence import AdherenceFigures
from services.progression.domain.fact import CheckinFact
from services.progression.domain.light import strictest_limits, usual_morning
from services.progression.domain.review import adherence_of_course, verdict_now
from services.progression.domain.session_basis import pain_source
from services.progression.domain.state import Snapshot
from services.progression.domain.trial import NOT_RAISED, Trial, basis, outcome_of
from services.progression.domain.turn import Adjusted, LoadChange, Turn
from services.progression.domain.verdict import Verdict, VerdictKind
from shared.event.explanation import Basis
from shared.event.vocabulary import vocabulary

NAMED: dict[VerdictKind, str] = {
    "failed": "failed_conservative_care",
    "insufficient": "insufficient_data",
    "none": NOT_RAISED,
    "extend": NOT_RAISED,
}
"""Answers of the verdict that are told under another name."""


def timer_basis(trial: Trial, said: Adjusted) -> Iterator[Basis]:
    """Of what fell due without a report."""
    rules, kind = trial.protocols.progression, trial.ground.cause.partition(":")[0]
    if kind == "morning":
        yield from _morning_missed(trial)
    elif kind == "rest":
        yield basis("P19", "history.illness", True, None, rules.illness.source, "hold", False)
    elif kind == "gap" and said.snapshot.gap is not None:
        yield missed_days(trial, said.snapshot, "hold")


def missed_days(trial: Trial, after: Snapshot, then: str) -> Basis:
    """Days missed beyond the schedule's own interval, and the step of the rule that they have reached."""
    rule = trial.protocols.progression.gap
    step = rule.steps[(after.gap.step if after.gap else 1) - 1]
    return basis(
        "P18", "history.missed_days", step.missed_days, step.missed_days, rule.source, then, step.missed_days - 1
    )


def change_basis(turn: Turn, changes: tuple[LoadChange, ...]) -> Iterator[Basis]:
    """Of decisions that read earlier sessions or weeks: caps, lighter weeks, variants, who leads, step back."""
    rules = turn.protocols.progression
    told: set[str] = set()
    for one in changes:
        if one.rule == "P11" and one.kind == "hold":
            yield basis(
                "P11", f"history.rise_in_week.{one.exercise_id}", None, rules.cap.per_week, rules.cap.source, "progress"
            )
        if one.rule in told:
            continue
        told.add(one.rule)
        if one.rule == "P13" and one.kind == "regress" and turn.before.lightened_at is not None:
            weeks = turn.weeks_since(turn.before.lightened_at)
            due = rules.deload.after_weeks
            yield basis("P13", "history.weeks_since_lighter", weeks, due, rules.deload.source, "hold", due - 1)
        elif one.rule == "DOMINANCE":
            yield basis(
                "DOMINANCE", "history.leading_condition", turn.book.leader if turn.book else None, None, (), "hold"
            )


def phase_basis(turn: Turn) -> Iterator[Basis]:
    """A phase that was left: check-ins that met its way out and sessions of it. Source: P16."""
    rule = turn.protocols.progression.advance
    for stand in turn.before.stands:
        if any(one.phase_id == stand.phase_id for one in turn.s.stands):
            continue
        had = {"checkins_met": (stand.met + 1, rule.checkins), "sessions_of_phase": (stand.sessions, rule.sessions)}
        for name, (value, threshold) in had.items():
            yield basis("P16", f"history.{name}", value, threshold, rule.source, "hold", threshold - 1)


def course_basis(turn: Turn, verdict: Verdict) -> Iterator[Basis]:
    """Dose against the adequate course, each figure as it would have turned the verdict. Source: RULEOUT a, b."""
    figured, book = adherence_of_course(turn), turn.book
    if figured is None or book is None or verdict.dose is None or not turn.treated:
        return
    adequate, course = book.payload().adequate_course, turn.treated[0].course
    source = course.adequate.source
    needed: dict[str, float] = {
        "sessions_done": adequate.min_sessions,
        "adherence": adequate.min_adherence,
        "weeks_active": max(
            ceil(course.dose.active_weeks_share * adequate.min_weeks),
            ceil(course.dose.active_weeks_share * figured.weeks_due),
        ),
    }
    short = {name: to for name, to in needed.items() if (getattr(figured, name) or 0) < to}
    if short:
        then = _named(verdict_now(turn, _with(figured, short)), verdict)
        together = 1 if len(short) > 1 else None
        for name, to in short.items():
            turned = to if then is not None else None
            value = getattr(figured, name)
            yield basis("RULEOUT", f"history.{name}", value, to, source, then or _name(verdict), turned, together)
    for name, least in needed.items():
        if name in short:
            continue
        to = round(least - 0.01, 4) if name == "adherence" else least - 1
        then = _named(verdict_now(turn, _with(figured, {name: to})), verdict) if to >= 0 else None
        turned = to if then is not None else None
        yield basis("RULEOUT", f"history.{name}", getattr(figured, name), least, source, then or _name(verdict), turned)
    rules = course.dose
    yield basis(
        "RULEOUT",
        "history.weeks_at_effort",
        verdict.dose.weeks_at_effort,
        rules.weeks_at_effort,
        rules.source,
        *_by_effort(verdict, rules.weeks_at_effort, bool(short)),
    )
    for one in verdict.criteria:
        wanted = next((i for i in course.non_response.criteria if i.instrument == one.instrument), None)
        if wanted is None or one.now is None:
            continue
        to = wanted.points
        if wanted.of == "change":
            if one.baseline is None:
                continue
            points = wanted.points
            if wanted.percent is not None and one.baseline > 0:
                points = min(points, one.baseline * wanted.percent / 100)
            lower = vocabulary().instruments[one.instrument].lower_is_better
            to = one.baseline - points if lower else one.baseline + points
        turns = verdict.kind == "failed" and not any(c.met for c in verdict.criteria) and turn.s.extension is None
        then = NOT_RAISED if turns else _name(verdict)
        yield basis("NR", f"history.measures.{one.instrument}", one.now, to, wanted.source, then, to if turns else None)


def _by_effort(verdict: Verdict, needed: int, is_short: bool) -> tuple[str, int | None]:
    dose = verdict.dose
    if dose is not None and verdict.kind == "failed" and not dose.stalled:
        return "under_dosed", needed - 1
    if dose is not None and dose.reached is False and not is_short:
        return "judged", needed
    return _name(verdict), None


def _with(figured: AdherenceFigures, changed: dict[str, float]) -> AdherenceFigures:
    return msgspec.structs.replace(
        figured, **{name: value if name == "adherence" else int(value) for name, value in changed.items()}
    )


def _named(then: Verdict | None, was: Verdict) -> str | None:
    """The other answer; None where it is the same."""
    return None if then is None or then.kind == was.kind else _name(then)


def _name(verdict: Verdict) -> str:
    return NAMED.get(verdict.kind, verdict.kind)


def _morning_missed(trial: Trial) -> Iterator[Basis]:
    """What an answer in time would have done."""
    ground, rule = trial.ground, trial.protocols.progression.no_data
    pending, turn = ground.before.pending, trial.reader()
    note = next((n for n in turn.s.notes if pending is not None and n.session_id == pending.session_id), None)
    if pending is None or note is None or not turn.treated:
        return
    settled = min(10.0, usual_morning(turn, note) + strictest_limits(turn)[2])
    at = ground.at - timedelta(minutes=1)
    answer = CheckinFact("", at, "", session_id=pending.session_id, next_morning_pain=settled)
    again = Trial(replace(ground, at=at), trial.protocols, trial.subject).again(answer)
    then = outcome_of(again)
    source = tuple(dict.fromkeys((*rule.source, *pain_source(turn))))
    yield basis("P21", "next_morning_pain", None, settled, source, then, settled if then != "hold" else None)
