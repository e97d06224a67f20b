"""What the outcome measures say by now, and what follows when they say that care does not help."""

from datetime import datetime, timedelta

from services.progression.domain import adherence, statistic
from services.progression.domain.adherence import AdherenceFigures, course_figures, figures, sessions_due
from services.progression.domain.book import Book
from services.progression.domain.change import GROC
from services.progression.domain.escalation import escalate, resolve
from services.progression.domain.hold import excused_days
from services.progression.domain.response import Assessment, assess
from services.progression.domain.state import Snapshot
from services.progression.domain.statistic import week_of
from services.progression.domain.tolerance import stalled_weeks
from services.progression.domain.trend import Rise, rise
from services.progression.domain.turn import Turn
from services.progression.domain.verdict import Circumstance, Verdict, VerdictKind, judge
from shared.event.escalation import EscalationReason
from shared.event.measure import Measure
from shared.protocol.library import Protocols

PROPOSED: dict[VerdictKind, EscalationReason] = {
    "failed": "failed_conservative_care",
    "worsening": "adverse_response",
    "reclassify": "unclear_diagnosis",
    "early_warning": "clinician_review",
}
"""What a person is asked to look at."""
FLARE_DAYS = timedelta(days=10)
"""A flare this recent forbids the verdict of failed care (RULEOUT e)."""


def adherence_now(turn: Turn) -> AdherenceFigures | None:
    """Sessions done over sessions due since the start of the program."""
    return None if turn.s.adherence is None else figures(turn.s.adherence, _running_due(turn))


def adherence_of_course(turn: Turn) -> AdherenceFigures | None:
    """The same since the conditions are treated that are treated now."""
    return None if turn.s.adherence is None else course_figures(turn.s.adherence, _running_due(turn))


def _running_due(turn: Turn) -> int:
    """With fixed weekdays, those of the running week that are past; else a miss exists only at the week's end."""
    s, book = turn.s, turn.book
    if s.adherence is None or book is None or book.days is None or s.week_end is None:
        return 0
    first = s.adherence.start_day + timedelta(days=7 * closed_weeks(s))
    today = turn.local_day(turn.at)
    return sessions_due(s.sessions_per_week, book.days, first, max(first, today), excused_days(turn))


def closed_weeks(s: Snapshot) -> int:
    """Weeks of the program that are over and closed."""
    if s.started_at is None or s.week_end is None:
        return 0
    return (s.week_end - s.started_at) // timedelta(weeks=1) - 1


def verdict_now(turn: Turn, figured: AdherenceFigures | None = None) -> Verdict | None:
    """What the evidence says of care by now; None where nothing can be said. Source: F.*, NR, RULEOUT.

    `figured`: other figures than those of the course, to see what they would have changed.
    """
    s, book, figured = turn.s, turn.book, figured or adherence_of_course(turn)
    if s.statistic is None or book is None or figured is None or not turn.treated:
        return None
    circumstance = Circumstance(
        in_flare=is_in_flare(turn),
        red_flag_open=s.escalation("red_flag") is not None,
        stalled_weeks=stalled_weeks(s),
        extension=s.extension,
        measures_owed=book.measures,
        modifiers=book.modifiers,
        mixed=len(book.conditions) > 1,
        symptoms=s.symptoms,
        compression_education=book.has_education,
    )
    course = turn.treated[0].course
    adequate = book.payload().adequate_course
    return judge(s.statistic, figured, s.goals, course, adequate, circumstance, now=turn.at)


def assessment_now(turn: Turn) -> Assessment | None:
    """The response as an adjustment tells it."""
    s, book, figured = turn.s, turn.book, adherence_now(turn)
    if s.statistic is None or book is None or figured is None or not turn.treated:
        return None
    adequate = book.payload().adequate_course
    at_review = week_of(s.statistic, turn.at) >= adequate.review_week
    return assess(
        s.statistic,
        figured,
        s.goals,
        turn.treated[0].course,
        adequate,
        now=turn.at,
        in_flare=s.flare is not None,
        failed_open=s.escalation("failed_conservative_care") is not None,
        verdict=verdict_now(turn) if at_review else None,
        rising=rise_now(turn),
        modifiers=book.modifiers,
        started_at=s.started_at,
    )


def rise_now(turn: Turn) -> Rise | None:
    """Pain that rose from week to week by now. Source: P22."""
    rule = turn.protocols.progression.trend
    return None if turn.s.statistic is None else rise(turn.s.statistic, turn.at, rule.weeks, rule.rise_points)


def begin_course(turn: Turn) -> None:
    """Other conditions are treated from here on: what care for the former ones did or did not do proves nothing.

    The newest report of each measure is the baseline; where there is none, the intake's.
    """
    s, book = turn.s, turn.book
    if s.statistic is None or s.adherence is None or book is None:
        return
    planned = s.started_at or turn.at
    known = [m if m.taken_at else m.model_copy(update={"taken_at": planned}) for m in book.payload().intake.measures]
    for one in s.statistic.series:
        if one.last is not None and one.instrument != GROC:  # a rating of change is its own baseline
            known.append(Measure(instrument=one.instrument, value=one.last.value, taken_at=one.last.time))
        elif one.baseline is not None:
            known.append(Measure(instrument=one.instrument, value=one.baseline, taken_at=planned))
    turn.set(
        statistic=statistic.begin(known, turn.at),
        adherence=adherence.begin_course(s.adherence),
        extension=None,
        stalled_weeks=0,
        harder_at=None,
    )
    resolve(turn, "failed_conservative_care", "superseded")


def is_in_flare(turn: Turn) -> bool:
    ended = turn.s.flare_ended
    return turn.s.flare is not None or (ended is not None and turn.at - ended <= FLARE_DAYS)


def review(turn: Turn) -> None:
    """Judges care at a check-in or a week's end and asks a person where it does not help.

    Source: F.*, NR, RF20, P22.
    """
    s, rules = turn.s, turn.protocols.progression
    if s.status != "active" or s.statistic is None:
        return
    adverse = rules.adverse
    if rise(s.statistic, turn.at, adverse.rising_weeks, rules.trend.rise_points) is not None:
        escalate(
            turn,
            "adverse_response",
            "urgent",
            "RF20",
            f"Average pain has risen {adverse.rising_weeks} weeks in a row.",
            evidence=(("weeks of rising pain", str(adverse.rising_weeks)),),
        )
    verdict = verdict_now(turn)
    if verdict is None:
        return
    if verdict.extension is not None:
        turn.set(extension=verdict.extension)
    had_failed = s.escalation("failed_conservative_care") is not None
    proposed = PROPOSED.get(verdict.kind)
    if proposed is not None:
        # Week after week the same finding in other figures adds nothing to what is open.
        found = s.escalation(proposed)
        told = found is not None and any(name == "finding" for name, _ in found.evidence)
        finding = () if told else (("finding", verdict.because),)
        severity = rules.adverse.severity if proposed == "adverse_response" else "routine"
        escalate(turn, proposed, severity, verdict.rule, verdict.because, evidence=finding)
    if (turn.s.escalation("failed_conservative_care") is not None) != had_failed:
        turn.say(verdict.rule, verdict.because)


def turn_at(snapshot: Snapshot, books: tuple[Book, ...], protocols: Protocols, subject: str, at: datetime) -> Turn:
    """A turn that only reads."""
    return Turn(snapshot, books, protocols, subject, at, "")
