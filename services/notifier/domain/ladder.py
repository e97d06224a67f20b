"""Escalations: each climbs its policy's ladder until a person answers, and is reopened until it is resolved.

Only an answer stops a ladder, not a message that arrived. Every open escalation has a next step (`next_at`): the
next rung while nobody has answered, else the instant at which the acknowledgement runs out. Quiet hours and absence are
the patient's and never hold back a word to a clinician. What happens is noted in the state's `ledger`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from msgspec.structs import replace

from services.notifier.domain import ledger
from services.notifier.domain.outbox import enqueue, withdraw
from services.notifier.domain.policy import EscalationPolicy, Ladder, Policies
from services.notifier.domain.rung import Call, Told, last_resort, later, next_call, opens_at, within_hours
from services.notifier.domain.state import (
    LAST_RESORT,
    MAX_ALARMS,
    MAX_ANSWERS,
    Alarm,
    Answer,
    Delivery,
    NotifierState,
    Option,
)
from shared.chain import stamp
from shared.decision import URGENT, Arrival
from shared.event.envelope import derive_id
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.vocabulary import URGENCIES

TIMER = "ladder:"
"""Begins the timers that climb a ladder, after the mark of the urgent lane."""
TOLD = ("escalation", "digest")
"""Kinds of the messages that tell of an escalation."""
CLOSING = ("refer", "discharge")
"""Decisions that end care: they resolve all that is open."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What happens at an instant if nobody answers until then."""

    at: datetime
    step: int
    """Of the policy's chain, from 1; `LAST_RESORT`."""
    recipients: tuple[str, ...]
    channels: tuple[str, ...]
    """The channel of each recipient."""
    note: str
    """In plain words what is special about it; often empty."""


def find_alarm(state: NotifierState, escalation_id: str) -> Alarm | None:
    return next((alarm for alarm in state.alarms if alarm.escalation_id == escalation_id), None)


def timer_of(alarm: Alarm) -> str:
    """The name of the timer that fires at its `next_at`."""
    return f"{URGENT if alarm.severity == 'emergency' else ''}{TIMER}{alarm.escalation_id}"


def find_by_timer(state: NotifierState, timer_name: str) -> Alarm | None:
    """The alarm that a ladder's timer belongs to, also where its severity has risen since; None for other timers."""
    name = timer_name.removeprefix(URGENT)
    return find_alarm(state, name.removeprefix(TIMER)) if name.startswith(TIMER) else None


def is_open(alarm: Alarm) -> bool:
    """Raised, and not resolved since."""
    if alarm.raised_at is None:
        return False
    return alarm.resolved_at is None or alarm.raised_at > alarm.resolved_at


def is_unanswered(alarm: Alarm) -> bool:
    """Open, and nobody has seen it at its present severity and since it was reopened: its ladder climbs."""
    if not is_open(alarm) or alarm.severe_since is None:
        return False
    since = max(alarm.severe_since, alarm.reopened_at or alarm.severe_since)
    return alarm.answered_at is None or alarm.answered_at < since


def is_answered_for(state: NotifierState, delivery: Delivery) -> bool:
    """The message tells of an escalation that somebody has answered meanwhile: it is not begun any more."""
    if delivery.kind not in TOLD:
        return False
    alarm = find_alarm(state, delivery.escalation_id)
    return alarm is None or not is_unanswered(alarm)


def is_red_flag_open(state: NotifierState) -> bool:
    """An emergency, or an urgent red flag: no reminder text then. Source: NOTIFY."""
    return any(
        is_open(alarm)
        and (alarm.severity == "emergency" or (alarm.reason == "red_flag" and alarm.severity == "urgent"))
        for alarm in state.alarms
    )


