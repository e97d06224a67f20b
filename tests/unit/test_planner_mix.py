"""Mixed presentations: what is safe for all, led by the most irritable."""

import pytest

from shared.protocol.library import shipped_protocols
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
    own = {topic for mix in shipped_protocols().mixes.of((one, other)) for topic in mix.education}
    assert {t.topic_id for t in planned.education} == single | own


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


@pytest.mark.parametrize(
    ("goals", "leader", "words"),
    [
        (["Sit through a film without pain"], DGS, "what hampers the goal that was named first"),
        (["Climb the stairs", "sit in the car"], GT, "what hampers the goal that was named first"),
        (["Play the piano"], GT, "could not be read from the patient's words"),
        ([], GT, "no goals were told"),
    ],
)
def test_the_condition_that_hampers_the_main_goal_leads(goals: list[str], leader: str, words: str) -> None:
    """After nerve and tendon and before probability; what cannot be read is said."""
    planned = program(classified({GT: 0.7, DGS: 0.5}, activity_goals=goals))

    assert planned.protocol.id == leader
    assert words in planned.rationale
    assert not any(goal.lower() in planned.rationale.lower() for goal in goals)


def test_a_goal_that_two_conditions_hamper_does_not_tell_them_apart() -> None:
    """Sitting hurts with the nerve and with the hamstring tendon alike: the more probable leads."""
    planned = program(classified({DGS: 0.5, PHT: 0.7}, activity_goals=["sit through a meeting"]))

    assert planned.protocol.id == PHT
    assert "does not tell them apart" in planned.rationale


def test_an_irritable_nerve_comes_before_the_main_goal() -> None:
    """Who has tingling in the leg is treated for it first, whatever the goal."""
    planned = program(
        classified(
            {GT: 0.7, DGS: 0.5},
            findings_present=["leg_paraesthesia_non_dermatomal"],
            activity_goals=["climb the stairs"],
        )
    )

    assert planned.protocol.id == DGS
    assert "irritable nerve" in planned.rationale


@pytest.mark.parametrize(
    ("one", "other", "allowed", "easy"), [(GT, SIJ, 4, 3), (GT, DGS, 4, 2), (GT, PHT, 3, 3), (SIJ, DGS, 4, 2)]
)
def test_the_stricter_pain_rule_is_said(one: str, other: str, allowed: int, easy: int) -> None:
    """In figures, so that a clinician can see which one holds."""
    planned = program(classified({one: 0.7, other: 0.5}))

    assert f"pain of up to {allowed} out of 10" in planned.rationale
    assert f"load rises only at {easy} or less" in planned.rationale


def test_the_stronger_holds_while_the_irritable_progresses() -> None:
    """Said to the clinician, and told to progression by who leads and where each condition stands."""
    planned = program(classified({GT: 0.8, PHT: 0.5}, findings_present=["sitting_pain_on_ischium"]))

    assert "work for gluteal tendinopathy holds its level" in planned.rationale
    assert planned.protocol.id == PHT
    assert planned.phase_by_condition == {GT: "GT1", PHT: "PH1"}
    assert "more signs of an irritable tendon" in planned.rationale


def test_two_tendons_on_alternate_days_are_taught() -> None:
    """The patient reads why, and each exercise says on which days."""
    planned = program(classified({GT: 0.7, PHT: 0.5}, sessions_per_week=4))

    assert "two-tendons" in {t.topic_id for t in planned.education}
    assert "alternate days" in planned.rationale
    assert planned.schedule.sessions_per_week == 4


def test_bilateral_work_stays_within_the_total_of_one_side() -> None:
    """The sides alternate by day, so the number of repetitions for one side stays true."""
    one, both = (program(classified({GT: 0.85}, side=side)) for side in ("right", "both"))

    assert [e.reps for e in both.prescription] == [e.reps for e in one.prescription]
    standing = next(e for e in both.prescription if e.exercise_id == "standing_static_abduction")
    assert "one side on one day, the other side on the next" in standing.instructions


def test_a_triple_mix_with_few_days_still_alternates() -> None:
    """The pair's rule holds where a third condition is treated as well."""
    planned = program(classified({GT: 0.7, PHT: 0.5, SIJ: 0.45}, sessions_per_week=2))

    alone = [e for e in planned.prescription if "on other days" in e.instructions]
    assert {e.days_per_week for e in alone} <= {1}
    assert "M2" in (planned.mix_id or "")


@pytest.mark.parametrize(
    ("one", "other", "first", "never"),
    [
        (GT, DGS, {"sciatic_slider", "band_clam"}, {"piriformis_stretch", "itb_stretch"}),
        (GT, PHT, {"double_leg_bridge"}, {"piriformis_stretch", "hamstring_stretch"}),
        (GT, SIJ, {"supine_static_abduction", "double_leg_bridge"}, set()),
        (SIJ, PHT, {"double_leg_bridge"}, {"hamstring_stretch"}),
        (SIJ, DGS, {"sciatic_slider", "deep_trunk_activation"}, {"piriformis_stretch"}),
        (PHT, DGS, {"isometric_leg_curl", "sciatic_slider"}, {"nordic_curl", "sciatic_tensioner", "hamstring_stretch"}),
    ],
)
def test_each_conflict_is_resolved_as_the_evidence_says(one: str, other: str, first: set[str], never: set[str]) -> None:
    """What serves both is in the first session, what worsens one of them in no phase, and the clinician reads why."""
    rules = shipped_protocols().mixes.of((one, other))
    for weights in ({one: 0.7, other: 0.5}, {other: 0.7, one: 0.5}):
        planned = program(classified(weights))
        assert first <= {e.exercise_id for e in planned.prescription}
        assert not never & {e.exercise_id for p in planned.phases for e in p.exercises}
        assert all(mix.resolution in planned.rationale for mix in rules)
        assert {row for mix in rules for row in mix.source} <= set(planned.references)


def test_a_bent_hip_comes_in_steps_with_joint_and_hamstring() -> None:
    """Up to 45 degrees in the first two phases, up to 70 in the third but for the symmetric hip thrust."""
    library = shipped_protocols().exercises.exercises
    planned = program(classified({SIJ: 0.7, PHT: 0.5}))

    for phase in planned.phases:
        limit = {1: 45, 2: 45, 3: 70, 4: 90}[int(phase.phase_id[-1])]
        hinges = [e.exercise_id for e in phase.exercises if e.exercise_id != "hip_thrust"]
        assert all(library[e].max_flexion_deg <= limit for e in hinges), phase.phase_id


def test_isometric_work_comes_first_where_nerve_and_hamstring_share_the_pain() -> None:
    """The hamstring tendon is held before it is moved."""
    assert program(classified({PHT: 0.7, DGS: 0.5})).prescription[0].exercise_id == "isometric_leg_curl"
