"""The channel that always works: one line with ids for whoever watches the log."""

from services.notifier.channels.channel import Message
from shared.log import logger

_LEVELS = {"emergency": "critical", "urgent": "error"}


class LogChannel:
    """The address is not used, the text is not shown."""

    name = "log"

    async def send(self, message: Message, address: str) -> None:
        log = logger().bind(notification_id=message.notification_id, about=message.about, patient=message.patient_id)
        if not message.escalation_id:
            log.info("reminder", kind=message.kind)
            return
        level = getattr(log, _LEVELS.get(message.severity, "warning"))
        level(
            "escalation",
            escalation_id=message.escalation_id,
            severity=message.severity,
            recipient=message.recipient,
        )
