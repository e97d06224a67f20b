"""What a cohort shows, as figures: pure functions from the courses, so that the same cohort gives the same bytes.

The verdict is measured against the truth that only the simulation knows. A patient counts as *not responding*
where an adequate course was delivered, more load would not have helped, and pain did not change meaningfully; as
*responding* where it was delivered and both are the other way round. Where the two disagree the truth is unclear:
such patients are left out of sensitivity and specificity, counted beside them, and held against the pipeline in the
worst case. Who ends truly worse is not responding too and counts for the target, although another answer than failed
care may be due; a second figure leaves them out, and whether a clinician was told is measured by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shared.event.vocabulary import URGENCIES, Urgency
from shared.simulation.course import Archetype, Course, Plan
from shared.simulation.estimate import Estimate, Share, difference, mean, percentiles, ratio, share

ARCHETYPES: tuple[Archetype, ...] = get_args(Archetype)
PLANS: tuple[Plan, ...] = get_args(Plan)
DAYS_PER_MONTH = 365.25 / 12
DAYS_TO_CALL = 14
"""Within so many days after the adequate course a call counts as in time."""
WORSE_NPRS = 2.0
"""Whose true pain ends so far above its start is worse. Source: NR."""

Answer = Literal[
    "red_flag", "failed", "worsening", "unclear_diagnosis", "under_dosed", "not_reached", "other_look", "nothing"
]
"""What the pipeline said of a patient in the end; of several the first in this order. `other_look`: a clinician
was asked to look for another reason, such as a flare. `not_reached`: no contact, or sessions not done."""
ANSWERS: tuple[Answer, ...] = get_args(Answer)

Truth = Literal["not_responding", "responding", "unclear", "not_delivered"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The call `failed_conservative_care` against the truth, under the adaptive plan."""

    sensitivity: Share | None
    """Not responding, and called by 14 days after the adequate course."""
    specificity: Share | None
    """Responding to the adequate course, and not called at any time."""
    specificity_of_all: Share | None
    """As above, with all patients to whom no adequate course was delivered."""
    sensitivity_worst: Share | None
    """With everybody of unclear truth who was not called in time as not found."""
    sensitivity_without_worse: Share | None
    """Without those who end truly worse. Chosen after a first cohort was seen, so never a target."""
    specificity_worst: Share | None
    """With everybody of unclear truth who was called as called wrongly."""
    unclear_truth: int
    worsening_told: Share | None
    """Of those worsening in spite of an adequate course, for whom a clinician was asked because of it, or the call."""
    under_dosed_called: Share | None
    """Called although no adequate course was delivered."""
    called_early: Share | None
    """Of those not responding, called before the adequate course was delivered."""


@dataclass(frozen=True, slots=True)
class Detection:
    """When those not responding were called, in days after the adequate course."""

    days: tuple[float, ...]
    """Of those called at all, in rising order; negative: before."""
    patients: int
    """How many there were to call."""
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of the patients of one archetype."""

    archetype: Archetype
    patients: int
    delivered: int
    """To so many an adequate course was truly delivered."""
    not_responding: int
    """So many of them ought to be called."""
    answers: dict[Answer, int]


@dataclass(frozen=True, slots=True)
class AlertRate:
    """Escalations per patient-month of one archetype."""

    archetype: Archetype
    patients: int
    months: float
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


def truth_of(course: Course) -> Truth:
    """What a perfect judge would say of the response to an adequate course."""
    if course.adequate_day is None:
        return "not_delivered"
    if course.responds != course.has_meaningful_change:
        return "unclear"
    return "responding" if course.responds else "not_responding"


def is_worse(course: Course) -> bool:
    """Whether true pain ends clearly above its start."""
    return course.pain_nprs[-1] - course.pain_nprs[0] >= WORSE_NPRS


def is_called(course: Course) -> bool:
    """Whether care was called failed at any time."""
    return course.first("failed_conservative_care") is not None


def is_called_in_time(course: Course) -> bool:
    """Whether care was called failed by 14 days after the adequate course, which must have been delivered."""
    call = course.first("failed_conservative_care")
    return call is not None and course.adequate_day is not None and call.day <= course.adequate_day + DAYS_TO_CALL


def verdict_of(adaptive: Sequence[Course]) -> Verdict:
    """Sensitivity and specificity of the call, with what the two leave out."""
    by_truth: dict[Truth, list[Course]] = defaultdict(list)
    for course in adaptive:
        by_truth[truth_of(course)].append(course)
    positive, negative = by_truth["not_responding"], by_truth["responding"]
    worse = [course for course in positive if is_worse(course)]
    others = [course for course in positive if not is_worse(course)]
    missed = [course for course in by_truth["unclear"] if not is_called_in_time(course)]
    wrong = [course for course in by_truth["unclear"] if is_called(course)]
    return Verdict(
        sensitivity=_share_of(positive, is_called_in_time),
        specificity=_share_of(negative, _is_not_called),
        specificity_of_all=_share_of([*negative, *by_truth["not_delivered"]], _is_not_called),
        sensitivity_worst=_share_of([*positive, *missed], is_called_in_time),
        sensitivity_without_worse=_share_of(others, is_called_in_time),
        specificity_worst=_share_of([*negative, *wrong], _is_not_called),
        unclear_truth=len(by_truth["unclear"]),
        worsening_told=_share_of(worse, lambda course: is_called(course) or bool(course.first("adverse_response"))),
        under_dosed_called=_share_of(by_truth["not_delivered"], is_called),
        called_early=_share_of(positive, lambda course: (_delay(course) or 0) < 0),
    )


def detection_of(adaptive: Sequence[Course]) -> Detection:
    """Time to the call of those not responding."""
    positive = [course for course in adaptive if truth_of(course) == "not_responding"]
    days = tuple(sorted(delay for delay in map(_delay, positive) if delay is not None))
    lower, median, upper = percentiles(days, 25, 50, 75) if days else (None, None, None)
    return Detection(days, len(positive), lower, median, upper)


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
    """How long a patient was followed."""
    return (len(course.pain_nprs) - 1) * 7 / DAYS_PER_MONTH


def rate_of(courses: Sequence[Course], severity: Urgency) -> Estimate | None:
    """Escalations of one severity per patient-month."""
    counts = [float(sum(alert.severity == severity for alert in course.alerts)) for course in courses]
    return ratio(counts, [months_of(course) for course in courses])


def _is_not_called(course: Course) -> bool:
    return not is_called(course)


def _is_flag_found_at_once(course: Course) -> bool:
    return any(alert.reason == "red_flag" and alert.is_same_event for alert in course.alerts)


def _delay(course: Course) -> float | None:
    call = course.first("failed_conservative_care")
    return None if call is None or course.adequate_day is None else call.day - course.adequate_day


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
        not_responding=sum(truth_of(course) == "not_responding" for course in courses),
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