def note_raised(
    policies: Policies, state: NotifierState, raised: EscalationRaised, arrival: Arrival, now: datetime
) -> NotifierState:
    """A new escalation starts its ladder; a higher severity starts it again; the newest text stands."""
    at, by = arrival.time, arrival.id
    known = find_alarm(state, raised.escalation_id) or Alarm(escalation_id=raised.escalation_id)
    was_open, is_new = is_open(known), known.raised_at is None
    alarm = known
    if alarm.raised_at is None or (alarm.raised_at, alarm.about) < (at, by):
        alarm = _with_text(alarm, raised, at, by)
    alarm = _ended(state, alarm)
    rose = URGENCIES.index(raised.severity) > URGENCIES.index(known.severity)
    told = {"about": by, "severity": raised.severity}
    origin = {"reason": raised.reason, "rule": raised.basis[0].rule if raised.basis else None}
    if not is_open(alarm):
        if is_new or rose:
            alarm = replace(alarm, severity=raised.severity)
        state = _with_alarm(state, alarm)
        if is_new:
            state = ledger.note(state, alarm.escalation_id, "created", at, **told, **origin)
        return ledger.note(state, alarm.escalation_id, "suppressed", now, why="resolved", about=by)
    if not was_open:
        alarm = replace(alarm, severity=raised.severity, severe_since=at, reopened_at=None)
    elif rose:
        alarm = replace(alarm, severity=raised.severity, severe_since=at)
    elif raised.severity == known.severity and known.severe_since is not None:
        alarm = replace(alarm, severe_since=min(known.severe_since, at))
    if rose or not was_open:
        alarm = replace(alarm, entered_at=arrival.origin.entered_at, is_told=False)
    state = _with_alarm(state, alarm)
    if was_open and not rose:
        return ledger.note(state, alarm.escalation_id, "deduplicated", at, **told)
    if was_open:
        state = ledger.note(state, alarm.escalation_id, "worsened", at, **told)
    else:
        state = ledger.note(state, alarm.escalation_id, "created", at, **told, **origin)
    if not is_unanswered(alarm):
        return ledger.note(state, alarm.escalation_id, "suppressed", now, why="acknowledged", about=by)
    state = _withdraw(state, alarm.escalation_id, "worsened", now)
    return _begin(policies, state, alarm.escalation_id, at, now)


def climb(policies: Policies, state: NotifierState, alarm: Alarm, due: datetime, now: datetime) -> NotifierState:
    """The next step of an open alarm: the next rung, or, where it was acknowledged, the ladder from its beginning.

    `due`: the instant that the timer was set to.
    """
    if is_unanswered(alarm):
        return _climb(policies, state, alarm, due, now)
    if not is_open(alarm):
        return state
    state = _with_alarm(state, replace(alarm, reopened_at=due))
    state = ledger.note(state, alarm.escalation_id, "reopened", due, acknowledged_at=_stamp(alarm.answered_at))
    return _begin(policies, state, alarm.escalation_id, due, now)


def hurry(policies: Policies, state: NotifierState, escalation_id: str, now: datetime) -> NotifierState:
    """A message to a clinician has failed for good: the next step of the chain need not wait.

    After the last step of the chain the last resort is told beside it, once.
    """
    alarm = find_alarm(state, escalation_id)
    if alarm is None or alarm.next_at is None or alarm.last_resort or not is_unanswered(alarm):
        return state
    policy = policy_of(policies, state)
    ladder = policy.ladder(alarm.severity)
    if alarm.rung >= len(ladder.steps):
        call = Call(now, LAST_RESORT, (last_resort(policies, policy),), (), alarm.rung, alarm.next_at)
        return _tell(state, alarm, call, now)
    # A second later: a timer of the same name and instant would fire only once.
    soon = within_hours(policy, ladder, now.replace(microsecond=0) + timedelta(seconds=1))
    return _with_alarm(state, replace(alarm, next_at=min(alarm.next_at, soon)))


def note_told(state: NotifierState, escalation_id: str) -> NotifierState:
    """A message about it was taken over."""
    alarm = find_alarm(state, escalation_id)
    return state if alarm is None or alarm.is_told else _with_alarm(state, replace(alarm, is_told=True))


