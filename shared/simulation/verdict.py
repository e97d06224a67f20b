"""The verdict on care against the truth that only the simulation knows.

Failed care is one of several verdicts that are different answers: failed, under-dosed, worsening, flare, too little
data, another diagnosis. So the truth has classes as well, in this order:

`worsening`     true pain ends 2 points or more above its start, or the patient deteriorates whatever is done
`under_dosed`   no adequate course was ever truly delivered
`responds`      it was, and to enough load the body responds with a meaningful change
`failed`        it was, and neither would the best load have helped nor did pain change meaningfully
`unclear`       it was; no load would have helped, and pain changed meaningfully all the same

Sensitivity is over `failed`, specificity over those who respond. To who is treated for a condition that it is not, the
answer that the label is wrong is as good as the answer that care does not work. Whoever these two figures leave out is
counted in others, and what is called wrongly by any reading is called wrongly in one of them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from shared.simulation.course import Alert, Course
from shared.simulation.diary import least_meaningful
from shared.simulation.estimate import Share, percentiles, share

DAYS_TO_CALL = 14
"""Within so many days after the adequate course a call counts as in time."""
WORSE_NPRS = 2.0
"""Whose true pain ends so far above its start is worse. Source: NR."""
ON_COURSE_SHARE = 0.5
"""Of the least meaningful change: who has come so far by the review is on course. Source: J-SIMULATION."""
FIRST_DAY_OF_CARE = 1.0
"""A doubt about the diagnosis before is the intake's, and no answer to what care did."""

