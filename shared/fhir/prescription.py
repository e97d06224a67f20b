"""ServiceRequests: every prescription of exercise that was in force, one after the other.

Who stands behind one decides its `intent`. What a clinician approved or decided is an `order`; how the rules then
adjust the load is a `reflex-order` based on it; what the system set going by itself is a `plan`, and what still
waits for approval a `proposal`.
"""

from typing import Any

from fhir.resources.R4B.servicerequest import ServiceRequest

from shared.event.adjustment import LoadAdjusted
from shared.event.decision import ClinicianDecided
from shared.event.envelope import Event
from shared.event.program import PrescribedExercise, Prescription, ProgramChanged, ProgramPlanned
from shared.fhir.code import EXERCISE_THERAPY, Json, concept, condition_concept, own
from shared.fhir.condition import condition_references
from shared.fhir.course import Course, Derived, care_plan_references
from shared.fhir.identity import People, identifier, logical, refer, resource_id
from shared.fhir.profile import PA_SERVICE_REQUEST, PHYSICAL_ACTIVITY, missing

PERTAINS_TO_GOAL = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
_STATUS = {"active": "active", "proposed": "draft", "held": "on-hold", "ended": "revoked"}
"""Of the prescription that came last, by the program's status."""
_ORDERS = ("approve", "reclassify", "modify", "resume")
"""The decisions by which a clinician makes a prescription their own."""


def prescriptions_of(course: Course, people: People) -> list[Derived]:
    """One ServiceRequest for each number of a program's prescription that holds an exercise.

    Also of a program that is no longer in the streams itself: what was adjusted since is still prescribed.
    """
    adjusted = (event.data.program_id for event in course.of(LoadAdjusted))
    found: list[Derived] = []
    for program_id in dict.fromkeys([*course.programs, *adjusted]):
        found += _of_program(course, program_id, people)
    return found


def current_prescription(course: Course, program_id: str) -> Json | None:
    """A reference to the prescription that came last; None where there was none with an exercise."""
    numbers = [number for number, event in _numbered(course, program_id).items() if event.data.prescription]
    return refer("ServiceRequest", course.patient, program_id, str(max(numbers))) if numbers else None


def _numbered(course: Course, program_id: str) -> dict[int, Event[Any]]:
    """What was prescribed, by number, in order. A late report repeats the one in force and makes no new one."""
    found: dict[int, Event[Any]] = {}
    for event in course.events:
        prescribes = isinstance(event.data, ProgramPlanned | ProgramChanged | LoadAdjusted)
        if prescribes and event.data.program_id == program_id:
            found.setdefault(event.data.prescription_seq, event)
    return dict(sorted(found.items()))


def _of_program(course: Course, program_id: str, people: People) -> list[Derived]:
    versions, numbered = course.programs.get(program_id), _numbered(course, program_id)
    program = versions[-1].data if versions else None
    found: list[Derived] = []
    order: Json | None = None
    previous: Json | None = None
    for number, event in numbered.items():
        if not event.data.prescription:
            continue
        decision = course.decisions.get(event.causationid or "")
        decided = decision if decision is not None and decision.data.decision in _ORDERS else None
        later = [one for one_number, one in numbered.items() if one_number > number]
        based_on = care_plan_references(course, program_id)
        elements = {
            "status": _status(later, program.status if program is not None else None),
            "intent": _intent(event.data, is_decided=decided is not None, has_order=order is not None),
            "requester": _requester(event, decided, people),
            "basedOn": based_on + ([order] if order is not None and decided is None else []),
            "replaces": [previous] if previous is not None else None,
        }
        resource = _service_request(course, event, program, number, elements, people)
        found.append(Derived(resource, (decided, event) if decided is not None else (event,)))
        previous = refer("ServiceRequest", course.patient, program_id, str(number))
        order = previous if decided is not None else order
    return found


def _status(later: list[Event[Any]], program_status: str | None) -> str:
    """One that a session answered was carried out; another that was replaced was not.

    The last one stands as the program does, which is not known where the program is no longer in the streams.
    """
    if later and isinstance(later[0].data, LoadAdjusted) and later[0].data.session_id is not None:
        return "completed"
    if any(event.data.prescription for event in later):
        return "revoked"
    if program_status == "active" and later:
        return "on-hold"  # nothing is prescribed for now
    return _STATUS[program_status] if program_status is not None else "unknown"


def _intent(data: Any, *, is_decided: bool, has_order: bool) -> str:
    if is_decided:
        return "order"
    if has_order:
        return "reflex-order"
    return "proposal" if getattr(data, "status", None) == "proposed" else "plan"


def _requester(event: Event[Any], decided: Event[ClinicianDecided] | None, people: People) -> Json:
    if decided is not None:
        return people.practitioner(decided.data.clinician_id)
    return logical("Device", "source", event.source)


def _service_request(
    course: Course, event: Event[Any], program: Any, number: int, elements: Json, people: People
) -> ServiceRequest:
    exercises: Prescription = event.data.prescription
    days = [exercise.days_per_week for exercise in exercises if exercise.days_per_week is not None]
    repeat = {"frequency": max(days), "period": 1, "periodUnit": "wk"} if days else None
    program_id = event.data.program_id
    elements |= {
        "id": resource_id("ServiceRequest", course.patient, program_id, str(number)),
        "identifier": [identifier("prescription", f"{program_id}/{number}")],
        "category": [concept(PHYSICAL_ACTIVITY)],
        "code": concept(EXERCISE_THERAPY),
        "orderDetail": [_detail(exercise) for exercise in exercises],
        "subject": people.reference,
        "occurrenceTiming": {"repeat": repeat} if repeat else None,
        "authoredOn": event.time,
        "performer": [people.reference],
        "patientInstruction": "\n".join(f"{one.name}: {one.instructions}" for one in exercises),
    }
    if program is not None:
        elements |= {
            "reasonCode": [condition_concept(one) for one in program.conditions],
            "reasonReference": condition_references(course, program.intake_id, program.conditions),
            "extension": [
                {"url": PERTAINS_TO_GOAL, "valueReference": refer("Goal", course.patient, program_id, goal.goal_id)}
                for goal in program.goals
            ],
        }
    filled = {key: value for key, value in elements.items() if value}
    if not missing(filled):
        filled["meta"] = {"profile": [PA_SERVICE_REQUEST]}
    return ServiceRequest(**filled)


def _detail(exercise: PrescribedExercise) -> Json:
    return concept(own("exercise", exercise.exercise_id, exercise.name), text=f"{exercise.name}: {dose(exercise)}")


def dose(exercise: PrescribedExercise) -> str:
    """The dose of one exercise in words, with every unit."""
    held = f" × {exercise.hold_s:g} s" if exercise.hold_s is not None else ""
    per_week = f"{exercise.days_per_week} days a week" if exercise.days_per_week is not None else ""
    parts = [
        f"{exercise.sets} {'set' if exercise.sets == 1 else 'sets'} × {exercise.reps}{held or ' reps'}",
        f"{exercise.load_kg:g} kg" if exercise.load_kg is not None else exercise.load_label or "",
        f"RPE {exercise.target_rpe:g}",
        f"tempo {exercise.tempo}" if exercise.tempo else "",
        f"rest {exercise.rest_s} s" if exercise.rest_s is not None else "",
        f"side: {exercise.side}",
        per_week,
        f"{exercise.times_per_day} times a day" if exercise.times_per_day is not None else "",
    ]
    return ", ".join(part for part in parts if part)
