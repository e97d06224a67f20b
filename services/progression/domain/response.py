"""How care is going, as `care.load.adjusted` tells it. Source: §6.1 as NR, P22 and F.* of the condition."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.progression.domain.adherence import AdherenceFigures
from services.progression.domain.change import (
    deterioration,
    expected_change,
    expected_pain,
    missed_checkpoint,
    pain_change,
    primary_change,
    stands_still,
)
from services.progression.domain.goal import GoalState, long_term_reached
from services.progression.domain.pain_trend import function_trend, pain_trend, probability_of_rating
from services.progression.domain.statistic import PAIN, Statistic, week_of
from services.progression.domain.trend import Rise
from services.progression.domain.verdict import MEASURED, Verdict
from shared.event.adjustment import Band, MeasureTrend, MinimalImportantChange, Response, ResponseStatus
from shared.event.program import AdequateCourse
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course


@dataclass(frozen=True, slots=True)
class Assessment:
    """The status with the values that it read."""

    status: ResponseStatus
    rule: str
    """The evidence row of the rule that gave the status, such as `P22`."""
    because: str
    """A plain sentence."""
    turning_point: str | None
    response: Response
    """Ready for the wire."""
    references: tuple[str, ...]
    pain_change_points: float | None
    """Improvement since the baseline, by the newest week's mean; None where unknown or stale."""
    expected_change_points: float | None
    pain_trend_recent_per_week: float | None


@dataclass(frozen=True, slots=True)
class _Finding:
    status: ResponseStatus
    rule: str
    because: str
    turning_point: str | None = None


