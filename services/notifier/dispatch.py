"""`perform`: sends what committed state holds in its outbox, and says what came of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from services.notifier.channels.channel import Channel, DeliveryError, Message, RefusedError
from services.notifier.domain.delivery import TIMER, DeliveryOutcome, find_delivery
from services.notifier.domain.ladder import find_alarm
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Delivery, NotifierState
from services.notifier.message.context import Alert, Reminder
from services.notifier.message.rendering import alert_message, reminder_message
from shared.decision import Performed, TimerFired
from shared.log import logger


class Dispatch:
    """Sends by channel. Addresses are looked up here, at the last moment."""

    def __init__(
        self,
        policies: Policies,
        channels: Mapping[str, Channel],
        mail_from: str | None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`now`: None in a replay, where no message is too late to be sent."""
        self._policies = policies
        self._channels = channels
        self._mail_from = mail_from
        self._now = now

    async def start_up(self) -> None:
        """Warns of what would keep an alert from a person."""
        log = logger()
        if "mail" not in self._channels:
            log.warning("no_mail_server", setting="CARE_SMTP_URL", consequence="alerts go to the log only")
            return
        unaddressed = sorted(role for role, addresses in self._policies.recipients.items() if "mail" not in addresses)
        if unaddressed:
            log.warning(
                "recipients_without_address",
                recipients=unaddressed,
                setting="CARE_POLICIES",
                consequence="their mail goes to CARE_MAIL_FROM",
            )

    async def perform(self, state: NotifierState, timer: TimerFired) -> Performed | None:
        """None for timers that only the core needs, and for deliveries withdrawn meanwhile."""
        if not timer.name.startswith(TIMER):
            return None
        delivery = find_delivery(state, timer.name)
        if delivery is None:
            return None
        return Performed(timer, await self._deliver(state, delivery, timer.subject))

    async def _deliver(self, state: NotifierState, delivery: Delivery, patient_id: str) -> DeliveryOutcome:
        channel = self._channels.get(delivery.channel)
        if channel is None and not delivery.escalation_id:
            return DeliveryOutcome(delivery.channel, "the channel is not set up", permanent=True)
        channel = channel or self._channels["log"]
        if self._now is not None and delivery.expires_at is not None and self._now() > delivery.expires_at:
            return DeliveryOutcome(channel.name, "too late to be of use", permanent=True)
        message = _compose(state, delivery, patient_id)
        if message is None:
            return DeliveryOutcome(channel.name, "nothing to tell any more", permanent=True)
        address = self._address(state, delivery, channel.name)
        if address is None:
            return DeliveryOutcome(channel.name, "no address is known", permanent=True)
        try:
            await channel.send(message, address)
        except DeliveryError as error:
            return DeliveryOutcome(channel.name, error.cause, permanent=isinstance(error, RefusedError))
        return DeliveryOutcome(channel.name)

    def _address(self, state: NotifierState, delivery: Delivery, channel: str) -> str | None:
        if channel == "log":
            return ""
        if delivery.escalation_id:
            return self._policies.recipients.get(delivery.recipient, {}).get(channel, self._mail_from)
        contact = dict(state.patient.contact.value) if state.patient.contact else {}
        return contact.get(channel)


def _compose(state: NotifierState, delivery: Delivery, patient_id: str) -> Message | None:
    if not delivery.escalation_id:
        reminder = Reminder(
            notification_id=delivery.notification_id,
            about=delivery.about,
            reminder_id=delivery.notification_id,
            kind=delivery.kind,
            due_at=delivery.due_at,
            language=state.patient.language.value if state.patient.language else None,
        )
        return reminder_message(reminder, patient_id=patient_id)
    alarm = find_alarm(state, delivery.escalation_id)
    if alarm is None or alarm.raised_at is None:
        return None
    alert = Alert(
        notification_id=delivery.notification_id,
        about=delivery.about,
        recipient=delivery.recipient,
        escalation_id=alarm.escalation_id,
        severity=alarm.severity,
        raised_at=alarm.raised_at,
        respond_by=alarm.respond_by,
    )
    return alert_message(alert, patient_id=patient_id)


def wall_clock() -> datetime:
    return datetime.now(UTC)
