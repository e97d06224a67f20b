"""Approval, reclassification and the other decisions, in and out of order."""

from datetime import timedelta
from typing import Any

import pytest

from services.planner.domain.program import change
from shared.decision import Arrival
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import ProgramChanged, ProgramPlanned
from tests.support.example import EPOCH, arrival
from tests.support.planner_case import (
    CLINICIAN,
    DGS,
    GT,
    PHT,
    SIJ,
    classified,
    decided,
    program,
    programs,
    run,
    stopped,
)

LATER = EPOCH + timedelta(days=2)
PROGRAM = "prg-intake-1"


def test_a_classification_that_is_no_program_gives_none() -> None:
    """More information, review and referral plan nothing."""
    for disposition in ("more_information", "clinician_review", "urgent_referral", "emergency"):
        assert run(classified({GT: 0.85}, disposition=disposition))[1] == []


def test_a_program_that_needs_approval_is_proposed_and_a_clinician_told() -> None:
    """It is proposed, and a routine escalation holds nothing."""
    _, drafts, _ = run(classified({GT: 0.85}), policy=CLINICIAN)

    (planned,) = programs(drafts)
    (raised,) = [d.data for d in drafts if isinstance(d.data, EscalationRaised)]
    assert planned.status == "proposed"
    assert (raised.reason, raised.severity, raised.holds_program) == ("clinician_review", "routine", False)
    assert raised.program_id == PROGRAM


@pytest.mark.parametrize("by", ["program", "escalation", "intake"])
def test_approval_activates_the_program_and_closes_the_question(by: str) -> None:
    """By the program's, the escalation's or the intake's id."""
    first = run(classified({GT: 0.85}), policy=CLINICIAN)[1]
    raised = next(d.data for d in first if isinstance(d.data, EscalationRaised))
    ids: dict[str, dict[str, Any]] = {
        "program": {"program_id": PROGRAM},
        "escalation": {"escalation_id": raised.escalation_id},
        "intake": {"intake_id": "intake-1"},
    }

    drafts = run(classified({GT: 0.85}), decided("approve", **ids[by]), policy=CLINICIAN)[1]

    changed = programs(drafts)[-1]
    assert isinstance(changed, ProgramChanged)
    assert (changed.status, changed.version, changed.previous_version) == ("active", 2, 1)
    assert changed.prescription
    resolved = drafts[-1].data
    assert isinstance(resolved, EscalationResolved)
    assert (resolved.escalation_id, resolved.resolution) == (raised.escalation_id, "approve")


def test_modifying_a_proposed_program_applies_and_begins_it() -> None:
    """The removed exercise is gone, and fewer days are asked."""
    changes = {"remove_exercises": ["double_leg_squat"], "sessions_per_week": 2}
    changed = program(classified({GT: 0.85}), decided("modify", program_id=PROGRAM, changes=changes), policy=CLINICIAN)

    assert changed.status == "active"
    assert "double_leg_squat" not in {e.exercise_id for p in changed.phases for e in p.exercises}
    assert changed.schedule.sessions_per_week == 2


def test_modifying_an_active_program_is_left_to_progression_and_remembered() -> None:
    """Nothing is published now; a later plan keeps the exercise out."""
    changes = {"remove_exercises": ["double_leg_bridge"]}
    events = [classified({GT: 0.85}), decided("modify", program_id=PROGRAM, changes=changes)]
    assert len(run(*events)[1]) == 1

    replanned = program(*events, decided("reclassify", event_id="d-2", hours=2, program_id=PROGRAM, conditions=[SIJ]))
    assert "double_leg_bridge" not in {e.exercise_id for e in replanned.prescription}


def test_reclassification_plans_anew_under_the_same_program() -> None:
    """Same id, next version, the clinician's conditions, and a reason."""
    changed = program(classified({GT: 0.85}), decided("reclassify", program_id=PROGRAM, conditions=[DGS, PHT]))

    assert isinstance(changed, ProgramChanged)
    assert (changed.program_id, changed.version, changed.previous_version) == (PROGRAM, 2, 1)
    assert changed.conditions == (DGS, PHT)
    assert changed.status == "active"
    assert "gluteal tendinopathy" in changed.reason


def test_reclassification_before_a_program_exists_plans_the_first() -> None:
    """An unclear intake, and a clinician who knows."""
    planned = program(
        classified({GT: 0.3}, disposition="clinician_review"),
        decided("reclassify", intake_id="intake-1", conditions=[SIJ]),
    )

    assert isinstance(planned, ProgramPlanned)
    assert planned.conditions == (SIJ,)
    assert "A clinician decided" in planned.rationale