Truth = Literal["failed", "worsening", "responds", "under_dosed", "unclear"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was called against the truth, under the adaptive plan."""

    sensitivity: Share | None
    """Of `failed`: found by 14 days after the adequate course. The target is judged by it."""
    sensitivity_called: Share | None
    """The same by the call of failed care alone, also for whom the diagnosis is wrong."""
    sensitivity_worst: Share | None
    """With everybody of unclear truth who was not found in time as not found."""
    sensitivity_everybody: Share | None
    """With all who got worse in spite of an adequate course, by the call alone: the definition before 2026-11-22."""
    worsening_told: Share | None
    """Of `worsening`: a clinician was told, as an adverse response or as failed care, at any time."""
    worsening_called: Share | None
    """Of `worsening`: called failed."""
    worsening_told_delivered: Share | None
    """Of `worsening` with an adequate course: a clinician was told."""
    wrong_diagnosis_found: Share | None
    """Of `failed` with a wrong diagnosis: told in time that care failed or that the diagnosis is unclear."""
    wrong_diagnosis_called: Share | None
    wrong_diagnosis_unclear: Share | None
    """Told in time that the diagnosis is unclear; some are told both."""
    specificity: Share | None
    """Of those who respond and are on course by the review: not called at any time. The target is judged by it."""
    specificity_responds: Share | None
    """Of all who respond."""
    specificity_not_on_course: Share | None
    """Of those who respond and are not on course by the review."""
    specificity_slow: Share | None
    """Of the archetype of slow responders, as far as they respond."""
    specificity_without_slow: Share | None
    """Of those who respond or were under-dosed, without slow responders."""
    specificity_with_under_dosed: Share | None
    """Of those who respond or were under-dosed."""
    specificity_worst: Share | None
    """Of those who respond, with everybody of unclear truth who was called as called wrongly."""
    specificity_everybody: Share | None
    """Of those who respond and whose pain did change meaningfully: the definition before 2026-11-22."""
    unclear_truth: int
    under_dosed_called: Share | None
    """Of all to whom no adequate course was delivered, whatever pain did: called failed."""
    called_early: Share | None
    """Of `failed`: called before the adequate course was delivered."""


@dataclass(frozen=True, slots=True)
class Detection:
    """When those of whom care failed were found, in days after the adequate course."""

    days: tuple[float, ...]
    """Of those found at all, in rising order; negative: before."""
    patients: int
    """How many there were to find."""
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


def truth_of(course: Course) -> Truth:
    """What a perfect judge would say of the care of one patient."""
    if course.archetype == "deteriorating" or is_worse(course):
        return "worsening"
    if course.adequate_day is None:
        return "under_dosed"
    if course.responds:
        return "responds"
    return "unclear" if course.has_meaningful_change else "failed"


def is_worse(course: Course) -> bool:
    """Whether true pain ends clearly above its start."""
    return course.pain_nprs[-1] - course.pain_nprs[0] >= WORSE_NPRS


def is_on_course(course: Course) -> bool:
    """Whether true pain by the review, which follows the adequate course, is halfway to a meaningful change.

    By less than that the criteria of the evidence, which are read then, cannot tell who responds from who does not.
    """
    if course.adequate_day is None:
        return False
    before, week = course.pain_nprs[0], min(ceil(course.adequate_day / 7), len(course.pain_nprs) - 1)
    return before - course.pain_nprs[week] >= ON_COURSE_SHARE * least_meaningful(before)


def is_called(course: Course) -> bool:
    """Whether care was called failed at any time."""
    return course.first("failed_conservative_care") is not None


def is_told(course: Course) -> bool:
    """Whether a clinician was told that care does harm or does not help."""
    return is_called(course) or course.first("adverse_response") is not None


def is_in_time(course: Course, alert: Alert | None) -> bool:
    """Whether something was said by 14 days after the adequate course, which must have been delivered."""
    return alert is not None and course.adequate_day is not None and alert.day <= course.adequate_day + DAYS_TO_CALL


def is_called_in_time(course: Course) -> bool:
    return is_in_time(course, course.first("failed_conservative_care"))


def is_found_in_time(course: Course) -> bool:
    return is_in_time(course, _found(course))


def verdict_of(adaptive: Sequence[Course]) -> Verdict:
    """Sensitivity and specificity of the call, with what the two leave out."""
    by_truth: dict[Truth, list[Course]] = defaultdict(list)
    for course in adaptive:
        by_truth[truth_of(course)].append(course)
    failed, responds, unclear = by_truth["failed"], by_truth["responds"], by_truth["unclear"]
    worse, wrong = by_truth["worsening"], [course for course in failed if course.archetype == "wrong_diagnosis"]
    delivered = [course for course in adaptive if course.adequate_day is not None]
    everybody = [course for course in delivered if not course.responds and not course.has_meaningful_change]
    spared = [*responds, *by_truth["under_dosed"]]
    return Verdict(
        sensitivity=_share_of(failed, is_found_in_time),
        sensitivity_called=_share_of(failed, is_called_in_time),
        sensitivity_worst=_share_of(
            [*failed, *(course for course in unclear if not is_found_in_time(course))], is_found_in_time
        ),
        sensitivity_everybody=_share_of(everybody, is_called_in_time),
        worsening_told=_share_of(worse, is_told),
        worsening_called=_share_of(worse, is_called),
        worsening_told_delivered=_share_of([course for course in worse if course.adequate_day is not None], is_told),
        wrong_diagnosis_found=_share_of(wrong, is_found_in_time),
        wrong_diagnosis_called=_share_of(wrong, is_called_in_time),
        wrong_diagnosis_unclear=_share_of(wrong, lambda course: is_in_time(course, _doubt(course))),
        specificity=_share_of([course for course in responds if is_on_course(course)], _is_not_called),
        specificity_responds=_share_of(responds, _is_not_called),
        specificity_not_on_course=_share_of(
            [course for course in responds if not is_on_course(course)], _is_not_called
        ),
        specificity_slow=_share_of(
            [course for course in responds if course.archetype == "slow_responder"], _is_not_called
        ),
        specificity_without_slow=_share_of(
            [course for course in spared if course.archetype != "slow_responder"], _is_not_called
        ),
        specificity_with_under_dosed=_share_of(spared, _is_not_called),
        specificity_worst=_share_of([*responds, *(course for course in unclear if is_called(course))], _is_not_called),
        specificity_everybody=_share_of(
            [course for course in delivered if course.responds and course.has_meaningful_change], _is_not_called
        ),
        unclear_truth=len(unclear),
        under_dosed_called=_share_of([course for course in adaptive if course.adequate_day is None], is_called),
        called_early=_share_of(failed, _is_early),
    )


def detection_of(adaptive: Sequence[Course]) -> Detection:
    """Time to the answer for those of whom care failed."""
    failed = [course for course in adaptive if truth_of(course) == "failed"]
    days = tuple(sorted(delay for delay in map(_delay, failed) if delay is not None))
    lower, median, upper = percentiles(days, 25, 50, 75) if days else (None, None, None)
    return Detection(days, len(failed), lower, median, upper)


def _found(course: Course) -> Alert | None:
    """What told a clinician that care failed, or that it was care for something else."""
    call = course.first("failed_conservative_care")
    doubt = _doubt(course) if course.archetype == "wrong_diagnosis" else None
    return min((alert for alert in (call, doubt) if alert is not None), key=lambda alert: alert.day, default=None)


def _doubt(course: Course) -> Alert | None:
    return next(
        (alert for alert in course.alerts if alert.reason == "unclear_diagnosis" and alert.day >= FIRST_DAY_OF_CARE),
        None,
    )


def _is_not_called(course: Course) -> bool:
    return not is_called(course)


def _is_early(course: Course) -> bool:
    call = course.first("failed_conservative_care")
    return call is not None and course.adequate_day is not None and call.day < course.adequate_day


def _delay(course: Course) -> float | None:
    found = _found(course)
    return None if found is None or course.adequate_day is None else found.day - course.adequate_day


def _share_of(courses: Sequence[Course], is_counted: Callable[[Course], bool]) -> Share | None:
    return share(sum(map(is_counted, courses)), len(courses))
