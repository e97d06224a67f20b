"""Red flags, holds and what a clinician's word does to them."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from tests.support.example import arrival
from tests.support.progression import (
    Care,
    at,
    changed,
    checkin,
    decided,
    performed,
    planned,
    salvaged,
    session,
)

FLAG = ["saddle_anaesthesia"]


def start(**changes: Any) -> Care:
    care = Care()
    care.feed(planned(**changes))
    return care


def flagged(care: Care, day: float = 1.0, symptoms: list[str] | None = None, **changes: Any) -> str:
    """A session with a red flag; the id of its escalation."""
    care.feed(session(at(day), performed(care.prescription), symptoms=symptoms or FLAG, **changes))
    return care.raised[-1].escalation_id


@pytest.mark.parametrize(
    ("symptom", "severity", "minutes"),
    [
        ("saddle_anaesthesia", "emergency", 15),
        ("unremitting_night_pain", "urgent", 120),
        ("sudden_severe_pain", "urgent", 120),
    ],
)
def test_a_red_flag_holds_the_program_at_once(symptom: str, severity: str, minutes: int) -> None:
    """An emergency or urgent flag takes the prescription away and asks a person within minutes or hours."""
    care = start()
    flagged(care, symptoms=[symptom])
    raised = care.raised[-1]
    assert (raised.reason, raised.severity, raised.holds_program) == ("red_flag", severity, True)
    assert raised.respond_by == at(1) + timedelta(minutes=minutes)
    assert care.programs[-1].status == "held"
    assert care.programs[-1].prescription == ()
    assert care.adjustments[-1].prescription == ()
    assert care.adjustments[-1].changes == ()


def test_a_routine_flag_asks_a_clinician_and_holds_nothing() -> None:
    """A routine flag is for the clinician's list; the program goes on."""
    care = start()
    flagged(care, symptoms=["inflammatory_back_pain"])
    assert (care.raised[-1].severity, care.raised[-1].holds_program) == ("routine", False)
    assert care.programs == []
    assert care.adjustments[-1].prescription


def test_a_second_flag_is_told_under_the_same_escalation() -> None:
    """A different flag is never lost: the open escalation is raised again with it."""
    care = start()
    first = flagged(care, symptoms=["inflammatory_back_pain"])
    second = flagged(care, 2.0, symptoms=["saddle_anaesthesia"])
    assert first == second
    assert care.raised[-1].severity == "emergency"
    assert care.raised[-1].evidence["red_flags"] == ["inflammatory_back_pain", "saddle_anaesthesia"]
    assert care.programs[-1].status == "held"


def test_the_same_flag_again_raises_nothing() -> None:
    """What is open already is not raised twice."""
    care = start()
    flagged(care)
    flagged(care, 2.0)
    assert len(care.raised) == 1


def test_a_flag_acts_before_its_program_is_known() -> None:
    """A session whose program nobody knows waits; its red flag does not."""
    care = Care()
    decision = care.feed(session(at(1), [], symptoms=FLAG))
    assert decision.outcome == "waiting"
    assert care.raised[-1].reason == "red_flag"
    care.feed(planned())
    assert len(care.raised) == 1
    assert care.programs[-1].status == "held"


def test_a_flag_acts_after_the_program_has_ended_and_when_it_comes_too_late() -> None:
    """Ended programs and events beyond the late window still raise their red flags."""
    care = start()
    care.feed(checkin(at(40), measures=[{"instrument": "NPRS", "value": 3}]))
    late = session(at(20), [], symptoms=FLAG)
    care.feed(late)
    assert care.raised[-1].reason == "red_flag"
    assert care.adjustments[-1].late
    care.feed(decided(at(41), "discharge", program_id="program-1"))
    care.feed(session(at(42), [], symptoms=["claudication"]))
    assert care.raised[-1].evidence["red_flags"] == ["claudication"]
    assert care.adjustments[-1].late
    assert care.adjustments[-1].prescription == ()


def test_flags_saved_from_a_rejected_event_hold_the_program() -> None:
    """Where the rest of an event cannot be read, its red flags act all the same."""
    care = start()
    care.feed(salvaged(at(1), ("saddle_anaesthesia", "emergency")))
    assert care.raised[-1].holds_program
    assert care.programs[-1].status == "held"


