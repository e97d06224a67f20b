"""The outbox: claimed before the world is talked to, tried again with growing pauses, and at last given up.

Two classes. A clinician's message is sent at least once: an attempt of unknown outcome is made once more under the
same id, then it counts as uncertain and the ladder goes on. A patient's message is sent at most once: an attempt of
unknown outcome ends it. What nobody could deliver goes to the next channel, then to the dead letters, and the
escalation to its next step.
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from services.notifier.domain import ladder
from services.notifier.domain.agenda import quiet_hours_of
from services.notifier.domain.calendar import after_quiet_hours
from services.notifier.domain.contact import note_address_refused
from services.notifier.domain.fact import zone_of
from services.notifier.domain.ledger import Kind, note
from services.notifier.domain.outbox import enqueue
from services.notifier.domain.policy import Policies
from services.notifier.domain.reminder import may_send, wait_until
from services.notifier.domain.state import MAX_NOTICED, Delivery, NotifierState
from services.notifier.domain.step import Step
from shared.chain import stamp
from shared.decision import URGENT, Draft, Rejection, TimerFired
from shared.event.envelope import derive_id
from shared.event.notification import NotificationDelivered, NotificationFailed, Role

TIMER = "deliver:"
"""Begins the timers that start a delivery, after the mark of the urgent lane."""
NOTICE = "notice"
"""The kind of a message to the owner about a message or an address."""
MAX_UNKNOWN = 2
"""So many attempts of unknown outcome are made for a clinician: one duplicate at most, under the same id."""

Result = Literal["sent", "passing", "refused", "address_dead", "uncertain"]


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What came of one attempt."""

    channel: str
    """The channel that was used: the log stands in where one is not set up."""
    result: Result = "sent"
    detail: str = ""
    """The receipt's code, or the cause; without any address."""
    retry_after_s: float | None = None
    """Not before so long, where the other side said so."""
    address_hash: str = ""
    """Of an address that is dead."""


def register_name(channel: str, address_hash: str) -> str:
    """Under which the register knows a clinician's address as dead."""
    return f"address:{channel}:{address_hash}"


def timer_of(delivery: Delivery) -> str:
    return f"{URGENT if delivery.urgent else ''}{TIMER}{delivery.notification_id}"


def find_delivery(state: NotifierState, timer_name: str) -> Delivery | None:
    name = timer_name.removeprefix(URGENT)
    if not name.startswith(TIMER):
        return None
    wanted = name.removeprefix(TIMER)
    return next((delivery for delivery in state.outbox if delivery.notification_id == wanted), None)


def begin(policies: Policies, state: NotifierState, delivery: Delivery, timer: TimerFired, now: datetime) -> Step:
    """Claims an attempt, unless the message must not go out, or no more."""
    if delivery.given_up:  # put back by an operator
        delivery = replace(delivery, given_up=False, attempts=0, unknown=0)
    if delivery.begun:
        delivery = replace(delivery, begun=False, unknown=delivery.unknown + 1)
        state = _noted(state, delivery, "uncertain", now, cause="the attempt was cut off")
        is_answered = ladder.is_answered_for(state, delivery)
        if not is_for_clinician(delivery) or delivery.unknown >= MAX_UNKNOWN or is_answered:
            return _give_up(policies, state, delivery, timer, now, "uncertain: the attempt was cut off")
    if not is_for_clinician(delivery) and (until := wait_until(policies.reminder, state, delivery, now)):
        return Step(_with(state, replace(delivery, due_at=_later(until, timer))), rule="quiet_hours")
    why = None if is_for_clinician(delivery) else may_send(policies.reminder, state, delivery, now)
    if why is not None:
        return Step(_without(state, delivery), (_failed(delivery, timer, f"not sent: {why}"),), rule="suppressed")
    state = _with(state, replace(delivery, begun=True))
    return Step(_noted(state, delivery, "claimed", now), rule="claimed", effect=True)


