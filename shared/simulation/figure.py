"""What a cohort shows, as figures: pure functions from the courses, so that the same cohort gives the same bytes.

The verdict on failed care has a module of its own, `verdict`. Rates are per month in care: after care has ended nobody
could be told of anything.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shared.event.vocabulary import URGENCIES, Urgency
from shared.simulation.course import Archetype, Course, Plan
from shared.simulation.estimate import Estimate, Share, difference, mean, percentiles, ratio, share
from shared.simulation.verdict import Detection, Verdict, detection_of, truth_of, verdict_of

ARCHETYPES: tuple[Archetype, ...] = get_args(Archetype)
PLANS: tuple[Plan, ...] = get_args(Plan)
DAYS_PER_MONTH = 365.25 / 12

Answer = Literal[
    "red_flag", "failed", "worsening", "unclear_diagnosis", "under_dosed", "not_reached", "other_look", "nothing"
]
"""What the pipeline said of a patient in the end; of several the first in this order. `other_look`: a clinician
was asked to look for another reason, such as a flare. `not_reached`: no contact, or sessions not done."""
ANSWERS: tuple[Answer, ...] = get_args(Answer)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of the patients of one archetype."""

    archetype: Archetype
    patients: int
    delivered: int
    """To so many an adequate course was truly delivered."""
    failed: int
    """Of so many of them care truly failed: they ought to be called."""
    answers: dict[Answer, int]


@dataclass(frozen=True, slots=True)
class AlertRate:
    """Escalations per patient-month of one archetype."""

    archetype: Archetype
    patients: int
    months: float
    """In care, of all patients together."""
    by_severity: dict[Urgency, Estimate | None]
    by_reason: dict[str, int]
    """Counts, without a reason that never came up."""


@dataclass(frozen=True, slots=True)
class Safety:
    """What must never happen, under the adaptive plan."""

    red_flags_at_once: Share | None
    """Red flags that became an escalation in the same event."""
    false_red_flags: Share | None
    """Patients without a red flag for whom one was raised."""
    unsafe_progressions: int
    patients_with_unsafe_progression: Share | None


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How the cohort, or one archetype of it, fared under one plan."""

    plan: Plan
    archetype: Archetype | None
    """None: everybody."""
    flare_days: Estimate | None
    final_capacity: Estimate | None
    final_pain_nprs: Estimate | None
    meaningful_change: Share | None
    adherence: Estimate | None
    """Sessions done over sessions due."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The adaptive plan less another one, by paired differences of the same patients."""

    other: Plan
    flare_days: Estimate | None
    final_capacity: Estimate | None
    final_pain_nprs: Estimate | None
    flare_days_saved: Estimate | None
    """As a share of the other plan's flare days; negative: more."""


