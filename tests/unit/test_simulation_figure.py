"""The figures of a cohort, on courses made by hand whose answers are known."""

import random
from dataclasses import replace
from typing import Any

import pytest

from shared.simulation.course import Course
from shared.simulation.estimate import difference, mean, percentiles, ratio, share
from shared.simulation.figure import answer_of, compare, figures_of, months_of, rate_of, safety_of
from shared.simulation.target import Target, targets_of
from tests.support.virtual_course import alert, course, failing, under_each_plan


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (19, 20, 0.75127, 0.99873),
        (0, 10, 0.0, 0.30850),
        (10, 10, 0.69150, 1.0),
        (7, 10, 0.34755, 0.93326),
        (950, 1000, 0.93459, 0.96267),
    ],
)
def test_the_interval_of_a_share_is_that_of_the_tables(count: int, of: int, low: float, high: float) -> None:
    """A reader who looks the exact interval up finds the same figures."""
    found = share(count, of)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-5)


def test_a_share_of_nobody_is_absent_and_not_zero() -> None:
    """Where there was nobody to measure, nothing is claimed."""
    assert share(0, 0) is None
    assert mean([]) is None
    assert ratio([1.0], [0.0]) is None
    with pytest.raises(ValueError, match="no share"):
        share(3, 2)


def test_a_mean_and_a_paired_difference_carry_their_normal_interval() -> None:
    """Differences of the same patients are taken patient by patient."""
    found = difference([5, 7, 9, 11], [4, 5, 6, 7])
    assert found is not None
    assert found.value == 2.5
    assert found.high - found.value == pytest.approx(1.959964 * 1.290994 / 2, abs=1e-5)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_the_interval_of_a_rate_knows_that_one_patients_events_come_together() -> None:
    """Ten escalations of one patient tell less than one escalation each of ten."""
    months = [4.0] * 10
    together, spread = ratio([10.0] + [0.0] * 9, months), ratio([1.0] * 10, months)
    assert together is not None
    assert spread is not None
    assert together.value == spread.value == 0.25
    assert together.high - together.low > 0.5
    assert spread.high == spread.low


def test_the_interval_of_a_ratio_holds_the_truth_about_as_often_as_it_says() -> None:
    """Nineteen of twenty intervals hold the true ratio."""
    chance = random.Random(7)  # noqa: S311  # the same chance each time
    held = 0
    for _ in range(400):
        below = [chance.uniform(1, 9) for _ in range(60)]
        above = [0.4 * value + chance.gauss(0, 1) for value in below]
        found = ratio(above, below)
        assert found is not None
        held += found.low <= 0.4 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_percentiles_lie_between_the_values() -> None:
    """The band of one patient is that patient's line."""
    assert percentiles([1, 2, 3, 4, 5], 25, 50, 75) == (2, 3, 4)
    assert percentiles([3.0], 10, 50, 90) == (3, 3, 3)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (course(alerts=(alert("failed_conservative_care", 90), alert("red_flag", 95))), "red_flag"),
        (course(alerts=(alert("clinician_review", 30), alert("failed_conservative_care", 90))), "failed"),
        (course(alerts=(alert("adverse_response", 30),)), "worsening"),
        (course(status=("", "worsening")), "worsening"),
        (course(alerts=(alert("unclear_diagnosis", 0),)), "unclear_diagnosis"),
        (course(status=("", "slow", "under_dosed"), alerts=(alert("non_adherence", 30),)), "under_dosed"),
        (course(alerts=(alert("no_contact", 30),)), "not_reached"),
        (course(alerts=(alert("flare", 30),)), "other_look"),
        (course(), "nothing"),
    ],
)
def test_each_patient_gets_the_most_serious_thing_that_was_said(found: Course, answer: str) -> None:
    """One row for each patient in the table of answers, the most serious first."""
    assert answer_of(found) == answer


def test_a_red_flag_counts_only_if_its_own_event_became_an_escalation() -> None:
    """A red flag raised later, by something else, was missed."""
    at_once = course(1, red_flag_day=40.0, alerts=(alert("red_flag", 40, "urgent", is_same_event=True),))
    later = course(2, red_flag_day=40.0, alerts=(alert("red_flag", 41, "urgent"),))
    false = course(3, alerts=(alert("red_flag", 41, "urgent", is_same_event=True),))
    found = safety_of([at_once, later, false, course(4)])
    assert found.red_flags_at_once is not None
    assert found.false_red_flags is not None
    assert (found.red_flags_at_once.count, found.red_flags_at_once.of) == (1, 2)
    assert (found.false_red_flags.count, found.false_red_flags.of) == (1, 2)


def test_escalations_are_counted_per_patient_month() -> None:
    """Twenty weeks are 4.6 months."""
    cohort = [course(1, alerts=(alert("flare", 3), alert("flare", 9, "urgent"))), course(2)]
    routine = rate_of(cohort, "routine")
    assert routine is not None
    assert routine.value == pytest.approx(1 / (2 * 140 / 30.4375))


