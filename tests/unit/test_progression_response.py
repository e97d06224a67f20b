"""How care is going, in the words of the contract."""

from dataclasses import replace
from math import exp

import pytest

from tests.support.care_course import Care, flat, pain_goal, unchanged, weekly


def leap(weeks: int) -> Care:
    """The mean patient of education and exercise in LEAP (J04): 4.8 to 1.5 by week 8."""
    path = [(float(w), 1.4 + 3.4 * exp(-w / 3)) for w in range(1, weeks + 1)]
    return Care(baseline={"NPRS": 4.8}, reports={"NPRS": path}, weeks=weeks)


@pytest.mark.parametrize("week", range(1, 13))
def test_leap_patients_are_on_track_all_the_way(week: int) -> None:
    """Whoever follows the mean path of LEAP is on track in every week."""
    assert leap(week).assessment().status == "on_track"


def test_leap_patients_have_probably_changed_by_what_matters() -> None:
    """By week 8 the change is very likely meaningful, and pain falls week by week."""
    response = leap(8).assessment().response
    assert response.probability_of_meaningful_change is not None
    assert response.probability_of_meaningful_change > 0.85
    assert response.pain_trend_per_week is not None
    assert -0.6 < response.pain_trend_per_week < -0.3


def test_waiting_is_under_dosed_and_not_failed() -> None:
    """Pain 4.9 to 3.8 in eight weeks with one session (J06) says nothing about exercise."""
    path = [(float(w), 4.9 - 1.1 * w / 8) for w in range(1, 9)]
    care = Care(
        baseline={"NPRS": 4.9},
        reports={"NPRS": path},
        weeks=8,
        done_in_week={w: int(w == 0) for w in range(8)},
    )
    assert care.assessment().status == "under_dosed"


def test_flat_pain_at_40_percent_adherence_is_under_dosed() -> None:
    """Before and at the review, too little training is named as such."""
    few = {w: 1 + (w % 5 == 0) for w in range(12)}
    assert Care(reports={"NPRS": flat(5, 6)}, weeks=6, done_in_week=few).assessment().status == "under_dosed"
    assert Care(reports=unchanged(5), done_in_week=few).assessment().status == "under_dosed"


def test_no_reports_are_insufficient_data() -> None:
    """Sessions alone tell no change since the baseline."""
    assessment = Care(weeks=4).assessment()
    assert assessment.status == "insufficient_data"
    assert assessment.response.probability_of_meaningful_change is None


def test_a_stale_report_is_insufficient_data() -> None:
    """Pain last reported three weeks ago does not describe today."""
    assert Care(reports={"NPRS": weekly(5, 4, 3)}, weeks=6).assessment().status == "insufficient_data"


def test_sessions_give_a_trend_where_no_check_in_does() -> None:
    """Without pain reports the trend is that of the sessions, flat here, and not zero by default."""
    assert Care(weeks=4).assessment().response.pain_trend_per_week == 0
    assert Care(weeks=0).assessment().response.pain_trend_per_week is None


def test_no_change_by_week_4_in_spite_of_adherence_is_a_plateau() -> None:
    """Adequate dose and nothing gained in four weeks."""
    assert Care(reports={"NPRS": flat(5, 4)}, weeks=4).assessment().status == "plateau"


def test_gains_below_the_expected_course_are_slow() -> None:
    """Rompe's slow responders improve, but late."""
    care = Care(baseline={"NPRS": 6.0}, reports={"NPRS": weekly(6, 6, 5.7, 5.4, 5, 4.8, 4.6, 4.5)}, weeks=8)
    assert care.assessment().status == "slow"


def test_a_missed_checkpoint_is_slow() -> None:
    """Sacroiliac pain that fell while disability did not has missed its checkpoint in week 12."""
    care = Care(
        condition="sacroiliac_joint_pain",
        baseline={"NPRS": 6.0, "ODI": 40},
        reports={"NPRS": weekly(*[6 - w / 4 for w in range(1, 13)]), "GROC": flat(3), "ODI": [(12, 36)]},
    )
    assert care.assessment().status == "slow"


