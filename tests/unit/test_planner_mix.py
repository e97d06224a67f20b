"""Mixed presentations: what is safe for all, led by the most irritable."""

import pytest

from tests.support.planner_case import CONDITIONS, DGS, GT, PHT, SIJ, classified, decided, program

PAIRS = [
    (GT, DGS, "M1"),
    (GT, PHT, "M2"),
    (GT, SIJ, "M3"),
    (SIJ, PHT, "M4"),
    (SIJ, DGS, "M5"),
    (PHT, DGS, "M6"),
]


@pytest.mark.parametrize(("one", "other", "mix_id"), PAIRS)
def test_each_pair_is_merged_by_its_own_rule(one: str, other: str, mix_id: str) -> None:
    """Both conditions' phases, goals and education; one session of four to five exercises."""
    planned = program(classified({one: 0.7, other: 0.5}))

    assert planned.conditions == (one, other)
    assert planned.mix_id == mix_id
    assert set(planned.phase_by_condition) == {one, other}
    assert len(planned.phases) == 8
    assert 4 <= len(planned.prescription) <= 5
    single = {t.topic_id for c in (one, other) for t in program(classified({c: 0.85})).education}
    assert {t.topic_id for t in planned.education} == single


def test_a_condition_below_forty_percent_is_not_treated() -> None:
    """0.40 is the line."""
    assert program(classified({GT: 0.7, PHT: 0.39})).conditions == (GT,)
    assert program(classified({GT: 0.7, PHT: 0.40})).conditions == (GT, PHT)


def test_three_conditions_obey_all_their_pairs() -> None:
    """A triple mix keeps every pair's rule."""
    planned = program(classified({GT: 0.7, PHT: 0.5, DGS: 0.45}))

    assert planned.mix_id == "M1+M2+M6"
    assert 4 <= len(planned.prescription) <= 5


def test_an_irritable_nerve_leads_whatever_is_more_probable() -> None:
    """Tingling down the leg puts the deep gluteal syndrome first."""
    planned = program(classified({GT: 0.8, DGS: 0.5}, findings_present=["leg_paraesthesia_non_dermatomal"]))

    assert planned.phase_id == "DG1"
    assert planned.protocol.id == DGS
    assert planned.conditions == (GT, DGS)


def test_the_more_irritable_tendon_leads() -> None:
    """Pain on the sitting bone puts the hamstring before a more probable gluteal tendon."""
    planned = program(classified({GT: 0.8, PHT: 0.5}, findings_present=["sitting_pain_on_ischium"]))

    assert planned.phase_id == "PH1"


def test_two_tendons_are_loaded_on_different_days() -> None:
    """Gluteal and hamstring loads share the week, and the patient is told."""
    planned = program(classified({GT: 0.7, PHT: 0.5}, sessions_per_week=5))

    doses = {e.exercise_id: e for e in planned.prescription}
    gluteal, hamstring = doses["supine_static_abduction"], doses["isometric_leg_curl"]
    assert (gluteal.days_per_week or 0) + (hamstring.days_per_week or 0) == 5
    assert "other days than the hamstring" in gluteal.instructions
    assert "other days than the gluteal" in hamstring.instructions


def test_with_one_day_a_week_only_the_leading_tendon_is_loaded() -> None:
    """What cannot alternate is left out."""
    planned = program(classified({GT: 0.7, PHT: 0.5}, sessions_per_week=1))

    assert "isometric_leg_curl" not in {e.exercise_id for e in planned.prescription}
    assert 4 <= len(planned.prescription) <= 5


def test_one_sided_load_waits_where_the_sacroiliac_joint_is_sore() -> None:
    """Gluteal tendons want single-leg load; the joint gets its way until its second phase is over."""
    planned = program(classified({GT: 0.7, SIJ: 0.5}))

    second = next(p for p in planned.phases if p.phase_id == "GT2")
    assert "single_leg_squat" not in {e.exercise_id for e in second.exercises}


def test_a_mix_takes_the_longer_course_and_every_measure() -> None:
    """The larger demand of the conditions holds."""
    both = program(classified({GT: 0.7, PHT: 0.5}))
    singles = [program(classified({c: 0.85})) for c in (GT, PHT)]

    assert both.adequate_course.min_weeks == max(p.adequate_course.min_weeks for p in singles)
    instruments = {m.instrument for p in singles for m in p.schedule.checkin.measures}
    assert {m.instrument for m in both.schedule.checkin.measures} == instruments


def test_a_lumbar_route_that_a_clinician_approves_gets_static_holds_only() -> None:
    """With the lumbar spine involved, tendons are not loaded dynamically."""
    planned = program(
        classified({GT: 0.7}, disposition="clinician_review", route="lumbar"),
        decided("approve", intake_id="intake-1"),
    )

    assert planned.mix_id == "M7"
    assert not {"double_leg_bridge", "double_leg_squat"} & {e.exercise_id for e in planned.prescription}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_hip_route_keeps_any_condition_below_ninety_degrees(condition: str) -> None:
    """Flexion stays below ninety degrees."""
    planned = program(
        classified({condition: 0.7}, disposition="clinician_review", route="hip"),
        decided("approve", intake_id="intake-1"),
    )

    exercises = {e.exercise_id for p in planned.phases for e in p.exercises}
    assert planned.mix_id == "M8"
    assert not {"hip_thrust", "romanian_deadlift", "bird_dog"} & exercises
