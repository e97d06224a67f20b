"""Reminders: which is sent, through which channel, and whether it may still be at the moment of sending.

Source: NOTIFY. At most a few a day and a week, none in quiet hours, none for anything twice, none from before
an outage; and an end to it where nobody answers.
"""

from datetime import date, datetime
from typing import Literal

from msgspec.structs import replace

from services.notifier.domain.agenda import Agenda, Due, not_after, quiet_hours_of
from services.notifier.domain.calendar import DAY, after_quiet_hours, is_away, is_quiet, local_day
from services.notifier.domain.contact import address_hash, channel_of, contact, fall_backs, is_unreachable
from services.notifier.domain.fact import program_in_force, zone_of
from services.notifier.domain.ladder import is_red_flag_open
from services.notifier.domain.outbox import enqueue
from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.silence import begin_silence, is_answering, is_budget_spent
from services.notifier.domain.state import (
    MAX_OWED,
    MAX_REMINDED,
    Delivery,
    NotifierState,
    Owed,
    Program,
    Reminded,
)
from shared.decision import Draft, TimerFired
from shared.event.envelope import derive_id
from shared.event.notification import ReminderDue

TIMER = "remind"
SOURCE = "//adaptive-care/notifier"
"""The `source` of this service's events."""

Suppression = Literal[
    "consent_withdrawn",
    "red_flag_open",
    "program_not_followed",
    "program_superseded",
    "silence",
    "unreachable",
    "address_disabled",
    "away",
    "done",
    "stale",
    "quiet_hours",
]


def may_remind(state: NotifierState) -> bool:
    """With consent, on a program that the patient is asked to follow, not in an emergency, not in a silence."""
    return _why_not(state) is None


def next_reminders(policy: ReminderPolicy, state: NotifierState, now: datetime) -> tuple[Due, ...]:
    """The next of each kind. Those that an outage has made stale are passed over."""
    program = program_in_force(state)
    if program is None or not may_remind(state):
        return ()
    return Agenda(policy, state, program, now).dues()


def next_at(policy: ReminderPolicy, state: NotifierState, now: datetime) -> datetime | None:
    """When the `remind` timer is wanted: for the next reminder, or for the end of all reminding."""
    program = program_in_force(state)
    if program is None or not may_remind(state):
        return None
    agenda = Agenda(policy, state, program, now)
    return min((agenda.silent_at(), *(due.send_at for due in agenda.dues())))


def remind(
    policy: ReminderPolicy, state: NotifierState, timer: TimerFired, now: datetime
) -> tuple[NotifierState, tuple[Draft, ...]]:
    """Sends what is due until the timer, as many as the local day and the week still allow."""
    program = program_in_force(state)
    if program is None or not may_remind(state):
        return state, ()
    dues = next_reminders(policy, state, now)
    due = [one for one in dues if one.at <= timer.time and one.send_at <= now]
    zone = zone_of(state.patient)
    drafts: tuple[Draft, ...] = ()
    for one in due:
        today = local_day(one.at, zone)
        week = _sent_since(state, today - 6 * DAY)
        if is_budget_spent(policy, state, week):
            if is_answering(state, week):
                continue
            state, drafts_of_task = begin_silence(policy, state, timer.subject, "budget", timer.time)
            drafts += drafts_of_task
            break
        channel = channel_of(policy, state)
        if channel is None or len(_sent_since(state, today)) >= policy.max_per_day:
            continue
        state, draft = _send(policy, state, one, channel, timer, now)
        drafts += (draft,)
    if due:
        latest = max(one.at for one in due)
        reminded_to = latest if state.reminded_to is None else max(state.reminded_to, latest)
        owed = tuple(one for one in state.owed if one.at > reminded_to)
        state = replace(state, reminded_to=reminded_to, owed=owed)
    if state.silence is None and timer.time >= Agenda(policy, state, program, now).silent_at():
        state, drafts_of_task = begin_silence(policy, state, timer.subject, "no_word", timer.time)
        drafts += drafts_of_task
    return state, drafts


def may_send(policy: ReminderPolicy, state: NotifierState, delivery: Delivery, now: datetime) -> Suppression | None:
    """Asked at the claim, before the wire: None, or why it is not sent. Then it never is."""
    if (why := _why_not(state)) is not None:
        return why
    program = program_in_force(state)
    sent = find_reminded(state, delivery)
    if sent is None or (delivery.expires_at is not None and now > delivery.expires_at):
        return "stale"
    if program is None or program.program_id != sent.program_id:
        return "program_superseded"
    told = contact(state).get(delivery.channel)
    refused = {(one.channel, one.address_hash) for one in state.patient.refused}
    if told is None or (delivery.channel, address_hash(told)) in refused:
        return "address_disabled"
    away = state.patient.away.value if state.patient.away else None
    if is_away(local_day(now, zone_of(state.patient)), away):
        return "away"
    if _is_settled(policy, state, program, sent, now):
        return "done"
    return "quiet_hours" if is_quiet(now, quiet_hours_of(policy, state), zone_of(state.patient)) else None


