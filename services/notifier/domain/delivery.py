"""The outbox: what is to be sent, tried again with growing pauses, and at last given up."""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from services.notifier.domain.calendar import after_quiet_hours
from services.notifier.domain.fact import zone_of
from services.notifier.domain.outbox import withdraw
from services.notifier.domain.policy import DeliveryPolicy
from services.notifier.domain.state import Delivery, NotifierState
from shared.decision import Draft
from shared.event.notification import NotificationDelivered, NotificationFailed, Role

TIMER = "deliver:"
"""Prefix of the timers that start a delivery."""


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What came of one attempt."""

    channel: str
    """The channel that was used: the log stands in where no mail server is set."""
    error: str = ""
    """Empty: it was sent. Otherwise the cause, without any address."""
    permanent: bool = False
    """Trying again cannot help."""


def find_delivery(state: NotifierState, timer_name: str) -> Delivery | None:
    wanted = timer_name.removeprefix(TIMER)
    return next((delivery for delivery in state.outbox if delivery.notification_id == wanted), None)


def record_outcome(
    policy: DeliveryPolicy,
    state: NotifierState,
    delivery: Delivery,
    outcome: DeliveryOutcome,
    at: datetime,
    now: datetime,
) -> tuple[NotifierState, tuple[Draft, ...]]:
    """Delivered, waiting for the next attempt, or failed. A patient's message is not retried in quiet hours."""
    attempts = delivery.attempts + 1
    role: Role = "clinician" if delivery.escalation_id else "patient"
    if not outcome.error:
        sent = NotificationDelivered(
            notification_id=delivery.notification_id,
            about=delivery.about,
            channel=outcome.channel,
            recipient_role=role,
            attempts=attempts,
        )
        return _without(state, delivery), (Draft(sent, at, key=delivery.notification_id),)
    retry_at = (max(at, now) + policy.retry_after(attempts)).replace(microsecond=0)
    if not delivery.escalation_id:
        quiet = state.patient.quiet_hours
        retry_at = after_quiet_hours(retry_at, quiet.value if quiet else None, zone_of(state.patient))
    is_late = delivery.expires_at is not None and retry_at > delivery.expires_at
    if outcome.permanent or is_late or attempts >= policy.attempts:
        failed = NotificationFailed(
            notification_id=delivery.notification_id,
            about=delivery.about,
            channel=outcome.channel,
            recipient_role=role,
            attempts=attempts,
            error=outcome.error,
        )
        return _without(state, delivery), (Draft(failed, at, key=delivery.notification_id),)
    waiting = replace(delivery, attempts=attempts, due_at=retry_at)
    return replace(state, outbox=tuple(waiting if d is delivery else d for d in state.outbox)), ()


def _without(state: NotifierState, delivery: Delivery) -> NotifierState:
    return withdraw(state, lambda d: d.notification_id == delivery.notification_id)
