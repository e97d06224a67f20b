"""Every event type of the contract, with its payload model and its stream."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from shared.event.adjustment import GoalReached, LoadAdjusted
from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.envelope import Event
from shared.event.escalation import EscalationAcknowledged, EscalationRaised, EscalationResolved
from shared.event.intake import IntakeSubmitted
from shared.event.notification import NotificationDelivered, NotificationFailed, ReminderDue
from shared.event.patient import PatientErased, PatientUpdated, ProgramStopped
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.rejection import EventRejected
from shared.event.session import CheckinReported, SessionReported
from shared.event.wire import Payload, Stream

PAYLOADS: tuple[type[Payload], ...] = (
    IntakeSubmitted,
    SessionReported,
    CheckinReported,
    ClinicianDecided,
    PatientUpdated,
    ProgramStopped,
    PatientErased,
    ConditionClassified,
    ProgramPlanned,
    ProgramChanged,
    LoadAdjusted,
    GoalReached,
    EscalationRaised,
    EscalationAcknowledged,
    EscalationResolved,
    ReminderDue,
    NotificationDelivered,
    NotificationFailed,
    EventRejected,
)
"""In the order of the contract."""

PAYLOAD_BY_TYPE: dict[str, type[Payload]] = {payload.event_type: payload for payload in PAYLOADS}


def types_of(stream: Stream) -> tuple[str, ...]:
    """The event types that a stream carries."""
    return tuple(payload.event_type for payload in PAYLOADS if payload.stream is stream)


@cache
def adapter(event_type: str) -> TypeAdapter[Event[Any]]:
    """The validator and serializer of one event type. Raises KeyError for a type that does not exist."""
    payload: Any = PAYLOAD_BY_TYPE[event_type]
    return TypeAdapter(Event[payload])
