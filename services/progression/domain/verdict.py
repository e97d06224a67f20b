"""Whether conservative care has failed: a proposal to a clinician with its denominator.

Failed, under-dosed, worsening, flare and too little data are different answers. A date that has passed
proves nothing. Source: §6.1 as NR, RULEOUT and F.* of the condition.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

import msgspec

from services.progression.domain.adherence import AdherenceFigures
from services.progression.domain.change import (
    Criterion,
    criteria_of_response,
    deterioration,
    expected_change,
    pain_change,
    primary_change,
)
from services.progression.domain.goal import GoalState, long_term_reached
from services.progression.domain.pain_trend import probability_on_the_way
from services.progression.domain.rule_out import RuleOut, walk
from services.progression.domain.statistic import PAIN, Statistic, week_of
from shared.event.program import AdequateCourse
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course

MEASURED = {PAIN: "Pain", "GROC": "The patient's rating of change"}
"""What a primary criterion is called within a sentence."""

VerdictKind = Literal[
    "failed",  # enough dose, no response: propose to a clinician
    "under_dosed",  # no response, but too little was done
    "worsening",  # against the baseline, in two weeks running
    "early_warning",  # before the review: no change in spite of adherence: review classification and dose
    "flare",  # judged again after it
    "insufficient",  # measures or effort are missing
    "reclassify",  # a response that does not fit the label
    "extend",  # partial response: some weeks more, once
    "none",  # nothing to propose: before the review, responding, or the extension runs
]


class Extension(msgspec.Struct, frozen=True):
    """Care that goes on because the response is partial; the state keeps it."""

    until_week: int
    gained: tuple[tuple[str, float], ...]
    """By instrument, as shares of what matters, when it was last found to have grown."""


class Circumstance(msgspec.Struct, frozen=True):
    """What only the fold knows."""

    in_flare: bool
    """A flare within the last 10 days."""
    red_flag_open: bool
    stalled_weeks: int | None
    """Whole weeks up to now in which progress was due or tried and not tolerated; 0 after a progress that
    held; None where it cannot be told. A hold for missing data does not count."""
    extension: Extension | None
    """Of an earlier `extend`."""
    measures_owed: tuple[str, ...]
    """Instruments of the program's `schedule.checkin.measures`."""
    modifiers: tuple[str, ...] = ()
    mixed: bool = False
    symptoms: tuple[str, ...] = ()
    """Ids of the bounded window, such as `fear_of_movement`."""
    compression_education: bool = False
    """Whether the program carried education."""


class Dose(msgspec.Struct, frozen=True):
    """Whether the load was high enough (rule b). `reached` None: nobody reported effort."""

    reached: bool | None
    weeks_at_effort: int
    hardest_rpe: float | None
    stalled: bool


class Verdict(msgspec.Struct, frozen=True):
    """The answer with what it read."""

    kind: VerdictKind
    rule: str
    because: str
    turning_point: str | None = None
    extension: Extension | None = None
    """New, or with what has grown since: the state keeps it and hands it back in `Circumstance`."""
    criteria: tuple[Criterion, ...] = ()
    shortfalls: tuple[str, ...] = ()
    """What the adequate course lacks, as sentences."""
    dose: Dose | None = None
    rule_out: tuple[RuleOut, ...] = ()
    references: tuple[str, ...] = ()


class _Answer(msgspec.Struct, frozen=True):
    kind: VerdictKind
    because: str
    turning_point: str | None = None
    extension: Extension | None = None


def judge(
    statistic: Statistic,
    adherence: AdherenceFigures,
    goals: tuple[GoalState, ...],
    course: Course,
    adequate: AdequateCourse,
    circumstance: Circumstance,
    *,
    now: datetime,
) -> Verdict:
    """The verdict at a check-in, a week's end or a review. Before `review_week` only worsening and early warning."""
    if circumstance.red_flag_open:
        return Verdict("none", "RULEOUT", "A red flag is open and comes first.", references=("RULEOUT",))
    if circumstance.in_flare:
        return Verdict(
            "flare", "RULEOUT", "A flare is not over; the course is judged after it.", references=("RULEOUT",)
        )
    worse = deterioration(statistic, course, now)
    if worse is not None:
        return Verdict("worsening", worse.rule, worse.because, worse.turning_point, references=(worse.rule,))
    if week_of(statistic, now) < max(adequate.review_week, adequate.min_weeks):
        primary = course.primary_for(circumstance.modifiers)
        return _before_review(statistic, adherence, course, adequate, primary, now)
    return _review(statistic, adherence, goals, course, adequate, circumstance, now)


