"""What a program holds: goals, phases, doses and what is said about them."""

import pytest

from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from tests.support.planner_case import CONDITIONS, DGS, GT, PHT, SIJ, classified, decided, program

FIRST_PHASE = {GT: "GT1", SIJ: "SI1", DGS: "DG1", PHT: "PH1"}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_gets_its_own_program_from_its_first_phase(condition: str) -> None:
    """One probable condition: its four phases in order, and a prescription of the first."""
    planned = program(classified({condition: 0.85}))

    assert planned.conditions == (condition,)
    assert planned.phase_id == FIRST_PHASE[condition]
    assert [p.phase_id for p in planned.phases] == [f"{FIRST_PHASE[condition][:2]}{n}" for n in (1, 2, 3, 4)]
    assert planned.prescription == planned.phases[0].exercises
    assert planned.protocol.id == condition
    assert planned.program_id == "prg-intake-1"
    assert planned.version == 1
    assert planned.status == "active"


def test_gluteal_tendinopathy_begins_with_the_trial_protocol() -> None:
    """Light static abduction, bridge, squat and side-step, at the low end of the published doses."""
    doses = {e.exercise_id: e for e in program(classified({GT: 0.85})).prescription}

    abduction = doses["supine_static_abduction"]
    assert (abduction.sets, abduction.reps, abduction.hold_s, abduction.times_per_day) == (1, 3, 5.0, 2)
    assert (doses["double_leg_bridge"].sets, doses["double_leg_bridge"].reps) == (1, 10)
    assert set(doses) >= {"double_leg_squat", "standing_static_abduction", "band_side_step"}
    assert all(e.target_rpe <= 3 for e in doses.values())


def test_hamstring_strengthening_begins_with_fifteen_repetitions() -> None:
    """The heavy slow scheme starts its second phase at three sets of fifteen."""
    phases = {p.phase_id: p for p in program(classified({PHT: 0.85})).phases}

    curl = next(e for e in phases["PH2"].exercises if e.exercise_id == "leg_curl")
    assert (curl.sets, curl.reps, curl.tempo, curl.days_per_week) == (3, 15, "3-0-3", 3)


def test_a_target_is_the_baseline_changed_by_the_larger_important_change() -> None:
    """Pain of 9: thirty percent is more than two points."""
    planned = program(classified({GT: 0.85}, measures=[{"instrument": "NPRS", "value": 9}]))

    pain = next(g.measure for g in planned.goals if g.measure.instrument == "NPRS")
    assert (pain.baseline, pain.target, pain.direction) == (9, 6.3, "decrease")


def test_a_target_never_leaves_the_range_of_its_instrument() -> None:
    """A score of 95 of 100 cannot rise by ten points."""
    measures = [{"instrument": "NPRS", "value": 1}, {"instrument": "VISA-G", "value": 95}]
    planned = program(classified({GT: 0.85}, measures=measures))

    targets = {g.measure.instrument: g.measure.target for g in planned.goals}
    assert targets["VISA-G"] == 100
    assert targets["NPRS"] == 0


def test_an_instrument_that_was_not_reported_has_no_baseline() -> None:
    """Missing is not zero."""
    planned = program(classified({PHT: 0.85}))

    score = next(g.measure for g in planned.goals if g.measure.instrument == "VISA-H")
    assert score.baseline is None
    assert score.target == 80


def test_the_newest_report_is_the_baseline() -> None:
    """Two values of one instrument: the later one counts, in whatever order they stand."""
    measures = [
        {"instrument": "NPRS", "value": 4, "taken_at": "2026-03-01T08:00:00Z"},
        {"instrument": "NPRS", "value": 7, "taken_at": "2026-02-01T08:00:00Z"},
    ]
    planned = program(classified({GT: 0.85}, measures=measures))

    assert next(g.measure.baseline for g in planned.goals if g.measure.instrument == "NPRS") == 4


def test_the_patients_activities_become_one_goal_and_nothing_else() -> None:
    """Own words stand in the goal, bounded, and never in the rationale."""
    planned = program(classified({GT: 0.85}, activity_goals=["Walk to\nthe lake", "x" * 500]))

    own = [g for g in planned.goals if g.measure.instrument == "PSFS"]
    assert len(own) == 1
    assert "Walk to the lake" in own[0].statement
    assert len(own[0].statement) < 300
    assert "lake" not in planned.rationale


@pytest.mark.parametrize(("probability", "word"), [(0.5, "possible"), (0.79, "possible"), (0.8, "probable")])
def test_a_program_says_possible_below_eighty_percent(probability: float, word: str) -> None:
    """The words follow the confidence bands."""
    assert f"is {word} " in program(classified({GT: probability})).rationale


def test_a_program_does_not_claim_that_its_exercises_are_specific() -> None:
    """Two trials found sham as good as targeted exercise; patients and clinicians are told."""
    planned = program(classified({GT: 0.85}))

    assert "No exercise is known to be specific" in planned.rationale
    assert "honest-outlook" in {t.topic_id for t in planned.education}


def test_nobody_is_told_more_days_than_they_can() -> None:
    """Two possible days cap also what the protocol wants daily, and the rationale says so."""
    planned = program(classified({GT: 0.85}, sessions_per_week=2))

    assert {e.days_per_week for e in planned.prescription} == {2}
    assert planned.schedule.sessions_per_week == 2
    assert "capped at the 2 days" in planned.rationale


