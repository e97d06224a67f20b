"""Where reminding ends: one task for the care team, and no word to the patient until something changes.

It begins when the week's budget is spent without an answer, after a long silence, or when every address of
the patient has refused. It ends when the patient is heard or gives another address, when a clinician decides,
or with the program.
"""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from services.notifier.domain.calendar import DAY
from services.notifier.domain.contact import is_unreachable
from services.notifier.domain.fact import program_in_force
from services.notifier.domain.ladder import is_open
from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.state import NotifierState, Program, Reminded, Silence, SilenceWhy
from shared.decision import Draft
from shared.event.envelope import derive_id
from shared.event.escalation import EscalationRaised, EscalationResolved, Sbar

REACHING = ("no_contact", "non_adherence")
"""Reasons of open escalations that ask the care team to reach the patient already."""
Resolution = Literal[
    "continue", "resume", "approve", "modify", "reclassify", "refer", "discharge", "stopped", "superseded"
]

_SITUATION: dict[SilenceWhy, str] = {
    "budget": "The patient does not answer: the week's reminders are spent.",
    "no_word": "Nothing was heard from the patient, in spite of reminders.",
    "unreachable": "No message reaches the patient: every address that was given has refused for good.",
}
_RECOMMENDATION: dict[SilenceWhy, str] = {
    "budget": "Ask the patient in person what stands in the way. Then continue, modify or discharge.",
    "no_word": "Ask the patient in person what stands in the way. Then continue, modify or discharge.",
    "unreachable": "Ask the patient in person for another address, and have it entered. Then continue, or discharge.",
}


def begin_silence(
    policy: ReminderPolicy, state: NotifierState, subject: str, why: SilenceWhy, at: datetime
) -> tuple[NotifierState, tuple[Draft, ...]]:
    """No reminder from now on, and a task for the care team unless it has the same one already."""
    program = program_in_force(state)
    if program is None or state.silence is not None:
        return state, ()
    silence = Silence(why=why, since=at, program_id=program.program_id, heard_at=state.heard_at)
    if why != "unreachable" and _is_asked_to_reach(state):
        return replace(state, silence=silence), ()
    escalation_id = derive_id("reminders", subject, program.program_id, why, at.isoformat())
    silence = replace(silence, escalation_id=escalation_id)
    draft = Draft(_task(policy, state, silence, program), time=at, key=escalation_id)
    return replace(state, silence=silence), (draft,)


def settle(
    policy: ReminderPolicy, state: NotifierState, subject: str, at: datetime
) -> tuple[NotifierState, tuple[Draft, ...]]:
    """After every step: ends a silence that has lost its ground, and begins one where nothing reaches the patient."""
    drafts: tuple[Draft, ...] = ()
    if state.silence is not None and (resolution := _ended_by(state, state.silence)):
        drafts = _resolved(state, state.silence, resolution, at)
        # A decision settles the task; only another address ends the silence of one who cannot be reached.
        goes_on = state.silence.why == "unreachable" and _is_of_program_in_force(state, state.silence)
        goes_on = goes_on and is_unreachable(state)
        state = replace(state, silence=replace(state.silence, since=at, escalation_id="") if goes_on else None)
    elif state.silence is not None and state.silence.why != "unreachable" and _is_asked_to_reach(state):
        drafts = _resolved(state, state.silence, "superseded", at)
        state = replace(state, silence=replace(state.silence, escalation_id=""))
    if state.silence is None and _consents(state) and is_unreachable(state):
        state, more = begin_silence(policy, state, subject, "unreachable", at)
        drafts += more
    return state, drafts


def is_budget_spent(policy: ReminderPolicy, state: NotifierState, week: tuple[Reminded, ...]) -> bool:
    """`week`: sent in the last seven local days. A clinician's decision opens a new budget."""
    resolving = state.resolving
    counted = [sent for sent in week if resolving is None or sent.at > resolving.at]
    return len(counted) >= policy.max_per_week


