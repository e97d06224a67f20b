"""When conservative care may be called failed, and when it is something else."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import exp

import msgspec
import pytest

from services.progression.domain.statistic import week_of, with_session
from services.progression.domain.verdict import Circumstance, Extension, Verdict, judge
from tests.support.care_course import Care, flat, pain_goal, unchanged, weekly

NON_RESPONDER = Care(baseline={"NPRS": 7.0, "PSFS": 4.0}, reports=unchanged(7))


def test_care_without_response_after_an_adequate_course_has_failed() -> None:
    """After twelve adherent weeks at enough effort without change, failed care is proposed."""
    verdict = NON_RESPONDER.verdict()
    assert verdict.kind == "failed"
    assert [c.met for c in verdict.criteria] == [False, False, False]


def test_insite_patients_fail_after_the_adequate_course() -> None:
    """The controls of INSITE (J12: pain 1.2 better of 8.2 and disability 5 better) are non-responders."""
    path = [(float(w), 8.2 - 1.2 * w / 12) for w in range(1, 13)]
    care = Care(
        condition="sacroiliac_joint_pain",
        baseline={"NPRS": 8.2, "ODI": 57, "PSFS": 3},
        reports={
            "NPRS": path,
            "GROC": flat(0),
            "ODI": [(4, 56), (8, 54), (12, 52)],
            "PSFS": [(4, 3), (12, 3.5)],
        },
        owed=("NPRS", "GROC", "PSFS", "ODI"),
    )
    assert care.verdict().kind == "failed"


def test_a_date_that_has_passed_proves_nothing() -> None:
    """Twelve weeks with 40 % of the sessions are under-dosed care, however flat the pain."""
    care = replace(NON_RESPONDER, done_in_week={w: 1 + (w % 5 == 0) for w in range(12)})
    verdict = care.verdict()
    assert verdict.kind == "under_dosed"
    assert any("sessions due" in line for line in verdict.shortfalls)


def test_months_on_hold_are_no_course_of_care() -> None:
    """A patient who trained in six of twelve weeks has not had twelve weeks of care."""
    care = replace(NON_RESPONDER, done_in_week=dict.fromkeys(range(6), 0))
    assert care.verdict().kind == "under_dosed"


def test_sessions_without_effort_are_under_dosed() -> None:
    """Twelve adherent weeks at effort 4 do not show that loading fails."""
    verdict = replace(NON_RESPONDER, rpe=4).verdict()
    assert verdict.kind == "under_dosed"
    assert verdict.turning_point is not None
    assert "6" in verdict.turning_point


def test_hard_days_around_a_sunday_are_no_two_weeks_of_effort() -> None:
    """Effort in the week that runs is not read yet: it may lie days, not a week, from the one before."""
    easy = replace(NON_RESPONDER, rpe=4, weeks=13)
    hard = [easy.now - timedelta(days=8), easy.now - timedelta(days=6)]  # a Saturday and a Monday
    assert week_of(easy.statistic(), hard[0]) < week_of(easy.statistic(), hard[1])
    statistic = easy.statistic()
    for time in hard:
        statistic = with_session(statistic, 3, 8, time)

    def verdict(now: datetime) -> Verdict:
        nothing = Circumstance(False, False, None, None, easy.owed)
        return judge(statistic, easy.adherence(), (), easy.course, easy.adequate, nothing, now=now)

    assert verdict(hard[1] + timedelta(hours=1)).kind == "under_dosed"
    assert verdict(easy.now).kind == "failed"


def test_load_that_could_not_rise_for_three_weeks_is_enough_dose() -> None:
    """Where pain forbids more load in spite of adherence, low effort does not hide a non-responder."""
    assert replace(NON_RESPONDER, rpe=4, stalled_weeks=3).verdict().kind == "failed"
    assert replace(NON_RESPONDER, rpe=4, stalled_weeks=2).verdict().kind == "under_dosed"


def test_unreported_effort_is_unknown_and_not_low() -> None:
    """Without any report of effort the dose cannot be judged."""
    assert replace(NON_RESPONDER, rpe=None).verdict().kind == "insufficient"


def test_no_reports_are_too_little_data() -> None:
    """A patient who never reports pain has neither failed nor succeeded."""
    assert Care(baseline={"NPRS": 7.0}, reports={}).verdict().kind == "insufficient"


@pytest.mark.parametrize("missing", ["GROC", "PSFS"])
def test_a_missing_owed_measure_is_too_little_data(missing: str) -> None:
    """A criterion that was asked for but never answered cannot count as not met."""
    reports = {k: v for k, v in unchanged(7).items() if k != missing}
    verdict = Care(baseline={"NPRS": 7.0}, reports=reports).verdict()
    assert verdict.kind == "insufficient"


def test_a_measure_that_was_never_owed_does_not_block_the_verdict() -> None:
    """What the program did not ask for is for the clinician, and does not hide a non-responder."""
    care = Care(baseline={"NPRS": 7.0}, reports={"NPRS": flat(7), "GROC": flat(0)}, owed=("NPRS", "GROC"))
    assert care.verdict().kind == "failed"


def test_an_old_report_says_nothing_about_now() -> None:
    """Pain last reported five weeks before the review is too little data."""
    care = Care(baseline={"NPRS": 7.0}, reports=unchanged(7) | {"NPRS": flat(7, 7)})
    assert care.verdict().kind == "insufficient"


def test_nothing_is_proposed_before_the_review() -> None:
    """In week 11 a flat course is an early warning, not a failure."""
    assert replace(NON_RESPONDER, weeks=11, reports=unchanged(7, 11)).verdict().kind == "early_warning"


def test_early_warning_needs_adherence() -> None:
    """No change by week 4 asks for another look only where the sessions were done."""
    adherent = Care(reports={"NPRS": flat(5, 4)}, weeks=4)
    assert adherent.verdict().kind == "early_warning"
    assert replace(adherent, done_in_week=dict.fromkeys(range(4), 1)).verdict().kind == "none"
    assert replace(adherent, reports={"NPRS": weekly(5, 5, 4, 4)}).verdict().kind == "none"


def test_worsening_is_another_answer_than_failure() -> None:
    """Two weeks at two points above the baseline are worsening, before and at the review."""
    worse = {"NPRS": [*flat(5, 10), (11.0, 7.0), (12.0, 7.0)], "GROC": flat(0), "PSFS": [(4.0, 4.0), (12.0, 4.0)]}
    assert Care(reports=worse).verdict().kind == "worsening"
    assert Care(reports={"NPRS": weekly(7, 7)}, weeks=2).verdict().kind == "worsening"
    assert Care(reports={"NPRS": weekly(5, 8)}, weeks=2).verdict().kind != "worsening"


def test_feeling_worse_for_two_weeks_is_worsening() -> None:
    """An overall change of -2 in two weeks running counts without any rise in pain."""
    assert Care(reports={"NPRS": flat(5, 3), "GROC": weekly(0, -2, -3)}, weeks=3).verdict().kind == "worsening"


def test_a_flare_and_a_red_flag_come_first() -> None:
    """Nobody is judged within a flare, or while a red flag is open."""
    assert replace(NON_RESPONDER, in_flare=True).verdict().kind == "flare"
    assert replace(NON_RESPONDER, red_flag_open=True).verdict().kind == "none"


CACCHIO_GAINS = (("NPRS", 1.0), ("GROC", 0.5), ("PSFS", 0.3846))


def test_cacchio_controls_are_extended_once_and_have_then_failed() -> None:
    """Pain 7 to 5 in three months (J16) is one criterion met: six weeks more, then it is named partial and failed."""
    reports = {
        "NPRS": weekly(7, 7, 7, 6, 6, 6, 6, 6, 5, 5, 5, 5),
        "GROC": flat(1),
        "PSFS": [(4.0, 4.0), (12.0, 4.5)],
    }
    care = Care(condition="proximal_hamstring_tendinopathy", baseline={"NPRS": 7.0, "PSFS": 4.0}, reports=reports)
    verdict = care.verdict()
    assert verdict.kind == "extend"
    assert verdict.extension == Extension(18, CACCHIO_GAINS)
    assert replace(care, extension=verdict.extension).verdict().kind == "none"
    failed = replace(care, extension=Extension(12, CACCHIO_GAINS)).verdict()
    assert failed.kind == "failed"
    assert "only partial" in failed.because


def test_a_partial_response_that_grows_is_left_to_grow() -> None:
    """Where a measure has gained a quarter of what matters since the extension, nothing is proposed yet."""
    care = Care(
        baseline={"NPRS": 7.0, "PSFS": 4.0},
        reports=unchanged(7) | {"NPRS": weekly(7, 7, 7, 6, 6, 6, 6, 6, 5, 5, 5, 5)},
        extension=Extension(12, (("NPRS", 0.7), ("GROC", 0.0), ("PSFS", 0.0))),
    )
    verdict = care.verdict()
    assert verdict.kind == "none"
    assert verdict.extension is not None
    assert verdict.extension.until_week == 16
    assert dict(verdict.extension.gained)["NPRS"] == 1


def test_measures_that_contradict_each_other_do_not_fit_the_label() -> None:
    """Pain much better while disability is much worse: the diagnosis should be examined again."""
    care = Care(
        condition="sacroiliac_joint_pain",
        baseline={"NPRS": 7.0, "PSFS": 4.0, "ODI": 30.0},
        reports=unchanged(7) | {"NPRS": flat(5), "ODI": [(4.0, 41.0), (12.0, 42.0)]},
    )
    verdict = care.verdict()
    assert verdict.kind == "reclassify"
    assert "does not fit" in verdict.because


def test_widespread_pain_is_judged_by_the_rating_of_change() -> None:
    """With widespread pain flat pain is no failure where the patient feels clearly better, nor is it asked for."""
    better = {"NPRS": flat(7), "GROC": flat(3)}
    felt = Care(baseline={"NPRS": 7.0}, reports=better, modifiers=("widespread_pain",), owed=("NPRS", "GROC"))
    assert felt.verdict().kind == "none"
    assert replace(felt, modifiers=()).verdict().kind == "extend"
    unrated = replace(felt, reports={"NPRS": flat(7)})
    assert unrated.verdict().kind == "insufficient"
    assert replace(felt, reports={"GROC": flat(0)}, owed=("GROC",)).verdict().kind == "failed"


def test_cushman_is_no_failure() -> None:
    """VISA-H 23 to 83 in twelve weeks with falling pain (J02) is a response."""
    care = Care(
        condition="proximal_hamstring_tendinopathy",
        baseline={"NPRS": 6.0, "VISA-H": 23},
        reports={
            "NPRS": weekly(6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 1),
            "VISA-H": [(4.0, 40.0), (8.0, 62.0), (12.0, 83.0)],
        },
        goals=(pain_goal(),),
    )
    assert care.verdict().kind == "none"
    assert care.assessment().status == "resolved"


def test_function_that_improved_speaks_against_failure() -> None:
    """Flat pain with 22 points more of VISA-H is a partial response in hamstring tendinopathy."""
    care = replace(
        NON_RESPONDER,
        condition="proximal_hamstring_tendinopathy",
        baseline={"NPRS": 7.0, "PSFS": 4.0, "VISA-H": 30.0},
        reports=unchanged(7) | {"VISA-H": [(12.0, 55.0)]},
    )
    assert care.verdict().kind == "extend"


def test_leap_patients_respond() -> None:
    """The mean path of education and exercise in LEAP is no failure at the review."""
    path = [(float(w), 1.4 + 3.4 * exp(-w / 3)) for w in range(1, 13)]
    care = Care(baseline={"NPRS": 4.8}, reports={"NPRS": path, "GROC": flat(1), "PSFS": [(4.0, 4.0), (12.0, 4.5)]})
    assert care.verdict().kind == "none"


def test_pregnancy_has_a_longer_adequate_course() -> None:
    """Pelvic girdle pain is not judged in week 12 but in week 20."""
    care = replace(NON_RESPONDER, condition="sacroiliac_joint_pain", modifiers=("pregnant",), reports=unchanged(7))
    assert care.adequate.review_week == 20
    assert care.verdict().kind == "early_warning"


def test_the_rule_out_chain_is_walked_whole() -> None:
    """Every item from a to k is logged; what no report shows is for the clinician."""
    verdict = NON_RESPONDER.verdict()
    assert "".join(item.item for item in verdict.rule_out) == "abcdefghijk"
    result = {item.item: item.result for item in verdict.rule_out}
    assert (result["a"], result["b"], result["e"]) == ("done", "done", "done")
    assert {result[i] for i in "cdfgijk"} == {"for_the_clinician"}


def test_psychosocial_and_medical_findings_stand_in_the_chain() -> None:
    """A high STarT MSK and a fluoroquinolone are found, not ruled out."""
    verdict = replace(
        NON_RESPONDER,
        baseline={"NPRS": 7.0, "PSFS": 4.0, "STARTMSK": 10},
        modifiers=("fluoroquinolone",),
        symptoms=("fear_of_movement",),
        mixed=True,
    ).verdict()
    result = {item.item: item.result for item in verdict.rule_out}
    assert (verdict.kind, result["g"], result["h"], result["i"]) == ("failed", "found", "found", "found")


def test_a_verdict_is_the_same_bytes_each_time() -> None:
    """Judged twice from the same history, the verdict does not differ in a byte."""
    assert msgspec.json.encode(NON_RESPONDER.verdict()) == msgspec.json.encode(NON_RESPONDER.verdict())
