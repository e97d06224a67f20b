"""Goals: those of the newest version of each program, and whether they were reached."""

from datetime import timedelta
from typing import Any

from fhir.resources.R4B.goal import Goal as GoalResource

from shared.event.adjustment import GoalReached
from shared.event.envelope import Event
from shared.event.program import Goal, ProgramStatus
from shared.fhir.code import Json, concept, hl7, instrument_concept, own, points, words
from shared.fhir.condition import condition_references
from shared.fhir.course import Course, Derived
from shared.fhir.identity import People, identifier, resource_id

_LIFECYCLE: dict[ProgramStatus, str] = {
    "proposed": "proposed",
    "active": "active",
    "held": "on-hold",
    "ended": "cancelled",
}


def goals_of(course: Course, people: People) -> list[Derived]:
    """Every goal of every program. Reached means: met in two successive reports, not: its date has passed."""
    reached = {(event.data.program_id, event.data.goal_id): event for event in course.of(GoalReached)}
    return [
        _goal(course, versions, goal, reached.get((versions[-1].data.program_id, goal.goal_id)), people)
        for versions in course.programs.values()
        for goal in versions[-1].data.goals
    ]


def _goal(
    course: Course, versions: list[Event[Any]], goal: Goal, reached: Event[GoalReached] | None, people: People
) -> Derived:
    program = versions[-1].data
    began = versions[0].time
    measure = goal.measure
    bound = "low" if measure.direction == "increase" else "high"
    resource = GoalResource(
        id=resource_id("Goal", course.patient, program.program_id, goal.goal_id),
        identifier=[identifier("goal", f"{program.program_id}/{goal.goal_id}")],
        lifecycleStatus="completed" if reached else _LIFECYCLE[program.status],
        achievementStatus=hl7("goal-achievement", "achieved") if reached else None,
        category=[concept(own("goal-horizon", goal.horizon, words(goal.horizon)))],
        description=concept(own("goal", goal.goal_id), text=goal.statement),
        subject=people.reference,
        startDate=began.date(),
        target=[
            {
                "measure": instrument_concept(measure.instrument),
                "detailRange": {bound: points(measure.instrument, measure.target)},
                "dueDate": (began + timedelta(weeks=goal.due_week)).date(),
            }
        ],
        statusDate=reached.time.date() if reached else None,
        addresses=condition_references(course, program.intake_id, program.conditions) or None,
        note=_notes(goal, reached),
    )
    return Derived(resource, (versions[-1], reached) if reached else (versions[-1],))


def _notes(goal: Goal, reached: Event[GoalReached] | None) -> list[Json]:
    baseline = goal.measure.baseline
    told = [f"At the start: {baseline:g}." if baseline is not None else "No value at the start is known."]
    if reached:
        told.append(f"Reached in week {reached.data.week}, with {reached.data.value:g}.")
    return [{"text": " ".join(told)}]
