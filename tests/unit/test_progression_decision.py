"""A clinician's word on a program: whom it reaches, what it changes, and what is told of it."""

import itertools
from typing import Any

import pytest

from shared.decision import Arrival
from shared.event.escalation import EscalationRaised, EscalationResolved
from tests.support.progression import Care, at, changed, checkin, decided, performed, planned, program, session

ELSEWHERE = "of-another-service"
MODIFY: dict[str, Any] = {"changes": {"remove_exercises": ["double_leg_bridge"]}}


def start(**changes: Any) -> Care:
    care = Care()
    care.feed(planned(**changes))
    return care


def held_for_intake(day: float) -> Arrival:
    """The planner holds the program, as it does when intake finds a red flag."""
    return changed(at(day), version=2, status="held", prescription=[], event_id="held-by-planner")


@pytest.mark.parametrize("kind", ["refer", "discharge"])
@pytest.mark.parametrize("names", [{}, {"escalation_id": ELSEWHERE}, {"intake_id": "intake-9"}])
@pytest.mark.parametrize("status", ["active", "proposed"])
def test_leaving_care_ends_the_program_whatever_it_names(kind: str, names: dict[str, str], status: str) -> None:
    """Refer and discharge end all care, also of a proposal, and no timer is left."""
    care = start(status=status)
    care.feed(session(at(0.5), performed(care.prescription), symptoms=["saddle_anaesthesia"]))
    care.feed(decided(at(1), kind, **names))
    assert care.programs[-1].status == "ended"
    assert [one.resolution for one in care.resolved] == [kind]
    assert care.state is not None
    assert care.state.head.open == ()
    assert care.timers == {}


def test_leaving_care_for_another_program_leaves_this_one() -> None:
    """A decision that names a program ends that one only."""
    care = start()
    care.feed(decided(at(1), "discharge", program_id="program-9"))
    assert care.programs == []


def test_an_answer_to_intake_ends_the_hold_that_intake_caused() -> None:
    """The red flag of a later intake holds the program; who answers it lets the program go on."""
    care = start()
    care.feed(held_for_intake(1))
    assert care.state is not None
    assert not care.state.head.is_running
    care.feed(decided(at(2), "resume", escalation_id=ELSEWHERE))
    assert care.programs[-1].status == "active"
    assert care.prescription


def test_an_answer_to_another_service_lifts_no_hold_of_ours() -> None:
    """A red flag that was reported in a session is not answered by a word on something else."""
    care = start()
    care.feed(session(at(1), performed(care.prescription), symptoms=["saddle_anaesthesia"]))
    care.feed(decided(at(2), "resume", escalation_id=ELSEWHERE))
    assert care.programs[-1].status == "held"
    assert care.resolved == []


def test_a_resume_that_names_nothing_is_for_the_program_in_force() -> None:
    """There is one program; a clinician's word on it is never lost in silence."""
    care = start()
    care.feed(decided(at(1), "hold"))
    care.feed(decided(at(2), "resume"))
    assert [one.status for one in care.programs] == ["held", "active"]


def test_a_modified_proposal_runs_without_what_was_removed_and_is_lightened_once() -> None:
    """The planner publishes the changed plan; nothing removed comes back, and no load is scaled twice."""
    care = start(status="proposed")
    prescription = program()["prescription"]
    gone = prescription[-1]["exercise_id"]
    lighter = [one | {"reps": one["reps"] - 1} for one in prescription[:-1]]
    word = decided(at(1), "modify", escalation_id=ELSEWHERE, changes={"remove_exercises": [gone], "load_factor": 0.8})
    care.feed(word)
    care.feed(changed(at(1), version=2, status="active", prescription=lighter))
    now = {one["exercise_id"]: one["reps"] for one in care.prescription}
    assert gone not in now
    assert {one["exercise_id"]: one["reps"] for one in lighter}.items() <= now.items()
    assert care.programs[-1].status == "active"


def test_fewer_days_outlast_a_new_plan() -> None:
    """What a clinician set for days a week caps what is introduced later, also after the planner plans anew."""
    care = start()
    care.feed(decided(at(1), "modify", program_id="program-1", changes={"sessions_per_week": 2}))
    care.feed(changed(at(2), version=2))
    assert care.state is not None
    assert care.state.head.days_cap == 2
    assert {one["days_per_week"] for one in care.prescription} == {2}


def test_a_decision_that_waited_tells_what_it_closes() -> None:
    """A red flag that is answered as soon as it becomes known is still told, and then closed."""
    known = start()
    flag = session(at(1), performed(known.prescription), symptoms=["claudication"])
    known.feed(flag)
    escalation_id = known.raised[-1].escalation_id
    care = start()
    care.feed(decided(at(2), "continue", escalation_id=escalation_id))
    told = [draft.data for draft in care.feed(flag).drafts]
    about = [one for one in told if isinstance(one, EscalationRaised | EscalationResolved)]
    assert [type(one) for one in about] == [EscalationRaised, EscalationResolved]
    assert {one.escalation_id for one in about} == {escalation_id}
    care.feed(session(at(1.5), performed(care.prescription)))
    assert len(care.raised) == len(care.resolved) == 1


def test_a_session_without_exercises_counts_and_earns_nothing() -> None:
    """A platform that knows no prescription says only that the session was completed: done, but no step up."""
    care = start()
    before = care.prescription
    for day in (0.1, 2.1, 4.1):
        care.feed(session(at(day), [], pain=1.0))
        care.feed(checkin(at(day + 0.8), morning=1.0))
    assert care.adjustments[-1].response.sessions_done == 3
    assert care.prescription == before


