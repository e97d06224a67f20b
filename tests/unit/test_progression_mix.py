"""Two conditions at once: one leads and progresses, the other holds."""

from typing import Any

from tests.support import planner_case
from tests.support.example import EPOCH, arrival
from tests.support.planner_case import DGS, GT, PHT, SIJ
from tests.support.progression import Care, at, checkin, decided, performed, session

PROGRAM = "prg-intake-1"


def start(probabilities: dict[str, float], **facts: Any) -> Care:
    """Care for a mix as the planner begins it."""
    data = planner_case.program(planner_case.classified(probabilities, **facts)).model_dump(mode="json")
    care = Care()
    care.feed(arrival("care.program.planned.v1", data, event_id="planned", time=EPOCH))
    return care


def hamstring_leads(**facts: Any) -> Care:
    return start({GT: 0.8, PHT: 0.5}, findings_present=["sitting_pain_on_ischium"], **facts)


def good_day(care: Care, day: float, pain: float = 1.0) -> None:
    care.pass_time(at(day))
    care.feed(session(at(day), performed(care.prescription, rpe=5.0), pain=pain, program_id=PROGRAM))
    care.feed(checkin(at(day + 0.8), morning=1.0))


def loads_of(care: Care, exercise_id: str) -> tuple[str, ...]:
    return care.protocols.exercises.exercises[exercise_id].loads


def risen(care: Care) -> set[str]:
    return {c.exercise_id for a in care.adjustments for c in a.changes if c.decision == "progress"}


def test_the_condition_that_leads_is_the_one_that_progresses() -> None:
    """With an irritable hamstring the hamstring's phase is left, and the gluteal one stays where it is."""
    care = hamstring_leads()
    for day in range(24):
        good_day(care, day + 0.1)
    assert care.state is not None
    phases = {stand.condition_id: stand.phase_id for stand in care.state.head.stands}
    assert phases[GT] == "GT1"
    assert phases[PHT] != "PH1"
    assert care.adjustments[-1].phase_id == phases[PHT]
    assert care.adjustments[-1].protocol.id == PHT


def test_work_for_the_other_tendon_alone_holds() -> None:
    """While the hamstring leads no exercise for the gluteal tendon alone rises, whichever phase lists it."""
    care = hamstring_leads()
    for day in range(10):
        good_day(care, day + 0.1)
    assert "isometric_leg_curl" in risen(care)
    assert not [one for one in risen(care) if loads_of(care, one) == ("gluteal",)]


def test_what_serves_only_the_condition_that_holds_does_not_rise() -> None:
    """While the deep gluteal syndrome leads, exercises of the sacroiliac program alone hold."""
    care = start({DGS: 0.7, SIJ: 0.5}, findings_present=["leg_paraesthesia_non_dermatomal"])
    only = {"double_leg_squat", "supine_static_abduction"} & {one["exercise_id"] for one in care.prescription}
    for day in range(10):
        good_day(care, day + 0.1)
    assert only
    assert not only & risen(care)


def test_the_stricter_pain_rule_holds() -> None:
    """Pain of 4 is allowed for the gluteal tendon and too much for the hamstring: the load falls."""
    alone, mixed = start({GT: 0.85}), hamstring_leads()
    good_day(alone, 0.1, pain=4)
    good_day(mixed, 0.1, pain=4)
    assert {c.decision for a in alone.adjustments for c in a.changes} == {"hold"}
    assert "regress" in {c.decision for a in mixed.adjustments for c in a.changes}


def test_two_tendons_share_the_days_that_a_clinician_leaves() -> None:
    """With two days a week each tendon gets one of them."""
    care = hamstring_leads()
    care.feed(decided(at(1), "modify", program_id=PROGRAM, changes={"sessions_per_week": 2}))
    for one in care.prescription:
        if len(loads_of(care, one["exercise_id"])) == 1:
            assert one["days_per_week"] == 1
    assert 4 <= len(care.prescription) <= 5


def test_with_one_day_only_the_leading_tendon_is_loaded() -> None:
    """Two tendons cannot alternate within one day: work for the other one alone is taken out."""
    care = hamstring_leads()
    care.feed(decided(at(1), "modify", program_id=PROGRAM, changes={"sessions_per_week": 1}))
    assert not [one for one in care.prescription if loads_of(care, one["exercise_id"]) == ("gluteal",)]
    assert len(care.prescription) >= 4


def test_what_is_brought_in_is_told_to_be_done_on_other_days() -> None:
    """An exercise for one tendon that the plan did not hold comes with the same words on alternate days."""
    care = hamstring_leads()
    known = {one["exercise_id"] for one in care.prescription}
    gone = sorted(known - {"isometric_leg_curl"})
    care.feed(decided(at(1), "modify", program_id=PROGRAM, changes={"remove_exercises": gone}))
    new = [one for one in care.prescription if one["exercise_id"] not in known]
    single = [one for one in new if len(loads_of(care, one["exercise_id"])) == 1]
    assert single
    assert all("on other days than the" in one["instructions"] for one in single)
    assert 4 <= len(care.prescription) <= 5