def _before_review(
    statistic: Statistic,
    adherence: AdherenceFigures,
    course: Course,
    adequate: AdequateCourse,
    primary: str,
    now: datetime,
) -> Verdict:
    rules = course.response
    change = primary_change(statistic, course, primary, now)
    if (
        week_of(statistic, now) >= rules.early_warning_week
        and change is not None
        and change < rules.early_warning_change_points
        and adherence.adherence is not None
        and adherence.adherence >= adequate.min_adherence
    ):
        return Verdict(
            "early_warning",
            "NR",
            f"{MEASURED[primary]} has improved by less than {rules.early_warning_change_points:g} point "
            f"since the start although {adherence.adherence:.0%} of the sessions were done.",
            turning_point=f"An improvement of {rules.early_warning_change_points:g} point would have been enough.",
            references=("NR",),
        )
    return Verdict("none", "NR", "The review has not come yet.", references=("NR",))


def _review(
    statistic: Statistic,
    adherence: AdherenceFigures,
    goals: tuple[GoalState, ...],
    course: Course,
    adequate: AdequateCourse,
    circumstance: Circumstance,
    now: datetime,
) -> Verdict:
    week = week_of(statistic, now)
    criteria = criteria_of_response(statistic, course, now)
    shortfalls = _shortfalls(adherence, course, adequate)
    dose = _dose(statistic, adherence, course, adequate, circumstance, week)
    primary = course.primary_for(circumstance.modifiers)
    if _responds(statistic, goals, course, criteria, primary, now):
        answer = _Answer("none", "Care is working: the measures have improved by what matters.")
    else:
        answer = _too_little(criteria, shortfalls, dose, course, primary) or _no_response(
            adherence, criteria, course, circumstance, week, _on_the_way(statistic, course, week)
        )
        awaited = _awaited(statistic, course, adequate, circumstance, now)
        if awaited and answer.kind in ("failed", "extend", "reclassify"):
            answer = _Answer("none", f"The measures of the review are awaited: {_labels(awaited)}.")
    return Verdict(
        answer.kind,
        "RULEOUT" if answer.kind == "under_dosed" else "NR",
        answer.because,
        answer.turning_point,
        answer.extension,
        criteria,
        shortfalls,
        dose,
        walk(
            statistic,
            course,
            delivered=not shortfalls,
            dose_reached=dose.reached,
            modifiers=circumstance.modifiers,
            mixed=circumstance.mixed,
            symptoms=circumstance.symptoms,
            education_delivered=circumstance.compression_education,
        ),
        tuple(sorted({"NR", "RULEOUT", *course.adequate.source})),
    )


def _too_little(
    criteria: tuple[Criterion, ...], shortfalls: tuple[str, ...], dose: Dose, course: Course, primary: str
) -> _Answer | None:
    """Why nothing can be said about the care: no report, or not enough of it given. None: enough."""
    rules = course.dose
    if not any(c.instrument == primary and c.met is not None for c in criteria):
        return _Answer("insufficient", f"There is no recent report to judge by: {_labels((primary,))}.")
    if shortfalls:
        return _Answer("under_dosed", " ".join(shortfalls), "With that delivered, the response could be judged.")
    if dose.reached is None:
        return _Answer(
            "insufficient",
            "Effort was not reported in the last weeks, so the dose cannot be judged.",
            "Reports of effort would allow a judgement.",
        )
    if not dose.reached:
        return _Answer(
            "under_dosed",
            f"Effort reached {rules.effort_rpe:g} of 10 in {dose.weeks_at_effort} of the last "
            f"{rules.within_weeks} weeks, {rules.weeks_at_effort} are needed.",
            f"An effort of {rules.effort_rpe:g} in {rules.weeks_at_effort} of these weeks, or load that could "
            f"not rise for {rules.stalled_weeks} weeks, would have been enough dose.",
        )
    return None