def is_answering(state: NotifierState, week: tuple[Reminded, ...]) -> bool:
    """Something came back within that week: then one reminder too many is only left out."""
    first = min((sent.at for sent in week), default=None)
    return state.heard_at is not None and (first is None or state.heard_at > first)


def _ended_by(state: NotifierState, silence: Silence) -> Resolution | None:
    decided = state.resolving
    if decided is not None and decided.at > silence.since:
        names_it = decided.escalation_id == silence.escalation_id or decided.decision in ("refer", "discharge")
        return _as_resolution(decided.decision) if names_it else "superseded"
    followed = program_in_force(state)
    if followed is None or followed.program_id != silence.program_id:
        return _end_of(state, silence, followed)
    if silence.why == "unreachable":
        return None if is_unreachable(state) else "superseded"
    is_heard = state.heard_at is not None and (silence.heard_at is None or state.heard_at > silence.heard_at)
    return "superseded" if is_heard else None


def _is_of_program_in_force(state: NotifierState, silence: Silence) -> bool:
    program = program_in_force(state)
    return program is not None and program.program_id == silence.program_id


def _end_of(state: NotifierState, silence: Silence, followed: Program | None) -> Resolution | None:
    """A held or proposed program may go on, and the silence with it; a stopped or replaced one does not."""
    own = next((p for p in state.programs if p.program_id == silence.program_id), None)
    if own is not None and own.stopped_at is not None:
        return "stopped"
    is_over = own is None or own.status == "ended" or followed is not None
    return "superseded" if is_over else None


def _as_resolution(decision: str) -> Resolution:
    match decision:
        case "continue" | "resume" | "approve" | "modify" | "reclassify" | "refer" | "discharge":
            return decision
        case _:
            return "superseded"


def _resolved(state: NotifierState, silence: Silence, resolution: Resolution, at: datetime) -> tuple[Draft, ...]:
    if not silence.escalation_id:
        return ()
    decided = state.resolving if resolution not in ("stopped", "superseded") else None
    resolved = EscalationResolved(
        escalation_id=silence.escalation_id,
        program_id=silence.program_id,
        reason="clinician_review",
        resolution=resolution,
        decision_id=decided.decision_id if decided else None,
    )
    return (Draft(resolved, time=max(at, silence.since), key=silence.escalation_id),)


def _is_asked_to_reach(state: NotifierState) -> bool:
    return any(is_open(alarm) and alarm.reason in REACHING for alarm in state.alarms)


def _consents(state: NotifierState) -> bool:
    return state.patient.reminders is not None and state.patient.reminders.value


def _task(policy: ReminderPolicy, state: NotifierState, silence: Silence, program: Program) -> EscalationRaised:
    week = [sent for sent in state.reminded if silence.since - 7 * DAY < sent.at <= silence.since]
    heard = f"{state.heard_at:%Y-%m-%d}" if state.heard_at else "never"
    planned = f"{program.planned_at:%Y-%m-%d}" if program.planned_at else "an unknown day"
    return EscalationRaised(
        escalation_id=silence.escalation_id,
        program_id=program.program_id,
        severity="routine",
        reason="clinician_review",
        sbar=Sbar(
            situation=_SITUATION[silence.why],
            background=f"The program runs since {planned}. The patient was last heard of: {heard}. "
            f"Reminders in the last seven days: {len(week)}.",
            assessment="More reminders would not help, and might be switched off. "
            "None is sent until the patient is heard again or you decide.",
            recommendation=_RECOMMENDATION[silence.why],
        ),
        evidence={
            "rule": "NOTIFY",
            "why": silence.why,
            "reminders_in_7_days": len(week),
            "reminders_per_week_at_most": policy.max_per_week,
            "last_word": heard,
        },
        respond_by=_working_days_after(silence.since, policy.task_working_days),
        holds_program=False,
    )


def _working_days_after(instant: datetime, days: int) -> datetime:
    while days:
        instant += timedelta(days=1)
        days -= instant.isoweekday() <= 5
    return instant
