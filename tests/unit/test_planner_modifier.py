"""What a patient's circumstances change in a program."""

import pytest

from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from tests.support.planner_case import GT, PHT, SIJ, classified, program


@pytest.mark.parametrize("modifier", sorted(vocabulary().modifiers))
def test_each_circumstance_is_taught_and_told_to_the_clinician(modifier: str) -> None:
    """Nothing about a patient is taken into account in silence."""
    planned = program(classified({SIJ: 0.85}, modifiers=[modifier]))
    rule = shipped_protocols().modifiers.modifiers[modifier]

    assert rule.clinician_note is not None
    assert rule.clinician_note.rstrip(".") in planned.rationale
    assert set(rule.education) <= {t.topic_id for t in planned.education}
    assert {a.what for a in rule.avoid} <= {a.what for a in planned.avoid}
    assert set(rule.source) <= set(planned.references)


def test_frail_patients_begin_a_fifth_lower() -> None:
    """Ten repetitions become eight."""
    planned = program(classified({GT: 0.85}, modifiers=["age_65_or_frail"]))

    bridge = next(e for e in planned.prescription if e.exercise_id == "double_leg_bridge")
    assert bridge.reps == 8


def test_nobody_pregnant_lies_on_the_back() -> None:
    """The week of pregnancy is not known, so every exercise on the back is left out."""
    planned = program(classified({SIJ: 0.85}, modifiers=["pregnant"]))

    library = shipped_protocols().exercises.exercises
    every = {e.exercise_id for p in planned.phases for e in p.exercises}
    assert not any(library[e].supine for e in every)
    assert len(planned.prescription) >= 4


def test_high_blood_pressure_caps_holds_and_effort() -> None:
    """Thirty seconds and five of ten at most; a walk is no hold."""
    planned = program(classified({PHT: 0.85}, modifiers=["uncontrolled_hypertension"]))

    every = [e for p in planned.phases for e in p.exercises]
    assert all(e.target_rpe <= 5 for e in every)
    assert all((e.hold_s or 0) <= 30 for e in every if e.exercise_id != "walk_or_cycle")


def test_a_fluoroquinolone_rules_out_jumping_and_hard_effort() -> None:
    """Tendons that an antibiotic has weakened are not made to spring."""
    planned = program(classified({PHT: 0.85}, modifiers=["fluoroquinolone"]))

    every = [e for p in planned.phases for e in p.exercises]
    assert not {"hop_or_jump", "swing_sled_or_sprint"} & {e.exercise_id for e in every}
    assert all(e.target_rpe <= 5 for e in every)


def test_after_birth_the_pelvic_floor_comes_first() -> None:
    """It leads the session."""
    planned = program(classified({SIJ: 0.85}, modifiers=["postpartum_under_12_weeks"]))

    assert planned.prescription[0].exercise_id == "deep_trunk_activation"


def test_several_circumstances_do_not_multiply() -> None:
    """Two reasons to begin lower are one lower start."""
    planned = program(classified({GT: 0.85}, modifiers=["age_65_or_frail", "widespread_pain"]))

    assert next(e for e in planned.prescription if e.exercise_id == "double_leg_bridge").reps == 8


def test_a_steroid_caps_effort_for_two_weeks_only() -> None:
    """The hamstring program's first phase is capped at five; what cannot begin within two weeks is not."""
    phases = {p.phase_id: p for p in program(classified({PHT: 0.85}, modifiers=["steroids"])).phases}

    assert max(e.target_rpe for e in phases["PH1"].exercises) <= 5
    assert max(e.target_rpe for e in phases["PH3"].exercises) == 6


def test_the_pelvic_floor_comes_before_what_a_mix_puts_first() -> None:
    """After birth it leads the session also where two conditions are treated."""
    planned = program(classified({GT: 0.7, SIJ: 0.6}, modifiers=["postpartum_under_12_weeks"]))

    assert planned.prescription[0].exercise_id == "deep_trunk_activation"