@dataclass(frozen=True, slots=True)
class Band:
    """Median and 10th to 90th percentile for each week, from week 0 on."""

    plan: Plan
    archetype: Archetype
    measure: Literal["pain_nprs", "capacity"]
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that one cohort shows."""

    patients: int
    verdict: Verdict
    detection: Detection
    said: tuple[Said, ...]
    alert_rates: tuple[AlertRate, ...]
    safety: Safety
    outcomes: tuple[PlanOutcome, ...]
    comparisons: tuple[Comparison, ...]
    bands: tuple[Band, ...]


def figures_of(courses: Sequence[Course]) -> Figures:
    """Every figure of a cohort; each patient comes once for each plan."""
    by_plan: dict[Plan, list[Course]] = {plan: [] for plan in PLANS}
    for course in sorted(courses, key=lambda course: course.patient):
        by_plan[course.plan].append(course)
    adaptive = by_plan["adaptive"]
    return Figures(
        patients=len(adaptive),
        verdict=verdict_of(adaptive),
        detection=detection_of(adaptive),
        said=tuple(_said(archetype, found) for archetype, found in _by_archetype(adaptive).items()),
        alert_rates=tuple(_alert_rate(archetype, found) for archetype, found in _by_archetype(adaptive).items()),
        safety=safety_of(adaptive),
        outcomes=tuple(
            _outcome(plan, archetype, found)
            for plan in PLANS
            for archetype, found in [(None, by_plan[plan]), *_by_archetype(by_plan[plan]).items()]
        ),
        comparisons=tuple(compare(adaptive, by_plan[other]) for other in PLANS if other != "adaptive"),
        bands=tuple(
            band
            for plan in PLANS
            for archetype, found in _by_archetype(by_plan[plan]).items()
            for band in _bands(plan, archetype, found)
        ),
    )


def answer_of(course: Course) -> Answer:
    """What the pipeline said of a patient in the end."""
    reasons = {alert.reason for alert in course.alerts}
    status = course.status[-1] if course.status else ""
    if "red_flag" in reasons:
        return "red_flag"
    if "failed_conservative_care" in reasons:
        return "failed"
    if "adverse_response" in reasons or status == "worsening":
        return "worsening"
    if "unclear_diagnosis" in reasons:
        return "unclear_diagnosis"
    if status == "under_dosed":
        return "under_dosed"
    if reasons & {"no_contact", "non_adherence"}:
        return "not_reached"
    return "other_look" if reasons else "nothing"


def safety_of(adaptive: Sequence[Course]) -> Safety:
    """Red flags against the truth, and progressions that should not have been."""
    flagged = [course for course in adaptive if course.red_flag_day is not None]
    others = [course for course in adaptive if course.red_flag_day is None]
    return Safety(
        red_flags_at_once=_share_of(flagged, _is_flag_found_at_once),
        false_red_flags=_share_of(others, lambda course: course.first("red_flag") is not None),
        unsafe_progressions=sum(course.unsafe_progressions for course in adaptive),
        patients_with_unsafe_progression=_share_of(adaptive, lambda course: course.unsafe_progressions > 0),
    )


def compare(adaptive: Sequence[Course], others: Sequence[Course]) -> Comparison:
    """The same patients under two plans, in the same order. Raises ValueError where they are not the same."""
    if [course.patient for course in adaptive] != [course.patient for course in others]:
        raise ValueError("two plans can only be compared on the same patients")
    flares, other_flares = [c.flare_days for c in adaptive], [c.flare_days for c in others]
    saved = [other - own for own, other in zip(flares, other_flares, strict=True)]
    return Comparison(
        other=others[0].plan if others else "fixed",
        flare_days=difference(flares, other_flares),
        final_capacity=difference([c.capacity[-1] for c in adaptive], [c.capacity[-1] for c in others]),
        final_pain_nprs=difference([c.pain_nprs[-1] for c in adaptive], [c.pain_nprs[-1] for c in others]),
        flare_days_saved=ratio(saved, other_flares),
    )


def months_of(course: Course) -> float:
    """How long a patient was in care."""
    days = (len(course.pain_nprs) - 1) * 7.0
    return (days if course.ended_day is None else min(days, course.ended_day)) / DAYS_PER_MONTH


def rate_of(courses: Sequence[Course], severity: Urgency) -> Estimate | None:
    """Escalations of one severity per patient-month."""
    counts = [float(sum(alert.severity == severity for alert in course.alerts)) for course in courses]
    return ratio(counts, [months_of(course) for course in courses])


def _is_flag_found_at_once(course: Course) -> bool:
    return any(alert.reason == "red_flag" and alert.is_same_event for alert in course.alerts)


def _share_of(courses: Sequence[Course], is_counted: Callable[[Course], bool]) -> Share | None:
    return share(sum(map(is_counted, courses)), len(courses))


def _by_archetype(courses: Iterable[Course]) -> Mapping[Archetype, list[Course]]:
    found: dict[Archetype, list[Course]] = {archetype: [] for archetype in ARCHETYPES}
    for course in courses:
        found[course.archetype].append(course)
    return {archetype: some for archetype, some in found.items() if some}


def _said(archetype: Archetype, courses: Sequence[Course]) -> Said:
    counts = Counter(map(answer_of, courses))
    return Said(
        archetype=archetype,
        patients=len(courses),
        delivered=sum(course.adequate_day is not None for course in courses),
        failed=sum(truth_of(course) == "failed" for course in courses),
        answers={answer: counts[answer] for answer in ANSWERS},
    )


def _alert_rate(archetype: Archetype, courses: Sequence[Course]) -> AlertRate:
    reasons = Counter(alert.reason for course in courses for alert in course.alerts)
    return AlertRate(
        archetype=archetype,
        patients=len(courses),
        months=sum(map(months_of, courses)),
        by_severity={severity: rate_of(courses, severity) for severity in URGENCIES},
        by_reason={reason: reasons[reason] for reason in sorted(reasons)},
    )


def _outcome(plan: Plan, archetype: Archetype | None, courses: Sequence[Course]) -> PlanOutcome:
    return PlanOutcome(
        plan=plan,
        archetype=archetype,
        flare_days=mean([course.flare_days for course in courses]),
        final_capacity=mean([course.capacity[-1] for course in courses]),
        final_pain_nprs=mean([course.pain_nprs[-1] for course in courses]),
        meaningful_change=_share_of(courses, lambda course: course.has_meaningful_change),
        adherence=ratio([course.sessions_done for course in courses], [course.sessions_due for course in courses]),
    )


def _bands(plan: Plan, archetype: Archetype, courses: Sequence[Course]) -> Iterable[Band]:
    measures: tuple[Literal["pain_nprs", "capacity"], ...] = ("pain_nprs", "capacity")
    for measure in measures:
        series = zip(*(getattr(course, measure) for course in courses), strict=True)
        weeks = [percentiles(values, 10, 50, 90) for values in series]
        low, median, high = zip(*weeks, strict=True)
        yield Band(plan, archetype, measure, low, median, high)