def assess(
    statistic: Statistic,
    adherence: AdherenceFigures,
    goals: tuple[GoalState, ...],
    course: Course,
    adequate: AdequateCourse,
    *,
    now: datetime,
    in_flare: bool,
    failed_open: bool,
    verdict: Verdict | None = None,
    rising: Rise | None = None,
    modifiers: tuple[str, ...] = (),
    started_at: datetime | None = None,
) -> Assessment:
    """The response by `now` (event time).

    `failed_open`: that escalation is open; nothing else gives the status `failed_conservative_care`.
    `verdict`: what `verdict.judge` says now; it matters from the review on, None before is fine.
    `rising`: what `trend.rise` says now. `started_at`: the program's start, where the statistic begins later.
    """
    primary = course.primary_for(modifiers)
    found = (
        _flagged(in_flare=in_flare, failed_open=failed_open)
        or _resolved(statistic, goals, course, now)
        or _worse(statistic, course, rising, now)
        or _course_so_far(statistic, adherence, course, adequate, verdict, primary, now)
    )
    trend = pain_trend(statistic, course, adequate.review_week)
    probability = trend.probability_of_meaningful_change
    measure = vocabulary().instruments[primary]
    function = function_trend(statistic, course, course.measure)
    band = expected_pain(statistic, course, week_of(statistic, now)) if primary == PAIN else None
    if primary != PAIN:
        probability = probability_of_rating(statistic, course, primary)
    return Assessment(
        status=found.status,
        rule=found.rule,
        because=found.because,
        turning_point=found.turning_point,
        response=Response(
            status=found.status,
            week=week_of(statistic, now) if started_at is None else max(0, (now - started_at) // timedelta(weeks=1)),
            sessions_done=adherence.sessions_done,
            adherence=adherence.adherence,
            adherence_4w=adherence.adherence_4w,
            pain_trend_per_week=trend.slope_per_week,
            probability_of_meaningful_change=probability,
            minimal_important_change=MinimalImportantChange(
                instrument=primary, points=float(measure.mic_points or 0), percent=measure.mic_percent
            ),
            pain_trend_sd_per_week=trend.slope_sd_per_week,
            probability_by_review=trend.probability_by_review if primary == PAIN else None,
            expected_pain=None if band is None else Band(lower=band[0], upper=band[1]),
            function_trend=None
            if function is None
            else MeasureTrend(
                instrument=course.measure,
                per_week=function.slope_per_week,
                sd_per_week=function.slope_sd_per_week,
                probability_of_meaningful_change=function.probability_of_meaningful_change,
            ),
        ),
        references=tuple(sorted({found.rule, measure.evidence})),
        pain_change_points=_rounded(pain_change(statistic, course, now)),
        expected_change_points=_rounded(expected_change(statistic, course, PAIN, week_of(statistic, now))),
        pain_trend_recent_per_week=trend.recent_slope_per_week,
    )


def _flagged(*, in_flare: bool, failed_open: bool) -> _Finding | None:
    if failed_open:
        return _Finding(
            "failed_conservative_care",
            "NR",
            "An adequate course was done without response; a clinician has been asked to decide.",
            "The clinician's decision.",
        )
    if in_flare:
        return _Finding("flare", "P14", "A flare is not over; the course is judged after it.", "Its end.")
    return None


def _resolved(statistic: Statistic, goals: tuple[GoalState, ...], course: Course, now: datetime) -> _Finding | None:
    limit = course.response.resolved_nprs_at_most
    series = statistic.of(PAIN)
    if (
        long_term_reached(goals)
        and pain_change(statistic, course, now) is not None
        and series is not None
        and series.last is not None
        and series.previous is not None
        and max(series.last.value, series.previous.value) <= limit
    ):
        return _Finding(
            "resolved",
            "NR",
            f"Every long-term goal is reached and pain is {limit:g} or less in two successive reports.",
            f"A report above {limit:g} would have kept care open.",
        )
    return None


def _worse(statistic: Statistic, course: Course, rising: Rise | None, now: datetime) -> _Finding | None:
    worse = deterioration(statistic, course, now)
    if worse is not None:
        return _Finding("worsening", worse.rule, worse.because, worse.turning_point)
    if rising is None:
        return None
    return _Finding(
        "worsening",
        "P22",
        f"Average pain rose in each of the last {rising.weeks} weeks, from {rising.first:.1f} to {rising.last:.1f}.",
        "A smaller rise, or none in one of these weeks, would have been within the noise.",
    )


def _course_so_far(
    statistic: Statistic,
    adherence: AdherenceFigures,
    course: Course,
    adequate: AdequateCourse,
    verdict: Verdict | None,
    primary: str,
    now: datetime,
) -> _Finding:
    rules = course.response
    week = week_of(statistic, now)
    what = MEASURED[primary]
    change = primary_change(statistic, course, primary, now)
    expected = expected_change(statistic, course, primary, week)
    if change is None or expected is None:
        asked = "the week's average pain" if primary == PAIN else "the change since the start"
        return _Finding(
            "insufficient_data",
            "P21" if primary == PAIN else "S15",
            f"There is no report of {asked} of the last {rules.stale_after_days} days to judge by.",
            f"A report of {asked} would be enough to judge.",
        )
    if verdict is not None and verdict.kind == "under_dosed":
        return _Finding("under_dosed", verdict.rule, verdict.because, verdict.turning_point)
    if verdict is not None and verdict.kind == "insufficient":
        return _Finding("insufficient_data", verdict.rule, verdict.because, verdict.turning_point)
    needed = course.expected.slow_below_share * expected
    read = f"{what} has improved by {change:.1f} points"
    behind = f"{read}, the expected course has {expected:.1f} by week {week}."
    turning_point = f"An improvement of {needed:.1f} points by now would have been on track."
    low = adherence.adherence_4w is not None and adherence.adherence_4w < adequate.min_adherence
    if change < needed and low and week >= rules.under_dosed_from_week:
        return _Finding(
            "under_dosed",
            "O13",
            f"{behind} {adherence.adherence_4w:.0%} of the sessions of the last four weeks were done, "
            f"{adequate.min_adherence:.0%} are needed.",
            turning_point,
        )
    if week >= course.expected.judged_from_week:
        if change < needed and adherence.adherence_4w is not None and stands_still(statistic, course, primary, now):
            return _Finding(
                "plateau",
                "NR",
                f"{behind} {what} has not improved in the last {rules.plateau_weeks} weeks although the sessions "
                "were done.",
                turning_point,
            )
        missed = missed_checkpoint(statistic, course, now)
        if change < needed or missed is not None:
            because = behind if missed is None else f"{behind} Not reached: {missed.statement}."
            return _Finding("slow", _first(course.expected.source), because, turning_point)
    return _Finding(
        "on_track",
        _first(course.expected.source),
        f"{read}, within the expected course.",
        None if week < course.expected.judged_from_week else f"Less than {needed:.1f} points would be slow.",
    )


def _first(source: tuple[str, ...]) -> str:
    return source[0]


def _rounded(points: float | None) -> float | None:
    return None if points is None else round(points, 3)