def note_answer(state: NotifierState, alarm: Alarm, answer: Answer, useful: bool | None = None) -> NotifierState:
    """A clinician's decision stops the ladder; one that ends care also resolves. The same decision counts once."""
    known = find_alarm(state, alarm.escalation_id) or alarm
    if any(given.decision_id == answer.decision_id for given in known.answers):
        return state
    was_open = is_open(known)
    alarm = replace(
        known,
        answered_at=_latest(known.answered_at, answer.at),
        answers=tuple(sorted((*known.answers, answer))[-MAX_ANSWERS:]),
    )
    if answer.intent in CLOSING:
        alarm = _resolve(alarm, answer.at, answer.intent)
    state = _with_alarm(state, alarm)
    said = {"by": answer.by, "intent": answer.intent, "decision_id": answer.decision_id, "useful": useful}
    state = ledger.note(state, alarm.escalation_id, "acknowledged", answer.at, **said)
    if was_open and not is_open(alarm):
        state = ledger.note(
            state, alarm.escalation_id, "resolved", answer.at, by=answer.by, resolution=alarm.resolution
        )
    return state


def note_resolved(state: NotifierState, resolved: EscalationResolved, at: datetime) -> NotifierState:
    known = find_alarm(state, resolved.escalation_id) or Alarm(escalation_id=resolved.escalation_id)
    alarm = _resolve(known, at, resolved.resolution)
    state = _with_alarm(state, alarm)
    if not is_open(known) or is_open(alarm):
        return state
    by = next((answer.by for answer in known.answers if answer.decision_id == resolved.decision_id), None)
    return ledger.note(state, alarm.escalation_id, "resolved", at, by=by, resolution=resolved.resolution)


def rest(policies: Policies, state: NotifierState, now: datetime) -> NotifierState:
    """Brings every alarm into order: what is answered or closed is silent, what is open has a next step."""
    for alarm in state.alarms:
        ended = _ended(state, alarm)
        if ended is alarm:
            continue
        state = _with_alarm(state, ended)
        if is_open(alarm) and not is_open(ended):
            at = ended.resolved_at or now
            state = ledger.note(state, alarm.escalation_id, "resolved", at, resolution=ended.resolution)
    policy = policy_of(policies, state)
    for alarm in state.alarms:
        if not is_unanswered(alarm):
            why = "acknowledged" if is_open(alarm) else "resolved"
            state = _withdraw(state, alarm.escalation_id, why, now)
    return replace(state, alarms=tuple(_at_rest(policy, alarm) for alarm in state.alarms))


def plan(
    policies: Policies, state: NotifierState, alarm: Alarm, at: datetime, steps: int = 8
) -> tuple[PlannedStep, ...]:
    """Who gets what when, from `at` on, if nobody answers: so many steps. Nothing for what is resolved."""
    if not is_open(alarm):
        return ()
    policy = policy_of(policies, state)
    ladder = policy.ladder(alarm.severity)
    planned = list(_waiting(state, alarm, at))
    due, rung, note = max(alarm.next_at or at, at), alarm.rung, ""
    if not is_unanswered(alarm):
        due, rung, note = opens_at(policy, ladder, due), 0, "acknowledged, but not resolved in time: it begins again"
    while len(planned) < steps:
        call = next_call(policies, policy, ladder, rung, due, due)
        notes = (note, *(f"step {skip.step}: {skip.name}: {skip.why}" for skip in call.skipped))
        planned.append(_planned(call, "; ".join(filter(None, notes))))
        due, rung, note = call.next_at, call.next_rung, ""
    return tuple(planned[:steps])


def policy_of(policies: Policies, state: NotifierState) -> EscalationPolicy:
    """That of the patient's care team."""
    team = state.patient.care_team
    return policies.of_team(team.value if team else None)