def test_pain_above_the_baseline_for_two_weeks_is_worsening() -> None:
    """Two points above the baseline in two weeks running."""
    assessment = Care(reports={"NPRS": weekly(7, 7)}, weeks=2).assessment()
    assert (assessment.status, assessment.rule) == ("worsening", "NR")


def test_pain_rising_two_weeks_running_is_worsening() -> None:
    """A rise in each of two weeks, together a point, also below the baseline."""
    assessment = Care(reports={"NPRS": weekly(3, 3.5, 4)}, weeks=3).assessment()
    assert (assessment.status, assessment.rule) == ("worsening", "P22")
    assert Care(reports={"NPRS": weekly(3, 3.5, 3.5)}, weeks=3).assessment().status == "on_track"


def test_a_flare_is_named_before_worsening() -> None:
    """Within a flare nothing else is concluded from the pain."""
    assert Care(reports={"NPRS": weekly(7, 7)}, weeks=2, in_flare=True).assessment().status == "flare"


@pytest.mark.parametrize(
    "care", [leap(12), Care(reports=unchanged()), Care(weeks=0), Care(in_flare=True, reports=unchanged())]
)
def test_the_status_is_failed_exactly_while_that_escalation_is_open(care: Care) -> None:
    """One transaction opens both; whatever else is true, they never differ."""
    assert care.assessment(failed_open=True).status == "failed_conservative_care"
    assert care.assessment(failed_open=False).status != "failed_conservative_care"


def test_resolved_needs_all_long_term_goals_and_two_low_reports() -> None:
    """Goals reached and pain at 2 or less twice; one low report is not enough, nor are no goals."""
    reports = {"NPRS": weekly(4, 3, 2, 2)}
    care = Care(reports=reports, weeks=4, goals=(pain_goal(2),))
    assert care.assessment().status == "resolved"
    assert replace(care, goals=(pain_goal(1),)).assessment().status == "on_track"
    assert replace(care, goals=()).assessment().status == "on_track"
    assert replace(care, reports={"NPRS": weekly(4, 3, 3, 2)}).assessment().status == "on_track"


def test_the_minimal_important_change_is_that_of_the_pain_scale() -> None:
    """Two points or 30 percent, as published."""
    change = leap(8).assessment().response.minimal_important_change
    assert (change.instrument, change.points, change.percent) == ("NPRS", 2, 30)


def test_flat_pain_has_probably_not_changed() -> None:
    """After twelve flat weeks a meaningful change is unlikely, but never impossible."""
    probability = Care(reports=unchanged()).assessment().response.probability_of_meaningful_change
    assert probability is not None
    assert 0 < probability < 0.2


def test_every_status_explains_itself() -> None:
    """A sentence, a rule and references stand behind each status."""
    for care in (leap(8), Care(weeks=4), Care(reports=unchanged()), Care(reports=unchanged(), rpe=3)):
        assessment = care.assessment()
        assert assessment.because.endswith(".")
        assert assessment.rule in assessment.references


def test_widespread_pain_is_told_by_the_rating_of_change() -> None:
    """Status, meaningful change and its probability are those of the rating, and the trend stays that of pain."""
    care = Care(reports={"NPRS": flat(5, 6), "GROC": weekly(1, 2, 3, 3, 3, 3)}, weeks=6, modifiers=("widespread_pain",))
    assessment = care.assessment()
    assert assessment.status == "on_track"
    assert assessment.response.minimal_important_change.instrument == "GROC"
    assert assessment.response.probability_of_meaningful_change is not None
    assert assessment.response.probability_of_meaningful_change > 0.5
    assert assessment.response.pain_trend_per_week == 0
    assert replace(care, reports={"NPRS": flat(5, 6)}).assessment().status == "insufficient_data"
    assert replace(care, reports={"GROC": flat(0, 6)}).assessment().status == "plateau"
