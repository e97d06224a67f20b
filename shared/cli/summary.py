"""One line about an event, for people who look at a timeline. It never shows free text or an address."""

from collections.abc import Callable
from typing import Any

Data = dict[str, Any]


def summarise(event: Data) -> str:
    """What happened, in one line. An event of an unknown type gives an empty line."""
    describe = _DESCRIBE.get(str(event.get("type", "")))
    if describe is None:
        return ""
    try:
        return describe(event.get("data") or {})
    except (KeyError, TypeError, IndexError, AttributeError):
        return "(not as the contract describes it)"


def _intake(data: Data) -> str:
    present = [name for name, answer in (data.get("red_flags") or {}).items() if answer == "present"]
    flags = f", red flags: {', '.join(present)}" if present else ""
    return f"intake {data['intake_id']}: {data['age_years']} years, {data['side']}, {data['onset']} onset{flags}"


def _session(data: Data) -> str:
    done = sum(1 for exercise in data["exercises"] if not exercise.get("skipped"))
    return f"session {data['session_id']}: {done} exercises, pain {data['pain_during']:g}{_symptoms(data)}"


def _checkin(data: Data) -> str:
    parts = [f"{measure['instrument']} {measure['value']:g}" for measure in data.get("measures", [])]
    if data.get("next_morning_pain") is not None:
        parts.insert(0, f"morning pain {data['next_morning_pain']:g}")
    return f"check-in: {', '.join(parts) or 'no figures'}{_symptoms(data)}"


def _symptoms(data: Data) -> str:
    return f", symptoms: {', '.join(data['symptoms'])}" if data.get("symptoms") else ""


def _classified(data: Data) -> str:
    rated = ", ".join(f"{c['condition_id']} {c['probability']:.2f}" for c in data["conditions"][:2])
    flags = "".join(f", {flag['red_flag_id']} ({flag['urgency']})" for flag in data["red_flags"])
    return f"{data['disposition']}: {rated}{flags}"


def _program(data: Data) -> str:
    names = ", ".join(f"{item['exercise_id']}{load(item)}" for item in data["prescription"])
    return (
        f"{data['status']} v{data['version']} {data['phase_id']}, prescription {data['prescription_seq']}: "
        f"{names or 'nothing'}"
    )


def _adjusted(data: Data) -> str:
    changes = ", ".join(f"{change['decision']} {change['exercise_id']}" for change in data["changes"])
    late = " (late)" if data["late"] else ""
    return f"{data['phase_id']}{late}: {changes or 'no change'}; {data['response']['status']}"


def load(item: Data) -> str:
    """The load of a prescribed exercise in short, with a leading space, or nothing where nothing resists."""
    if item.get("load_kg") is not None:
        return f" {item['load_kg']:g} kg"
    if item.get("load_label"):
        return f" {item['load_label']}"
    return ""


_DESCRIBE: dict[str, Callable[[Data], str]] = {
    "care.intake.submitted.v1": _intake,
    "care.session.reported.v1": _session,
    "care.checkin.reported.v1": _checkin,
    "care.clinician.decided.v1": lambda d: f"{d['decision']} by {d['clinician_id']}",
    "care.patient.updated.v1": lambda d: f"changed: {', '.join(sorted(d)) or 'nothing'}",
    "care.program.stopped.v1": lambda d: f"the patient stops {d['program_id']}",
    "care.patient.erased.v1": lambda d: "the patient is erased",
    "care.condition.classified.v1": _classified,
    "care.program.planned.v1": _program,
    "care.program.changed.v1": _program,
    "care.load.adjusted.v1": _adjusted,
    "care.goal.reached.v1": lambda d: f"{d['goal_id']} ({d['horizon']}): {d['value']:g}, target {d['target']:g}",
    "care.escalation.raised.v1": lambda d: f"{d['severity']} {d['reason']}: {d['sbar']['situation']}",
    "care.escalation.acknowledged.v1": lambda d: f"acknowledged by {d['clinician_id']}",
    "care.escalation.resolved.v1": lambda d: f"{d['reason']} resolved: {d['resolution']}",
    "care.reminder.due.v1": lambda d: f"{d['kind']} reminder by {d['channel']}",
    "care.notification.delivered.v1": lambda d: f"to the {d['recipient_role']} by {d['channel']}",
    "care.notification.failed.v1": lambda d: f"to the {d['recipient_role']} by {d['channel']}: {d['error']}",
    "care.event.rejected.v1": lambda d: f"{d['error']['code']} at {d['error']['path']}: {d['error']['message']}",
}
