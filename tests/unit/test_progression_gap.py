"""Missed days and illness: how much load remains, in grades."""

from typing import Any

import pytest

from tests.support.progression import Care, at, checkin, performed, planned, program, session

WEIGHTS_KG = [float(kg) for kg in range(1, 41)]


def strong() -> Care:
    """Hamstring care in its second phase with twenty kilograms, after one good session."""
    curl: dict[str, Any] = {
        "exercise_id": "leg_curl",
        "name": "Leg curl",
        "sets": 3,
        "reps": 10,
        "equipment": "dumbbell",
        "load_kg": 20.0,
        "days_per_week": 3,
        "target_rpe": 6.0,
        "side": "right",
        "instructions": "Slowly.",
    }
    condition = "proximal_hamstring_tendinopathy"
    care = Care()
    care.feed(
        planned(
            condition=condition,
            phase_id="PH2",
            prescription=[curl],
            intake=program(condition)["intake"]
            | {"load_steps_kg": {"dumbbell": WEIGHTS_KG}, "equipment": ["dumbbell"]},
        )
    )
    care.feed(session(at(0), performed(care.prescription, rpe=6.0)))
    return care


def curl_kg(care: Care) -> float | None:
    return next((one["load_kg"] for one in care.prescription if one["exercise_id"] == "leg_curl"), None)


@pytest.mark.parametrize(
    ("missed_days", "load_kg"),
    [(3, 20.0), (4, 18.0), (7, 18.0), (8, 15.0), (14, 15.0)],
)
def test_missed_days_take_load_off_in_grades(missed_days: int, load_kg: float) -> None:
    """Up to three missed days change nothing, from four a tenth, from eight a quarter of the load before."""
    care = strong()
    care.pass_time(at(3 + missed_days))  # three days are the interval between two sessions
    assert curl_kg(care) == load_kg


def test_over_two_weeks_go_back_a_phase_and_over_four_ask_for_a_screen() -> None:
    """From the fifteenth day the phase before holds; from the twenty-ninth a clinician screens again."""
    care = strong()
    care.pass_time(at(3 + 15))
    assert care.adjustments[-1].phase_id == "PH1"
    assert "clinician_review" not in {one.reason for one in care.raised}
    held = [one["exercise_id"] for one in care.prescription]
    assert 4 <= len(held) <= 5
    care.pass_time(at(40))
    assert "clinician_review" in {one.reason for one in care.raised}
    assert care.adjustments[-1].phase_id == "PH1"
    assert [one["exercise_id"] for one in care.prescription] == held


def test_a_session_ends_the_gap() -> None:
    """After a session the days are counted anew, from the load that is now in force."""
    care = strong()
    care.pass_time(at(8))
    care.feed(session(at(8), performed(care.prescription, rpe=6.0)))
    assert curl_kg(care) == 18.0
    care.pass_time(at(10))
    assert curl_kg(care) == 18.0
    care.pass_time(at(16))
    assert curl_kg(care) == 16.0


def test_illness_rests_until_a_day_after_its_last_report() -> None:
    """Each report of fever moves the return; then three tenths less, once."""
    care = strong()
    care.feed(checkin(at(0.5), symptoms=["illness_or_fever"]))
    assert care.prescription == []
    care.feed(checkin(at(1.2), symptoms=["illness_or_fever"]))
    care.pass_time(at(2.1))
    assert care.prescription == []
    care.pass_time(at(2.3))
    assert curl_kg(care) == 14.0
    assert "P19" in care.adjustments[-1].references


def test_a_session_while_ill_earns_nothing() -> None:
    """Who trains with fever gets no step for it, and the rest goes on."""
    care = strong()
    care.feed(checkin(at(0.5), symptoms=["illness_or_fever"]))
    care.feed(session(at(1), [{"exercise_id": "leg_curl", "sets": [{"reps": 10, "load_kg": 20.0, "rpe": 5.0}] * 3}]))
    care.feed(checkin(at(1.4), morning=1.0))
    assert care.prescription == []
    care.pass_time(at(2))
    assert curl_kg(care) == 14.0


def test_going_back_a_phase_raises_nothing() -> None:
    """What the earlier phase lists too keeps its lighter load, and comes no more often than before."""
    care = Care()
    care.feed(planned(phase_id="GT2"))
    care.feed(session(at(0), performed(care.prescription)))
    before = {one["exercise_id"]: one for one in care.prescription}
    care.pass_time(at(21))
    assert care.adjustments[-1].phase_id == "GT1"
    assert all(change.decision != "progress" for a in care.adjustments for change in a.changes)
    shared = [one for one in care.prescription if one["exercise_id"] in before]
    assert shared
    for one in shared:
        earlier = before[one["exercise_id"]]
        assert one["reps"] < earlier["reps"]
        assert one["sets"] <= earlier["sets"]
        assert one["target_rpe"] <= earlier["target_rpe"]
