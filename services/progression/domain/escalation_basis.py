"""What an escalation rests on, and the smallest change with which nobody would have been asked."""

from collections.abc import Iterator
from math import ceil

from msgspec.structs import replace

from services.progression.domain.checkin_basis import criteria_edges, mornings_to_try, reported_for_mean
from services.progression.domain.fact import CheckinFact, Fact, SessionFact
from services.progression.domain.history_basis import course_basis, missed_days
from services.progression.domain.light import worst_pain
from services.progression.domain.review import closed_weeks, verdict_now
from services.progression.domain.session_basis import pain_entries, pain_source, pains_to_try, symptom_rule
from services.progression.domain.state import Escalation, Snapshot
from services.progression.domain.statistic import PAIN, baseline_of, week_of
from services.progression.domain.symptom import READABLE
from services.progression.domain.trial import (
    NOT_RAISED,
    TENTH,
    Report,
    Trial,
    basis,
    severity_of,
    with_measure,
    with_pain,
    without_symptom,
)
from services.progression.domain.turn import Turn
from shared.event.explanation import Basis
from shared.event.vocabulary import vocabulary


def escalation_basis(trial: Trial, one: Escalation, after: Snapshot) -> tuple[Basis, ...]:
    """Every entry of the step that raised it, or made it worse; at least the rule that did."""
    return tuple(_entries(trial, one, after)) or (
        basis(one.rule, "history", None, None, _rows(trial, one.rule), one.severity),
    )


def _rows(trial: Trial, rule: str) -> tuple[str, ...]:
    return (rule,) if rule in trial.protocols.evidence else ()


def _entries(trial: Trial, one: Escalation, after: Snapshot) -> Iterator[Basis]:
    fact: Fact | None = trial.ground.fact
    if isinstance(fact, SessionFact | CheckinFact):
        yield from _symptoms(trial, one, fact)
        if isinstance(fact, SessionFact):
            yield from _session(trial, one, fact)
        else:
            yield from _morning(trial, one, fact)
            yield from _measures(trial, one, fact)
    elif fact is None:
        yield from _timer(trial, one, after)
    if one.reason == "failed_conservative_care":
        turn = _after(trial, after)
        verdict = verdict_now(turn)
        if verdict is not None:
            yield from course_basis(turn, verdict)


def _after(trial: Trial, after: Snapshot) -> Turn:
    ground = trial.ground
    return Turn(after, ground.books, trial.protocols, trial.subject, ground.at, ground.cause)


def _symptoms(trial: Trial, one: Escalation, fact: Report) -> Iterator[Basis]:
    """Reported signs that raised it: alone where one of them did, together where each would have."""
    turn = trial.reader()
    read = [s for s in fact.symptoms if READABLE.fullmatch(s)]
    if not read:
        return
    alone = [s for s in read if _then(trial, one, without_symptom(fact, s)) != one.severity]
    chosen, together = (alone, None) if alone else (read, 1 if len(read) > 1 else None)
    without: Report = fact
    for symptom in chosen:
        without = without_symptom(without, symptom)
    for symptom in chosen:
        then = _then(trial, one, without_symptom(fact, symptom) if alone else without)
        if then == one.severity:
            return
        rule = (symptom_rule(turn, symptom) if turn.treated else None) or (one.rule, _rows(trial, one.rule))
        yield basis(rule[0], f"symptoms.{symptom}", True, None, rule[1], then, False, together)


def _session(trial: Trial, one: Escalation, fact: SessionFact) -> Iterator[Basis]:
    turn = trial.reader()
    if one.reason not in ("adverse_response", "flare") or not turn.treated:
        return
    threshold, tried = pains_to_try(turn, worst_pain(fact))
    for pain in tried:
        changed = with_pain(fact, pain)
        then = _then(trial, one, changed)
        if then != one.severity:
            yield from pain_entries(fact, changed, threshold, pain_source(turn), then, one.rule)
            return


def _morning(trial: Trial, one: Escalation, fact: CheckinFact) -> Iterator[Basis]:
    turn = trial.reader()
    value = fact.next_morning_pain
    if one.reason not in ("adverse_response", "flare") or value is None or not turn.treated:
        return
    threshold, tried = mornings_to_try(turn, fact)
    for morning in tried:
        then = _then(trial, one, replace(fact, next_morning_pain=morning))
        if then != one.severity:
            yield basis(one.rule, "next_morning_pain", value, threshold, pain_source(turn), then, morning)
            return


def _measures(trial: Trial, one: Escalation, fact: CheckinFact) -> Iterator[Basis]:
    """The nearest value of each measure with which it would not have been raised."""
    turn = trial.reader()
    instruments = [instrument for instrument, _ in fact.measures]
    for instrument, value in fact.measures:
        if instruments.count(instrument) > 1 or not turn.treated:
            continue
        limits = vocabulary().instruments[instrument]
        edges = {round(reported_for_mean(turn, instrument, to), 3) for to in _edges(turn, instrument)}
        near = [to for to in edges if limits.minimum <= to <= limits.maximum and to != value]
        for to in sorted(near, key=lambda edge: (abs(edge - value), edge)):
            then = _then(trial, one, with_measure(fact, instrument, to))
            if then != one.severity:
                yield basis(one.rule, f"measures.{instrument}", value, to, _rows(trial, one.rule), then, to)
                break


def _edges(turn: Turn, instrument: str) -> Iterator[float]:
    """Means of the week at the edges of the rules that ask a person because of a measure."""
    statistic = turn.s.statistic
    if statistic is None:
        return
    course = turn.treated[0].course
    rules = course.response
    better = -1.0 if vocabulary().instruments[instrument].lower_is_better else 1.0
    baseline = baseline_of(statistic, instrument, course.non_response.baseline_within_weeks)
    for wanted in criteria_edges(course, instrument):
        if wanted.of == "value":
            yield wanted.points
        elif baseline is not None:
            yield baseline + better * wanted.points
            if wanted.percent is not None:
                yield baseline + better * abs(baseline) * wanted.percent / 100
            yield baseline - better * (wanted.points - TENTH)
    if instrument == PAIN and baseline is not None:
        yield baseline - rules.early_warning_change_points
        yield baseline + rules.worsening_rise_points - TENTH
    if instrument == PAIN:
        series = statistic.of(PAIN)
        earlier = [w.mean for w in series.weeks if w.week < week_of(statistic, turn.at)] if series else []
        yield from earlier[-1:]
    if instrument == "GROC":
        yield rules.early_warning_change_points
        yield rules.worsening_groc_at_most + TENTH


def _timer(trial: Trial, one: Escalation, after: Snapshot) -> Iterator[Basis]:
    rules = trial.protocols.progression
    if one.reason == "no_contact":
        days = rules.no_data.no_contact_days
        yield basis("P21", "history.days_without_contact", days, days, rules.no_data.source, NOT_RAISED, days - 1)
    elif one.reason == "non_adherence" and after.adherence is not None:
        rule, week = rules.non_adherence, closed_weeks(after) - 1
        closed = next((w for w in after.adherence.weeks if w.week == week), None)
        if closed is not None and closed.due:
            needed = ceil(rule.below * closed.due)
            yield basis(
                "P21", "history.sessions_in_week", closed.done, rule.below * closed.due, rule.source, NOT_RAISED, needed
            )
    elif one.rule == "P18":
        yield missed_days(trial, after, NOT_RAISED)


def _then(trial: Trial, one: Escalation, fact: Report) -> str:
    return severity_of(trial.again(fact).s, one.reason)
