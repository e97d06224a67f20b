"""`care.escalation.*.v1`: a person must look."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.event.explanation import Basis
from shared.event.vocabulary import Urgency
from shared.event.wire import Identifier, Instant, Omittable, Payload, Stream, Wire

EscalationReason = Literal[
    "red_flag",
    "flare",
    "failed_conservative_care",
    "non_adherence",
    "unclear_diagnosis",
    "clinician_review",
    "adverse_response",
    "no_contact",
]


class Sbar(Wire):
    """Situation, background, assessment, recommendation: plain sentences without direct identifiers."""

    situation: str
    background: str
    assessment: str
    recommendation: str


class Option(Wire):
    """What the evidence offers next; never automatic."""

    option_id: Identifier
    label: str
    evidence_grade: str
    references: tuple[str, ...]


class EscalationRaised(Payload):
    """A second one with the same `escalation_id` carries a higher severity or adds to the evidence."""

    event_type: ClassVar[str] = "care.escalation.raised.v1"
    stream: ClassVar[Stream] = Stream.ESCALATIONS

    escalation_id: Identifier
    program_id: Omittable[Identifier] = None
    severity: Urgency
    reason: EscalationReason
    sbar: Sbar
    options: tuple[Option, ...] = ()
    evidence: dict[str, Any] = Field(default_factory=dict)
    """The values that the decision read: trend, sessions, adherence, flags."""
    respond_by: Instant
    holds_program: bool
    basis: Annotated[tuple[Basis, ...], Field(exclude_if=lambda value: not value)] = ()
    """What it rests on, and what would have turned it: `then` is another severity, or `not_raised`."""


class EscalationAcknowledged(Payload):
    """A clinician has seen it: the ladder of repeats stops, the escalation stays open."""

    event_type: ClassVar[str] = "care.escalation.acknowledged.v1"
    stream: ClassVar[Stream] = Stream.ESCALATIONS

    escalation_id: Identifier
    clinician_id: Identifier
    decision_id: Identifier


class EscalationResolved(Payload):
    """It is closed, by a decision, by the patient's stopping, or because late data took its ground away."""

    event_type: ClassVar[str] = "care.escalation.resolved.v1"
    stream: ClassVar[Stream] = Stream.ESCALATIONS

    escalation_id: Identifier
    program_id: Omittable[Identifier] = None
    reason: EscalationReason
    resolution: Literal[
        "continue", "resume", "approve", "modify", "reclassify", "refer", "discharge", "stopped", "superseded"
    ]
    decision_id: Omittable[Identifier] = None
