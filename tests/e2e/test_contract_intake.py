"""Contract §5 and §6: how an intake is read, and what its classification says."""

import json
from typing import Any

import pytest

from tests.support.black_box import DAY, HOUR, Json, System, decision, intake, new_patient

CONDITIONS = {
    "gluteal_tendinopathy",
    "sacroiliac_joint_pain",
    "deep_gluteal_syndrome",
    "proximal_hamstring_tendinopathy",
}
HAMSTRING = {
    "worst_pain_ischial_tuberosity": "present",
    "puranen_orava": "present",
    "bent_knee_stretch": "present",
    "modified_bent_knee_stretch": "present",
    "ischial_tuberosity_tenderness": "present",
}


def classified(care: System, **changes: Any) -> tuple[str, Json]:
    patient = new_patient()
    care.tell(intake(patient, care.now + HOUR, **changes))
    assert care.letters(patient) == []
    return patient, care.classified(patient)


def test_a_clear_case_gets_its_program(care: System) -> None:
    """Typical findings lead to one condition, with what speaks for and against each of the four."""
    patient, data = classified(care)
    assert data["disposition"] == "program"
    assert data["primary"] == "gluteal_tendinopathy"
    assert data["mixed"] is False
    assert data["intake_id"] == f"in-{patient}"
    assert {one["condition_id"] for one in data["conditions"]} == CONDITIONS
    probabilities = [one["probability"] for one in data["conditions"]]
    assert probabilities == sorted(probabilities, reverse=True)
    for one in data["conditions"]:
        assert set(one) >= {"condition_id", "probability", "supporting", "opposing"}
        assert 0 <= one["probability"] <= 1
    assert "palpation_greater_trochanter" in data["conditions"][0]["supporting"]
    assert data["red_flags"] == []
    assert data["referral_route"] is None
    assert set(data["protocol"]) >= {"id", "version"}
    assert data["rationale"]
    assert data["references"]
    assert care.open(patient) == {}


@pytest.mark.parametrize(
    ("flag", "disposition", "severity", "holds"),
    [
        ("saddle_anaesthesia", "emergency", "emergency", True),
        ("fever_or_rigors", "emergency", "emergency", True),
        ("history_of_cancer", "urgent_referral", "urgent", True),
        ("unilateral_leg_swelling", "urgent_referral", "urgent", True),
        ("claudication", "clinician_review", "routine", False),
        ("inflammatory_back_pain", "clinician_review", "routine", False),
    ],
)
def test_the_highest_red_flag_decides(care: System, flag: str, disposition: str, severity: str, holds: bool) -> None:
    """Emergency, urgent, routine: each flag has its consequence and its escalation, and no program follows."""
    patient, data = classified(care, red_flags={flag: "present", "cyclical_pelvic_pain": "present"})
    assert data["disposition"] == disposition
    assert {"red_flag_id": flag, "urgency": severity, "source": "reported"} in [
        {k: one[k] for k in ("red_flag_id", "urgency", "source")} for one in data["red_flags"]
    ]
    (raised,) = care.raised(patient)
    assert raised["reason"] == "red_flag"
    assert raised["severity"] == severity
    assert raised["holds_program"] is holds
    assert flag in json.dumps(raised["evidence"])
    assert not care.read("programs", patient)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"modifiers": ["active_cancer"]}, "history_of_cancer"),
        ({"onset": "traumatic", "modifiers": ["osteoporosis"]}, "major_trauma"),
        ({"onset": "traumatic", "modifiers": ["steroids"]}, "major_trauma"),
        ({"onset": "traumatic", "age_years": 71}, "major_trauma"),
    ],
)
def test_a_flag_that_other_answers_meet_is_present(care: System, changes: Json, flag: str) -> None:
    """Nobody ticked it, but age, onset or modifiers say it."""
    patient, data = classified(care, **changes)
    assert (flag, "derived") in [(one["red_flag_id"], one["source"]) for one in data["red_flags"]]
    assert data["disposition"] in ("urgent_referral", "emergency")
    assert care.raised(patient)
    assert not care.read("programs", patient)


def test_an_absent_that_contradicts_a_fact_goes_to_a_clinician(care: System) -> None:
    """A fall at 75 and `no major trauma` do not fit; a person decides."""
    patient, data = classified(care, onset="traumatic", age_years=75, red_flags={"major_trauma": "absent"})
    assert data["disposition"] == "clinician_review"
    assert set(care.open(patient).values()) == {"routine"}


def test_unknown_flags_are_asked_first(care: System) -> None:
    """While an emergency or urgent flag is unanswered there is no program; the flags come before all findings."""
    patient, data = classified(care, red_flag_screen="partial")
    assert data["disposition"] == "more_information"
    asked = [one["finding_id"] for one in data["next_findings"]]
    assert "saddle_anaesthesia" in asked
    assert asked[0] in json.dumps(flags_of_vocabulary())
    assert all(one["information_gain_bits"] >= 0 for one in data["next_findings"])
    assert care.open(patient) == {}
    assert not care.read("programs", patient)
    care.tell(intake(patient, care.now + HOUR))
    assert care.classified(patient)["disposition"] == "program"
    assert care.program(patient)["status"] == "active"


