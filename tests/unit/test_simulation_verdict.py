"""The verdict on failed care against the truth, on courses made by hand whose figures are known."""

from dataclasses import replace

import pytest

from shared.simulation.course import Course
from shared.simulation.estimate import Share
from shared.simulation.verdict import detection_of, is_on_course, truth_of, verdict_of
from tests.support.virtual_course import alert, course, failing

SLOW = tuple(6 - week / 40 for week in range(21))
"""Pain that has fallen by 0.3 points by week 12, a sixth of what is meaningful."""


def counted(found: Share | None) -> tuple[int, int]:
    """How many of how many."""
    assert found is not None
    return found.count, found.of


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (failing(1, None), "failed"),
        (replace(failing(1, None), pain_nprs=(5.0,) * 20 + (7.0,)), "worsening"),
        (replace(failing(1, None), pain_nprs=(5.0,) * 20 + (6.9,)), "failed"),
        (course(archetype="deteriorating", adequate_day=None), "worsening"),
        (course(adequate_day=None, responds=False), "under_dosed"),
        (course(pain_nprs=SLOW, has_meaningful_change=False), "responds"),
        (course(responds=False), "unclear"),
    ],
)
def test_each_course_has_one_truth(found: Course, truth: str) -> None:
    """Failed, worsening and under-dosed are different answers, so they are different truths."""
    assert truth_of(found) == truth


def test_nineteen_of_twenty_non_responders_called_in_time_are_a_sensitivity_of_95_percent() -> None:
    """A call up to two weeks after the adequate course is in time, one a day later is not."""
    cohort = [failing(patient, 84 + patient % 15) for patient in range(19)] + [failing(19, 99)]
    found = verdict_of(cohort).sensitivity
    assert found is not None
    assert (found.count, found.of) == (19, 20)
    assert (found.low, found.high) == pytest.approx((0.7513, 0.9987), abs=1e-4)


def test_a_call_exactly_two_weeks_after_the_course_is_in_time() -> None:
    """The boundary belongs to the aim."""
    found = verdict_of([failing(1, 98)]).sensitivity
    assert found is not None
    assert found.count == 1


def test_a_responder_called_failed_at_any_time_lowers_specificity() -> None:
    """A wrong call counts however late it comes."""
    wrong = course(1, alerts=(alert("failed_conservative_care", 139),))
    cohort = [wrong, *(course(patient) for patient in range(2, 11)), course(11, adequate_day=None)]
    verdict = verdict_of(cohort)
    assert verdict.specificity is not None
    assert verdict.specificity_with_under_dosed is not None
    assert (verdict.specificity.count, verdict.specificity.of) == (9, 10)
    assert (verdict.specificity_with_under_dosed.count, verdict.specificity_with_under_dosed.of) == (10, 11)


def test_a_patient_whose_course_was_not_adequate_must_never_be_called_failed() -> None:
    """Who did too little is under-dosed, whatever pain did, and is no non-responder."""
    called = course(
        1,
        archetype="under_doser",
        adequate_day=None,
        has_meaningful_change=False,
        alerts=(alert("failed_conservative_care", 90),),
    )
    verdict = verdict_of([called, course(2, archetype="under_doser", adequate_day=None)])
    assert truth_of(called) == "under_dosed"
    assert verdict.sensitivity is None
    assert verdict.under_dosed_called is not None
    assert (verdict.under_dosed_called.count, verdict.under_dosed_called.of) == (1, 2)


def test_patients_of_unclear_truth_are_counted_apart_and_held_against_the_pipeline_in_the_worst_case() -> None:
    """Nobody is left out silently: what load would do and what pain did may disagree."""
    better_by_nature = course(1, responds=False)
    called = course(2, responds=False, alerts=(alert("failed_conservative_care", 90),))
    verdict = verdict_of([better_by_nature, called, failing(3, 90), course(4)])
    assert verdict.unclear_truth == 2
    assert counted(verdict.sensitivity) == (1, 1)
    assert counted(verdict.sensitivity_worst) == (1, 2)
    assert counted(verdict.specificity) == (1, 1)
    assert counted(verdict.specificity_worst) == (1, 2)


