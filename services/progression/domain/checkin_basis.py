"""What the decision on a check-in rests on, and the smallest change of the check-in that would have turned it."""

from collections.abc import Iterator

from msgspec.structs import replace

from services.progression.domain.book import Book
from services.progression.domain.change import expected_change
from services.progression.domain.fact import CheckinFact
from services.progression.domain.flare import usual_pain
from services.progression.domain.light import strictest_limits, usual_morning
from services.progression.domain.phase import leading
from services.progression.domain.response import Assessment
from services.progression.domain.session_basis import pain_source, symptom_basis
from services.progression.domain.statistic import PAIN, baseline_of, week_of
from services.progression.domain.step import note_of
from services.progression.domain.trial import TENTH, Trial, basis, outcome, outcome_of, status_of, with_measure
from services.progression.domain.turn import Adjusted, Turn
from shared.event.explanation import Basis
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course, Improvement

TRIED_LIMIT = 3
"""Values of one measure that are tried at most; the rules have no more edges near one status."""


def checkin_basis(trial: Trial, said: Adjusted, fact: CheckinFact, assessment: Assessment) -> Iterator[Basis]:
    """Every entry, the next morning's first."""
    turn = trial.reader()
    was = outcome(trial.ground.before, said.snapshot, said.changes)
    if not turn.treated:
        return
    if fact.next_morning_pain is not None:
        yield from _morning(trial, turn, fact, was)
    yield from symptom_basis(trial, turn, fact, was)
    yield from _measures(trial, turn, said.book, fact, was, assessment)


def mornings_to_try(turn: Turn, fact: CheckinFact) -> tuple[float, list[float]]:
    """The limit of a settled morning, and values beyond limits, the nearest first."""
    note, value = note_of(turn, fact), fact.next_morning_pain or 0.0
    _, allowed, rise, _ = strictest_limits(turn)
    flare, usual = turn.protocols.progression.flare, usual_pain(turn)
    settled = usual_morning(turn, note) + rise if note is not None else allowed
    edges = [flare.severe_pain, *([usual + flare.rise_points] if usual is not None else [])]
    found = [settled if settled < value else settled + TENTH]
    found += [one - TENTH if one <= value else one for one in edges]
    tried = sorted({round(one, 3) for one in found if 0 <= one <= 10}, key=lambda one: abs(one - value))
    return settled, tried


def _morning(trial: Trial, turn: Turn, fact: CheckinFact, was: str) -> Iterator[Basis]:
    threshold, tried = mornings_to_try(turn, fact)
    source = pain_source(turn)
    for morning in tried:
        then = outcome_of(trial.again(_with_morning(fact, morning)))
        if then != was:
            yield basis("P01", "next_morning_pain", fact.next_morning_pain, threshold, source, then, morning)
            return
    yield basis("P01", "next_morning_pain", fact.next_morning_pain, threshold, source, was)


def _with_morning(fact: CheckinFact, morning_nprs: float) -> CheckinFact:
    return replace(fact, next_morning_pain=morning_nprs)


def _measures(
    trial: Trial, turn: Turn, book: Book, fact: CheckinFact, was: str, assessment: Assessment
) -> Iterator[Basis]:
    """Each measure of which another value would have given another status, or another load."""
    instruments = [instrument for instrument, _ in fact.measures]
    for instrument, value in fact.measures:
        if instruments.count(instrument) > 1:
            continue
        found = _edges(trial, turn, book, instrument, value, assessment, was)
        for edge, rule, source in found[:TRIED_LIMIT]:
            again = trial.again(with_measure(fact, instrument, edge))
            load, status = outcome_of(again), status_of(again)
            then = load if load != was else status
            if then is not None and (load != was or status != assessment.status):
                yield basis(rule, f"measures.{instrument}", value, found[0][0], source, then, edge)
                break
        else:
            if found:
                edge, rule, source = found[0]
                yield basis(rule, f"measures.{instrument}", value, edge, source, assessment.status)


Edge = tuple[float, str, tuple[str, ...]]
"""A value to try, with the rule that reads it and its source."""


def _edges(
    trial: Trial, turn: Turn, book: Book, instrument: str, value: float, assessment: Assessment, was: str
) -> list[Edge]:
    """Values at the edges of the rules that read an instrument, the nearest first; none where none reads it."""
    course = turn.treated[0].course
    found = [*_status_edges(turn, book, course, instrument, value, assessment), *_phase_edges(turn, instrument, was)]
    limits = vocabulary().instruments[instrument]
    reports = [
        (reported_for_mean(turn, instrument, to), rule, source) if is_mean else (to, rule, source)
        for to, rule, source, is_mean in found
    ]
    kept = {(round(to, 3), rule, source) for to, rule, source in reports if limits.minimum <= to <= limits.maximum}
    return sorted((one for one in kept if one[0] != value), key=lambda one: (abs(one[0] - value), one))