def flags_of_vocabulary() -> list[str]:
    return [
        "saddle_anaesthesia",
        "bladder_dysfunction",
        "bowel_dysfunction",
        "new_sexual_dysfunction",
        "bilateral_leg_symptoms",
        "unsteadiness_or_band_pain",
        "fever_or_rigors",
        "major_trauma",
        "unable_to_bear_weight",
        "chest_pain_or_breathlessness",
        "abdominal_pain_with_collapse",
        "pregnancy_bleeding_or_contractions",
        "risk_of_self_harm",
        "syncope_in_session",
    ]


def test_flags_that_cannot_apply_are_not_asked(care: System) -> None:
    """A man is not asked about pregnancy."""
    _, data = classified(care, red_flag_screen="partial", sex="male")
    asked = [one["finding_id"] for one in data["next_findings"]]
    assert "pregnancy_bleeding_or_contractions" not in asked
    assert "saddle_anaesthesia" in asked


@pytest.mark.parametrize(
    "changes",
    [
        {"age_years": 17},
        {"modifiers": ["recent_surgery"]},
        {"modifiers": ["uncontrolled_hypertension"]},
        {"modifiers": ["pregnant"]},
        {"modifiers": ["postpartum_under_12_weeks"]},
    ],
)
def test_who_must_be_seen_gets_no_program_by_itself(care: System, changes: Json) -> None:
    """Minors, recent surgery, pregnancy without a sacroiliac picture: a clinician first."""
    patient, data = classified(care, **changes)
    assert data["disposition"] == "clinician_review"
    assert set(care.open(patient).values()) == {"routine"}
    assert not care.read("programs", patient)


def test_both_sides_are_no_bilateral_leg_symptoms(care: System) -> None:
    """Pain on both sides is no numbness in both legs."""
    _, data = classified(care, side="both")
    assert data["red_flags"] == []
    assert data["disposition"] == "program"


@pytest.mark.parametrize(
    ("findings", "route"),
    [
        ({"crossed_straight_leg_raise": "present"}, "lumbar"),
        ({"centralisation": "present"}, "lumbar"),
        ({"dermatomal_sensory_or_reflex_loss": "present"}, "lumbar"),
        ({"slump": "present"}, None),
        ({"straight_leg_raise": "present"}, None),
        (
            {
                "hip_internal_rotation_limited": "present",
                "squat_aggravates_hip": "present",
                "scour_or_groin_pain_flexion": "present",
            },
            "hip",
        ),
        ({"hip_internal_rotation_limited": "present", "squat_aggravates_hip": "present"}, None),
    ],
)
def test_the_routes_to_spine_and_hip(care: System, findings: Json, route: str | None) -> None:
    """Signs of the lumbar spine or of the hip joint lead to a clinician."""
    patient = new_patient()
    told = intake(patient, care.now + HOUR)
    told["data"]["findings"] |= findings
    care.tell(told)
    data = care.classified(patient)
    assert data["referral_route"] == route
    assert (data["disposition"] == "clinician_review") == (route is not None)


def test_a_mix_gets_a_program_for_both(care: System) -> None:
    """Two conditions that are probable enough are treated together."""
    patient = new_patient()
    told = intake(patient, care.now + HOUR)
    told["data"]["findings"] |= HAMSTRING
    care.tell(told)
    data = care.classified(patient)
    likely = [one["condition_id"] for one in data["conditions"] if one["probability"] >= 0.4]
    assert len(likely) >= 2
    assert data["mixed"] is True
    assert data["disposition"] == "program"
    assert care.program(patient)["conditions"] == likely


def test_no_primary_is_never_a_program(care: System) -> None:
    """Without findings nothing is probable; more is asked, and what would tell most comes first."""
    patient, data = classified(care, findings={})
    assert data["primary"] is None
    assert data["mixed"] is False
    assert data["disposition"] == "more_information"
    gains = [one["information_gain_bits"] for one in data["next_findings"]]
    assert gains
    assert gains == sorted(gains, reverse=True)
    assert not care.read("programs", patient)


def test_a_phrase_in_the_notes_brings_a_clinician(care: System) -> None:
    """What a patient writes is read for red flags, and nothing of the words comes out again."""
    patient, data = classified(
        care, notes="Zebracorn! Since yesterday I cannot feel my saddle area, numb between my legs."
    )
    sources = {one["source"] for one in data["red_flags"]}
    assert "suspected" in sources
    assert data["disposition"] in ("clinician_review", "urgent_referral", "emergency")
    assert care.raised(patient)
    assert "Zebracorn" not in json.dumps(care.outputs(patient))