def _no_response(
    adherence: AdherenceFigures,
    criteria: tuple[Criterion, ...],
    course: Course,
    circumstance: Circumstance,
    week: int,
    on_the_way: str | None,
) -> _Answer:
    """After enough care without full response: partial, not fully measured, or failed.

    `on_the_way`: a sentence where pain is still falling and would fall by enough; else None.
    """
    met = [c.instrument for c in criteria if c.met]
    worse = [c.instrument for c in criteria if c.gained is not None and c.gained <= -1]
    if met and worse:
        return _Answer(
            "reclassify",
            f"Better by what matters: {_labels(met)}; worse by as much: {_labels(worse)}. That does not fit the "
            "condition treated; the diagnosis should be examined again.",
            "Measures that move the same way would have been a response, or none.",
        )
    extension, rules = circumstance.extension, course.non_response
    if met and extension is None:
        return _Answer(
            "extend",
            f"One measure has improved by what matters, the others have not: care goes on for "
            f"{rules.extend_weeks} weeks, once.",
            "A second measure improved would have been a response.",
            Extension(week + rules.extend_weeks, _gains(criteria)),
        )
    if on_the_way is not None and not worse and extension is None:
        return _Answer(
            "extend",
            f"{on_the_way} Care goes on for {rules.extend_weeks} weeks, once.",
            "With pain that no longer falls, no measure improved would have been no response.",
            Extension(week + rules.extend_weeks, _gains(criteria)),
        )
    if extension is not None and week < extension.until_week:
        return _Answer("none", f"Care is extended to week {extension.until_week}; the response is judged again then.")
    if met and extension is not None and _has_grown(criteria, extension, rules.growth_share):
        until = week + course.response.plateau_weeks
        return _Answer(
            "none",
            f"The response is partial and has grown since it was last judged; it is judged again in week {until}.",
            f"Less than {rules.growth_share:.0%} of what matters gained in every measure would have been a standstill.",
            Extension(until, _gains(criteria)),
        )
    needed = {wanted.instrument for wanted in rules.criteria} & set(circumstance.measures_owed)
    missing = [c.instrument for c in criteria if c.met is None and c.instrument in needed]
    if missing:
        return _Answer(
            "insufficient",
            f"These measures are missing or too old: {_labels(missing)}.",
            "With these measures the response could be judged.",
        )
    if met:
        return _Answer(
            "failed",
            f"{_failure(adherence, criteria)} The response is only partial: better by what matters is "
            f"{_labels(met)} alone, and no measure has gained more since care was extended for it.",
            f"A second measure improved, or {rules.growth_share:.0%} of what matters gained in one since then, "
            "would have kept care going.",
        )
    return _Answer("failed", _failure(adherence, criteria), _would_have_counted(criteria))


def _on_the_way(statistic: Statistic, course: Course, week: int) -> str | None:
    """Says so where pain falls, and going on like this would fall by enough within the extension. Source: J-REVIEW."""
    then = week + course.non_response.extend_weeks
    probability = probability_on_the_way(statistic, course, then)
    if probability is None or probability < course.non_response.on_the_way_probability:
        return None
    return f"Pain still falls, and going on like this improves by what matters by week {then} ({probability:.0%})."


def _awaited(
    statistic: Statistic, course: Course, adequate: AdequateCourse, circumstance: Circumstance, now: datetime
) -> tuple[str, ...]:
    """Measures owed that have not been reported for the review; none once a week of it has passed. Source: J-REVIEW."""
    due = statistic.started_at + timedelta(weeks=max(adequate.review_week, adequate.min_weeks))
    if now >= due + timedelta(weeks=1):
        return ()
    read = [
        wanted.instrument for wanted in course.non_response.criteria if wanted.instrument in circumstance.measures_owed
    ]
    last = {series.instrument: series.last.time for series in statistic.series if series.last is not None}
    return tuple(one for one in read if one in last and last[one] < due - timedelta(weeks=1))


def _has_grown(criteria: tuple[Criterion, ...], extension: Extension, share: float) -> bool:
    before = dict(extension.gained)
    return any(
        c.gained is not None and c.instrument in before and c.gained - before[c.instrument] >= share - 1e-9
        for c in criteria
    )


