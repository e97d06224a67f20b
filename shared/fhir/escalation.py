"""Escalations: a Task for a clinician, what was said about it, and the DetectedIssue behind it where there is one.

A red flag is a DetectedIssue and never a Condition: it is a reason to look, not a diagnosis.
"""

from collections.abc import Sequence
from typing import Any

from fhir.resources.R4B.communication import Communication
from fhir.resources.R4B.detectedissue import DetectedIssue
from fhir.resources.R4B.task import Task

from shared.event.envelope import Event
from shared.event.escalation import EscalationAcknowledged, EscalationRaised, EscalationReason, EscalationResolved
from shared.event.notification import NotificationDelivered, NotificationFailed
from shared.event.vocabulary import Urgency, vocabulary
from shared.fhir.code import Json, concept, own, symptom_concept, words
from shared.fhir.course import Course, Derived, care_plan_references
from shared.fhir.identity import People, identifier, logical, refer, resource_id

ISSUES: tuple[EscalationReason, ...] = ("red_flag", "failed_conservative_care", "adverse_response")
"""What is wrong with the patient or with care; the other reasons only ask a person to look."""
_HELD = concept(own("mitigation", "program_held", "No session until a clinician decides"))
_PRIORITY: dict[Urgency, str] = {"routine": "routine", "urgent": "urgent", "emergency": "stat"}
_SEVERITY: dict[Urgency, str] = {"routine": "moderate", "urgent": "high", "emergency": "high"}
"""What it may do to the patient, by R4's definitions; how soon somebody must look is the Task's priority."""


def escalations_of(course: Course, people: People) -> list[Derived]:
    """For each escalation a Task and, by its reason, a DetectedIssue; for each time it was raised a Communication."""
    raised: dict[str, list[Event[EscalationRaised]]] = {}
    for event in course.of(EscalationRaised):
        raised.setdefault(event.data.escalation_id, []).append(event)
    found: list[Derived] = []
    for events in raised.values():
        story = _Story(course, events, people)
        found += [story.task(), *story.communications()]
        if events[-1].data.reason in ISSUES:
            found.append(story.issue())
    return found


