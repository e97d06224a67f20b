"""How load follows a session and its next morning."""

from typing import Any

import pytest

from tests.support.progression import Care, at, checkin, decided, performed, planned, program, session

KG = {
    "exercise_id": "leg_curl",
    "name": "Leg curl",
    "sets": 3,
    "reps": 8,
    "equipment": "dumbbell",
    "load_kg": 10.0,
    "days_per_week": 3,
    "target_rpe": 6.0,
    "side": "right",
    "instructions": "Slowly.",
}

WEIGHTS_KG = [10.0, 11.0, 12.0, 15.0, 17.5, 20.0, 22.5, 25.0]


def start(**changes: Any) -> Care:
    care = Care()
    care.feed(planned(**changes))
    return care


def strong(**changes: Any) -> Care:
    """Hamstring care in its second phase with one weighted exercise and the weights that exist."""
    intake = program()["intake"] | {"load_steps_kg": {"dumbbell": WEIGHTS_KG}}
    return start(
        condition="proximal_hamstring_tendinopathy",
        phase_id="PH2",
        prescription=[KG | changes],
        intake=intake,
    )


def good_day(care: Care, day: float, rpe: float | None = 6.0) -> None:
    care.feed(session(at(day), performed(care.prescription, rpe=rpe)))
    care.feed(checkin(at(day + 0.8), morning=2.0))


def changes_of(care: Care) -> dict[str, str]:
    return {change.exercise_id: change.decision for change in care.adjustments[-1].changes}


def test_a_good_session_earns_a_step_that_waits_for_the_morning() -> None:
    """After a good session the load holds at once, and rises only after a good next morning."""
    care = start()
    first = program()["prescription"]
    care.feed(session(at(0.1), performed(first)))
    assert set(changes_of(care).values()) == {"hold"}
    care.feed(checkin(at(0.9), morning=2.0))
    assert care.adjustments[-1].session_id is None
    assert care.adjustments[-1].checkin_id is not None
    assert changes_of(care)["supine_static_abduction"] == "progress"


def test_a_missing_morning_holds_the_load() -> None:
    """No answer the next morning is never good news: what was earned is not given."""
    care = start()
    care.feed(session(at(0.1), performed(program()["prescription"])))
    care.pass_time(at(2))
    last = care.adjustments[-1]
    assert last.session_id is None
    assert last.checkin_id is None
    assert set(changes_of(care).values()) == {"hold"}
    assert "P21" in last.references


def test_a_late_told_morning_gives_what_was_earned_after_all() -> None:
    """A morning that was answered in time and arrives days later counts as if it had come at once."""
    care = start()
    care.feed(session(at(0.1), performed(program()["prescription"])))
    care.pass_time(at(3))
    held = care.prescription
    care.feed(checkin(at(0.9), morning=2.0), at(3))
    assert care.prescription != held
    assert changes_of(care)["supine_static_abduction"] == "progress"


@pytest.mark.parametrize("pain", [5.5, 7, 10])
def test_a_red_session_goes_one_step_back_at_once(pain: float) -> None:
    """Pain above what the condition allows lowers the load without waiting for anything."""
    care = start()
    care.feed(session(at(0.1), performed(program()["prescription"]), pain=pain))
    assert "regress" in changes_of(care).values()
    assert "progress" not in changes_of(care).values()


def test_an_amber_session_holds() -> None:
    """Pain of 4 or 5 is allowed in gluteal tendinopathy and changes nothing."""
    care = start()
    care.feed(session(at(0.1), performed(program()["prescription"]), pain=4))
    assert set(changes_of(care).values()) == {"hold"}
    care.feed(checkin(at(0.9), morning=2.0))
    assert len(care.adjustments) == 1


@pytest.mark.parametrize("rpe", [None, 7.5, 9])
def test_effort_that_is_high_or_unknown_earns_nothing(rpe: float | None) -> None:
    """Without the effort, or above 7 of 10, no step is earned."""
    care = start()
    good_day(care, 0.1, rpe=rpe)
    assert all("progress" not in {c.decision for c in a.changes} for a in care.adjustments)


def test_weight_rises_after_two_sessions_at_the_top_and_repetitions_start_again() -> None:
    """Two good sessions at the top of the range bring the next weight that exists, within ten percent."""
    care = strong(reps=15)
    good_day(care, 0.1)
    assert care.adjustments[-1].changes[0].decision == "hold"
    good_day(care, 2.1)
    change = care.adjustments[-1].changes[0]
    assert change.decision == "progress"
    assert (change.from_, change.to) == ({"load_kg": 10.0}, {"load_kg": 11.0})


