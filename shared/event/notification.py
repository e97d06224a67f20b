"""`care.reminder.due.v1` and `care.notification.*.v1`: what reaches people. No address ever."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.event.wire import Identifier, Instant, Omittable, Payload, Stream

Role = Literal["patient", "clinician"]


class ReminderDue(Payload):
    event_type: ClassVar[str] = "care.reminder.due.v1"
    stream: ClassVar[Stream] = Stream.REMINDERS

    reminder_id: Identifier
    kind: Literal["session", "checkin", "measure", "re_engage"]
    due_at: Instant
    channel: str
    program_id: Omittable[Identifier] = None


class _Notification(Payload):
    notification_id: Identifier
    about: Identifier
    """The id of the event that it tells of."""
    channel: str
    recipient_role: Role
    attempts: Annotated[int, Field(ge=1)]


class NotificationDelivered(_Notification):
    event_type: ClassVar[str] = "care.notification.delivered.v1"
    stream: ClassVar[Stream] = Stream.NOTIFICATIONS


class NotificationFailed(_Notification):
    """Given up after `attempts`. `error` names the cause without any address."""

    event_type: ClassVar[str] = "care.notification.failed.v1"
    stream: ClassVar[Stream] = Stream.NOTIFICATIONS

    error: str