def _gains(criteria: tuple[Criterion, ...]) -> tuple[tuple[str, float], ...]:
    return tuple((c.instrument, c.gained) for c in criteria if c.gained is not None)


def _labels(instruments: Iterable[str]) -> str:
    return ", ".join(vocabulary().instruments[one].label for one in instruments)


def _failure(adherence: AdherenceFigures, criteria: tuple[Criterion, ...]) -> str:
    read = "; ".join(
        f"{vocabulary().instruments[c.instrument].label}: {_told(c)}, {c.needed} needed"
        for c in criteria
        if c.change is not None
    )
    enough = "not every measure" if any(c.met for c in criteria) else "no measure"
    return (
        f"An adequate course was done ({adherence.sessions_done} sessions in {adherence.weeks_active} weeks) "
        f"and {enough} has improved by what matters. {read}."
    )


def _told(read: Criterion) -> str:
    if not read.change:
        return "no change"
    return f"{abs(read.change):g} points {'better' if read.change > 0 else 'worse'}"


def _would_have_counted(criteria: tuple[Criterion, ...]) -> str:
    read = ", or ".join(
        f"{c.needed} in {vocabulary().instruments[c.instrument].label}" for c in criteria if c.met is False
    )
    return f"An improvement of {read} would have been at least a partial response."


def _responds(
    statistic: Statistic,
    goals: tuple[GoalState, ...],
    course: Course,
    criteria: tuple[Criterion, ...],
    primary: str,
    now: datetime,
) -> bool:
    """Two criteria met, or one and none known unmet, or pain near the expected course, or the goals reached.

    Where pain is not the primary criterion it may add to a response and never speaks against one. Source: S15.
    """
    met = sum(c.met is True for c in criteria)
    unmet = sum(c.met is False for c in criteria if primary == PAIN or c.instrument != PAIN)
    if met >= 2 or (met and not unmet and any(c.met for c in criteria if primary in (PAIN, c.instrument))):
        return True
    share = course.non_response.pain_response_share
    change = pain_change(statistic, course, now) if primary == PAIN else None
    expected = expected_change(statistic, course, PAIN, week_of(statistic, now))
    if met and change is not None and expected is not None and change >= share * expected:
        return True
    return course.non_response.goals_unmet and long_term_reached(goals)


def _shortfalls(adherence: AdherenceFigures, course: Course, adequate: AdequateCourse) -> tuple[str, ...]:
    share = course.dose.active_weeks_share
    needed_weeks = ceil(share * adequate.min_weeks)
    found: list[str] = []
    if adherence.adherence is None:
        found.append("No session was due yet.")
    elif adherence.adherence < adequate.min_adherence:
        found.append(
            f"{adherence.adherence:.0%} of the sessions due were done, {adequate.min_adherence:.0%} are needed."
        )
    if adherence.sessions_done < adequate.min_sessions:
        found.append(
            f"{adherence.sessions_done} sessions were done, {adequate.min_sessions} are the least that counts."
        )
    if adherence.weeks_active < needed_weeks or adherence.weeks_active < share * adherence.weeks_due:
        found.append(
            f"The patient trained in {adherence.weeks_active} of {max(adherence.weeks_due, adequate.min_weeks)} "
            f"planned weeks, {share:.0%} are needed."
        )
    return tuple(found)


def _dose(
    statistic: Statistic,
    adherence: AdherenceFigures,
    course: Course,
    adequate: AdequateCourse,
    circumstance: Circumstance,
    week: int,
) -> Dose:
    rules = course.dose
    # Only weeks that are over: two hard days around a Sunday are no two weeks of effort until then.
    efforts = [
        s.hardest_rpe
        for s in statistic.sessions
        if week - rules.within_weeks <= s.week < week and s.hardest_rpe is not None
    ]
    hard = sum(rpe >= rules.effort_rpe for rpe in efforts)
    adherent = adherence.adherence is not None and adherence.adherence >= adequate.min_adherence
    stalled = (circumstance.stalled_weeks or 0) >= rules.stalled_weeks and adherent
    reached = True if stalled or hard >= rules.weeks_at_effort else (False if efforts else None)
    return Dose(reached, hard, max(efforts, default=None), stalled)
