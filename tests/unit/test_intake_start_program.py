"""An undetermined patient: questions or a clinician, who may approve the safe start program."""

from typing import Any

import pytest

from shared.event.intake import Answer
from shared.event.program import ProgramPlanned
from shared.event.vocabulary import vocabulary
from shared.protocol.library import shipped_protocols
from tests.support.example import arrival
from tests.support.planner_case import decided as approved_by
from tests.support.planner_case import run
from tests.unit.vignettes.intake import classified, decided, raised, resolved, submit

ABSENT: dict[str, Answer] = dict.fromkeys(vocabulary().findings, "absent")
WHOLE: dict[str, Any] = {"findings": ABSENT}
HALF: dict[str, Any] = {"sex": "male", "findings": {"lateral_thigh_pain": "present", "trendelenburg": "present"}}


def start_program(**facts: Any) -> ProgramPlanned:
    """What a clinician's approval of the intake begins, through intake's own words."""
    told = classified(submit(**facts)).model_dump(mode="json")
    event = arrival("care.condition.classified.v1", told, event_id="c-1")
    _, before, _ = run(event)
    assert before == []
    _, drafts, _ = run(event, approved_by("approve", intake_id="intake-1"))
    (planned,) = (draft.data for draft in drafts if isinstance(draft.data, ProgramPlanned))
    return planned


def test_what_no_answer_can_clear_up_goes_to_a_clinician_who_is_told_to_examine() -> None:
    """Undetermined with nothing left to ask: an escalation, an examination within two weeks, no program."""
    decision = submit(**WHOLE)
    (escalation,) = raised(decision)
    assert classified(decision).disposition == "clinician_review"
    assert escalation.reason == "unclear_diagnosis"
    assert "two weeks" in escalation.sbar.recommendation


def test_what_an_answer_could_clear_up_is_asked() -> None:
    """Undetermined with questions left: they are asked, and nobody is called."""
    decision = submit(**HALF)
    assert classified(decision).disposition == "more_information"
    assert classified(decision).next_findings
    assert raised(decision) == ()


@pytest.mark.parametrize("facts", [WHOLE, HALF], ids=["nothing left to ask", "questions left"])
@pytest.mark.parametrize("equipment", [["none"], ["none", "band", "dumbbell", "step"]], ids=["nothing", "much"])
def test_an_approval_begins_what_is_safe_whatever_it_turns_out_to_be(
    facts: dict[str, Any], equipment: list[str]
) -> None:
    """Evidence §3.5: walking, bridge, squat and side-step as in the first week of the gluteal program."""
    protocols = shipped_protocols()
    planned = start_program(**facts, equipment=equipment)
    prescribed = {item.exercise_id: item for item in planned.prescription}
    assert {"walk_or_cycle", "double_leg_bridge", "double_leg_squat"} <= set(prescribed)
    assert set(prescribed) <= {"walk_or_cycle", "double_leg_bridge", "double_leg_squat", "band_side_step"}
    for exercise_id, item in prescribed.items():
        exercise = protocols.exercises.exercises[exercise_id]
        assert exercise.max_flexion_deg <= 70
        assert exercise.adduction_past_neutral == 0
        assert exercise.stretch_shortening == 0
        assert item.sets == 1
        assert item.reps <= 10
        assert not item.load_kg
    assert 2 in planned.schedule.review_weeks
    assert planned.education
    assert "UND" in planned.references


def test_the_approval_settles_the_question_that_was_open() -> None:
    """Who approves has looked: the escalation is over."""
    first = submit(**WHOLE)
    decision = decided(first.state, decision="approve", intake_id="intake-1")
    (over,) = resolved(decision)
    assert over.reason == "unclear_diagnosis"
