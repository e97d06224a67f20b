"""What is to be sent: a patient's reminders and the messages of the escalations, bounded."""

from collections.abc import Callable

from msgspec.structs import replace

from services.notifier.domain.state import MAX_OUTBOX, Delivery, NotifierState


def enqueue(state: NotifierState, deliveries: tuple[Delivery, ...]) -> NotifierState:
    """Adds to the outbox; where it is full, what was given up makes room, then reminders, then what is no emergency."""
    known = {delivery.notification_id for delivery in state.outbox}
    outbox = [*state.outbox, *(d for d in deliveries if d.notification_id not in known)]
    while len(outbox) > MAX_OUTBOX:
        outbox.remove(min(outbox, key=lambda d: (not d.given_up, bool(d.recipient), d.urgent)))
    return replace(state, outbox=tuple(outbox))


def withdraw(state: NotifierState, is_unwanted: Callable[[Delivery], bool]) -> NotifierState:
    """Takes back what is unwanted. What is on its way stays until it is known what came of it."""
    return replace(state, outbox=tuple(d for d in state.outbox if d.begun or not is_unwanted(d)))