def test_a_session_broken_off_before_any_exercise_does_not_count() -> None:
    """Not completed and nothing performed is no session done."""
    care = start()
    care.feed(session(at(0.1), [], completed=False))
    assert care.adjustments[-1].response.sessions_done == 0


@pytest.mark.parametrize(("symptom", "shown"), [("a:green_toes.v2", "a:green_toes.v2"), ("call me", "cannot be read")])
def test_an_unknown_symptom_is_shown_as_its_id_only(symptom: str, shown: str) -> None:
    """An id is shown as it came; what might be a patient's words is only said to have been told."""
    care = start()
    care.feed(checkin(at(1), symptoms=[symptom]))
    assert shown in care.raised[-1].evidence["unknown_symptoms"][0]
    assert "call me" not in care.raised[-1].model_dump_json()


@pytest.mark.parametrize("last", ["resume", "modify", "refer", "hold"])
def test_decisions_on_another_service_end_the_same_in_any_order(last: str) -> None:
    """Hold by the planner, sessions, and a word that names only another service's escalation: any order of arrival."""
    done = performed(start().prescription)
    changes = MODIFY if last == "modify" else {}
    events = [
        planned(),
        session(at(0.5), done),
        held_for_intake(1),
        decided(at(2), last, escalation_id=ELSEWHERE, **changes),
        session(at(3), done),
    ]
    found = []
    for order in itertools.permutations(events):
        if order.index(events[2]) < order.index(events[0]):
            continue  # one stream keeps its order
        care = Care(now=at(4))
        for event in order:
            care.feed(event, at(4))
        care.pass_time(at(4))
        assert care.state is not None
        waits = [(one.event_id, one.has_acted) for one in care.state.waiting]
        found.append((care.state.head, care.state.window, waits, care.prescription, care.state.published.status))
    assert all(one == found[0] for one in found)


def train(care: Care, days: range, exercises: list[dict[str, Any]] | None = None) -> None:
    """Perfect sessions with settled mornings, and pain that goes."""
    for day in days:
        care.pass_time(at(day + 0.1))
        done = performed(exercises if exercises is not None else care.prescription)
        care.feed(session(at(day + 0.1), done, pain=1))
        measures = [{"instrument": i, "value": v} for i, v in (("NPRS", 1), ("GROC", 4), ("PSFS", 9))]
        care.feed(checkin(at(day + 0.9), morning=1.0, measures=measures))


def test_a_hold_binds_until_it_is_lifted() -> None:
    """Six weeks of perfect sessions under a clinician's hold prescribe nothing and raise nothing; resume ends it."""
    care = start()
    before = care.prescription
    care.feed(decided(at(0.5), "hold", program_id="program-1"))
    told = len(care.drafts)
    train(care, range(1, 43, 2), before)
    assert all(not one.prescription and not one.changes for one in care.adjustments)
    assert all(not getattr(draft.data, "prescription", ()) for draft in care.drafts[told:])
    care.feed(decided(at(43), "resume", program_id="program-1"))
    assert care.programs[-1].status == "active"
    assert care.prescription


def test_what_a_clinician_takes_out_stays_out() -> None:
    """Eight weeks of perfect sessions, phases on, never bring back what was removed, nor more days than allowed."""
    care = start()
    gone = care.prescription[1]["exercise_id"]
    changes = {"remove_exercises": [gone], "sessions_per_week": 2}
    care.feed(decided(at(0.5), "modify", program_id="program-1", changes=changes))
    train(care, range(1, 57, 2))
    assert care.state is not None
    assert care.state.head.stands[0].phase_id != "GT1"
    told = [one for draft in care.drafts for one in getattr(draft.data, "prescription", ())]
    assert gone not in {one.exercise_id for one in told}
    assert all((one.days_per_week or 0) <= 2 for one in told)


@pytest.mark.parametrize("kind", ["refer", "discharge"])
def test_who_left_care_gets_no_load_by_training_on(kind: str) -> None:
    """Sessions after a referral or a discharge count as late, prescribe nothing and ask nobody."""
    care = start()
    before = care.prescription
    care.feed(decided(at(0.5), kind, program_id="program-1"))
    raised = len(care.raised)
    train(care, range(1, 43, 2), before)
    assert all(one.late and not one.prescription for one in care.adjustments)
    assert len(care.raised) == raised
    assert care.timers == {}


def test_a_reclassified_program_goes_on_until_the_new_plan_and_then_follows_it() -> None:
    """Reclassify closes what it answers; the planner's new version takes over, and the old condition never returns."""
    care = start()
    for day in (0.1, 2.1):
        care.feed(session(at(day), performed(care.prescription), pain=8))
    escalation = next(one for one in care.raised if one.reason == "adverse_response")
    new = ["sacroiliac_joint_pain"]
    care.feed(decided(at(3), "reclassify", escalation_id=escalation.escalation_id, conditions=new))
    assert care.resolved[-1].resolution == "reclassify"
    care.feed(changed(at(3.1), condition=new[0], version=2, program_id="program-1"))
    train(care, range(4, 32, 2))
    assert care.adjustments[-1].protocol.id == new[0]
    assert care.state is not None
    assert {one.condition_id for one in care.state.head.stands} == set(new)
