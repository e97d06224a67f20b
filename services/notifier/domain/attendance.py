"""How a patient stands with what was asked: the state of the reminding, and what follows from it.

Not reported, missed, paused, muted, unreachable and silent are different states with different consequences.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.notifier.domain.agenda import Agenda
from services.notifier.domain.calendar import DAY, is_away, local_day, local_instant
from services.notifier.domain.contact import is_unreachable
from services.notifier.domain.fact import program_in_force, zone_of
from services.notifier.domain.ladder import is_open, is_red_flag_open
from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.state import NotifierState, Program

AttendanceKind = Literal["done", "missed", "paused", "muted", "unreachable", "silent"]

CONSEQUENCES: dict[str, str] = {
    "done": "The next reminder comes when something is due.",
    "missed": "It is not chased: the next reminder is the next session's.",
    "paused:away": "No session is due and nothing is sent until the patient is back.",
    "paused:red_flag": "Nothing is sent until a clinician has closed the red flag.",
    "paused:held": "Nothing is sent until a clinician ends the hold.",
    "paused:proposed": "Nothing is sent until a clinician approves the program.",
    "paused:ended": "Nothing is due any more, and nothing is sent.",
    "paused:nothing_prescribed": "No session is due until one is prescribed again.",
    "muted:no_consent": "Nothing is sent: the patient was not asked, or has not agreed.",
    "muted:switched_off": "Nothing is sent: the patient has switched reminders off.",
    "unreachable:addresses_refused": "Nothing is sent until another address is given; the care team has one task.",
    "silent:no_word": "One kind word is sent; if none comes back, reminding ends and the care team has one task.",
    "silent:given_up": "Nothing is sent until the patient is heard again or a clinician decides; "
    "the care team has one task.",
    "silent:budget": "The week's reminders are spent: nothing is sent until the patient is heard again or a "
    "clinician decides; the care team has one task.",
}
"""By `kind:why`; the words for the clinician's page."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """One state at a time, the gravest that holds."""

    kind: AttendanceKind
    why: str = ""
    """Tells the cases of a kind apart, such as `away` or `held`; empty where there is but one."""
    since: datetime | None = None
    """None: from the start."""
    until: datetime | None = None
    """When it ends by itself, or what is due next; None: when somebody acts."""

    @property
    def consequence(self) -> str:
        return CONSEQUENCES[f"{self.kind}:{self.why}" if self.why else self.kind]


def attendance(state: NotifierState, policy: ReminderPolicy, now: datetime) -> Attendance:
    """Muted before unreachable before paused before silent before missed before done."""
    consent = state.patient.reminders
    if consent is None:
        return Attendance("muted", "no_consent")
    if not consent.value:
        return Attendance("muted", "switched_off", consent.at)
    if is_unreachable(state):
        refused_at = max((refusal.at for refusal in state.patient.refused), default=None)
        return Attendance("unreachable", "addresses_refused", refused_at)
    if is_red_flag_open(state):
        raised = [alarm.severe_since for alarm in state.alarms if is_open(alarm) and alarm.severe_since]
        return Attendance("paused", "red_flag", min(raised, default=None))
    program = program_in_force(state)
    if program is None:
        return _without_program(state)
    if paused := _paused(state, program, now):
        return paused
    agenda = Agenda(policy, state, program, now)
    if silent := _silent(state, agenda, now):
        return silent
    if (missed_at := agenda.missed_at()) is not None:
        return Attendance("missed", "", missed_at, _next_due(agenda))
    last = agenda.last_session()
    return Attendance("done", "", last.started_at if last else program.planned_at, _next_due(agenda))


def _paused(state: NotifierState, program: Program, now: datetime) -> Attendance | None:
    away, zone = state.patient.away, zone_of(state.patient)
    if away is not None and is_away(local_day(now, zone), away.value):
        first, back = away.value.first, away.value.last + DAY
        return Attendance("paused", "away", local_instant(first, "00:00", zone), local_instant(back, "00:00", zone))
    return None if program.prescribes else Attendance("paused", "nothing_prescribed")


def _without_program(state: NotifierState) -> Attendance:
    told = [program for program in state.programs if program.as_of is not None]
    newest = max(told, key=lambda program: (program.as_of, program.program_id), default=None)
    if newest is None:
        return Attendance("paused", "ended")
    if newest.stopped_at is not None:
        return Attendance("paused", "ended", newest.stopped_at)
    if state.closed_at is not None and (newest.planned_at is None or newest.planned_at <= state.closed_at):
        return Attendance("paused", "ended", state.closed_at)
    why = newest.status if newest.status in ("held", "proposed") else "ended"
    return Attendance("paused", why, newest.as_of)


def _silent(state: NotifierState, agenda: Agenda, now: datetime) -> Attendance | None:
    if state.silence is not None:
        why = "budget" if state.silence.why == "budget" else "given_up"
        return Attendance("silent", why, state.silence.since)
    begins_at, ends_at = agenda.silence_begins_at(), agenda.silent_at()
    if now < begins_at:
        return None
    return Attendance("silent", "no_word", begins_at, ends_at if ends_at > now else None)


def _next_due(agenda: Agenda) -> datetime | None:
    return min((due.send_at for due in agenda.dues()), default=None)