def test_weight_rises_at_most_one_step_or_twenty_percent_within_a_week() -> None:
    """Whatever is earned, a week's rise of weight stays within its cap."""
    care = strong()
    loads: list[tuple[float, float]] = []
    for day in range(20):
        good_day(care, day + 0.1)
        loads.append((float(day), care.prescription[0]["load_kg"]))
    for when, load in loads:
        lowest = min(kg for other, kg in loads if when - 7 < other <= when)
        one_step = min(kg for kg in WEIGHTS_KG if kg > lowest)
        assert load <= max(lowest * 1.2, one_step) + 1e-9
    assert loads[-1][1] > 10


def test_repeated_red_on_one_exercise_replaces_or_stops_it() -> None:
    """Two red sessions running on one exercise bring its easier variant or take it out; others stay."""
    care = start(condition="gluteal_tendinopathy", phase_id="GT3")
    for day in (0.1, 2.1):
        exercises = performed(care.prescription)
        exercises[0]["sets"] = [one | {"pain": 7.0} for one in exercises[0]["sets"]]
        for other in exercises[1:]:
            other["sets"] = [one | {"pain": 2.0} for one in other["sets"]]
        care.feed(session(at(day), exercises, pain=7))
    kinds = [change.decision for change in care.adjustments[-1].changes]
    assert {"substitute", "stop"} & set(kinds)
    assert len(care.prescription) >= 3


def test_a_skipped_exercise_stays_as_it_is() -> None:
    """What was not done neither rises nor falls."""
    care = start()
    exercises = performed(program()["prescription"])
    exercises[0] = {"exercise_id": exercises[0]["exercise_id"], "skipped": True}
    care.feed(session(at(0.1), exercises))
    care.feed(checkin(at(0.9), morning=2.0))
    assert exercises[0]["exercise_id"] not in changes_of(care)


def test_days_missed_lower_the_load_step_by_step() -> None:
    """After over four missed days there is less load, after over a week still less."""
    care = strong()
    good_day(care, 0.1)
    before = care.prescription[0]
    care.pass_time(at(9))
    after_four = care.prescription[0]
    assert "P18" in care.adjustments[-1].references
    care.pass_time(at(13))
    assert care.prescription[0] != after_four != before


def test_illness_pauses_and_comes_back_with_less() -> None:
    """Fever brings no session until a day after its last report, and then less load."""
    care = start()
    care.feed(session(at(0.1), performed(program()["prescription"]), symptoms=["illness_or_fever"]))
    assert not care.prescription
    care.pass_time(at(1.5))
    assert care.adjustments[-1].session_id is None
    assert len(care.prescription) == 4
    assert set(changes_of(care).values()) <= {"regress", "hold"}
    assert "regress" in changes_of(care).values()


def test_a_clinician_may_change_the_program() -> None:
    """`modify` takes exercises out, limits the days and scales the load, and publishes the program."""
    care = start()
    gone = program()["prescription"][0]["exercise_id"]
    care.feed(
        decided(
            at(1),
            "modify",
            program_id="program-1",
            changes={"remove_exercises": [gone], "sessions_per_week": 2, "load_factor": 0.8},
        )
    )
    changed = care.programs[-1]
    assert changed.status == "active"
    assert gone not in {one.exercise_id for one in changed.prescription}
    assert all((one.days_per_week or 0) <= 2 for one in changed.prescription)
    assert changed.schedule.sessions_per_week == 2


def test_every_adjustment_explains_itself() -> None:
    """Each adjustment has its reasons in words, what would have turned it, and rows of evidence."""
    care = start()
    for day in range(0, 10, 2):
        good_day(care, day + 0.1)
    for adjustment in care.adjustments:
        assert adjustment.rationale
        assert adjustment.turning_point
        assert set(adjustment.references) <= set(care.protocols.evidence)
        assert adjustment.references
        assert adjustment.protocol.id == "gluteal_tendinopathy"


def test_a_phase_is_left_when_its_criteria_were_met_twice() -> None:
    """With settled mornings, enough sessions and green lights the next phase begins and says why."""
    care = start()
    for day in range(0, 14, 2):
        good_day(care, day + 0.1)
    assert care.adjustments[-1].phase_id == "GT2"
    introduced = [c for a in care.adjustments for c in a.changes if c.decision == "introduce"]
    assert introduced
    assert all(change.from_ is None and change.to for change in introduced)