def test_an_unknown_condition_is_rejected_with_its_place() -> None:
    """What no protocol file describes goes to the dead letters."""
    decision = run(classified({GT: 0.85}), decided("reclassify", program_id=PROGRAM, conditions=[GT, "tennis_elbow"]))[
        2
    ][-1]

    (rejection,) = decision.rejections
    assert (rejection.code, rejection.path) == ("unknown_condition", "$.data.conditions[1]")
    assert decision.drafts == ()


def test_approving_an_undetermined_intake_gives_the_safe_start_program() -> None:
    """Walking, bridge, squat and side-step, and an examination within two weeks."""
    planned = program(classified({GT: 0.4}, disposition="clinician_review"), decided("approve", intake_id="intake-1"))

    assert [e.exercise_id for e in planned.prescription] == [
        "walk_or_cycle",
        "double_leg_bridge",
        "double_leg_squat",
        "band_side_step",
    ]
    assert 2 in planned.schedule.review_weeks
    assert "undetermined" in planned.rationale
    assert "UND" in planned.references


def test_the_same_conditions_again_change_nothing() -> None:
    """A second intake of the same finding does not restart the program."""
    assert len(run(classified({GT: 0.85}), classified({GT: 0.8}, event_id="c-2", time=LATER))[1]) == 1


def test_other_conditions_of_a_newer_intake_are_planned_anew() -> None:
    """New answers, new plan, same program."""
    changed = program(classified({GT: 0.85}), classified({PHT: 0.85}, event_id="c-2", time=LATER))

    assert (changed.version, changed.conditions) == (2, (PHT,))


def test_a_pregnancy_told_later_changes_the_plan() -> None:
    """The same condition with a new circumstance is not the same plan."""
    changed = program(
        classified({SIJ: 0.85}),
        classified({SIJ: 0.85}, event_id="c-2", time=LATER, modifiers=["pregnant"]),
    )

    assert changed.version == 2
    assert "double_leg_bridge" not in {e.exercise_id for e in changed.prescription}


def test_an_older_classification_that_arrives_late_changes_nothing() -> None:
    """The newest intake stands."""
    drafts = run(classified({PHT: 0.85}, event_id="c-2", time=LATER), classified({GT: 0.85}))[1]

    assert [p.conditions for p in programs(drafts)] == [(PHT,)]


def test_a_red_flag_on_a_later_intake_withdraws_what_was_not_approved() -> None:
    """A proposal falls, and its question with it."""
    later = classified({GT: 0.85}, event_id="c-2", time=LATER, disposition="emergency")

    proposed = run(classified({GT: 0.85}), later, policy=CLINICIAN)[1]
    assert programs(proposed)[-1].status == "ended"
    assert programs(proposed)[-1].prescription == ()
    assert isinstance(proposed[-1].data, EscalationResolved)


@pytest.mark.parametrize("intake_id", ["intake-1", "intake-2"])
@pytest.mark.parametrize("disposition", ["emergency", "urgent_referral"])
def test_a_red_flag_on_a_later_intake_holds_the_running_program(disposition: str, intake_id: str) -> None:
    """No session is prescribed until a clinician has looked, whichever intake the flag came with."""
    later = classified({GT: 0.85}, intake_id=intake_id, event_id="c-2", time=LATER, disposition=disposition)
    better = classified({PHT: 0.85}, event_id="c-3", time=LATER + timedelta(days=1))

    held = programs(run(classified({GT: 0.85}), later)[1])

    assert [(p.status, p.version) for p in held] == [("active", 1), ("held", 2)]
    assert held[-1].prescription == ()
    assert len(programs(run(classified({GT: 0.85}), later, better)[1])) == 2, "only a clinician lifts a hold"


def test_a_new_intake_ends_the_program_of_the_earlier_one() -> None:
    """One patient, one program."""
    drafts = run(classified({GT: 0.85}), classified({PHT: 0.85}, intake_id="intake-2", event_id="c-2", time=LATER))[1]

    assert [(p.program_id, p.status) for p in programs(drafts)] == [
        ("prg-intake-1", "active"),
        ("prg-intake-2", "active"),
        ("prg-intake-1", "ended"),
    ]


@pytest.mark.parametrize("kind", ["refer", "discharge"])
def test_an_ended_program_is_not_planned_again(kind: str) -> None:
    """Referral and discharge close the question; later approvals change nothing."""
    drafts = run(
        classified({GT: 0.85}),
        decided(kind, program_id=PROGRAM),
        decided("approve", event_id="d-2", hours=2, program_id=PROGRAM),
        policy=CLINICIAN,
    )[1]

    assert len(programs(drafts)) == 1
    resolved = drafts[-1].data
    assert isinstance(resolved, EscalationResolved)
    assert resolved.resolution == kind