def _begin(policies: Policies, state: NotifierState, escalation_id: str, at: datetime, now: datetime) -> NotifierState:
    """The first word goes out at once, or with the next working hours, which in a replay may be ahead of now."""
    alarm = find_alarm(state, escalation_id)
    if alarm is None:  # it made room for graver ones
        return state
    policy = policy_of(policies, state)
    ladder = policy.ladder(alarm.severity)
    begun_at = max(now, at)
    first_at = opens_at(policy, ladder, begun_at)
    alarm = replace(alarm, rung=0, calls=0, last_resort=False, next_at=first_at.replace(microsecond=0))
    state = _with_alarm(state, alarm)
    return state if first_at > begun_at else _climb(policies, state, alarm, begun_at, now)


def _climb(policies: Policies, state: NotifierState, alarm: Alarm, due: datetime, now: datetime) -> NotifierState:
    policy = policy_of(policies, state)
    call = next_call(policies, policy, policy.ladder(alarm.severity), alarm.rung, due, now)
    if alarm.calls:
        state = ledger.note(state, alarm.escalation_id, "escalated", now, step=call.step)
    for skip in call.skipped:
        who = {"rota": skip.name} if skip.why == "off_shift" else {"recipient": skip.name}
        state = ledger.note(state, alarm.escalation_id, "skipped", now, step=skip.step, why=skip.why, **who)
    is_digest = policy.ladder(alarm.severity).digest is not None
    return _tell(state, find_alarm(state, alarm.escalation_id) or alarm, call, now, is_digest=is_digest)


def _tell(state: NotifierState, alarm: Alarm, call: Call, now: datetime, *, is_digest: bool = False) -> NotifierState:
    """Plans the messages of a call."""
    due_at = (call.at if is_digest else now).replace(microsecond=0)
    deliveries = tuple(_delivery(alarm, call.step, told, due_at, is_digest=is_digest) for told in call.told)
    called = replace(
        alarm,
        rung=call.next_rung,
        calls=alarm.calls + 1,
        next_at=call.next_at,
        last_resort=alarm.last_resort or call.step == LAST_RESORT,
    )
    state = enqueue(_with_alarm(state, called), deliveries)
    for delivery in deliveries:
        state = ledger.note(
            state,
            alarm.escalation_id,
            "planned",
            now,
            notification_id=delivery.notification_id,
            recipient=delivery.recipient,
            channel=delivery.channel,
            step=delivery.step,
            due_at=_stamp(delivery.due_at),
        )
    return state


def _delivery(alarm: Alarm, step: int, told: Told, due_at: datetime, *, is_digest: bool) -> Delivery:
    begun = alarm.reopened_at.isoformat() if alarm.reopened_at else ""
    return Delivery(
        # One message whichever channel carries it in the end.
        notification_id=derive_id(
            "escalation", alarm.escalation_id, alarm.about, alarm.severity, begun, str(alarm.calls), told.recipient
        ),
        about=alarm.about,
        kind="digest" if is_digest else "escalation",
        channel=told.channels[0],
        channels=told.channels[1:],
        due_at=due_at,
        recipient=told.recipient,
        escalation_id=alarm.escalation_id,
        step=step,
        urgent=alarm.severity == "emergency",
    )


def _withdraw(state: NotifierState, escalation_id: str, why: str, now: datetime) -> NotifierState:
    """Takes back what was to tell of it; notices to the owner stay."""
    before = [d.notification_id for d in state.outbox if d.escalation_id == escalation_id and d.kind in TOLD]
    if not before:
        return state
    state = withdraw(state, lambda d: d.notification_id in before)
    kept = {delivery.notification_id for delivery in state.outbox}
    for notification_id in before:
        if notification_id not in kept:
            state = ledger.note(state, escalation_id, "suppressed", now, why=why, notification_id=notification_id)
    return state


def _ended(state: NotifierState, alarm: Alarm) -> Alarm:
    """What ended without naming the escalation: by a referral or discharge, or because the patient stopped.

    Red flags are ended only by a person who saw them.
    """
    if alarm.raised_at is None or alarm.reason == "red_flag":
        return alarm
    for program in state.programs:
        if program.stopped_at is not None and program.program_id == alarm.program_id:
            alarm = _resolve(alarm, program.stopped_at, "stopped")
    return alarm if state.closed_at is None else _resolve(alarm, state.closed_at, "care_ended")


