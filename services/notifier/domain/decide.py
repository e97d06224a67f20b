"""`decide`: what follows from one event, one timer, or one message that was sent or not."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.notifier.domain import chart, delivery, ladder, ledger, reminder
from services.notifier.domain.delivery import DeliveryOutcome, begin, find_delivery, record
from services.notifier.domain.fact import (
    note_checkin,
    note_closing,
    note_prescription,
    note_program,
    note_resolving,
    note_session,
    note_stop,
    note_update,
)
from services.notifier.domain.index import lists
from services.notifier.domain.ladder import climb, find_alarm, is_open, note_answer, note_raised, note_resolved
from services.notifier.domain.outbox import withdraw
from services.notifier.domain.policy import Policies
from services.notifier.domain.reminder import may_remind, next_at, remind, replan
from services.notifier.domain.silence import settle
from services.notifier.domain.state import MAX_WAITING, Alarm, Answer, NotifierState, Waiting
from services.notifier.domain.step import Step
from shared.decision import (
    Arrival,
    Decision,
    Draft,
    FlagsSalvaged,
    Incoming,
    Performed,
    Rejection,
    TimerFired,
)
from shared.event.adjustment import LoadAdjusted
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationAcknowledged, EscalationRaised, EscalationResolved
from shared.event.patient import PatientUpdated, ProgramStopped
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.session import CheckinReported, SessionReported
from shared.protocol.library import Protocols

WAIT_TIMER = "wait:"


def decide(
    policies: Policies,
    late_window: timedelta,
    state: NotifierState | None,
    incoming: Incoming,
    _protocols: Protocols,
    now: datetime,
) -> Decision[NotifierState]:
    """The notifier's core. The composition root binds the first two; clinical protocols are not needed.

    `late_window`: so long, in event time, a decision waits for the escalation that it names.
    """
    before = state or NotifierState()
    if not may_remind(before):
        # What fell due while there was no reason to remind, or no consent, is not made up for.
        # In a replay the event is ahead of now.
        reminded_to = max(now, incoming.time, before.reminded_to or now)
        before = replace(before, reminded_to=reminded_to)
    if isinstance(incoming, Arrival) and (charted := chart.note(before.chart, incoming)) is not before.chart:
        state = replace(state or NotifierState(), chart=charted)
        before = replace(before, chart=charted)
    step = _follow(policies, late_window, before, incoming, now)
    if step.outcome == "ignored":
        if state is None:
            return Decision(None, outcome="ignored")
        return Decision(state, timers=_timers(policies, state, now), outcome="ignored", lists=lists(state))
    after, told = settle(policies.reminder, ladder.rest(policies, step.state, now), incoming.subject, incoming.time)
    if not may_remind(after):
        after = withdraw(after, lambda d: not d.recipient)
    after, entries = ledger.drain(after)
    return Decision(
        after,
        step.drafts + told,
        _timers(policies, after, now),
        step.rejections,
        step.outcome,
        step.rule,
        effect=step.effect,
        ledger=entries,
        lists=lists(after),
        register=step.register,
    )


def _follow(
    policies: Policies, late_window: timedelta, state: NotifierState, incoming: Incoming, now: datetime
) -> Step:
    match incoming:
        case Arrival():
            return _arrived(policies, late_window, state, incoming, now)
        case TimerFired():
            return _fired(policies, state, incoming, now)
        case Performed(timer=timer, outcome=DeliveryOutcome() as outcome):
            return _performed(policies, state, timer, outcome, now)
        case FlagsSalvaged() | Performed():
            # Progression raises salvaged flags; they come back as an escalation.
            return Step(state, outcome="ignored")


def _arrived(policies: Policies, late_window: timedelta, state: NotifierState, arrival: Arrival, now: datetime) -> Step:
    at, by = arrival.time, arrival.id
    match arrival.event.data:
        case EscalationRaised() as raised:
            return _raised(policies, state, raised, arrival, now)
        case EscalationAcknowledged(escalation_id=escalation_id, decision_id=decision_id, clinician_id=clinician_id):
            alarm = find_alarm(state, escalation_id)
            # The word of another notifier, or our own coming back.
            answer = Answer(at, decision_id, clinician_id, "acknowledge")
            return Step(note_answer(state, alarm, answer)) if alarm else Step(state, outcome="ignored")
        case EscalationResolved() as resolved:
            return Step(note_resolved(state, resolved, at), rule="resolved")
        case ClinicianDecided() as decided:
            return _decided(late_window, state, decided, arrival, now)
        case PatientUpdated() as update:
            return Step(replan(policies.reminder, state, note_update(state, update, at, by), max(now, at)))
        case ProgramPlanned() | ProgramChanged() as told:
            return Step(note_program(state, told, at, by))
        case LoadAdjusted(program_id=program_id, prescription_seq=seq, prescription=prescription):
            return Step(note_prescription(state, program_id, seq, bool(prescription), at))
        case ProgramStopped(program_id=program_id):
            return Step(note_stop(state, program_id, at), rule="stopped")
        case SessionReported() as session:
            return Step(note_session(state, session, at))
        case CheckinReported() as checkin:
            return Step(note_checkin(state, checkin, at))
        case _:
            return Step(state, outcome="ignored")


def _raised(
    policies: Policies, state: NotifierState, raised: EscalationRaised, arrival: Arrival, now: datetime
) -> Step:
    at, drafts = arrival.time, []
    waiting = [w for w in state.waiting if w.escalation_id == raised.escalation_id]
    if waiting:
        state = replace(state, waiting=tuple(w for w in state.waiting if w not in waiting))
        alarm = find_alarm(state, raised.escalation_id) or Alarm(escalation_id=raised.escalation_id)
        for word in waiting:
            answer = Answer(word.at, word.decision_id, word.clinician_id, word.decision)
            state = note_answer(state, alarm, answer, word.useful)
            alarm = find_alarm(state, raised.escalation_id) or alarm
            if word.decision == "acknowledge":
                drafts.append(
                    _acknowledged(raised.escalation_id, word.clinician_id, word.decision_id, max(at, word.at))
                )
    return Step(note_raised(policies, state, raised, arrival, now), tuple(drafts), rule=raised.severity)


def _decided(
    late_window: timedelta, state: NotifierState, decided: ClinicianDecided, arrival: Arrival, now: datetime
) -> Step:
    at = arrival.time
    answer = Answer(at, decided.decision_id, decided.clinician_id, decided.decision)
    before = state
    state = note_resolving(state, decided, at)
    closes = decided.decision in ("refer", "discharge")
    if closes:
        state = note_closing(state, at)
        for alarm in state.alarms:
            # Red flags that the clinician could see; one that turns up later rings on.
            if is_open(alarm):
                is_meant = alarm.escalation_id == decided.escalation_id
                state = note_answer(state, alarm, answer, decided.useful if is_meant else None)
    if decided.escalation_id is None:
        return Step(state, outcome="ignored") if state == before else Step(state, rule=decided.decision)
    known = find_alarm(state, decided.escalation_id)
    if known is not None and known.raised_at is not None:
        drafts = (
            (_acknowledged(known.escalation_id, decided.clinician_id, decided.decision_id, at),)
            if decided.decision == "acknowledge"
            else ()
        )
        return Step(note_answer(state, known, answer, decided.useful), drafts, rule=decided.decision)
    word = Waiting(
        decision_id=decided.decision_id,
        escalation_id=decided.escalation_id,
        clinician_id=decided.clinician_id,
        decision=decided.decision,
        useful=decided.useful,
        at=at,
        until=(at + late_window).replace(microsecond=0),
        origin=arrival.origin,
    )
    if word.until <= now:
        return Step(state, rejections=(_unknown(word),), outcome="rejected")
    waiting = sorted((*state.waiting, word), key=lambda w: (w.until, w.decision_id))
    overflow = waiting[:-MAX_WAITING]
    return Step(
        replace(state, waiting=tuple(waiting[-MAX_WAITING:])),
        rejections=tuple(_unknown(w) for w in overflow),
        outcome="waiting",
    )


def _fired(policies: Policies, state: NotifierState, timer: TimerFired, now: datetime) -> Step:
    if timer.name == reminder.TIMER:
        state, drafts = remind(policies.reminder, state, timer, now)
        return Step(state, drafts, rule="reminder")
    wanted = find_delivery(state, timer.name)
    if wanted is not None:
        return begin(policies, state, wanted, timer, now)
    alarm = ladder.find_by_timer(state, timer.name)
    if alarm is not None and alarm.next_at is not None and alarm.next_at <= timer.time:
        return Step(climb(policies, state, alarm, timer.time, now), rule=f"{alarm.severity}_ladder")
    if timer.name.startswith(WAIT_TIMER):
        expired = tuple(w for w in state.waiting if w.until <= timer.time)
        state = replace(state, waiting=tuple(w for w in state.waiting if w not in expired))
        return Step(state, rejections=tuple(_unknown(w) for w in expired))
    return Step(state, outcome="ignored")


def _performed(
    policies: Policies, state: NotifierState, timer: TimerFired, outcome: DeliveryOutcome, now: datetime
) -> Step:
    wanted = find_delivery(state, timer.name)
    if wanted is None:
        return Step(state, outcome="ignored")
    return record(policies, state, wanted, outcome, timer, now)


def _timers(policies: Policies, state: NotifierState, now: datetime) -> dict[str, datetime]:
    """Every timer that the state wants."""
    timers = {delivery.timer_of(message): message.due_at for message in state.outbox}
    for alarm in state.alarms:
        if alarm.next_at is not None:
            timers[ladder.timer_of(alarm)] = alarm.next_at
    for word in state.waiting:
        timers[f"{WAIT_TIMER}{word.decision_id}"] = word.until
    if (reminder_at := next_at(policies.reminder, state, now)) is not None:
        timers[reminder.TIMER] = reminder_at
    return timers


def _acknowledged(escalation_id: str, clinician_id: str, decision_id: str, at: datetime) -> Draft:
    return Draft(
        EscalationAcknowledged(escalation_id=escalation_id, clinician_id=clinician_id, decision_id=decision_id),
        time=at,
        key=decision_id,
    )


def _unknown(word: Waiting) -> Rejection:
    return Rejection("unknown_escalation", "$.data.escalation_id", "no escalation with this id was raised", word.origin)