def test_a_patient_who_stops_closes_the_question() -> None:
    """Nobody needs to approve a program that the patient has ended."""
    resolved = run(classified({GT: 0.85}), stopped(), policy=CLINICIAN)[1][-1].data

    assert isinstance(resolved, EscalationResolved)
    assert resolved.resolution == "stopped"


def test_continuing_closes_our_question_and_starts_nothing() -> None:
    """`continue` resolves; the program stays proposed."""
    first = run(classified({GT: 0.85}), policy=CLINICIAN)[1]
    raised = next(d.data for d in first if isinstance(d.data, EscalationRaised))

    drafts = run(classified({GT: 0.85}), decided("continue", escalation_id=raised.escalation_id), policy=CLINICIAN)[1]

    assert len(programs(drafts)) == 1
    assert isinstance(drafts[-1].data, EscalationResolved)


def test_a_decision_before_its_classification_waits() -> None:
    """It is kept with a timer, and acts when the classification comes."""
    early = decided("approve", program_id=PROGRAM)
    state, drafts, decisions = run(early, policy=CLINICIAN)

    assert drafts == []
    assert state is not None
    assert decisions[0].outcome == "waiting"
    assert list(decisions[0].timers.values()) == [early.time.replace(microsecond=0) + timedelta(days=14, seconds=1)]
    assert program(early, classified({GT: 0.85}), policy=CLINICIAN).status == "active"


def test_what_waited_in_vain_becomes_a_dead_letter() -> None:
    """After the late window the decision is rejected, with its original bytes."""
    early = decided("reclassify", program_id="prg-nobody", conditions=[GT])
    now = EPOCH + timedelta(days=15)

    decision = run(early, now=now)[2][0]

    assert [(r.code, r.origin) for r in decision.rejections] == [("unknown_program", early.origin)]
    assert decision.timers == {}
    assert decision.outcome == "rejected"


def test_a_decision_for_another_service_is_ignored() -> None:
    """An answer to somebody else's escalation is none of the planner's business."""
    state, drafts, decisions = run(decided("acknowledge", escalation_id="esc-progression-1"))

    assert (state, drafts, decisions[0].outcome) == (None, [], "ignored")


def _resumed(version: int, seq: int, level: int) -> Arrival:
    """Progression's word after a hold: the clam is now done with another band."""
    planned = program(classified({DGS: 0.85}))
    assert isinstance(planned, ProgramPlanned)
    clam = next(e for e in planned.prescription if e.exercise_id == "band_clam")
    changed = change(planned, version - 1, "A clinician ended the hold.").model_copy(
        update={
            "version": version,
            "prescription_seq": seq,
            "prescription": (clam.model_copy(update={"load_level": level}),),
        }
    )
    time = EPOCH + timedelta(hours=1)
    return arrival("care.program.changed.v1", changed.model_dump(mode="json"), event_id=f"p-{version}", time=time)


def test_a_new_plan_keeps_the_load_that_was_tolerated() -> None:
    """The heavier band stays where the new conditions still use the exercise."""
    changed = program(
        classified({DGS: 0.85}),
        _resumed(version=3, seq=9, level=2),
        decided("reclassify", hours=2, program_id=PROGRAM, conditions=[DGS, SIJ]),
    )

    clam = next(e for e in changed.prescription if e.exercise_id == "band_clam")
    assert (clam.load_level, clam.load_label) == (2, "medium band")


def test_versions_go_on_where_progression_left_them() -> None:
    """Planner and progression number one program's versions in one row."""
    changed = program(
        classified({DGS: 0.85}),
        _resumed(version=3, seq=9, level=2),
        decided("reclassify", hours=2, program_id=PROGRAM, conditions=[GT]),
    )

    assert isinstance(changed, ProgramChanged)
    assert (changed.previous_version, changed.version) == (3, 4)


def test_a_late_program_event_changes_nothing_published() -> None:
    """What progression tells of the program is remembered and answered with nothing."""
    assert len(run(classified({DGS: 0.85}), _resumed(version=3, seq=9, level=2))[1]) == 1


def test_a_load_factor_counts_once() -> None:
    """On a proposal the planner applies it; a later plan begins afresh."""
    proposal = classified({SIJ: 0.85}, equipment=["dumbbell"], load_steps_kg={"dumbbell": [4, 5, 6]})
    modified = decided("modify", program_id=PROGRAM, changes={"load_factor": 1.5})
    again = decided("reclassify", event_id="d-2", hours=2, program_id=PROGRAM, conditions=[SIJ])

    def hinge_kg(*events: Arrival) -> float | None:
        exercises = (e for p in program(*events, policy=CLINICIAN).phases for e in p.exercises)
        return next(e.load_kg for e in exercises if e.exercise_id == "romanian_deadlift")

    assert hinge_kg(proposal) == 4
    assert hinge_kg(proposal, modified) == 6
    assert hinge_kg(proposal, modified, again) == 4
