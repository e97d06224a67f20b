"""What a patient's program asks to be reminded of next, on the patient's own clock.

A reminder is told from all others by kind, program and matter: the local day of a session, the session
whose morning is asked for, the questionnaires with the report that they count from, the last word before a
silence. None of these is an instant of the clock, so a change of time zone makes no second reminder of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.notifier.domain.calendar import (
    DAY,
    after_quiet_hours,
    is_away,
    local_day,
    local_instant,
    monday_of,
)
from services.notifier.domain.fact import zone_of
from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.state import Away, NotifierState, Program, QuietHours, Session

Kind = Literal["checkin", "session", "measure", "re_engage"]
KINDS: tuple[Kind, ...] = ("checkin", "session", "measure", "re_engage")
"""From the most to the least useful to care: the first go out where a day allows only some."""

_HORIZON = 16
"""Days looked ahead: two whole weeks beyond any absence."""
_SLOTS = 3
"""Turns of a questionnaire looked at: one that was reminded of, one that was passed over, and the next."""


@dataclass(frozen=True, slots=True)
class Due:
    """One reminder to come."""

    kind: Kind
    program_id: str
    matter: str
    at: datetime
    """When it is due."""
    send_at: datetime
    """When it may be sent: later where it is overdue and the patient is asleep."""
    day: date
    """The local day that it is planned for."""


def quiet_hours_of(policy: ReminderPolicy, state: NotifierState) -> QuietHours:
    """The patient's own, else the policy's."""
    told = state.patient.quiet_hours
    return told.value if told else QuietHours(policy.quiet_hours.start, policy.quiet_hours.end)


def not_after(policy: ReminderPolicy, state: NotifierState, at: datetime) -> datetime:
    """From then on what was due at an instant is of no use: within hours, and on its local day."""
    zone = zone_of(state.patient)
    midnight = local_instant(local_day(at, zone) + DAY, "00:00", zone)
    return min(at + timedelta(hours=policy.stale_after_h), midnight)


class Agenda:
    """One look ahead from now: everything that is due and still of use."""

    def __init__(self, policy: ReminderPolicy, state: NotifierState, program: Program, now: datetime) -> None:
        self.policy = policy
        self.state = state
        self.program = program
        self.now = now
        self.zone: ZoneInfo = zone_of(state.patient)
        self.away: Away | None = state.patient.away.value if state.patient.away else None
        self.quiet = quiet_hours_of(policy, state)
        self.started_at = program.planned_at or now
        consent = state.patient.reminders
        stale = now - timedelta(hours=policy.stale_after_h)
        begun_at = (program.as_of or stale, consent.at if consent else stale, state.reminded_to or stale)
        self.since = max(begun_at)
        """What fell due before the program took its present form, or before consent, is none."""
        self.after = max(self.since, stale)
        self._weeks: dict[date, list[date]] = {}
        self.begun = local_day(self.started_at, self.zone)
        self.reminded = {
            (sent.kind, matter)
            for sent in state.reminded
            if sent.program_id == program.program_id
            for matter in sent.matter.split(",")
        }
        two_weeks_before = min(self.after, now) - 15 * DAY  # covers this local week and the one before
        self.trained = {
            local_day(session.started_at, self.zone)
            for session in state.sessions
            if session.program_id == program.program_id and session.started_at > two_weeks_before
        }

    def dues(self) -> tuple[Due, ...]:
        """The next of each kind, and what a change of time zone has jumped over."""
        silent_at = self.silent_at()
        planned = (self.checkin(), self.session(), self.measure(), self.re_engage())
        found = [due for due in planned if due is not None]
        found += [due for due in self._owed() if not _is_served(due, found)]
        found.sort(key=lambda due: KINDS.index(due.kind))
        return tuple(due for due in found if due.at < silent_at)

    def silent_at(self) -> datetime:
        """When reminding ends, unless the patient is heard before. Consent is a word of the patient as well."""
        consent = self.state.patient.reminders
        word_at = max(self._word_at(), consent.at if consent else self.started_at)
        _, day = self._silence(word_at, self.policy.silent_after_days)
        return local_instant(day, self.policy.re_engage_at, self.zone)

    def silence_begins_at(self) -> datetime:
        """From when on the patient counts as silent, and is asked once how it goes."""
        _, day = self._silence(self._word_at(), self.policy.re_engage_after_days)
        return local_instant(day, self.policy.re_engage_at, self.zone)

    def missed_at(self) -> datetime | None:
        """When the last session that was due had gone by undone; None where it was done, or one has been since."""
        today = local_day(self.now, self.zone)
        if not self.program.days:
            monday = monday_of(today)
            done = sum(monday - DAY * 7 <= day < monday for day in self.trained)
            is_missed = done < self._asked(monday - DAY * 7) and not any(day >= monday for day in self.trained)
            return local_instant(monday, "00:00", self.zone) if is_missed else None
        days = (today - DAY * n for n in range(1, 8))
        asked = (day for day in days if day >= self.begun and not is_away(day, self.away))
        last = next((day for day in asked if day.isoweekday() in self.program.days), None)
        if last is None or any(day >= last for day in self.trained):
            return None
        return local_instant(last + DAY, "00:00", self.zone)

    def session(self) -> Due | None:
        """On a day of the plan; without such days, once the days left in the week just suffice."""
        if not self.program.prescribes:
            return None
        for day in self._days_ahead():
            if ("session", day.isoformat()) in self.reminded or self._is_session_settled(day, day):
                continue
            at = self._at(day, self.policy.session_at)
            if at and self._is_of_use(at) and not self._is_session_settled(day, local_day(at, self.zone)):
                return self._due("session", day.isoformat(), at, day)
        return None

    def checkin(self) -> Due | None:
        """The morning after the last session, while its pain has not been told."""
        session = self.last_session()
        if session is None or ("checkin", session.session_id) in self.reminded or not self._is_morning_owed(session):
            return None
        day = local_day(session.started_at, self.zone) + DAY
        at = self._at(day, self.policy.checkin_at)
        return self._due("checkin", session.session_id, at, day) if at and self._is_of_use(at) else None

    def measure(self) -> Due | None:
        """All questionnaires of one day in one reminder; each counts from its last report."""
        owed: dict[tuple[datetime, date], list[str]] = {}
        for measure in self.program.measures:
            last_at = self._measured_at(measure.instrument)
            last = local_day(last_at, self.zone)
            period = DAY * 7 * measure.every_weeks
            behind = max((local_day(self.since, self.zone) - last) // period, 1)
            for turn in range(behind, behind + _SLOTS):
                item = f"{measure.instrument}@{_stamp(last_at)}#{turn}"
                if ("measure", item) in self.reminded:
                    continue
                if found := self._first_of_use(last + period * turn, self.policy.measure_at):
                    owed.setdefault(found, []).append(item)
                    break
        if not owed:
            return None
        (at, day), items = min(owed.items())
        return self._due("measure", ",".join(sorted(items)), at, day)

    def re_engage(self) -> Due | None:
        """Once in a silence; an absence that was told is none."""
        matter, day = self._silence(self._word_at(), self.policy.re_engage_after_days)
        if ("re_engage", matter) in self.reminded:
            return None
        found = self._first_of_use(day, self.policy.re_engage_at)
        return self._due("re_engage", matter, *found) if found else None

    def is_settled(self, kind: str, matter: str) -> bool:
        """What it asks for is done, or is asked for no more."""
        match kind:
            case "session":
                day = date.fromisoformat(matter)
                return not self.program.prescribes or self._is_session_settled(day, local_day(self.now, self.zone))
            case "checkin":
                last = self.last_session()
                return last is None or last.session_id != matter or not self._is_morning_owed(last)
            case "measure":
                owed = {m.instrument for m in self.program.measures}
                items = (item.partition("@") for item in matter.split(","))
                return all(
                    name not in owed or _stamp(self._measured_at(name)) != rest.partition("#")[0]
                    for name, _, rest in items
                )
            case _:
                return self._silence(self._word_at(), self.policy.re_engage_after_days)[0] != matter

    def planned_at(self, due: Due) -> datetime:
        """When the same reminder is planned for on this patient's clock."""
        clock = {
            "session": self.policy.session_at,
            "checkin": self.policy.checkin_at,
            "measure": self.policy.measure_at,
            "re_engage": self.policy.re_engage_at,
        }[due.kind]
        return after_quiet_hours(local_instant(due.day, clock, self.zone), self.quiet, self.zone)

    def _due(self, kind: Kind, matter: str, at: datetime, day: date) -> Due:
        return Due(kind, self.program.program_id, matter, at, self._send_at(at), day)

    def _send_at(self, at: datetime) -> datetime:
        return at if at > self.now else after_quiet_hours(self.now, self.quiet, self.zone)

    def _is_of_use(self, at: datetime) -> bool:
        if at <= self.since:
            return False
        return at > self.now or self._send_at(at) <= not_after(self.policy, self.state, at)

    def _owed(self) -> Iterator[Due]:
        for kind in KINDS:
            for owed in self.state.owed:
                if owed.kind != kind or owed.program_id != self.program.program_id or not self._is_of_use(owed.at):
                    continue
                if any((kind, matter) in self.reminded for matter in owed.matter.split(",")):
                    continue
                if not self.is_settled(kind, owed.matter):
                    yield self._due(kind, owed.matter, owed.at, local_day(owed.at, self.zone))

    def _days_ahead(self) -> Iterator[date]:
        """From the day before, whose reminder quiet hours may have moved, over the horizon, without absences."""
        day = max(local_day(self.after, self.zone) - DAY, self.begun)
        for _ in range(_HORIZON):
            day = self._back_from_away(day)
            yield day
            day += DAY

    def _back_from_away(self, day: date) -> date:
        return self.away.last + DAY if self.away and is_away(day, self.away) else day

    def _at(self, day: date, clock: str) -> datetime | None:
        """When it is due; None in an absence."""
        at = after_quiet_hours(local_instant(day, clock, self.zone), self.quiet, self.zone)
        if is_away(day, self.away) or is_away(local_day(at, self.zone), self.away):
            return None
        return at

    def _first_of_use(self, day: date, clock: str) -> tuple[datetime, date] | None:
        """For what is as useful a day later: where an outage has made it stale, the next day at its time."""
        day = self._back_from_away(day)
        at = self._at(day, clock)
        if at is None or at <= self.since:
            return None
        today = local_day(self.now, self.zone)
        for later in range(_HORIZON):
            if at is not None and self._is_of_use(at):
                return at, day
            day = self._back_from_away(max(day, today + DAY * later))
            at = self._at(day, clock)
        return None

    def _is_session_settled(self, day: date, until: date) -> bool:
        """Nothing is asked for that day, or it was done then or since."""
        return not self._is_session_due(day) or any(day <= done <= until for done in self.trained)

    def _is_session_due(self, day: date) -> bool:
        monday = monday_of(day)
        done = sum(monday <= d < monday + DAY * 7 for d in self.trained)
        if self.program.days:
            return day.isoweekday() in self.program.days and done < self.program.sessions_per_week
        missing = self._asked(monday) - done
        return missing > 0 and missing >= sum(d >= day for d in self._week(monday))

    def _asked(self, monday: date) -> int:
        """Sessions asked for that week: one that began late, or with an absence, asks for its share only."""
        return self.program.sessions_per_week * len(self._week(monday)) // 7

    def _week(self, monday: date) -> list[date]:
        """Its days within the program, without absences."""
        if monday not in self._weeks:
            days = (monday + DAY * n for n in range(7))
            self._weeks[monday] = [day for day in days if day >= self.begun and not is_away(day, self.away)]
        return self._weeks[monday]

    def last_session(self) -> Session | None:
        own = [s for s in self.state.sessions if s.program_id == self.program.program_id]
        return max(own, default=None)

    def _is_morning_owed(self, session: Session) -> bool:
        day = local_day(session.started_at, self.zone)
        return self.program.next_morning and not any(
            morning.session_id == session.session_id
            or (not morning.session_id and local_day(morning.reported_at, self.zone) > day)
            for morning in self.state.mornings
        )

    def _measured_at(self, instrument: str) -> datetime:
        return max(dict(self.state.measured).get(instrument, self.started_at), self.started_at)

    def _word_at(self) -> datetime:
        """The newest of the patient's last word, the program's present form and a clinician's decision."""
        resolving = self.state.resolving
        return max(
            self.state.heard_at or self.started_at,
            self.program.as_of or self.started_at,
            resolving.at if resolving else self.started_at,
        )

    def _silence(self, word_at: datetime, days: int) -> tuple[str, date]:
        """Its name, and the day on which it has lasted so long; an absence that was told begins it anew."""
        word = local_day(word_at, self.zone)
        if self.away and self.away.first <= word + DAY * days and word <= self.away.last:
            return self.away.last.isoformat(), self.away.last + DAY * days
        return _stamp(word_at), word + DAY * days


def _is_served(owed: Due, planned: list[Due]) -> bool:
    """The same is still planned, or another of its kind comes on the same day."""
    matters = set(owed.matter.split(","))
    return any(
        due.kind == owed.kind and (due.day == owed.day or not matters.isdisjoint(due.matter.split(",")))
        for due in planned
    )


def _stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%S}"
