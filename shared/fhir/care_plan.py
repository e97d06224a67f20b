"""CarePlans: each program as its newest version has it."""

from typing import Any

from fhir.resources.R4B.careplan import CarePlan

from shared.event.envelope import Event
from shared.event.program import Phase, ProgramStatus
from shared.fhir.code import Json, concept, own
from shared.fhir.condition import condition_references
from shared.fhir.course import Course, Derived
from shared.fhir.identity import People, identifier, refer, resource_id
from shared.fhir.prescription import current_prescription, dose

_STATUS: dict[ProgramStatus, str] = {
    "proposed": "draft",
    "active": "active",
    "held": "on-hold",
    "ended": "revoked",
}


def care_plans_of(course: Course, people: People) -> list[Derived]:
    """One CarePlan for each program."""
    return [_care_plan(course, versions, people) for versions in course.programs.values()]


def _care_plan(course: Course, versions: list[Event[Any]], people: People) -> Derived:
    newest = versions[-1]
    program = newest.data
    status = _STATUS[program.status]
    decision = course.decisions.get(newest.causationid or "")
    if program.status == "ended" and decision is not None and decision.data.decision == "discharge":
        status = "completed"
    classified = course.classifications.get(program.intake_id)
    period: Json = {"start": versions[0].time} | ({"end": newest.time} if program.status == "ended" else {})
    prescribed = current_prescription(course, program.program_id)
    activities: list[Json] = [{"reference": prescribed}] if prescribed else []
    activities += _phases(program)
    resource = CarePlan(
        id=resource_id("CarePlan", course.patient, program.program_id),
        identifier=[identifier("program", program.program_id)],
        status=status,
        intent="proposal" if program.status == "proposed" else "plan",
        category=[concept(own("care-plan", "exercise_program", "Program of exercise for buttock pain"))],
        title=", ".join(condition.replace("_", " ") for condition in program.conditions) or None,
        subject=people.reference,
        period=period,
        created=versions[0].time,
        addresses=condition_references(course, program.intake_id, program.conditions) or None,
        supportingInfo=[refer("Observation", course.patient, program.intake_id, "classification")]
        if classified
        else None,
        goal=[refer("Goal", course.patient, program.program_id, goal.goal_id) for goal in program.goals] or None,
        activity=activities or None,
        note=[{"text": text} for text in _notes(program)],
    )
    return Derived(resource, (versions[0], newest) if newest is not versions[0] else (newest,))


def _phases(program: Any) -> list[Json]:
    """The phases of the program; those before the present one are done, whatever the calendar says."""
    ids = [phase.phase_id for phase in program.phases]
    present = ids.index(program.phase_id) if program.phase_id in ids else 0
    return [{"detail": _phase(phase, place - present, program.status)} for place, phase in enumerate(program.phases)]


def _phase(phase: Phase, distance: int, program_status: ProgramStatus) -> Json:
    if distance < 0:
        status = "completed"
    elif distance > 0:
        status = "not-started"
    else:
        status = {"active": "in-progress", "held": "on-hold", "ended": "stopped"}.get(program_status, "not-started")
    told = [phase.intent]
    told += [f"Enter: {one}" for one in phase.entry_criteria]
    told += [f"Leave: {one}" for one in phase.exit_criteria]
    told += [f"{one.name}: {dose(one)}" for one in phase.exercises]
    return {
        "kind": "ServiceRequest",
        "code": concept(own("phase", phase.phase_id, phase.name)),
        "status": status,
        "description": "\n".join(told),
    }


def _notes(program: Any) -> list[str]:
    course = program.adequate_course
    weeks = ", ".join(str(week) for week in program.schedule.review_weeks)
    told = [
        program.rationale,
        f"Adequate course before care can be called failed: {course.min_weeks} weeks, {course.min_sessions} sessions, "
        f"{course.min_adherence:.0%} of those due; judged from week {course.review_week}. Reviews in weeks: {weeks}.",
    ]
    told += [f"Avoid: {one.what}. {one.reason}" for one in program.avoid]
    return told + [f"{topic.title}: {topic.text}" for topic in program.education]
