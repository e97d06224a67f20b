"""The words: an escalation for a clinician, a reminder for a patient.

A reminder is kind, names no condition, no finding and no treatment. Source: NOTIFY.
"""

import json
from dataclasses import dataclass

from services.notifier.domain.state import Alarm
from shared.event.envelope import derive_id

REMINDERS: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "session": (
            "Time for your exercises",
            "Hello,\n\nyour exercises are waiting for you today. A quiet half hour is enough, and what you can "
            "manage is good.\nPlease note afterwards how it went.",
        ),
        "checkin": (
            "How are you this morning?",
            "Hello,\n\nthank you for exercising. How do you feel this morning? Your answer takes a minute and "
            "helps to choose your next session well.",
        ),
        "measure": (
            "A few questions for you",
            "Hello,\n\na short questionnaire is ready for you. It shows how things have changed since you began.",
        ),
        "re_engage": (
            "We would like to hear from you",
            "Hello,\n\nwe have not heard from you for a while, and that is all right. You can go on whenever it "
            "suits you. If something keeps you from it, your care team is glad to help.",
        ),
    }
}
"""By language and kind: subject and text."""

CLOSING = (
    "If you feel unwell or something worries you, please contact your care team; in an emergency call the "
    "emergency number.\nYou can switch these reminders off at any time."
)


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


def reminder_text(kind: str, language: str | None) -> Text:
    """In the patient's language where there is one, else in English."""
    texts = REMINDERS.get((language or "en").split("-")[0].lower(), REMINDERS["en"])
    subject, body = texts[kind]
    return Text(subject, f"{body}\n\n{CLOSING}\n")


def escalation_text(patient_id: str, alarm: Alarm) -> Text:
    """The subject says no more of the patient than the pseudonym."""
    lines = [
        f"Situation: {alarm.situation}",
        f"Background: {alarm.background}",
        f"Assessment: {alarm.assessment}",
        f"Recommendation: {alarm.recommendation}",
    ]
    if alarm.options:
        lines += ["", "What the evidence offers next, for you to decide:"]
        lines += [f"- {option.label} (evidence: {option.evidence_grade})" for option in alarm.options]
    lines += ["", f"Patient: {patient_id}"]
    if alarm.program_id:
        lines.append(f"Program: {alarm.program_id}")
    lines.append(f"Escalation: {alarm.escalation_id}")
    if alarm.respond_by is not None:
        lines.append(f"Please respond by: {alarm.respond_by:%Y-%m-%d %H:%M} UTC")
    lines += [
        "",
        "To acknowledge, publish this event to the stream `decisions`, with your id and the time filled in.",
        "This message is repeated until somebody does; the escalation stays open until it is decided.",
        "",
        json.dumps(_acknowledgement(patient_id, alarm), indent=2),
    ]
    reason = alarm.reason.replace("_", " ")
    return Text(f"[{alarm.severity}] {reason}: patient {patient_id}", "\n".join(lines) + "\n")


def _acknowledgement(patient_id: str, alarm: Alarm) -> dict[str, object]:
    decision_id = derive_id("acknowledge", alarm.escalation_id, alarm.about)
    return {
        "specversion": "1.0",
        "id": decision_id,
        "source": "//clinic.example/mail",
        "type": "care.clinician.decided.v1",
        "subject": patient_id,
        "time": "<now, such as 2026-03-02T09:00:00Z>",
        "data": {
            "decision_id": decision_id,
            "clinician_id": "<your id>",
            "decision": "acknowledge",
            "escalation_id": alarm.escalation_id,
        },
    }
