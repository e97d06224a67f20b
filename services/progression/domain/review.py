"""What the outcome measures say by now, and what follows when they say that care does not help."""

from datetime import datetime, timedelta

from services.progression.domain.adherence import AdherenceFigures, figures, sessions_due
from services.progression.domain.book import Book
from services.progression.domain.escalation import escalate
from services.progression.domain.hold import excused_days
from services.progression.domain.response import Assessment, assess
from services.progression.domain.state import Snapshot
from services.progression.domain.statistic import week_of
from services.progression.domain.trend import is_rising
from services.progression.domain.turn import Turn
from services.progression.domain.verdict import Circumstance, Verdict, judge
from shared.protocol.library import Protocols

FLARE_DAYS = timedelta(days=10)
"""A flare this recent forbids the verdict of failed care (RULEOUT e)."""


def adherence_now(turn: Turn) -> AdherenceFigures | None:
    """Sessions done over sessions due by now; with fixed weekdays the running week's past days count."""
    s, book = turn.s, turn.book
    if s.adherence is None or book is None:
        return None
    if book.days is None or s.week_end is None:
        return figures(s.adherence)
    first = s.adherence.start_day + timedelta(days=7 * closed_weeks(s))
    today = turn.local_day(turn.at)
    due = sessions_due(s.sessions_per_week, book.days, first, max(first, today), excused_days(turn))
    return figures(s.adherence, due)


def closed_weeks(s: Snapshot) -> int:
    """Weeks of the program that are over and closed."""
    if s.started_at is None or s.week_end is None:
        return 0
    return (s.week_end - s.started_at) // timedelta(weeks=1) - 1


def verdict_now(turn: Turn) -> Verdict | None:
    """What the evidence says of care by now; None where nothing can be said. Source: F.*, NR, RULEOUT."""
    s, book, adherence = turn.s, turn.book, adherence_now(turn)
    if s.statistic is None or book is None or adherence is None or not turn.treated:
        return None
    circumstance = Circumstance(
        in_flare=is_in_flare(turn),
        red_flag_open=s.escalation("red_flag") is not None,
        stalled_weeks=turn.weeks_since(s.held_progress) if s.held_progress else None,
        extended_until_week=s.extended_until_week,
        measures_owed=book.measures,
        modifiers=book.modifiers,
        mixed=len(book.conditions) > 1,
        symptoms=s.symptoms,
        compression_education=book.has_education,
    )
    course = turn.treated[0].course
    adequate = book.payload().adequate_course
    return judge(s.statistic, adherence, s.goals, course, adequate, circumstance, now=turn.at)


def assessment_now(turn: Turn) -> Assessment | None:
    """The response as an adjustment tells it."""
    s, book, adherence = turn.s, turn.book, adherence_now(turn)
    if s.statistic is None or book is None or adherence is None or not turn.treated:
        return None
    adequate = book.payload().adequate_course
    at_review = week_of(s.statistic, turn.at) >= adequate.review_week
    return assess(
        s.statistic,
        adherence,
        s.goals,
        turn.treated[0].course,
        adequate,
        now=turn.at,
        in_flare=s.flare is not None,
        failed_open=s.escalation("failed_conservative_care") is not None,
        verdict=verdict_now(turn) if at_review else None,
    )


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
    if is_rising(s.statistic, turn.at, adverse.rising_weeks, rules.trend.rise_points):
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
    if verdict.extend_until_week is not None and verdict.kind == "extend":
        turn.set(extended_until_week=verdict.extend_until_week)
    had_failed = s.escalation("failed_conservative_care") is not None
    facts = (("finding", verdict.because),)
    match verdict.kind:
        case "failed":
            escalate(turn, "failed_conservative_care", "routine", verdict.rule, verdict.because, evidence=facts)
        case "worsening":
            escalate(turn, "adverse_response", adverse.severity, verdict.rule, verdict.because, evidence=facts)
        case "reclassify":
            escalate(turn, "unclear_diagnosis", "routine", verdict.rule, verdict.because, evidence=facts)
        case "early_warning":
            escalate(turn, "clinician_review", "routine", verdict.rule, verdict.because, evidence=facts)
        case _:
            pass
    if (turn.s.escalation("failed_conservative_care") is not None) != had_failed:
        turn.say(verdict.rule, verdict.because)


def turn_at(snapshot: Snapshot, books: tuple[Book, ...], protocols: Protocols, subject: str, at: datetime) -> Turn:
    """A turn that only reads."""
    return Turn(snapshot, books, protocols, subject, at, "")