class _Story:
    """One escalation from its first raising to its end."""

    def __init__(self, course: Course, raised: Sequence[Event[EscalationRaised]], people: People) -> None:
        self.course, self.raised, self.people = course, raised, people
        self.newest = raised[-1].data
        self.key = self.newest.escalation_id
        self.seen = [one for one in course.of(EscalationAcknowledged) if one.data.escalation_id == self.key]
        closed = [one for one in course.of(EscalationResolved) if one.data.escalation_id == self.key]
        # Raised anew after it was resolved, it is open again.
        self.closed = closed[-1] if closed and closed[-1].time >= raised[-1].time else None
        self.events: tuple[Event[Any], ...] = (*raised, *self.seen, *([self.closed] if self.closed else ()))

    def task(self) -> Derived:
        owner = self._owner()
        resolution = self.closed.data.resolution if self.closed else None
        elements: Json = {
            "owner": owner,
            "focus": self._focus(),
            "basedOn": self._care_plan(),
            "input": [
                {"type": concept(own("task-input", "option", "Option that the evidence offers")), "valueString": one}
                for one in (f"{option.label} (evidence: {option.evidence_grade})" for option in self.newest.options)
            ],
            "output": [
                {
                    "type": concept(own("task-output", "resolution", "How it was resolved")),
                    "valueCodeableConcept": concept(own("resolution", resolution, words(resolution))),
                }
            ]
            if resolution
            else None,
        }
        resource = Task(
            id=resource_id("Task", self.course.patient, self.key),
            identifier=[identifier("escalation", self.key)],
            status=self._status(),
            intent="proposal",
            priority=_PRIORITY[self.newest.severity],
            code=concept(own("task", "clinician_review", "A clinician must look")),
            description=self.newest.sbar.recommendation,
            **{"for": self.people.reference},
            authoredOn=self.raised[0].time,
            lastModified=max(event.time for event in self.events),
            requester=logical("Device", "source", self.raised[0].source),
            reasonCode=concept(own("escalation-reason", self.newest.reason, words(self.newest.reason))),
            restriction={"period": {"end": self.newest.respond_by}},
            **{key: value for key, value in elements.items() if value},
        )
        return Derived(resource, self.events)

    def communications(self) -> list[Derived]:
        return [self._communication(event) for event in self.raised]

    def issue(self) -> Derived:
        newest = self.newest
        flags = _flags(newest)
        elements: Json = {
            "evidence": [{"code": [symptom_concept(flag) for flag in flags]}] if flags else None,
            "implicated": self._care_plan(),
            "mitigation": [
                {"action": concept(own("mitigation", "program_held", "No session until a clinician decides"))}
            ]
            if newest.holds_program
            else None,
        }
        resource = DetectedIssue(
            id=resource_id("DetectedIssue", self.course.patient, self.key),
            identifier=[identifier("escalation", self.key)],
            status=self._issue_status(),
            code=concept(own("escalation-reason", newest.reason, words(newest.reason))),
            severity=_SEVERITY[newest.severity],
            patient=self.people.reference,
            identifiedDateTime=self.raised[0].time,
            author=logical("Device", "source", self.raised[0].source),
            detail=newest.sbar.assessment,
            **{key: value for key, value in elements.items() if value},
        )
        return Derived(resource, self.events)

    def _communication(self, event: Event[EscalationRaised]) -> Derived:
        told = [one for one in self.course.of(NotificationDelivered) if _tells(one.data, event.id)]
        failed = [one for one in self.course.of(NotificationFailed) if _tells(one.data, event.id)]
        sbar = event.data.sbar
        parts = (
            ("Situation", sbar.situation),
            ("Background", sbar.background),
            ("Assessment", sbar.assessment),
            ("Recommendation", sbar.recommendation),
        )
        elements: Json = {
            "sent": told[0].time if told else None,
            "medium": [{"text": channel} for channel in dict.fromkeys(one.data.channel for one in told)],
        }
        resource = Communication(
            id=resource_id("Communication", self.course.patient, event.id),
            status="completed" if told else "not-done" if failed else "preparation",
            category=[concept(own("communication", "alert", "Alert to clinicians"))],
            priority=_PRIORITY[event.data.severity],
            subject=self.people.reference,
            topic=concept(own("escalation-reason", event.data.reason, words(event.data.reason))),
            about=[refer("Task", self.course.patient, self.key)],
            sender=logical("Device", "source", event.source),
            payload=[{"contentString": f"{name}: {text}"} for name, text in parts],
            **{key: value for key, value in elements.items() if value},
        )
        return Derived(resource, (event, *told[:1], *([] if told else failed[-1:])))

    def _status(self) -> str:
        if self.closed is None:
            return "received" if self.seen else "requested"
        return "cancelled" if self.closed.data.resolution in ("superseded", "stopped") else "completed"

    def _issue_status(self) -> str:
        if self.closed is None:
            return "preliminary"
        return "cancelled" if self.closed.data.resolution == "superseded" else "final"

    def _owner(self) -> Json | None:
        """Who answered: the clinician of the resolving decision, else the last who acknowledged."""
        decisions = {one.data.decision_id: one for one in self.course.decisions.values()}
        decided = decisions.get((self.closed.data.decision_id if self.closed else None) or "")
        if decided is not None:
            return self.people.practitioner(decided.data.clinician_id)
        return self.people.practitioner(self.seen[-1].data.clinician_id) if self.seen else None

    def _focus(self) -> Json | None:
        if self.newest.reason in ISSUES:
            return refer("DetectedIssue", self.course.patient, self.key)
        plan = self._care_plan()
        return plan[0] if plan else None

    def _care_plan(self) -> list[Json] | None:
        program_id = self.newest.program_id
        return care_plan_references(self.course, program_id) or None


def _tells(data: NotificationDelivered | NotificationFailed, event_id: str) -> bool:
    return data.about == event_id and data.recipient_role == "clinician"


def _flags(data: EscalationRaised) -> list[str]:
    """The red flags among the values that the decision read."""
    told = data.evidence.get("flags")
    ids = [str(one.get("red_flag_id", "")) if isinstance(one, dict) else str(one) for one in told or ()]
    return [one for one in dict.fromkeys(ids) if one in vocabulary().red_flags]
