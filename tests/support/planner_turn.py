"""Tries what a program says would have turned it: changes that one input, plans again, and looks."""

from collections.abc import Iterable
from typing import Any

from services.planner.domain.decide import Policy
from shared.decision import Arrival
from shared.event.explanation import Basis
from shared.event.program import PrescribedExercise, ProgramChanged, ProgramPlanned
from tests.support.example import arrival
from tests.support.planner_case import AUTO, CLINICIAN, programs, run

Plan = ProgramPlanned | ProgramChanged


def plan_with(
    event: Arrival, changes: Iterable[Basis], *later: Arrival, policy: Policy = AUTO
) -> ProgramPlanned | ProgramChanged | None:
    """The program of the same classification with these inputs as they would have turned it."""
    data = event.event.data.model_dump(mode="json")
    for one in changes:
        if one.input == "CARE_APPROVAL":
            policy = CLINICIAN if one.turned_by == "clinician" else AUTO
        else:
            _put(data, one.input.split("."), one.turned_by)
    changed = arrival("care.condition.classified.v1", data, event_id=event.id, time=event.time)
    found = programs(run(changed, *later, policy=policy)[1])
    return found[-1] if found else None


def holds(basis: Basis, plan: Plan | None) -> bool:
    """Whether a plan is as `then` says."""
    if plan is None or basis.then == "no program":
        return plan is None and basis.then == "no program"
    if basis.input == "CARE_APPROVAL":
        return plan.status == basis.then
    if basis.rule in ("C7", "UND"):
        return "+".join(plan.conditions) == basis.then
    if basis.rule == "DOMINANCE":
        return plan.protocol.id == basis.then
    then = basis.then.removeprefix("no ")
    return _has(plan, then.split(" ")) is not basis.then.startswith("no ")


def _has(plan: Plan, words: list[str]) -> bool:
    phases = {phase.phase_id: phase.exercises for phase in plan.phases}
    match words:
        case [exercise_id]:
            return exercise_id in {e.exercise_id for e in plan.prescription}
        case [phase_id, exercise_id]:
            return exercise_id in {e.exercise_id for e in phases.get(phase_id, ())}
        case [exercise_id, name, value]:
            return any(e.exercise_id == exercise_id and _dose(e, name) == float(value) for e in plan.prescription)
    raise ValueError(f"cannot read {words}")


def _dose(exercise: PrescribedExercise, name: str) -> float | None:
    return {"reps": exercise.reps, "hold_s": exercise.hold_s, "effort": exercise.target_rpe}[name]


def _put(data: dict[str, Any], path: list[str], value: Any) -> None:
    match path:
        case ["conditions", condition, "probability"]:
            next(r for r in data["conditions"] if r["condition_id"] == condition)["probability"] = value
        case ["intake", "activity_goals", word]:
            goals, plain = data["intake"]["activity_goals"], word.replace("_", " ")
            kept = [goal for goal in goals if plain not in goal]
            data["intake"]["activity_goals"] = [*goals, plain] if value else kept
        case ["intake", listed, item]:
            rest = [one for one in data["intake"][listed] if one != item]
            data["intake"][listed] = [*rest, item] if value else rest
        case [field]:
            data[field] = value
        case _:
            raise ValueError(f"no such input: {'.'.join(path)}")
