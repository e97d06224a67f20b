"""When a phase is left or gone back to, and what its session then holds."""

from typing import Any

from shared.protocol.library import shipped_protocols
from tests.support import planner_case
from tests.support.example import EPOCH, arrival
from tests.support.progression import Care, at, checkin, decided, performed, planned, program, session


def start(**changes: Any) -> Care:
    care = Care()
    care.feed(planned(**changes))
    return care


def with_modifiers(condition: str, *modifiers: str) -> dict[str, Any]:
    """An intake with these circumstances."""
    return {"intake": program(condition)["intake"] | {"modifiers": list(modifiers)}}


def good_day(care: Care, day: float, **report: Any) -> None:
    care.pass_time(at(day))
    care.feed(session(at(day), performed(care.prescription, rpe=6.0)))
    care.feed(checkin(at(day + 0.8), morning=2.0, **report))


def phase_of(care: Care) -> str:
    assert care.state is not None
    return care.state.head.stands[0].phase_id


def ids(care: Care) -> list[str]:
    return [one["exercise_id"] for one in care.prescription]


def test_sessions_of_other_exercises_do_not_count_for_a_phase() -> None:
    """Who does nothing of what is prescribed stays in the phase, however little it hurts."""
    care = start()
    other = [{"exercise_id": "swing_sled_or_sprint", "sets": [{"reps": 10, "rpe": 5.0}]}]
    for day in range(0, 20, 2):
        care.feed(session(at(day + 0.1), other))
        care.feed(checkin(at(day + 0.9), morning=2.0))
    assert phase_of(care) == "GT1"
    assert care.state is not None
    assert care.state.head.stands[0].sessions == 0


def test_half_of_a_phase_is_enough_for_a_session_to_count() -> None:
    """A session counts for the phase where at least half of its exercises were done."""
    care = start()
    done = performed(care.prescription)
    half = [one if i < 2 else {"exercise_id": one["exercise_id"], "skipped": True} for i, one in enumerate(done)]
    quarter = [one if i < 1 else {"exercise_id": one["exercise_id"], "skipped": True} for i, one in enumerate(done)]
    care.feed(session(at(0.1), quarter))
    assert care.state is not None
    assert care.state.head.stands[0].sessions == 0
    care.feed(session(at(1.1), half))
    assert care.state is not None
    assert care.state.head.stands[0].sessions == 1


def test_nothing_new_comes_within_a_lighter_week() -> None:
    """A phase that could be left during a deload is left after it."""
    care = start(condition="sacroiliac_joint_pain", phase_id="SI2")
    for day in range(0, 41, 2):
        good_day(care, day + 0.1)
    assert care.state is not None
    assert care.state.head.relief is not None
    assert phase_of(care) == "SI2"
    assert all(c.decision != "introduce" for a in care.adjustments for c in a.changes)
    for day in range(42, 50, 2):
        good_day(care, day + 0.1)
    assert phase_of(care) == "SI3"


def test_no_phase_is_left_while_a_red_flag_is_open() -> None:
    """A routine flag that nobody has decided on keeps the phase as it keeps the load."""
    care = start()
    good_day(care, 0.1, symptoms=["inflammatory_back_pain"])
    for day in range(2, 20, 2):
        good_day(care, day + 0.1)
    assert phase_of(care) == "GT1"


def test_symptoms_down_the_leg_keep_the_phase_for_a_week() -> None:
    """In deep gluteal syndrome the first phase is not left within a week of symptoms that spread down the leg."""
    care = start(condition="deep_gluteal_syndrome")
    measures = [{"instrument": "SIT_TOLERANCE_MIN", "value": 40}]
    for day in range(25):
        good_day(care, day + 0.1, measures=measures)
    care.feed(checkin(at(25), symptoms=["distal_spread"]))
    for day in range(25, 32):
        good_day(care, day + 0.1, measures=measures)
    assert phase_of(care) == "DG1"
    for day in range(32, 34):
        good_day(care, day + 0.1, measures=measures)
    assert phase_of(care) == "DG2"


def test_who_heals_slower_stays_longer_in_a_phase() -> None:
    """With age or frailty the least time in a phase is longer by three tenths."""
    usual, slower = start(), start(**with_modifiers("gluteal_tendinopathy", "age_65_or_frail"))
    for day in range(9):
        good_day(usual, day + 0.1)
        good_day(slower, day + 0.1)
    assert phase_of(usual) == "GT2"
    assert phase_of(slower) == "GT1"
    for day in range(9, 12):
        good_day(slower, day + 0.1)
    assert phase_of(slower) == "GT2"


