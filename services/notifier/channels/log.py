"""The channel that always works: one line with ids for whoever watches the log."""

from services.notifier.channels.channel import Message, Receipt
from shared.log import logger

_LEVELS = {"emergency": "critical", "urgent": "error"}


class LogChannel:
    """The address is not used, the text is not shown."""

    name = "log"

    async def send(self, message: Message, address: str) -> Receipt:
        log = logger().bind(notification_id=message.notification_id, about=message.about)
        if message.patient_id:
            log = log.bind(patient=message.patient_id)
        if message.recipient:
            level = getattr(log, _LEVELS.get(message.severity, "warning"))
            level(
                message.kind,
                escalation_id=message.escalation_id,
                severity=message.severity,
                recipient=message.recipient,
            )
        else:
            log.info("reminder", kind=message.kind)
        return Receipt("logged")
