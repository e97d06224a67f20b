"""The safety envelope: what no history and no protocol may bring about."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.event.adjustment import LoadAdjusted
from tests.support.example import arrival
from tests.support.progression import Care, at, checkin, decided, performed, planned, program, session

CONDITIONS = [
    "gluteal_tendinopathy",
    "sacroiliac_joint_pain",
    "deep_gluteal_syndrome",
    "proximal_hamstring_tendinopathy",
]
AXES = ("reps", "hold_s", "load_kg", "load_level", "sets", "exercise_id")


@st.composite
def courses(draw: st.DrawFn) -> Care:
    """Some weeks of care with whatever a patient may report."""
    condition = draw(st.sampled_from(CONDITIONS))
    weights = {"dumbbell": [2.0, 3.0, 4.0, 5.0, 7.5, 10.0]}
    first = program(condition)["prescription"]
    first[0] |= {"equipment": "dumbbell", "load_kg": 2.0}
    care = Care()
    intake = program(condition)["intake"] | {"load_steps_kg": weights}
    care.feed(planned(condition=condition, prescription=first, intake=intake))
    day = 0.0
    for _ in range(draw(st.integers(4, 16))):
        day += draw(st.sampled_from([1, 1, 2, 2, 3, 9]))
        care.pass_time(at(day))
        symptoms = draw(
            st.sampled_from(
                [[], [], [], [], [], ["distal_spread"], ["illness_or_fever"], ["claudication"], ["syncope_in_session"]]
            )
        )
        care.feed(
            session(
                at(day),
                performed(care.prescription, rpe=draw(st.sampled_from([5.0, 6.0, 7.0, 7.0, 9.0, None]))),
                pain=draw(st.sampled_from([1, 1, 2, 2, 2, 4, 7])),
                symptoms=symptoms,
            )
        )
        if draw(st.integers(0, 3)):
            care.feed(checkin(at(day + 0.7), morning=draw(st.sampled_from([1, 2, 2, 2, 5]))))
        if draw(st.integers(0, 5)) == 0:
            care.feed(decided(at(day + 0.8), draw(st.sampled_from(["hold", "resume"])), program_id="program-1"))
    care.pass_time(at(day + 3))
    return care


SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(courses())
def test_a_rise_moves_one_axis_within_its_cap(care: Care) -> None:
    """A progress changes one thing about an exercise, and weight by ten percent or one smallest step."""
    for adjustment in care.adjustments:
        for change in adjustment.changes:
            if change.decision != "progress":
                continue
            assert change.from_ is not None
            assert change.to is not None
            risen = [a for a in AXES if _rises(change.from_.get(a), change.to.get(a))]
            if "exercise_id" in change.to:
                continue  # a harder variant, with a dose of its own
            assert len(risen) <= 1
            if "load_kg" in risen:
                steps = [2.0, 3.0, 4.0, 5.0, 7.5, 10.0]
                old, new = change.from_["load_kg"], change.to["load_kg"]
                assert new <= max(old * 1.1, min(kg for kg in steps if kg > old)) + 1e-9


@SLOW
@given(courses())
def test_nothing_rises_without_a_good_answer(care: Care) -> None:
    """A progress comes with a check-in only: never at a session, a timer, a hold or an open red flag."""
    for decision in care.decisions:
        for draft in decision.drafts:
            data = draft.data
            if isinstance(data, LoadAdjusted) and any(c.decision == "progress" for c in data.changes):
                assert data.checkin_id is not None
                assert data.prescription
                assert decision.state is not None
                assert decision.state.head.holds == ()
                assert decision.state.head.escalation("red_flag") is None


@SLOW
@given(courses())
def test_a_hold_prescribes_nothing(care: Care) -> None:
    """While a hold stands, whatever is published carries no session."""
    for decision in care.decisions:
        assert decision.state is not None
        if decision.state.head.holds:
            for draft in decision.drafts[-1:]:
                assert not getattr(draft.data, "prescription", ())


@SLOW
@given(courses())
def test_no_exercise_comes_before_its_phase(care: Care) -> None:
    """No exercise is brought in that the treated condition excludes in its current phase."""
    exercises = care.protocols.exercises.exercises
    for adjustment in care.adjustments:
        for change in adjustment.changes:
            if change.decision == "introduce":
                earliest = exercises[change.exercise_id].earliest_phase[adjustment.protocol.id]
                assert earliest is not None
                assert earliest <= int(adjustment.phase_id[-1])


@SLOW
@given(courses(), st.integers(0, 3))
def test_a_stop_stops(care: Care, days: int) -> None:
    """After the patient has stopped, nothing is prescribed, nothing falls due, nothing is asked."""
    time = care.now.replace(microsecond=0)
    care.feed(arrival("care.program.stopped.v1", {"program_id": "program-1"}, event_id="stop", time=time))
    told = len(care.drafts)
    assert care.timers == {}
    care.feed(session(time.replace(hour=23), [], session_id="after"))
    for draft in care.drafts[told:]:
        assert isinstance(draft.data, LoadAdjusted)
        assert draft.data.late
        assert draft.data.prescription == ()


def test_a_year_of_care_keeps_the_state_small() -> None:
    """The state after a year is no larger than after two months."""
    care = Care()
    care.feed(planned())
    sizes: list[int] = []
    for day in range(0, 364, 2):
        care.pass_time(at(day + 0.1))
        care.feed(session(at(day + 0.1), performed(care.prescription), pain=(day % 7) * 0.7))
        measures: list[dict[str, Any]] = [{"instrument": "NPRS", "value": 3 + day % 3}]
        care.feed(checkin(at(day + 0.9), morning=2.0, measures=measures))
        sizes.append(len(msgspec.msgpack.encode(care.state)))
    early, late = max(sizes[:30]), max(sizes[-30:])
    assert late < early * 1.25
    assert late < 60_000


def _rises(before: Any, after: Any) -> bool:
    if isinstance(after, str) or isinstance(before, str):
        return bool(before != after)
    return bool(after is not None and (before is None or after > before))
