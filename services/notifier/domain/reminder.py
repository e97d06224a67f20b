"""Reminders: which is due next, in the patient's local time, and whether it may be sent at all.

Source: NOTIFY. At most a few a day, none in quiet hours, none for anything twice, none from before an outage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.notifier.domain.calendar import (
    DAY,
    after_quiet_hours,
    is_away,
    local_day,
    local_instant,
    monday_of,
)
from services.notifier.domain.fact import program_in_force, zone_of
from services.notifier.domain.ladder import is_red_flag_open
from services.notifier.domain.outbox import enqueue
from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.state import (
    MAX_REMINDED,
    Away,
    Delivery,
    NotifierState,
    Program,
    Reminded,
    Session,
)
from shared.decision import Draft, TimerFired
from shared.event.envelope import derive_id
from shared.event.notification import ReminderDue

TIMER = "remind"
SOURCE = "//adaptive-care/notifier"
"""The `source` of this service's events."""

Kind = Literal["checkin", "session", "measure", "re_engage"]
KINDS: tuple[Kind, ...] = ("checkin", "session", "measure", "re_engage")
"""From the most to the least useful to care: the first go out where a day allows only some."""

DELIVERED_HERE = ("mail", "log")
"""The channels that this service delivers by itself, the preferred first."""
PLATFORM = "platform"
"""The channel of a patient whom only the platform can reach."""

_HORIZON = 16
"""Days looked ahead: two whole weeks beyond any absence."""


@dataclass(frozen=True, slots=True)
class Due:
    """One reminder to come. `matter` tells it from all others of its kind and program."""

    kind: Kind
    at: datetime
    program_id: str
    matter: str


def may_remind(state: NotifierState) -> bool:
    """With consent, on a program that the patient is asked to follow, and not in an emergency."""
    consent = state.patient.reminders
    if consent is None or not consent.value or is_red_flag_open(state):
        return False
    return program_in_force(state) is not None


def next_reminders(policy: ReminderPolicy, state: NotifierState, now: datetime) -> tuple[Due, ...]:
    """The next of each kind. Those that an outage has made stale are passed over."""
    program = program_in_force(state)
    if program is None or not may_remind(state):
        return ()
    after = now - timedelta(hours=policy.stale_after_h)
    if state.reminded_to is not None:
        after = max(after, state.reminded_to)
    plan = _Plan(policy, state, program, after)
    found = (plan.checkin(), plan.session(), plan.measure(), plan.re_engage())
    return tuple(due for due in found if due is not None)


def remind(
    policy: ReminderPolicy, state: NotifierState, timer: TimerFired, now: datetime
) -> tuple[NotifierState, tuple[Draft, ...]]:
    """Sends what is due until the timer, as many as the local day still allows."""
    due = [reminder for reminder in next_reminders(policy, state, now) if reminder.at <= timer.time]
    if not due:
        return state, ()
    zone = zone_of(state.patient)
    drafts = []
    for reminder in due:
        today = local_day(reminder.at, zone)
        reminder_id = derive_id("reminder", timer.subject, reminder.kind, reminder.program_id, reminder.matter)
        sent_today = sum(local_day(sent.at, zone) == today for sent in state.reminded)
        is_repeated = any(sent.reminder_id == reminder_id for sent in state.reminded)
        if is_repeated or sent_today >= policy.max_per_day:
            continue
        channel = channel_of(state)
        drafts.append(
            Draft(
                ReminderDue(
                    reminder_id=reminder_id,
                    kind=reminder.kind,
                    due_at=reminder.at,
                    channel=channel,
                    program_id=reminder.program_id,
                ),
                time=timer.time,
                key=reminder_id,
            )
        )
        reminded = (*state.reminded, Reminded(reminder_id, reminder.at))[-MAX_REMINDED:]
        state = replace(state, reminded=reminded)
        if channel in DELIVERED_HERE:
            state = enqueue(state, (_delivery(policy, reminder, reminder_id, channel, timer, now),))
    latest = max(reminder.at for reminder in due)
    reminded_to = latest if state.reminded_to is None else max(state.reminded_to, latest)
    return replace(state, reminded_to=reminded_to), tuple(drafts)


def channel_of(state: NotifierState) -> str:
    """How the patient is reached: by a channel of ours, else by one that only the platform knows."""
    contact = dict(state.patient.contact.value) if state.patient.contact else {}
    return next((name for name in (*DELIVERED_HERE, *contact) if name in contact), PLATFORM)


def _delivery(
    policy: ReminderPolicy, reminder: Due, reminder_id: str, channel: str, timer: TimerFired, now: datetime
) -> Delivery:
    return Delivery(
        notification_id=derive_id("notification", reminder_id, channel),
        # The id that the commit gives the reminder's event.
        about=derive_id(SOURCE, timer.id, ReminderDue.event_type, reminder_id),
        kind=reminder.kind,
        channel=channel,
        due_at=now.replace(microsecond=0),
        expires_at=reminder.at + timedelta(hours=policy.stale_after_h),
    )


