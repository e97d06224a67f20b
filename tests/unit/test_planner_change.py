"""Reclassification keeps what was tolerated and says what changed, with progression at work in between."""

from datetime import timedelta
from typing import Any

from shared.event.adjustment import LoadAdjusted
from shared.event.program import PrescribedExercise, ProgramChanged
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, intake, wire
from tests.support.four_services import four_services_pipeline
from tests.support.planner_case import DGS, GT, PHT, SIJ, classified, decided, program

PROGRAM = "prg-intake-1"


def _performed(exercise: PrescribedExercise) -> dict[str, Any]:
    done = {"reps": exercise.reps, "rpe": 3, "pain": 1} | {
        name: value for name in ("hold_s", "load_kg", "load_level") if (value := getattr(exercise, name)) is not None
    }
    return {"exercise_id": exercise.exercise_id, "sets": [done] * exercise.sets}


def _in_force(pipeline: PurePipeline) -> tuple[PrescribedExercise, ...]:
    """The prescription with the highest number."""
    every = [*pipeline.published("programs"), *pipeline.published("adjustments")]
    found = [e.data for e in every if hasattr(e.data, "prescription")]
    last: tuple[PrescribedExercise, ...] = max(found, key=lambda data: data.prescription_seq).prescription
    return last


def _train(pipeline: PurePipeline, days: int) -> None:
    """Every day a session as prescribed without trouble, and a settled morning after it."""
    for day in range(1, days + 1):
        time = EPOCH + timedelta(days=day)
        pipeline.advance(time)
        session = {
            "session_id": f"s-{day}",
            "program_id": PROGRAM,
            "started_at": time.isoformat(),
            "completed": True,
            "exercises": [_performed(e) for e in _in_force(pipeline)],
            "pain_before": 1,
            "pain_during": 1,
            "pain_after": 1,
        }
        pipeline.submit(wire("care.session.reported.v1", session, event_id=f"s-{day}", time=time))
        morning = time + timedelta(hours=20)
        pipeline.advance(morning)
        checkin = {
            "checkin_id": f"c-{day}",
            "reported_at": morning.isoformat(),
            "session_id": f"s-{day}",
            "next_morning_pain": 1,
            "measures": [{"instrument": "NPRS", "value": 2}],
        }
        pipeline.submit(wire("care.checkin.reported.v1", checkin, event_id=f"c-{day}", time=morning))


def _reclassified(conditions: list[str], days: int = 24) -> tuple[PurePipeline, tuple[PrescribedExercise, ...]]:
    """A patient who trained, and a clinician who sees more; with what was in force before."""
    pipeline = four_services_pipeline(EPOCH)
    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1"))
    _train(pipeline, days)
    before = _in_force(pipeline)
    pipeline.advance(EPOCH + timedelta(days=days + 1))
    decision = {
        "decision_id": "d-1",
        "clinician_id": "clinician-1",
        "decision": "reclassify",
        "rationale": "Seen.",
        "program_id": PROGRAM,
        "conditions": conditions,
    }
    pipeline.submit(wire("care.clinician.decided.v1", decision, event_id="d-1", time=pipeline.now))
    return pipeline, before


def test_what_was_tolerated_is_still_in_force_after_the_new_plan() -> None:
    """Exercises of the session that the new plan still holds go on with the load that they had reached."""
    pipeline, before = _reclassified([GT, SIJ])
    had = {e.exercise_id: e for e in before}
    now = _in_force(pipeline)

    shared = [e for e in now if e.exercise_id in had]
    assert shared
    for exercise in shared:
        was = had[exercise.exercise_id]
        assert (exercise.reps, exercise.hold_s, exercise.load_level) == (was.reps, was.hold_s, was.load_level)
    assert isinstance(pipeline.published("adjustments")[-1].data, LoadAdjusted)


def test_the_reason_goes_through_the_plan_exercise_by_exercise() -> None:
    """Kept, left out with the reason, and new: all that was in use and all that comes is named."""
    pipeline, before = _reclassified([GT, SIJ])
    changed = pipeline.published("programs")[-1].data
    assert isinstance(changed, ProgramChanged)

    first, _, rest = changed.reason.partition("Kept")
    kept, _, rest = rest.partition("Left out for now")
    dropped, _, new = rest.partition("New")
    now = {e.name for e in changed.prescription}
    assert "begins at the first phase" in first
    assert all(e.name in (kept if e.name in now else dropped) for e in before)
    assert all((e.name in kept) != (e.name in new) for e in changed.prescription)
    assert "sacroiliac joint pain allows it only from its second phase on" in dropped
    assert "load that was tolerated" in kept


def test_an_exercise_that_a_new_circumstance_forbids_is_left_out_with_that_reason() -> None:
    """Told later that she is pregnant: nothing on the back any more."""
    later = EPOCH + timedelta(days=2)
    changed = program(
        classified({SIJ: 0.85}), classified({SIJ: 0.85}, event_id="c-2", time=later, modifiers=["pregnant"])
    )

    assert isinstance(changed, ProgramChanged)
    assert "Double-leg bridge" in changed.reason.partition("Left out for now")[2]
    assert "“pregnant”" in changed.reason


def test_what_a_clinician_removed_is_said_to_be_removed() -> None:
    """The next plan names it as taken out."""
    changed = program(
        classified({GT: 0.85}),
        decided("modify", program_id=PROGRAM, changes={"remove_exercises": ["double_leg_bridge"]}),
        decided("reclassify", event_id="d-2", hours=2, program_id=PROGRAM, conditions=[SIJ]),
    )

    assert isinstance(changed, ProgramChanged)
    assert "Double-leg bridge (a clinician took it out)" in changed.reason


def test_no_reason_holds_an_identifier() -> None:
    """Words only, whatever is changed into whatever."""
    for before in (GT, SIJ, DGS, PHT):
        for after in (GT, SIJ, DGS, PHT):
            changed = program(classified({before: 0.85}), decided("reclassify", program_id=PROGRAM, conditions=[after]))
            assert isinstance(changed, ProgramChanged)
            assert "_" not in changed.reason + changed.rationale