def test_a_month_counts_only_while_care_goes_on() -> None:
    """Whoever was referred after two weeks can be told of no more: the rate is per month in care."""
    cohort = [course(1, ended_day=14.0, alerts=(alert("red_flag", 14, "emergency"),)), course(2, ended_day=150.0)]
    assert [months_of(one) for one in cohort] == pytest.approx([14 / 30.4375, 140 / 30.4375])
    emergency = rate_of(cohort, "emergency")
    assert emergency is not None
    assert emergency.value == pytest.approx(30.4375 / 154)


def test_plans_are_compared_on_the_same_patients() -> None:
    """A difference of two plans is each patient's own."""
    adaptive = [course(1, flare_days=2), course(2, flare_days=4)]
    naive = [course(1, "naive", flare_days=4), course(2, "naive", flare_days=6)]
    found = compare(adaptive, naive)
    assert found.flare_days is not None
    assert found.flare_days_saved is not None
    assert found.flare_days.value == -2
    assert found.flare_days_saved.value == pytest.approx(0.4)
    with pytest.raises(ValueError, match="same patients"):
        compare(adaptive, naive[:1])


def cohort() -> list[Course]:
    """Forty responders and twenty non-responders, treated as every target wants it."""
    flags = (alert("red_flag", 40, "urgent", is_same_event=True),)
    adaptive = [course(patient) for patient in range(39)]
    adaptive.append(course(39, archetype="red_flag", red_flag_day=40.0, adequate_day=None, alerts=flags))
    adaptive += [failing(patient, 90) for patient in range(40, 60)]
    return [
        one for found in adaptive for one in under_each_plan(found, flare_days=4, red_flag_day=None, adequate_day=None)
    ]


def missed(courses: list[Course]) -> list[str]:
    """The names of the targets that a cohort does not reach."""
    return [target.name for target in targets(courses) if not target.is_met]


def targets(courses: list[Course]) -> tuple[Target, ...]:
    """The targets of a cohort."""
    return targets_of(figures_of(courses), courses)


def test_a_cohort_treated_well_reaches_every_target() -> None:
    """Eight targets, all met."""
    assert len(targets(cohort())) == 8
    assert missed(cohort()) == []


@pytest.mark.parametrize(
    ("patient", "differences", "name"),
    [
        (39, {"alerts": (alert("red_flag", 40, "urgent"),)}, "red flag becomes an escalation"),
        (
            39,
            {
                "alerts": (
                    alert("red_flag", 40, "urgent", is_same_event=True),
                    alert("failed_conservative_care", 90, "urgent"),
                )
            },
            "under-dosed patients called failed",
        ),
        (1, {"unsafe_progressions": 1}, "patients with a progression"),
        (1, {"flare_days": 200}, "flare days saved"),
        (1, {"capacity": (-20.0,) * 21}, "final capacity"),
        (1, {"alerts": tuple(alert("flare", day) for day in range(100))}, "routine escalations"),
    ],
)
def test_each_target_is_missed_by_what_it_forbids(patient: int, differences: dict[str, Any], name: str) -> None:
    """A target that nothing could miss would say nothing; each is missed alone."""
    spoiled = [
        replace(one, **differences) if one.patient == patient and one.plan == "adaptive" else one for one in cohort()
    ]
    assert [found[: len(name)] for found in missed(spoiled)] == [name]


def test_sensitivity_and_specificity_are_missed_below_95_percent() -> None:
    """Two of twenty missed, three of thirty-nine called wrongly: both aims are missed."""
    spoiled = [
        failing(one.patient, None) if one.plan == "adaptive" and one.patient in (40, 41) else one for one in cohort()
    ]
    spoiled = [
        course(one.patient, alerts=(alert("failed_conservative_care", 120, "urgent"),))
        if one.plan == "adaptive" and one.patient < 3
        else one
        for one in spoiled
    ]
    assert [name.split()[2] for name in missed(spoiled)] == ["sensitivity", "specificity"]


def test_a_target_that_nobody_could_show_is_neither_met_nor_missed() -> None:
    """A cohort of responders alone says nothing about non-responders."""
    found = {target.name: target.is_met for target in targets(list(under_each_plan(course(1), flare_days=4)))}
    assert found["failed care: sensitivity by two weeks after the adequate course"] is None
    assert found["red flag becomes an escalation in the same event"] is None


def test_bands_hold_the_median_and_four_fifths_of_the_patients() -> None:
    """Eleven patients whose pain is 0, 1, … 10: the band is 1 to 9 around 5."""
    courses = [
        one
        for patient in range(11)
        for one in under_each_plan(course(patient, pain_nprs=(float(patient),) * 21), flare_days=4)
    ]
    band = next(b for b in figures_of(courses).bands if b.plan == "adaptive" and b.measure == "pain_nprs")
    assert (band.low[0], band.median[0], band.high[0]) == (1, 5, 9)
    assert len(band.median) == 21


def test_the_order_of_the_courses_changes_no_figure() -> None:
    """Figures are of the cohort, not of the order in which it was computed."""
    courses = cohort()
    shuffled = random.Random(3).sample(courses, len(courses))  # noqa: S311  # the same chance each time
    assert figures_of(shuffled) == figures_of(courses)