def wait_until(policy: ReminderPolicy, state: NotifierState, delivery: Delivery, now: datetime) -> datetime | None:
    """In quiet hours their end, where the reminder is still of use then: to be asked before `may_send`."""
    end = after_quiet_hours(now, quiet_hours_of(policy, state), zone_of(state.patient))
    is_of_use = delivery.expires_at is None or end <= delivery.expires_at
    return end if end > now and is_of_use else None


def replan(policy: ReminderPolicy, before: NotifierState, after: NotifierState, now: datetime) -> NotifierState:
    """After news of the patient: no reminder twice and none lost over a change of time zone, none in new quiet hours.

    Moving east jumps over local time as DST does in spring; what it jumped over comes at the first minute
    after it. Moving west repeats local time as DST does in autumn; what was sent keeps its identity.
    """
    outbox = tuple(
        one
        if one.recipient or one.begun
        else replace(one, due_at=wait_until(policy, after, one, one.due_at) or one.due_at)
        for one in after.outbox
    )
    after = after if outbox == after.outbox else replace(after, outbox=outbox)
    zone = zone_of(after.patient)
    if zone == zone_of(before.patient) or not may_remind(after):
        return after
    at = after_quiet_hours(now, quiet_hours_of(policy, after), zone).replace(microsecond=0)
    owed_before = {(one.kind, one.matter) for one in before.owed}
    owed = tuple(
        Owed(due.kind, due.program_id, due.matter, at)
        for due in next_reminders(policy, before, now)
        if (due.kind, due.matter) in owed_before or _is_jumped_over(policy, after, due, now)
    )
    return replace(after, owed=owed[:MAX_OWED])


def _why_not(state: NotifierState) -> Suppression | None:
    consent = state.patient.reminders
    if consent is None or not consent.value:
        return "consent_withdrawn"
    if is_red_flag_open(state):
        return "red_flag_open"
    if program_in_force(state) is None:
        return "program_not_followed"
    if is_unreachable(state):
        return "unreachable"
    return "silence" if state.silence is not None else None


def _send(
    policy: ReminderPolicy, state: NotifierState, due: Due, channel: str, timer: TimerFired, now: datetime
) -> tuple[NotifierState, Draft]:
    reminder_id = derive_id("reminder", timer.subject, due.kind, due.program_id, due.matter)
    event = ReminderDue(
        reminder_id=reminder_id, kind=due.kind, due_at=due.at, channel=channel, program_id=due.program_id
    )
    sent = Reminded(reminder_id, due.at, due.kind, due.program_id, due.matter)
    state = replace(state, reminded=(*state.reminded, sent)[-MAX_REMINDED:])
    if channel in policy.channels:
        delivery = Delivery(
            notification_id=_notification_id(sent),
            # The id that the commit gives the reminder's event.
            about=derive_id(SOURCE, timer.id, ReminderDue.event_type, reminder_id),
            kind=due.kind,
            channel=channel,
            channels=fall_backs(policy, state, channel),
            due_at=now.replace(microsecond=0),
            expires_at=not_after(policy, state, due.at),
        )
        state = enqueue(state, (delivery,))
    return state, Draft(event, time=timer.time, key=reminder_id)


def find_reminded(state: NotifierState, delivery: Delivery) -> Reminded | None:
    """What a patient's delivery reminds of; None where it is so old that it is forgotten."""
    return next((one for one in state.reminded if _notification_id(one) == delivery.notification_id), None)


def _notification_id(sent: Reminded) -> str:
    """The same on every channel: what one has refused the next tries under the same id."""
    return derive_id("notification", sent.reminder_id)


def _sent_since(state: NotifierState, first: date) -> tuple[Reminded, ...]:
    """On that local day or a later one."""
    zone = zone_of(state.patient)
    return tuple(sent for sent in state.reminded if local_day(sent.at, zone) >= first)


def _is_settled(policy: ReminderPolicy, state: NotifierState, program: Program, sent: Reminded, now: datetime) -> bool:
    return Agenda(policy, state, program, now).is_settled(sent.kind, sent.matter)


def _is_jumped_over(policy: ReminderPolicy, after: NotifierState, due: Due, now: datetime) -> bool:
    """It was yet to come, and on the new clock its time has passed."""
    program = program_in_force(after)
    if program is None or program.program_id != due.program_id:
        return False
    return Agenda(policy, after, program, now).planned_at(due) <= now
