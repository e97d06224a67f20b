"""`perform`: sends what committed state has claimed, and says what came of it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from services.notifier.channels.channel import (
    Channel,
    DeliveryError,
    Message,
    PassingError,
    RefusedError,
    UncertainError,
)
from services.notifier.composition import Composition
from services.notifier.domain.contact import address_hash, contact
from services.notifier.domain.delivery import (
    NOTICE,
    DeliveryOutcome,
    find_delivery,
    is_for_clinician,
    register_name,
    role_of,
)
from services.notifier.domain.index import DIGEST
from services.notifier.domain.ladder import TOLD, find_alarm
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Delivery, NotifierState
from shared.decision import TimerFired
from shared.event.envelope import derive_id
from shared.log import logger
from shared.metric import OTHER, Metrics
from shared.stream.desk import Desk
from shared.trace import Span, span_id_of, trace_id_of

SERVICE = "notifier"
DIGEST_ITEMS = 200
"""In one digest; the inbox has the rest."""
JOINT_S = 60
"""After which the sending of a digest is taken for broken off."""
JOINT_KNOWN_S = 30 * 24 * 3600


class Dispatch:
    """Sends by channel. Addresses are looked up here, at the last moment."""

    def __init__(
        self,
        policies: Policies,
        channels: Mapping[str, Channel],
        mail_from: str | None,
        composition: Composition,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`now`: None in a replay, where a message goes out at its own instant."""
        self._policies = policies
        self._channels = channels
        self._mail_from = mail_from
        self._composition = composition
        self._now = now
        self._joining = asyncio.Lock()

    async def start_up(self) -> None:
        """Warns of what would keep an alert from a person."""
        log = logger()
        if "mail" not in self._channels:
            log.warning("no_mail_server", setting="CARE_SMTP_URL", consequence="alerts go to the log only")
            return
        unaddressed = sorted(name for name in self._policies.recipients if "mail" not in self._policies.addresses(name))
        if unaddressed:
            log.warning(
                "recipients_without_address",
                recipients=unaddressed,
                setting="CARE_POLICIES",
                consequence="their mail goes to CARE_MAIL_FROM",
            )

    async def perform(self, state: NotifierState, timer: TimerFired, desk: Desk[NotifierState]) -> DeliveryOutcome:
        """Sends the delivery that the timer stands for."""
        delivery = find_delivery(state, timer.name)
        if delivery is None:
            raise LookupError(f"{timer.name} has an effect and is no delivery")
        begun_ns = time.time_ns()
        outcome = await self._attempt(state, delivery, timer, desk)
        if desk.metrics is not None:
            self._count(desk.metrics, state, delivery, outcome)
        if desk.traces is not None and desk.traces.is_on:
            desk.traces.emit(_span(delivery, timer, outcome, begun_ns))
        return outcome

    def _count(self, metrics: Metrics, state: NotifierState, delivery: Delivery, outcome: DeliveryOutcome) -> None:
        channel = outcome.channel if outcome.channel in self._channels else OTHER
        metrics.delivery_attempts.labels(channel, role_of(delivery), outcome.result).inc()
        alarm = find_alarm(state, delivery.escalation_id) if delivery.kind in TOLD else None
        if outcome.result == "sent" and alarm is not None and alarm.entered_at is not None and not alarm.is_told:
            # Entries are written by the real clock, also in a replay.
            waited = datetime.now(UTC) - alarm.entered_at
            metrics.alert_seconds.labels(alarm.severity).observe(max(0.0, waited.total_seconds()))

    async def _attempt(
        self, state: NotifierState, delivery: Delivery, timer: TimerFired, desk: Desk[NotifierState]
    ) -> DeliveryOutcome:
        channel = self._channel(delivery)
        if channel is None:
            return DeliveryOutcome(delivery.channel, "refused", "the channel is not set up")
        address = self._address(state, delivery, channel.name)
        if address is None:
            return DeliveryOutcome(channel.name, "refused", "no address is known")
        if await self._is_dead(delivery, channel.name, address, timer.subject, desk):
            return DeliveryOutcome(channel.name, "refused", "the address is disabled")
        now = self._now() if self._now else timer.time
        if delivery.kind == "digest":
            return await self._join(delivery, channel, address, now, desk)
        message = await self._compose(state, delivery, timer.subject, now)
        if message is None:
            return DeliveryOutcome(channel.name, "refused", "nothing to tell any more")
        return await _send(channel, message, address)

    def _channel(self, delivery: Delivery) -> Channel | None:
        """The log stands in for a clinician's channel that is not set up; a patient is not told by the log."""
        channel = self._channels.get(delivery.channel)
        return self._channels["log"] if channel is None and is_for_clinician(delivery) else channel

    def _address(self, state: NotifierState, delivery: Delivery, channel: str) -> str | None:
        if channel == "log":
            return ""
        if not is_for_clinician(delivery):
            return contact(state).get(channel)
        own = self._policies.addresses(delivery.recipient)
        return own.get(channel, self._mail_from if channel == "mail" else None)

    async def _is_dead(
        self, delivery: Delivery, channel: str, address: str, patient_id: str, desk: Desk[NotifierState]
    ) -> bool:
        """A patient's dead address is known to the core, which does not come here."""
        if not is_for_clinician(delivery) or channel == "log":
            return False
        return await desk.noted(patient_id, register_name(channel, address_hash(address))) is not None

    async def _compose(
        self, state: NotifierState, delivery: Delivery, patient_id: str, now: datetime
    ) -> Message | None:
        if not is_for_clinician(delivery):
            return self._composition.reminder(state, delivery, patient_id)
        if delivery.kind == NOTICE:
            return self._composition.notice(state, delivery, patient_id, now)
        return await self._composition.alert(state, delivery, patient_id, now)

    async def _join(
        self, delivery: Delivery, channel: Channel, address: str, now: datetime, desk: Desk[NotifierState]
    ) -> DeliveryOutcome:
        """All that waits for one recipient goes out in one message; whoever comes first sends it for all."""
        name = derive_id("digest", delivery.recipient, channel.name, delivery.due_at.isoformat())
        async with self._joining:
            joint = await desk.begin_joint(name, JOINT_S)
            if joint.stands == "done" and delivery.escalation_id in joint.items:
                return DeliveryOutcome(channel.name, "sent", "in a digest")
            if joint.stands == "begun":
                return DeliveryOutcome(channel.name, "passing", "another process sends this digest", 5.0)
            listed = await desk.listed(f"{DIGEST}{delivery.recipient}", until=delivery.due_at, limit=DIGEST_ITEMS)
            states = await desk.states(item.subject for item in listed)
            waiting = [(item.subject, states[item.subject], item.item) for item in listed if item.subject in states]
            if joint.stands == "done":  # planned while the digest went out
                waiting = [item for item in waiting if item[2] == delivery.escalation_id]
                message = self._composition.digest(delivery, delivery.notification_id, waiting, now)
                return await _send(channel, message, address)
            outcome = await _send(channel, self._composition.digest(delivery, name, waiting, now), address)
            told = [escalation_id for _, _, escalation_id in waiting] if outcome.result == "sent" else []
            await desk.end_joint(name, told, JOINT_KNOWN_S)
            return outcome


