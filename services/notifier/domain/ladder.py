"""Escalations: each climbs its policy's ladder until a person answers or it is resolved.

Quiet hours and absence are the patient's and never hold back a word to a clinician.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.notifier.domain.calendar import next_working_time
from services.notifier.domain.delivery import enqueue, withdraw
from services.notifier.domain.policy import EscalationPolicy, Ladder, Policies
from services.notifier.domain.state import MAX_ALARMS, Alarm, Delivery, NotifierState, Option
from shared.event.envelope import derive_id
from shared.event.escalation import EscalationRaised
from shared.event.vocabulary import URGENCIES

TIMER = "ladder:"
"""Prefix of the timers that climb a ladder."""


def find_alarm(state: NotifierState, escalation_id: str) -> Alarm | None:
    return next((alarm for alarm in state.alarms if alarm.escalation_id == escalation_id), None)


def is_open(alarm: Alarm) -> bool:
    """Raised, and not resolved since."""
    if alarm.raised_at is None:
        return False
    return alarm.resolved_at is None or alarm.raised_at > alarm.resolved_at


def is_unanswered(state: NotifierState, alarm: Alarm) -> bool:
    """Nobody has seen it at its present severity, so its ladder climbs.

    What was decided before the severity rose does not count. A stop by the patient and a referral or
    discharge that names no escalation answer everything but red flags, which only a person who saw them ends.
    """
    if not is_open(alarm) or alarm.severe_since is None:
        return False
    answers = [alarm.answered_at]
    if alarm.reason != "red_flag":
        answers.append(state.closed_at)
        answers.extend(program.stopped_at for program in state.programs if program.program_id == alarm.program_id)
    return all(at is None or at < alarm.severe_since for at in answers)


def is_red_flag_open(state: NotifierState) -> bool:
    """An emergency, or an urgent red flag: no reminder text then. Source: NOTIFY."""
    return any(
        is_open(alarm)
        and (alarm.severity == "emergency" or (alarm.reason == "red_flag" and alarm.severity == "urgent"))
        for alarm in state.alarms
    )


def note_raised(
    policies: Policies, state: NotifierState, raised: EscalationRaised, at: datetime, by: str, now: datetime
) -> NotifierState:
    """A new escalation starts its ladder; a higher severity starts it again; the newest text stands."""
    known = find_alarm(state, raised.escalation_id) or Alarm(escalation_id=raised.escalation_id)
    was_open = is_open(known)
    alarm = known
    if alarm.raised_at is None or (alarm.raised_at, alarm.about) < (at, by):
        alarm = _with_text(alarm, raised, at, by)
    if not is_open(alarm):
        return _with_alarm(state, alarm)
    rose = URGENCIES.index(raised.severity) > URGENCIES.index(known.severity)
    if not was_open or rose:
        alarm = replace(alarm, severity=raised.severity, severe_since=at)
    elif raised.severity == known.severity and known.severe_since is not None:
        alarm = replace(alarm, severe_since=min(known.severe_since, at))
    state = _with_alarm(state, alarm)
    if (was_open and not rose) or not is_unanswered(state, alarm):
        return state
    state = withdraw(state, lambda d: d.escalation_id == alarm.escalation_id)
    policy = _policy(policies, state)
    ladder = policy.ladder(alarm.severity)
    # The first word goes out at once; working hours and repeats count from the event, which in a replay
    # is ahead of now.
    opens_at = now if ladder.hours == "always" else _within_hours(policy, ladder, max(now, at))
    opens_at = opens_at.replace(microsecond=0)
    alarm = replace(alarm, rung=0, next_at=opens_at)
    state = _with_alarm(state, alarm)
    return climb(policies, state, alarm, due=max(now, at), now=now) if opens_at <= now else state


def climb(policies: Policies, state: NotifierState, alarm: Alarm, due: datetime, now: datetime) -> NotifierState:
    """Sends what is due and sets the next rung. After an outage missed repeats are not made up for."""
    policy = _policy(policies, state)
    ladder = policy.ladder(alarm.severity)
    deliveries = _deliveries(ladder, alarm, now)
    while not (gap := ladder.gap_after(alarm.rung)):
        alarm = replace(alarm, rung=alarm.rung + 1)
        deliveries += _deliveries(ladder, alarm, now)
    next_at = due + gap if due + gap > now else now + gap
    climbed = replace(alarm, rung=alarm.rung + 1, next_at=_within_hours(policy, ladder, next_at).replace(microsecond=0))
    return enqueue(_with_alarm(state, climbed), deliveries)


def _deliveries(ladder: Ladder, alarm: Alarm, now: datetime) -> tuple[Delivery, ...]:
    step = ladder.step(alarm.rung)
    return tuple(
        Delivery(
            notification_id=derive_id("escalation", alarm.about, alarm.severity, str(alarm.rung), role, step.channel),
            about=alarm.about,
            kind="escalation",
            channel=step.channel,
            due_at=now.replace(microsecond=0),
            recipient=role,
            escalation_id=alarm.escalation_id,
        )
        for role in step.to
    )


def hurry(policies: Policies, state: NotifierState, escalation_id: str, now: datetime) -> NotifierState:
    """A message to a clinician has failed for good: the next step, if one is left, need not wait."""
    alarm = find_alarm(state, escalation_id)
    if alarm is None or alarm.next_at is None:
        return state
    policy = _policy(policies, state)
    ladder = policy.ladder(alarm.severity)
    if alarm.rung >= len(ladder.steps):
        return state
    # A second later: a timer of the same name and instant would fire only once.
    soon = _within_hours(policy, ladder, now.replace(microsecond=0) + timedelta(seconds=1))
    return _with_alarm(state, replace(alarm, next_at=min(alarm.next_at, soon)))


def note_answer(state: NotifierState, alarm: Alarm, at: datetime) -> NotifierState:
    answered_at = at if alarm.answered_at is None else max(alarm.answered_at, at)
    return _with_alarm(state, replace(alarm, answered_at=answered_at))


def note_resolved(state: NotifierState, escalation_id: str, at: datetime) -> NotifierState:
    alarm = find_alarm(state, escalation_id) or Alarm(escalation_id=escalation_id)
    resolved_at = at if alarm.resolved_at is None else max(alarm.resolved_at, at)
    return _with_alarm(state, replace(alarm, resolved_at=resolved_at))


def rest(state: NotifierState) -> NotifierState:
    """Stops the ladders that nobody needs to climb any more and withdraws what they had not sent yet."""
    alarms = tuple(_at_rest(state, alarm) for alarm in state.alarms)
    state = replace(state, alarms=alarms)
    silent = {alarm.escalation_id for alarm in alarms if not is_unanswered(state, alarm)}
    return withdraw(state, lambda d: d.escalation_id in silent)


def _at_rest(state: NotifierState, alarm: Alarm) -> Alarm:
    if is_unanswered(state, alarm):
        return alarm
    if is_open(alarm):
        return replace(alarm, next_at=None)
    # A closed one keeps what tells a late decision that it existed, and forgets the rest.
    return Alarm(
        escalation_id=alarm.escalation_id,
        about=alarm.about,
        reason=alarm.reason,
        program_id=alarm.program_id,
        raised_at=alarm.raised_at,
        answered_at=alarm.answered_at,
        resolved_at=alarm.resolved_at,
    )


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
    """Closed ones make room first, then the least severe, then the oldest."""
    at = alarm.raised_at or alarm.resolved_at
    return (is_open(alarm), URGENCIES.index(alarm.severity), at.isoformat() if at else "", alarm.escalation_id)


def _policy(policies: Policies, state: NotifierState) -> EscalationPolicy:
    team = state.patient.care_team
    return policies.of_team(team.value if team else None)


def _within_hours(policy: EscalationPolicy, ladder: Ladder, instant: datetime) -> datetime:
    if ladder.hours == "always":
        return instant
    hours = policy.working_hours
    return next_working_time(instant, hours.days, hours.start, hours.end, ZoneInfo(hours.timezone))