def record(
    policies: Policies,
    state: NotifierState,
    delivery: Delivery,
    outcome: DeliveryOutcome,
    timer: TimerFired,
    now: datetime,
) -> Step:
    """Delivered, to be tried again, handed to the next channel, or given up."""
    delivery = replace(delivery, begun=False)
    used = replace(delivery, channel=outcome.channel)
    match outcome.result:
        case "sent":
            state = _noted(_without(state, delivery), used, "sent", now, receipt=outcome.detail or "accepted")
            state = ladder.note_told(state, delivery.escalation_id) if delivery.kind in ladder.TOLD else state
            sent = NotificationDelivered(
                notification_id=delivery.notification_id,
                about=delivery.about,
                channel=outcome.channel,
                recipient_role=role_of(delivery),
                attempts=delivery.attempts + 1,
            )
            return Step(state, (Draft(sent, timer.time, key=delivery.notification_id),), rule="delivered")
        case "uncertain":
            state = _noted(state, used, "uncertain", now, cause=outcome.detail)
            delivery = replace(delivery, unknown=delivery.unknown + 1)
            if not is_for_clinician(delivery) or delivery.unknown >= MAX_UNKNOWN:
                return _give_up(policies, state, delivery, timer, now, f"uncertain: {outcome.detail}")
            return _retry(policies, state, delivery, outcome, timer, now)
        case "passing":
            state = _noted(state, used, "failed", now, cause=outcome.detail, passing=True)
            return _retry(policies, state, delivery, outcome, timer, now)
        case "refused" | "address_dead":
            state = _noted(state, used, "failed", now, cause=outcome.detail, passing=False)
            register: dict[str, str] = {}
            if outcome.result == "address_dead":
                state, register = _disable(policies, state, delivery, outcome, now)
            step = _next_channel(policies, state, delivery, timer, now, outcome.detail)
            return dataclasses.replace(step, register=register)


def is_for_clinician(delivery: Delivery) -> bool:
    return bool(delivery.recipient)


def role_of(delivery: Delivery) -> Role:
    return "clinician" if is_for_clinician(delivery) else "patient"


def _retry(
    policies: Policies,
    state: NotifierState,
    delivery: Delivery,
    outcome: DeliveryOutcome,
    timer: TimerFired,
    now: datetime,
) -> Step:
    """A patient's message is not tried again in quiet hours, nor when it has become stale."""
    attempts = delivery.attempts + 1
    pause = policies.delivery.retry_after(attempts, delivery.notification_id)
    if outcome.retry_after_s is not None:
        pause = max(pause, timedelta(seconds=outcome.retry_after_s))
    retry_at = _later(max(timer.time, now) + pause, timer)
    if not is_for_clinician(delivery):
        retry_at = after_quiet_hours(retry_at, quiet_hours_of(policies.reminder, state), zone_of(state.patient))
    is_late = delivery.expires_at is not None and retry_at > delivery.expires_at
    if is_late or attempts >= policies.delivery.attempts:
        return _next_channel(policies, state, replace(delivery, attempts=attempts - 1), timer, now, outcome.detail)
    return Step(_with(state, replace(delivery, attempts=attempts, due_at=retry_at)), rule="retry")


def _next_channel(
    policies: Policies, state: NotifierState, delivery: Delivery, timer: TimerFired, now: datetime, cause: str
) -> Step:
    if not delivery.channels or ladder.is_answered_for(state, delivery):
        return _give_up(policies, state, delivery, timer, now, cause)
    first, *rest = delivery.channels
    other = replace(
        delivery, channel=first, channels=tuple(rest), attempts=0, unknown=0, due_at=_later(max(timer.time, now), timer)
    )
    return Step(_noted(_with(state, other), other, "planned", now, step=other.step), rule="next_channel")