def _resolve(alarm: Alarm, at: datetime, resolution: str) -> Alarm:
    if alarm.resolved_at is not None and alarm.resolved_at >= at:
        return alarm
    return replace(alarm, resolved_at=at, resolution=resolution)


def _at_rest(policy: EscalationPolicy, alarm: Alarm) -> Alarm:
    if is_unanswered(alarm):
        return alarm if alarm.next_at is not None else replace(alarm, next_at=alarm.severe_since)
    if is_open(alarm):
        return replace(alarm, next_at=_acknowledged_until(policy.ladder(alarm.severity), policy, alarm))
    # A closed one keeps what tells a late event that it existed, and forgets the rest.
    return Alarm(
        escalation_id=alarm.escalation_id,
        severity=alarm.severity,
        about=alarm.about,
        reason=alarm.reason,
        program_id=alarm.program_id,
        raised_at=alarm.raised_at,
        answered_at=alarm.answered_at,
        answers=alarm.answers,
        resolved_at=alarm.resolved_at,
        resolution=alarm.resolution,
        ledger_seq=alarm.ledger_seq,
        ledger_hash=alarm.ledger_hash,
    )


def _acknowledged_until(ladder: Ladder, policy: EscalationPolicy, alarm: Alarm) -> datetime | None:
    """Until it should be resolved, and not sooner than one step's time after the answer."""
    if alarm.severe_since is None or alarm.answered_at is None:
        return alarm.raised_at
    grace = later(policy, ladder, alarm.answered_at, ladder.steps[0].acknowledge_within_min)
    return max(grace, later(policy, ladder, alarm.severe_since, ladder.resolve_within_min))


def _with_text(alarm: Alarm, raised: EscalationRaised, at: datetime, by: str) -> Alarm:
    return replace(
        alarm,
        reason=raised.reason,
        program_id=raised.program_id or "",
        about=by,
        raised_at=at,
        respond_by=raised.respond_by,
        situation=raised.sbar.situation,
        background=raised.sbar.background,
        assessment=raised.sbar.assessment,
        recommendation=raised.sbar.recommendation,
        options=tuple(Option(option.label, option.evidence_grade) for option in raised.options),
    )


def _with_alarm(state: NotifierState, alarm: Alarm) -> NotifierState:
    alarms = {known.escalation_id: known for known in state.alarms}
    alarms[alarm.escalation_id] = alarm
    kept = sorted(alarms.values(), key=_weight)[-MAX_ALARMS:]
    return replace(state, alarms=tuple(sorted(kept, key=lambda a: a.escalation_id)))


def _weight(alarm: Alarm) -> tuple[bool, int, str, str]:
    """Closed ones make room first, the oldest before the others; then the least severe."""
    at = alarm.raised_at or alarm.resolved_at
    severity = URGENCIES.index(alarm.severity) if is_open(alarm) else 0
    return (is_open(alarm), severity, at.isoformat() if at else "", alarm.escalation_id)


def _waiting(state: NotifierState, alarm: Alarm, at: datetime) -> tuple[PlannedStep, ...]:
    """What is planned already and waits for its digest."""
    waiting = sorted(
        (d for d in state.outbox if d.escalation_id == alarm.escalation_id and d.kind == "digest" and d.due_at > at),
        key=lambda d: (d.due_at, d.step),
    )
    return tuple(
        PlannedStep(due_at, step, tuple(d.recipient for d in same), tuple(d.channel for d in same), "in the digest")
        for (due_at, step), group in groupby(waiting, key=lambda d: (d.due_at, d.step))
        if (same := list(group))
    )


def _planned(call: Call, note: str) -> PlannedStep:
    recipients = tuple(told.recipient for told in call.told)
    return PlannedStep(call.at, call.step, recipients, tuple(told.channels[0] for told in call.told), note)


def _latest(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else max(known, new)


def _stamp(instant: datetime | None) -> str | None:
    return None if instant is None else stamp(instant)