def test_perfect_sessions_under_a_hold_raise_nothing() -> None:
    """While the program is held sessions count, and no load follows from them."""
    care = start()
    prescription = care.prescription
    flagged(care)
    for day in range(2, 8):
        care.feed(session(at(day), performed(prescription)))
        care.feed(checkin(at(day + 0.8), morning=1.0))
    assert all(not a.prescription and not a.changes for a in care.adjustments)
    assert care.adjustments[-1].response.sessions_done >= 5


def test_resume_ends_the_hold_and_prescribes() -> None:
    """`resume` resolves what was open and always publishes a prescription."""
    care = start()
    before = care.prescription
    escalation = flagged(care)
    care.feed(decided(at(2), "resume", escalation_id=escalation))
    assert care.resolved[-1].resolution == "resume"
    assert care.programs[-1].status == "active"
    assert [one.exercise_id for one in care.programs[-1].prescription] == [e["exercise_id"] for e in before]


def test_resume_after_a_long_hold_begins_with_less() -> None:
    """After weeks without a session the load comes back reduced."""
    care = start()
    before = care.prescription
    escalation = flagged(care)
    care.feed(decided(at(14), "resume", escalation_id=escalation))
    assert care.prescription
    assert care.prescription != before


def test_continue_keeps_a_hold_and_keeps_the_reason_quiet() -> None:
    """`continue` resolves the escalation, the hold stays, and the same flag stays quiet for four weeks."""
    care = start()
    escalation = flagged(care, symptoms=["unremitting_night_pain"])
    care.feed(decided(at(2), "continue", escalation_id=escalation))
    assert care.resolved[-1].resolution == "continue"
    assert care.state is not None
    assert care.state.head.holds == ("clinician",)
    care.feed(checkin(at(3), symptoms=["unremitting_night_pain"]))
    assert len(care.raised) == 1
    care.feed(checkin(at(4), symptoms=["saddle_anaesthesia"]))
    assert len(care.raised) == 2
    care.feed(checkin(at(35), symptoms=["unremitting_night_pain"]))
    assert "unremitting_night_pain" in care.raised[-1].evidence["red_flags"]


def test_hold_by_a_clinician_leaves_the_escalation_open() -> None:
    """`hold` takes the prescription away and resolves nothing."""
    care = start()
    escalation = flagged(care, symptoms=["claudication"])
    care.feed(decided(at(2), "hold", escalation_id=escalation))
    assert care.programs[-1].status == "held"
    assert care.programs[-1].prescription == ()
    assert care.resolved == []


@pytest.mark.parametrize("decision", ["refer", "discharge"])
def test_refer_and_discharge_end_everything(decision: str) -> None:
    """All that is open closes, the program ends and no timer is left."""
    care = start()
    escalation = flagged(care)
    care.feed(decided(at(2), decision, escalation_id=escalation))
    assert care.resolved[-1].resolution == decision
    assert care.programs[-1].status == "ended"
    assert care.timers == {}


def test_stop_ends_the_program_and_leaves_red_flags_open() -> None:
    """The patient may end the program at any time; a red flag still needs its person."""
    care = start()
    flagged(care)
    stop = {"program_id": "program-1", "reason": "No longer wanted."}
    care.feed(arrival("care.program.stopped.v1", stop, event_id="stop", time=at(2)))
    assert care.programs[-1].status == "ended"
    assert care.resolved == []
    assert care.timers == {}
    care.feed(session(at(3), []))
    assert care.adjustments[-1].late
    assert care.prescription == []


def test_a_decision_that_comes_before_what_it_decides_on_waits() -> None:
    """Streams are not ordered among each other: the decision takes effect once its escalation is known."""
    known = start()
    escalation = flagged(known)
    care = start()
    flag = session(at(1), performed(care.prescription), symptoms=FLAG)
    decision = care.feed(decided(at(2), "resume", escalation_id=escalation))
    assert decision.outcome == "waiting"
    care.feed(flag)
    assert care.state is not None
    assert care.state.head.open == ()
    assert care.programs == [] or care.programs[-1].status == "active"