async def _send(channel: Channel, message: Message, address: str) -> DeliveryOutcome:
    """One attempt, in the core's words."""
    try:
        receipt = await channel.send(message, address)
    except PassingError as error:
        return DeliveryOutcome(channel.name, "passing", error.cause, error.retry_after_s)
    except RefusedError as error:
        if error.address_is_dead:
            return DeliveryOutcome(channel.name, "address_dead", error.cause, address_hash=address_hash(address))
        return DeliveryOutcome(channel.name, "refused", error.cause)
    except UncertainError as error:
        return DeliveryOutcome(channel.name, "uncertain", error.cause)
    except DeliveryError as error:
        return DeliveryOutcome(channel.name, "passing", error.cause)
    return DeliveryOutcome(channel.name, "sent", receipt.code)


def _span(delivery: Delivery, timer: TimerFired, outcome: DeliveryOutcome, begun_ns: int) -> Span:
    """One attempt: it follows from the escalation that it tells of, any other message from its timer."""
    is_alert = delivery.kind in TOLD
    number = delivery.attempts + delivery.unknown + 1
    return Span(
        service=SERVICE,
        name=f"deliver {delivery.kind}",
        trace_id=trace_id_of(timer.correlation_id),
        span_id=span_id_of(SERVICE, delivery.notification_id, outcome.channel, str(number)),
        parent_id=span_id_of(SERVICE, delivery.about if is_alert else timer.id),
        begun_ns=begun_ns,
        ended_ns=time.time_ns(),
        kind="client",
        attributes={
            "care.channel": outcome.channel,
            "care.role": role_of(delivery),
            "care.step": delivery.step,
            "care.attempt": number,
            "care.result": outcome.result,
        },
        failure="" if outcome.result == "sent" else outcome.result,
    )


def wall_clock() -> datetime:
    return datetime.now(UTC)