def _give_up(
    policies: Policies, state: NotifierState, delivery: Delivery, timer: TimerFired, now: datetime, cause: str
) -> Step:
    """A clinician's message becomes a dead letter that can be replayed, and its escalation goes on at once.

    Unless somebody has answered meanwhile: then it is not missed.
    """
    drafts = (_failed(delivery, timer, cause),)
    if not is_for_clinician(delivery) or ladder.is_answered_for(state, delivery):
        return Step(_without(state, delivery), drafts, rule="failed")
    state = _noted(state, delivery, "dead_lettered", now)
    rejections: tuple[Rejection, ...] = ()
    if timer.origin is None:
        state = _without(state, delivery)
    else:
        rejections = (Rejection("delivery_failed", "$", cause, timer.origin),)
        # Kept with its timer, which will not fire again unless the letter is replayed.
        state = _with(state, replace(delivery, given_up=True, due_at=timer.time))
    state = _tell_owner(policies, state, delivery, f"given_up/{cause}", now)
    if delivery.escalation_id and delivery.kind != NOTICE:
        state = ladder.hurry(policies, state, delivery.escalation_id, now)
    return Step(state, drafts, rejections, "rejected" if rejections else "handled", "failed")


def _disable(
    policies: Policies, state: NotifierState, delivery: Delivery, outcome: DeliveryOutcome, now: datetime
) -> tuple[NotifierState, dict[str, str]]:
    """A patient's dead address is known to the patient's state, a clinician's to all."""
    if not is_for_clinician(delivery):
        return note_address_refused(state, outcome.channel, outcome.address_hash, now, outcome.detail), {}
    known = {"recipient": delivery.recipient, "channel": outcome.channel, "cause": outcome.detail, "at": stamp(now)}
    state = _tell_owner(policies, state, delivery, f"address_disabled/{outcome.detail}", now)
    return state, {register_name(outcome.channel, outcome.address_hash): json.dumps(known)}


def _tell_owner(
    policies: Policies, state: NotifierState, delivery: Delivery, matter: str, now: datetime
) -> NotifierState:
    """Once for each matter, recipient and channel of an escalation; never about a notice itself."""
    alarm = ladder.find_alarm(state, delivery.escalation_id)
    what = f"{delivery.recipient}/{delivery.channel}/{matter.partition('/')[0]}"
    if delivery.kind == NOTICE or alarm is None or what in alarm.noticed:
        return state
    noticed = (*alarm.noticed, what)[-MAX_NOTICED:]
    alarms = (replace(alarm, noticed=noticed) if known is alarm else known for known in state.alarms)
    state = replace(state, alarms=tuple(alarms))
    owner = ladder.policy_of(policies, state).owner
    first, *rest = policies.channels_of_last_resort(owner)
    notice = Delivery(
        notification_id=derive_id(NOTICE, delivery.escalation_id, delivery.about, what),
        about=delivery.about,
        kind=NOTICE,
        channel=first,
        channels=tuple(rest),
        due_at=now.replace(microsecond=0),
        recipient=owner,
        escalation_id=delivery.escalation_id,
        matter=f"{what}/{matter.partition('/')[2]}"[:300],
    )
    return enqueue(state, (notice,))


def _failed(delivery: Delivery, timer: TimerFired, cause: str) -> Draft:
    failed = NotificationFailed(
        notification_id=delivery.notification_id,
        about=delivery.about,
        channel=delivery.channel,
        recipient_role=role_of(delivery),
        attempts=delivery.attempts + 1,
        error=cause,
    )
    return Draft(failed, timer.time, key=delivery.notification_id)


def _noted(state: NotifierState, delivery: Delivery, kind: Kind, at: datetime, **facts: object) -> NotifierState:
    if not is_for_clinician(delivery) or delivery.kind == NOTICE:
        return state
    about = {"notification_id": delivery.notification_id, "recipient": delivery.recipient, "channel": delivery.channel}
    return note(state, delivery.escalation_id, kind, at, **about, **facts)


def _later(instant: datetime, timer: TimerFired) -> datetime:
    """To the second, and after the timer: one of the same name and instant would not fire again."""
    return max(instant.replace(microsecond=0), timer.time.replace(microsecond=0) + timedelta(seconds=1))


def _with(state: NotifierState, delivery: Delivery) -> NotifierState:
    known = (delivery if d.notification_id == delivery.notification_id else d for d in state.outbox)
    return replace(state, outbox=tuple(known))


def _without(state: NotifierState, delivery: Delivery) -> NotifierState:
    return replace(state, outbox=tuple(d for d in state.outbox if d.notification_id != delivery.notification_id))