def test_who_gets_worse_is_due_an_answer_of_its_own() -> None:
    """An adverse response is the right answer to worsening; failed care is counted as told, too, and shown apart."""
    worse = replace(failing(1, None), pain_nprs=(5.0,) * 20 + (7.0,))
    adverse = replace(worse, patient=2, alerts=(alert("adverse_response", 30),))
    called = replace(worse, patient=3, alerts=(alert("failed_conservative_care", 90),))
    alone = replace(adverse, patient=4, adequate_day=None)
    verdict = verdict_of([worse, adverse, called, alone, failing(5, 90)])
    assert counted(verdict.worsening_told) == (3, 4)
    assert counted(verdict.worsening_called) == (1, 4)
    assert counted(verdict.worsening_told_delivered) == (2, 3)
    assert counted(verdict.sensitivity) == (1, 1)
    assert counted(verdict.sensitivity_everybody) == (2, 4)


def test_a_wrong_diagnosis_is_found_by_either_of_two_answers_in_time() -> None:
    """That the label is wrong and that care does not work both send the patient to be examined again."""
    wrong = replace(failing(1, 90), archetype="wrong_diagnosis")
    doubted = replace(wrong, patient=2, alerts=(alert("unclear_diagnosis", 60),))
    late = replace(wrong, patient=3, alerts=(alert("unclear_diagnosis", 99),))
    at_intake = replace(wrong, patient=4, alerts=(alert("unclear_diagnosis", 0),))
    labelled = replace(failing(5, None), alerts=(alert("unclear_diagnosis", 60),))
    verdict = verdict_of([wrong, doubted, late, at_intake, labelled])
    assert counted(verdict.wrong_diagnosis_found) == (2, 4)
    assert counted(verdict.wrong_diagnosis_called) == (1, 4)
    assert counted(verdict.wrong_diagnosis_unclear) == (1, 4)
    assert counted(verdict.sensitivity) == (2, 5)
    assert counted(verdict.sensitivity_called) == (1, 5)


def test_specificity_is_judged_on_who_can_be_told_from_a_non_responder_by_the_review_and_shown_for_all() -> None:
    """A responder whose pain has hardly fallen by then is left out of the target and of nothing else."""
    called = (alert("failed_conservative_care", 90),)
    slow = course(1, archetype="slow_responder", pain_nprs=SLOW, alerts=called)
    cohort = [slow, course(2), course(3), course(4, archetype="under_doser", adequate_day=None, alerts=called)]
    verdict = verdict_of(cohort)
    assert counted(verdict.specificity) == (2, 2)
    assert counted(verdict.specificity_responds) == (2, 3)
    assert counted(verdict.specificity_not_on_course) == (0, 1)
    assert counted(verdict.specificity_slow) == (0, 1)
    assert counted(verdict.specificity_with_under_dosed) == (2, 4)
    assert counted(verdict.specificity_without_slow) == (2, 3)
    assert counted(verdict.under_dosed_called) == (1, 1)


@pytest.mark.parametrize(("fall", "is_so"), [(1.0, True), (0.99, False), (2.5, True)])
def test_on_course_is_half_of_the_least_meaningful_change_by_the_review(fall: float, is_so: bool) -> None:
    """From 7 of 10 the least meaningful change is 2 points, so 1 point by the end of week 12; later is too late."""
    pain = (7.0,) * 12 + (7.0 - fall,) + (0.0,) * 8
    assert is_on_course(course(pain_nprs=pain)) is is_so


def test_time_to_detection_is_counted_from_the_adequate_course() -> None:
    """Days after it, with quartiles over those called; who was never called stays in the denominator."""
    found = detection_of([failing(1, 86), failing(2, 88), failing(3, 83), failing(4, 94), failing(5, None)])
    assert list(found.days) == [-1, 2, 4, 10]
    assert found.patients == 5
    assert found.median == 3
    assert (found.lower_quartile, found.upper_quartile) == (1.25, 5.5)