def test_a_session_of_an_unknown_program_is_rejected_after_the_late_window() -> None:
    """It waits two weeks as state and goes to the dead letters with its original bytes."""
    care = Care()
    event = session(at(1), [])
    care.feed(event)
    assert care.timers
    care.pass_time(at(16))
    rejection = care.decisions[-1].rejections[0]
    assert rejection.code == "unknown_program"
    assert base64.b64encode(rejection.origin.raw) == base64.b64encode(event.origin.raw)
    assert care.timers == {}


def test_decisions_on_what_is_not_ours_are_let_go() -> None:
    """An escalation of another service is not ours to answer, and nothing is rejected for it."""
    care = start()
    care.feed(decided(at(1), "continue", escalation_id="of-the-planner"))
    care.pass_time(at(20))
    assert all(not decision.rejections for decision in care.decisions)
    assert care.state is not None
    assert care.state.waiting == ()


def test_a_new_version_keeps_the_loads_that_were_tolerated() -> None:
    """After `reclassify` the planner's new program is taken over; exercises that remain keep their load."""
    care = start()
    care.feed(session(at(0.1), performed(care.prescription)))
    care.feed(checkin(at(0.9), morning=2.0))
    reached = {one["exercise_id"]: one for one in care.prescription}
    care.feed(changed(at(2), version=2))
    now = {one["exercise_id"]: one for one in care.prescription}
    assert now["supine_static_abduction"]["reps"] == reached["supine_static_abduction"]["reps"]


def test_a_proposed_program_counts_sessions_and_changes_nothing() -> None:
    """Until a clinician approves it nothing rises; approval makes it active."""
    care = start(status="proposed")
    care.feed(session(at(0.1), performed(care.prescription)))
    care.feed(checkin(at(0.9), morning=2.0))
    assert all(not a.changes for a in care.adjustments)
    care.feed(changed(at(2), version=2))
    care.feed(session(at(2.1), performed(care.prescription)))
    assert care.adjustments[-1].changes


def test_silence_is_told_after_a_week_but_not_while_away() -> None:
    """A week without any word asks a clinician to look; time away is no silence."""
    care = start()
    care.pass_time(at(7.5))
    assert [one.reason for one in care.raised] == ["no_contact"]
    away = start()
    data = {"away": {"from": "2026-03-03", "to": "2026-03-20"}}
    away.feed(arrival("care.patient.updated.v1", data, event_id="away", time=at(0.5)))
    away.pass_time(at(20))
    assert "no_contact" not in [one.reason for one in away.raised]
    away.pass_time(at(27))
    assert "no_contact" in [one.reason for one in away.raised]


def test_an_unknown_symptom_reaches_a_clinician() -> None:
    """An id that nobody knows rejects nothing and is shown to a clinician."""
    care = start()
    care.feed(checkin(at(1), symptoms=["odd_feeling"]))
    assert care.raised[-1].reason == "clinician_review"
    assert care.raised[-1].evidence["unknown_symptoms"] == ["odd_feeling"]


def test_failed_care_is_its_status_from_one_transaction() -> None:
    """Enough dose without response is proposed to a clinician, and told as the response in the same step."""
    care = start()
    for week in range(13):
        for day in (0, 2, 4):
            care.feed(session(at(7 * week + day + 0.1), performed(care.prescription, rpe=6.5), pain=4.5))
            measures = [{"instrument": "NPRS", "value": 4.8}]
            if week % 4 == 3:
                measures += [{"instrument": "GROC", "value": 0}, {"instrument": "PSFS", "value": 3}]
            care.feed(checkin(at(7 * week + day + 0.9), morning=2.0, measures=measures if day == 4 else []))
            care.pass_time(at(7 * week + day + 1.5))
    failed = [d for d in care.decisions if any(_is_failed(draft.data) for draft in d.drafts)]
    assert len(failed) == 1
    told = [draft.data for draft in failed[0].drafts if hasattr(draft.data, "response")]
    assert told
    assert told[-1].response.status == "failed_conservative_care"
    escalation = next(one for one in care.raised if one.reason == "failed_conservative_care")
    assert escalation.options
    care.feed(decided(at(92), "continue", escalation_id=escalation.escalation_id))
    assert care.adjustments[-1].response.status != "failed_conservative_care"


def _is_failed(data: object) -> bool:
    return getattr(data, "reason", None) == "failed_conservative_care"