def test_activity_goals_and_defaults_are_optional(care: System) -> None:
    """The smallest intake that the contract allows is enough."""
    patient = new_patient()
    told = intake(patient, care.now + HOUR)
    told["data"] = {
        "intake_id": f"in-{patient}",
        "age_years": 40,
        "sex": "unknown",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 0,
        "measures": [{"instrument": "NPRS", "value": 4.5, "taken_at": "2026-02-01T08:00:00+01:00"}],
    }
    care.tell(told)
    assert care.classified(patient)["disposition"] == "more_information"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"age_years": 121}, "$.data.age_years"),
        ({"age_years": -1}, "$.data.age_years"),
        ({"sex": "f"}, "$.data.sex"),
        ({"side": "middle"}, "$.data.side"),
        ({"onset": "slow"}, "$.data.onset"),
        ({"duration_weeks": -0.5}, "$.data.duration_weeks"),
        ({"findings": {"unheard_of": "present"}}, "$.data.findings.unheard_of"),
        ({"findings": {"slump": "maybe"}}, "$.data.findings.slump"),
        ({"red_flags": {"bad_hair": "present"}}, "$.data.red_flags.bad_hair"),
        ({"red_flag_screen": "none"}, "$.data.red_flag_screen"),
        ({"modifiers": ["tall"]}, "$.data.modifiers[0]"),
        ({"measures": []}, "$.data"),
        ({"measures": [{"instrument": "VISA-G", "value": 50}]}, "$.data"),
        ({"measures": [{"instrument": "NPRS", "value": 10.5}]}, "$.data.measures[0]"),
        ({"measures": [{"instrument": "HARRIS", "value": 5}]}, "$.data.measures[0].instrument"),
        ({"activity_goals": ["walk"] * 11}, "$.data.activity_goals"),
        ({"sessions_per_week": 0}, "$.data.sessions_per_week"),
        ({"sessions_per_week": 8}, "$.data.sessions_per_week"),
        ({"equipment": ["rope"]}, "$.data.equipment[0]"),
        ({"notes": "x" * 4001}, "$.data.notes"),
        ({"intake_id": None}, "$.data.intake_id"),
    ],
)
def test_what_is_out_of_range_or_unknown_is_rejected(care: System, changes: Json, path: str) -> None:
    """Numbers outside their range and unknown ids are set aside with their path, never clipped."""
    patient = new_patient()
    told = intake(patient, care.now, **changes)
    (entry,) = care.put(told)
    care.settle()
    (letter,) = care.rejected(entry)
    assert letter["error"]["path"].startswith(path), letter["error"]
    assert letter["service"] == "intake"
    assert not care.read("classifications", patient)


def test_a_later_intake_of_the_same_id_replaces_the_earlier_one(care: System) -> None:
    """An answer to further questions changes the program, and does not start a second one."""
    patient, data = classified(care)
    assert data["disposition"] == "program"
    first = care.program(patient)
    care.tell(intake(patient, care.now + DAY, findings=HAMSTRING))
    assert care.classified(patient)["primary"] == "proximal_hamstring_tendinopathy"
    program = care.program(patient)
    assert program["program_id"] == first["program_id"]
    assert program["version"] == first["version"] + 1
    assert program["previous_version"] == first["version"]
    assert program["conditions"] == ["proximal_hamstring_tendinopathy"]
    assert program["reason"]


def test_an_emergency_found_again_is_told_once(care: System) -> None:
    """One open escalation for a patient and reason: a second report of the same flag raises nothing."""
    patient, _ = classified(care, red_flags={"saddle_anaesthesia": "present"})
    care.tell(intake(patient, care.now + HOUR, red_flags={"saddle_anaesthesia": "present"}))
    assert len(care.raised(patient)) == 1
    care.tell(intake(patient, care.now + HOUR, red_flags={"fever_or_rigors": "present"}))
    raised = care.raised(patient)
    assert len({one["escalation_id"] for one in raised}) == 1
    assert "fever_or_rigors" in json.dumps(raised[-1]["evidence"])
    assert "saddle_anaesthesia" in json.dumps(raised[-1]["evidence"])


def test_severity_rises_under_the_same_id(care: System) -> None:
    """What was routine and becomes an emergency is raised again, as the same escalation."""
    patient, _ = classified(care, red_flags={"claudication": "present"})
    care.tell(intake(patient, care.now + HOUR, red_flags={"saddle_anaesthesia": "present"}))
    raised = care.raised(patient, "red_flag")
    assert [one["severity"] for one in raised] == ["routine", "emergency"]
    assert len({one["escalation_id"] for one in raised}) == 1
    assert [one["holds_program"] for one in raised] == [False, True]


def test_a_red_flag_in_a_later_intake_holds_the_running_program(care: System) -> None:
    """The patient is in a program and a new intake tells of numbness: no session until a clinician decides."""
    patient, _ = classified(care)
    care.train(patient, care.now + HOUR)
    care.tell(
        intake(patient, care.now + DAY, intake_id=f"again-{patient}", red_flags={"saddle_anaesthesia": "present"})
    )
    (raised,) = care.raised(patient, "red_flag")
    assert care.program(patient)["status"] == "held"
    assert care.in_force(patient) == []
    care.tell(decision(patient, care.now + HOUR, "resume", escalation_id=raised["escalation_id"]))
    assert care.open(patient) == {}
    assert care.program(patient)["status"] == "active"
    assert care.in_force(patient)