class _Plan:
    """One look ahead from an instant: everything that is due after it."""

    def __init__(self, policy: ReminderPolicy, state: NotifierState, program: Program, after: datetime) -> None:
        self.policy = policy
        self.state = state
        self.program = program
        self.zone: ZoneInfo = zone_of(state.patient)
        self.away: Away | None = state.patient.away.value if state.patient.away else None
        quiet = state.patient.quiet_hours
        self.quiet = quiet.value if quiet else None
        self.started_at = program.planned_at or after
        consent = state.patient.reminders
        self.after = max(after, program.as_of or after, consent.at if consent else after)
        """What fell due before the program took its present form, or before consent, is none."""
        self.begun = local_day(self.started_at, self.zone)
        since = self.after - 10 * DAY  # covers the local week of the day before
        self.trained = {
            local_day(session.started_at, self.zone)
            for session in state.sessions
            if session.program_id == program.program_id and session.started_at > since
        }

    def session(self) -> Due | None:
        """On a day of the plan; without such days, once the days left in the week just suffice."""
        if not self.program.prescribes:
            return None
        for day in self._days_ahead():
            if day in self.trained or not self._is_session_due(day):
                continue
            at = self._instant(day, self.policy.session_at)
            if at and not any(day <= done <= local_day(at, self.zone) for done in self.trained):
                return Due("session", at, self.program.program_id, day.isoformat())
        return None

    def checkin(self) -> Due | None:
        """The morning after the last session, while its pain has not been told."""
        session = self._last_session()
        if session is None or not self.program.next_morning or self._is_answered(session):
            return None
        day = local_day(session.started_at, self.zone) + DAY
        at = self._instant(day, self.policy.checkin_at)
        return Due("checkin", at, self.program.program_id, session.session_id) if at else None

    def measure(self) -> Due | None:
        """All questionnaires of one day in one reminder; each counts from its last report."""
        measured = dict(self.state.measured)
        days = []
        for owed in self.program.measures:
            last_at = max(measured.get(owed.instrument, self.started_at), self.started_at)
            last = local_day(last_at, self.zone)
            behind = (local_day(self.after, self.zone) - last).days // (7 * owed.every_weeks)
            for slot in range(max(behind, 1), max(behind, 1) + 3):
                day = self._back_from_away(last + DAY * 7 * owed.every_weeks * slot)
                if self._instant(day, self.policy.measure_at):
                    days.append(day)
                    break
        if not days:
            return None
        at = self._instant(min(days), self.policy.measure_at)
        return Due("measure", at, self.program.program_id, min(days).isoformat()) if at else None

    def re_engage(self) -> Due | None:
        """Once in a silence; an absence that was told is none."""
        heard_at = max(self.state.heard_at or self.started_at, self.program.as_of or self.started_at)
        heard = local_day(heard_at, self.zone)
        silence = DAY * self.policy.re_engage_after_days
        if self.away and self.away.first <= heard + silence and heard <= self.away.last:
            heard = self.away.last
        at = self._instant(heard + silence, self.policy.re_engage_at)
        return Due("re_engage", at, self.program.program_id, heard.isoformat()) if at else None

    def _days_ahead(self) -> Iterator[date]:
        """From the day before, whose reminder quiet hours may have moved, over the horizon, without absences."""
        day = max(local_day(self.after, self.zone) - DAY, self.begun)
        for _ in range(_HORIZON):
            day = self._back_from_away(day)
            yield day
            day += DAY

    def _back_from_away(self, day: date) -> date:
        return self.away.last + DAY if self.away and is_away(day, self.away) else day

    def _instant(self, day: date, clock: str) -> datetime | None:
        """When it is sent; None where that is past or in an absence."""
        at = after_quiet_hours(local_instant(day, clock, self.zone), self.quiet, self.zone)
        if at <= self.after:
            return None
        if is_away(day, self.away) or is_away(local_day(at, self.zone), self.away):
            return None
        return at

    def _is_session_due(self, day: date) -> bool:
        monday = monday_of(day)
        week = [monday + DAY * n for n in range(7)]
        here = [d for d in week if d >= self.begun and not is_away(d, self.away)]
        done = sum(monday <= d < monday + DAY * 7 for d in self.trained)
        if self.program.days:
            return day.isoweekday() in self.program.days and done < self.program.sessions_per_week
        # A week that began late, or with an absence, asks for its share only.
        asked = self.program.sessions_per_week * len(here) // 7
        left = sum(d >= day for d in here)
        return asked - done > 0 and asked - done >= left

    def _last_session(self) -> Session | None:
        own = [s for s in self.state.sessions if s.program_id == self.program.program_id]
        return max(own, default=None)

    def _is_answered(self, session: Session) -> bool:
        day = local_day(session.started_at, self.zone)
        return any(
            morning.session_id == session.session_id
            or (not morning.session_id and local_day(morning.reported_at, self.zone) > day)
            for morning in self.state.mornings
        )