def test_a_load_is_the_lightest_weight_that_exists() -> None:
    """Kilograms stand only where the equipment on hand has them, and begin at its smallest step."""
    steps = {"dumbbell": [4, 2, 6], "barbell": [20]}
    planned = program(classified({SIJ: 0.85}, equipment=["none", "dumbbell", "barbell"], load_steps_kg=steps))

    hinge = next(e for p in planned.phases for e in p.exercises if e.exercise_id == "romanian_deadlift")
    assert (hinge.equipment, hinge.load_kg, hinge.load_level) == ("dumbbell", 2, None)
    assert all(e.load_kg is None for e in planned.prescription), "the first phase uses body weight"


def test_a_band_is_named_by_level_and_label() -> None:
    """A band has no kilograms: a level and what to call it."""
    clam = next(e for e in program(classified({DGS: 0.85})).prescription if e.exercise_id == "band_clam")
    bare = next(
        e for e in program(classified({DGS: 0.85}, equipment=["none"])).prescription if e.exercise_id == "band_clam"
    )

    assert (clam.equipment, clam.load_level, clam.load_label, clam.load_kg) == ("band", 1, "light band", None)
    assert (bare.equipment, bare.load_level, bare.load_label) == (None, None, None)


def test_both_sides_alternate_within_the_same_total() -> None:
    """Bilateral pain does not double the work."""
    planned = program(classified({GT: 0.85}, side="both"))

    standing = next(e for e in planned.prescription if e.exercise_id == "standing_static_abduction")
    assert standing.side == "both"
    assert "Alternate the sides" in standing.instructions
    assert "M9" in planned.references


def test_reviews_and_check_ins_follow_the_evidence() -> None:
    """Every morning after, pain and rating of change weekly, function every four weeks."""
    schedule = program(classified({GT: 0.85})).schedule

    every = {m.instrument: m.every_weeks for m in schedule.checkin.measures}
    assert schedule.checkin.next_morning
    assert every | {"NPRS": 1, "GROC": 1, "PSFS": 4, "VISA-G": 4} == every
    assert schedule.review_weeks == tuple(sorted(schedule.review_weeks))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_long_term_goal_is_asked_for_in_check_ins(condition: str) -> None:
    """A goal whose instrument nobody reports could never be reached."""
    planned = program(classified({condition: 0.85}))

    asked = {m.instrument for m in planned.schedule.checkin.measures}
    assert {g.measure.instrument for g in planned.goals} <= asked
    assert planned.adequate_course.review_week >= planned.adequate_course.min_weeks


def test_references_are_rows_of_the_evidence() -> None:
    """Nothing is cited that cannot be looked up."""
    evidence = shipped_protocols().evidence
    for condition in CONDITIONS:
        planned = program(classified({condition: 0.85}))
        rows = {*planned.references, *(row for t in planned.education for row in t.references)}
        assert rows <= set(evidence)


def test_the_exercise_library_is_the_vocabulary() -> None:
    """Every public exercise and modifier is described."""
    protocols = shipped_protocols()

    assert set(protocols.exercises.exercises) == set(vocabulary().exercises)
    assert set(protocols.modifiers.modifiers) == set(vocabulary().modifiers)


def test_a_nordic_curl_is_no_heavy_slow_scheme() -> None:
    """Three repetitions to begin with, not twelve."""
    table = next(p for p in program(classified({PHT: 0.85})).phases if p.phase_id == "PH3").exercises

    nordic = next(e for e in table if e.exercise_id == "nordic_curl")
    thrust = next(e for e in table if e.exercise_id == "hip_thrust")
    assert (nordic.sets, nordic.reps, nordic.days_per_week) == (2, 3, 2)
    assert (thrust.sets, thrust.reps) == (3, 12)


def test_weights_that_nobody_named_are_told_to_progression_and_to_the_clinician() -> None:
    """The usual ones are assumed, so that load rises to a weight that exists."""
    planned = program(classified({SIJ: 0.85}, equipment=["dumbbell", "band"], load_steps_kg={}))

    assert planned.intake.load_steps_kg["dumbbell"][:3] == (1, 2, 3)
    assert set(planned.intake.load_steps_kg) == {"dumbbell"}
    assert "does not say which weights there are (dumbbell)" in planned.rationale


def test_weights_that_were_named_are_the_ones_in_use() -> None:
    """Nothing is assumed beside them."""
    planned = program(classified({SIJ: 0.85}, equipment=["dumbbell"], load_steps_kg={"dumbbell": [6, 3]}))

    assert planned.intake.load_steps_kg == {"dumbbell": (3, 6)}
    assert "does not say which weights" not in planned.rationale


def test_a_session_that_constraints_leave_short_says_why() -> None:
    """A clinician who takes most exercises out reads what excludes the rest."""
    light = [e.exercise_id for e in shipped_protocols().exercises.fallback]
    own = [e.exercise_id for e in program(classified({PHT: 0.85})).prescription]
    planned = program(
        classified({PHT: 0.85}),
        decided("modify", program_id="prg-intake-1", changes={"remove_exercises": [*light, *own]}),
        decided("reclassify", event_id="d-2", hours=2, program_id="prg-intake-1", conditions=[PHT]),
    )

    assert len(planned.prescription) < 4
    assert f"Only {len(planned.prescription)} exercises remain for the first session" in planned.rationale
    assert "a clinician took it out" in planned.rationale