def test_a_phase_of_excluded_exercises_is_filled_with_light_ones() -> None:
    """With osteoporosis the last hamstring phase keeps one exercise of its own; light ones make it four."""
    condition = "proximal_hamstring_tendinopathy"
    care = start(condition=condition, phase_id="PH3", **with_modifiers(condition, "osteoporosis"))
    for day in range(0, 36, 2):
        good_day(care, day + 0.1, measures=[{"instrument": "SIT_TOLERANCE_MIN", "value": 60}])
    assert phase_of(care) == "PH4"
    library = shipped_protocols().exercises.exercises
    assert len(ids(care)) == 4
    assert "leg_curl" in ids(care)
    assert all(library[one].max_flexion_deg <= 70 and library[one].stretch_shortening == 0 for one in ids(care))


def test_an_exercise_that_stops_is_followed_by_another() -> None:
    """Two red sessions running that leave nothing easier make room for another exercise of the phase."""
    care = start()
    gone = "supine_static_abduction"
    for day in (0.1, 2.1):
        exercises = performed(care.prescription)
        for one in exercises:
            pain = 7.0 if one["exercise_id"] == gone else 2.0
            one["sets"] = [a_set | {"pain": pain} for a_set in one["sets"]]
        care.feed(session(at(day), exercises, pain=7))
    kinds = {change.exercise_id: change.decision for change in care.adjustments[-1].changes}
    assert kinds[gone] == "stop"
    assert kinds["band_side_step"] == "introduce"
    assert len(ids(care)) == 4
    assert gone not in ids(care)


def test_what_a_clinician_takes_out_is_replaced() -> None:
    """`modify` that removes exercises leaves a session of four, without those that were removed."""
    care = start()
    gone = ids(care)[:2]
    care.feed(decided(at(1), "modify", program_id="program-1", changes={"remove_exercises": gone}))
    assert len(ids(care)) == 4
    assert not set(gone) & set(ids(care))


def test_fewer_exercises_are_prescribed_only_where_nothing_is_left() -> None:
    """When everything that is allowed has been removed, the rest is prescribed and the rationale says so."""
    care = start()
    while len(ids(care)) == 4:
        care.feed(
            decided(
                at(1) + (care.now - at(0)) / 100,
                "modify",
                program_id="program-1",
                changes={"remove_exercises": ids(care)[:1]},
                decision_id=f"decision-{len(care.decisions)}",
            )
        )
    assert 0 < len(ids(care)) < 4


def test_the_safe_start_of_an_undetermined_condition_stays_in_its_limits() -> None:
    """Before an examination no phase begins and nothing bends the hip deeply, jumps or stretches."""
    event = planner_case.classified({"gluteal_tendinopathy": 0.4}, disposition="clinician_review")
    approved = planner_case.decided("approve", intake_id="intake-1")
    data = planner_case.program(event, approved).model_dump(mode="json")
    care = Care()
    care.feed(arrival("care.program.planned.v1", data, event_id="planned", time=EPOCH))
    for day in range(30):
        care.pass_time(at(day + 0.1))
        exercises = performed(care.prescription, rpe=4.0)
        care.feed(session(at(day + 0.1), exercises, pain=1, program_id=data["program_id"]))
        care.feed(checkin(at(day + 0.8), morning=1.0))
        if day == 20:
            gone = ids(care)[:2]
            changes = {"remove_exercises": gone}
            care.feed(decided(at(day + 0.9), "modify", program_id=data["program_id"], changes=changes))
    library = care.protocols.exercises.exercises
    assert phase_of(care) == "GT1"
    assert len(ids(care)) == 4
    for one in {e.exercise_id for a in care.adjustments for e in a.prescription}:
        assert library[one].max_flexion_deg <= 70
        assert library[one].kind not in ("stretch", "energy_storage")


def test_two_weeks_without_a_session_go_back_one_phase() -> None:
    """Over fifteen missed days bring the phase before, once, with its own exercises at their start."""
    care = start(phase_id="GT3")
    good_day(care, 0.1)
    care.pass_time(at(21))
    assert phase_of(care) == "GT2"
    assert 4 <= len(ids(care)) <= 5
    care.pass_time(at(40))
    assert phase_of(care) == "GT2"
    assert 4 <= len(ids(care)) <= 5


def test_an_exercise_goes_on_in_the_way_of_its_new_phase() -> None:
    """What two phases share takes over the new phase's effort and days and keeps its load."""
    care = start(phase_id="GT2")
    for day in range(0, 12, 2):
        good_day(care, day + 0.1)
    assert phase_of(care) == "GT3"
    entered = next(a for a in care.adjustments if a.phase_id == "GT3")
    shared = next(one for one in entered.prescription if one.exercise_id == "band_side_step")
    assert (shared.target_rpe, shared.reps) == (4.0, 5)