def reported_for_mean(turn: Turn, instrument: str, mean: float) -> float:
    """The report with which its week has this mean, beside those of the week that stand already."""
    statistic = turn.s.statistic
    series = statistic.of(instrument) if statistic is not None else None
    if statistic is None or series is None or not series.weeks:
        return mean
    last = series.weeks[-1]
    if last.week != week_of(statistic, turn.at):
        return mean
    return mean * (last.count + 1) - last.total_thousandths / 1000


def _status_edges(
    turn: Turn, book: Book, course: Course, instrument: str, value: float, assessment: Assessment
) -> Iterator[tuple[float, str, tuple[str, ...], bool]]:
    statistic, rules = turn.s.statistic, course.response
    if statistic is None:
        return
    primary, status = course.primary_for(book.modifiers), assessment.status
    better = -1.0 if vocabulary().instruments[instrument].lower_is_better else 1.0
    baseline = baseline_of(statistic, instrument, course.non_response.baseline_within_weeks)
    week = week_of(statistic, turn.at)
    if instrument == primary:
        expected = expected_change(statistic, course, primary, week)
        if expected is not None and (instrument != PAIN or baseline is not None):
            needed = course.expected.slow_below_share * expected
            edge = (baseline or 0.0) - needed if instrument == PAIN else needed
            to = edge if status != "on_track" else edge - better * TENTH
            yield to, _first(course.expected.source), course.expected.source, True
        if status == "resolved":
            yield rules.resolved_nprs_at_most + TENTH, "NR", rules.source, False
    if instrument == PAIN and baseline is not None:
        limit = baseline + rules.worsening_rise_points
        yield (limit - TENTH if value >= limit else limit), "NR", rules.source, True
        series = statistic.of(PAIN)
        earlier = [w.mean for w in series.weeks if w.week < week] if series is not None else []
        if status == "worsening" and earlier:
            yield earlier[-1], "P22", turn.protocols.progression.trend.source, True
    at_review = week >= book.payload().adequate_course.review_week
    for wanted in criteria_edges(course, instrument) if at_review or status == "slow" else ():
        met = wanted.points if wanted.of == "value" else _improved(baseline, wanted, better)
        if met is not None:
            yield (met if status != "on_track" else met - better * TENTH), "NR", wanted.source, True
    if instrument == "GROC" and value <= rules.worsening_groc_at_most:
        yield rules.worsening_groc_at_most + TENTH, "NR", rules.source, True


def criteria_edges(course: Course, instrument: str) -> tuple[Improvement, ...]:
    """The improvements of an instrument that speak for a response."""
    wanted = [*course.non_response.criteria, *(one for c in course.checkpoints for one in c.any_of)]
    return tuple({(one.points, one.percent): one for one in wanted if one.instrument == instrument}.values())


def _improved(baseline: float | None, wanted: Improvement, better: float) -> float | None:
    if baseline is None:
        return None
    points = wanted.points
    if wanted.percent is not None and baseline > 0:
        points = min(points, baseline * wanted.percent / 100)
    return baseline + better * points


def _phase_edges(turn: Turn, instrument: str, was: str) -> Iterator[tuple[float, str, tuple[str, ...], bool]]:
    """Where the way out of the leading condition's phase reads it."""
    stand, rule = leading(turn), turn.protocols.progression.advance
    protocol = next((p for p in turn.treated if stand is not None and p.condition_id == stand.condition_id), None)
    phase = turn.phase_rules(stand.condition_id, stand.phase_id) if stand is not None else None
    if stand is None or protocol is None or phase is None or stand.met + 1 < rule.checkins:
        return
    later = [one for one in protocol.program.phases if one.number > phase.number]
    if not later:
        return
    better = -1.0 if vocabulary().instruments[instrument].lower_is_better else 1.0
    for one in (*phase.exit, *min(later, key=lambda p: p.number).entry):
        if one.instrument != instrument or one.value is None or not one.kind.startswith("instrument_at"):
            continue
        yield (one.value - better * TENTH if was == "phase" else one.value), "P16", rule.source, False


def _first(source: tuple[str, ...]) -> str:
    return source[0]
