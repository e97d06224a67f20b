"""The planner's core: `decide(policy, state, event, protocols, now) -> Decision`.

Registers hold what is known (`episode`); `plan` compares them with what was published. What comes before
its classification waits for the late window.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.planner.domain.approval import intake_of_escalation, resolve_approval
from services.planner.domain.episode import classify, end, follow, take_decision
from services.planner.domain.plan import Cause, Policy, hold, replaces, settle, withdraw
from services.planner.domain.program import program_id_of
from services.planner.domain.state import (
    EPISODES_AT_MOST,
    WAITING_AT_MOST,
    Episode,
    PlannerState,
    Stamp,
    Waiting,
)
from shared.decision import Arrival, Decision, Draft, Incoming, Origin, Outcome, Rejection, TimerFired
from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.patient import ProgramStopped
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.protocol.library import Protocols

__all__ = ["Policy", "decide"]

LATE_WINDOW_TIMER = "late-window"
ACTED_ON = ("approve", "reclassify", "modify", "refer", "discharge")
HOLDING = ("emergency", "urgent_referral")
"""Dispositions under which no program of the patient goes on, whatever intake it came from."""
ANY = ""
"""Stands for the intake of a decision that names none, and came before there was one."""
PROGRAM_PREFIX = program_id_of("")


def decide(
    policy: Policy, state: PlannerState | None, event: Incoming, protocols: Protocols, now: datetime
) -> Decision[PlannerState]:
    """One event's consequences. Source: C6, C7 and the condition files."""
    known = state or PlannerState()
    match event:
        case Arrival():
            decision = _arrive(policy, known, event, protocols)
        case TimerFired():
            decision = Decision(known, outcome="handled" if known.waiting else "ignored")
        case _:
            decision = Decision(known, outcome="ignored")
    return _expire(decision, policy, now, existed=state is not None)


def _arrive(policy: Policy, state: PlannerState, arrival: Arrival, protocols: Protocols) -> Decision[PlannerState]:
    at, data = Stamp(arrival.time, arrival.id), arrival.event.data
    match data:
        case ConditionClassified():
            return _classified(policy, state, at, data, protocols)
        case ClinicianDecided():
            if (refused := _unknown_condition(arrival, data, protocols)) is not None:
                return Decision(state, rejections=(refused,), outcome="rejected", rule="C7")
            intake_id = _intake_of(data)
            answers_ours = intake_of_escalation(data.escalation_id) is not None
            is_unknown = data.program_id is not None and _episode(state, intake_id or "") is None
            if not (data.decision in ACTED_ON or answers_ours or is_unknown):
                return Decision(state, outcome="ignored")
            return _take_or_wait(policy, state, arrival, intake_id or _meant(state, at), protocols)
        case ProgramStopped():
            if not data.program_id.startswith(PROGRAM_PREFIX):
                return Decision(state, outcome="ignored")
            return _take_or_wait(policy, state, arrival, data.program_id.removeprefix(PROGRAM_PREFIX), protocols)
        case ProgramPlanned() | ProgramChanged():
            return _followed(policy, state, at, data, protocols)
        case _:
            return Decision(state, outcome="ignored")


def _classified(
    policy: Policy, state: PlannerState, at: Stamp, data: ConditionClassified, protocols: Protocols
) -> Decision[PlannerState]:
    """Plans, then takes what waited for this intake, in order of time."""
    episode = classify(_episode(state, data.intake_id), at, data)
    state, drafts = _look(policy, state, episode, Cause(at.time), protocols)
    if data.disposition in HOLDING:
        for one in state.episodes:
            held, more = hold(one, at.time, protocols)
            state = _with(state, held)
            drafts += more
    mine = sorted((w for w in state.waiting if w.intake_id in (data.intake_id, ANY)), key=lambda w: w.at)
    others = tuple(w for w in state.waiting if w not in mine)
    state = msgspec.structs.replace(state, waiting=others)
    for waiting in mine:
        state, more = _take(policy, state, data.intake_id, waiting.at, _payload(waiting), protocols)
        drafts += more
    return Decision(_bounded(state), drafts, rule="C7" if data.mixed else "BANDS")


def _take_or_wait(
    policy: Policy, state: PlannerState, arrival: Arrival, intake_id: str, protocols: Protocols
) -> Decision[PlannerState]:
    at, data = Stamp(arrival.time, arrival.id), arrival.event.data
    if _episode(state, intake_id) is None:
        origin = arrival.origin
        waiting = Waiting(
            at, intake_id, data.event_type, data.model_dump_json().encode(), origin.stream, origin.entry_id, origin.raw
        )
        return Decision(msgspec.structs.replace(state, waiting=(*state.waiting, waiting)), outcome="waiting")
    state, drafts = _take(policy, state, intake_id, at, data, protocols)
    return Decision(state, drafts)


def _take(
    policy: Policy,
    state: PlannerState,
    intake_id: str,
    at: Stamp,
    data: ClinicianDecided | ProgramStopped,
    protocols: Protocols,
) -> tuple[PlannerState, tuple[Draft, ...]]:
    episode = _episode(state, intake_id)
    if episode is None:
        return state, ()
    if isinstance(data, ProgramStopped):
        return _look(policy, state, end(episode, at), Cause(at.time, stopped=True), protocols)
    resolves = data.decision in ("continue", "resume") and data.escalation_id == episode.escalation_id
    if resolves:
        episode, drafts = resolve_approval(episode, at.time, data, False)
        return _with(state, episode), drafts
    return _look(policy, state, take_decision(episode, at, data), Cause(at.time, data), protocols)


def _followed(
    policy: Policy,
    state: PlannerState,
    at: Stamp,
    data: ProgramPlanned | ProgramChanged,
    protocols: Protocols,
) -> Decision[PlannerState]:
    """A program's later fate, as this stream tells it. Our own events come back here as well."""
    episode = _episode(state, data.intake_id)
    if episode is None or program_id_of(data.intake_id) != data.program_id:
        return Decision(state, outcome="ignored")
    state, drafts = _look(policy, state, follow(episode, at, data), Cause(at.time), protocols)
    return Decision(state, drafts)


def _look(
    policy: Policy, state: PlannerState, episode: Episode, cause: Cause, protocols: Protocols
) -> tuple[PlannerState, tuple[Draft, ...]]:
    """Settles one episode, and ends the programs of earlier intakes that it replaces."""
    newer = next((e for e in reversed(state.episodes) if replaces(e, episode)), None)
    if newer is not None and episode.published is None:
        return _with(state, end(episode, _replaced_at(newer))), ()
    episode, drafts = settle(episode, cause, protocols, policy)
    state = _with(state, episode)
    for older in state.episodes:
        if older.ended is None and older.published is not None and replaces(episode, older):
            closed, more = withdraw(older, cause.time, protocols)
            state = _with(state, end(closed, _replaced_at(episode)))
            drafts += more
    return state, drafts


def _replaced_at(newer: Episode) -> Stamp:
    return Stamp(newer.first_at.time, newer.intake_id)


def _unknown_condition(arrival: Arrival, data: ClinicianDecided, protocols: Protocols) -> Rejection | None:
    if data.decision != "reclassify":
        return None
    for index, condition in enumerate(data.conditions):
        if condition not in protocols.conditions:
            message = "no protocol file describes this condition"
            return Rejection("unknown_condition", f"$.data.conditions[{index}]", message, arrival.origin)
    return None


def _intake_of(data: ClinicianDecided) -> str | None:
    """The intake that a decision is about; None where it is not one of ours to know."""
    if data.program_id is not None and data.program_id.startswith(PROGRAM_PREFIX):
        return data.program_id.removeprefix(PROGRAM_PREFIX)
    return data.intake_id or intake_of_escalation(data.escalation_id) or data.program_id


def _meant(state: PlannerState, at: Stamp) -> str:
    """The intake of a decision that names none: the newest that the clinician could know of."""
    known = [e.intake_id for e in state.episodes if e.first_at.time <= at.time]
    return known[-1] if known else ANY


def _expire(decision: Decision[PlannerState], policy: Policy, now: datetime, existed: bool) -> Decision[PlannerState]:
    """Gives up on what has waited for the whole late window, and sets the timer for the rest."""
    state = decision.state or PlannerState()
    in_time = [w for w in state.waiting if _deadline(w, policy) > now]
    kept = tuple(sorted(in_time, key=lambda w: w.at)[-WAITING_AT_MOST:])
    gone = [w for w in state.waiting if w not in kept]
    rejections = decision.rejections + tuple(r for w in gone if (r := _in_vain(w)) is not None)
    state = msgspec.structs.replace(state, waiting=kept)
    timers = {LATE_WINDOW_TIMER: min(_deadline(w, policy) for w in kept)} if kept else {}
    outcome: Outcome = decision.outcome
    if gone and outcome == "waiting" and rejections:
        outcome = "rejected"
    is_empty = not existed and state == PlannerState()
    return replace(decision, state=None if is_empty else state, timers=timers, rejections=rejections, outcome=outcome)


def _in_vain(waiting: Waiting) -> Rejection | None:
    """One dead letter for each: intake rejects what names an unknown intake, progression a stop, and the notifier
    what names an unknown escalation.
    """
    data = _payload(waiting)
    if isinstance(data, ProgramStopped):
        return None
    origin = Origin(waiting.stream, waiting.entry_id, waiting.raw)
    if data.program_id is not None:
        return Rejection("unknown_program", "$.data.program_id", "no such program became known", origin)
    return None


def _deadline(waiting: Waiting, policy: Policy) -> datetime:
    """In whole seconds, rounded up."""
    return (waiting.at.time + policy.late_window).replace(microsecond=0) + timedelta(seconds=1)


def _payload(waiting: Waiting) -> ClinicianDecided | ProgramStopped:
    if waiting.event_type == ProgramStopped.event_type:
        return ProgramStopped.model_validate_json(waiting.body)
    return ClinicianDecided.model_validate_json(waiting.body)


def _episode(state: PlannerState, intake_id: str) -> Episode | None:
    return next((e for e in state.episodes if e.intake_id == intake_id), None)


def _with(state: PlannerState, episode: Episode) -> PlannerState:
    others = (e for e in state.episodes if e.intake_id != episode.intake_id)
    return msgspec.structs.replace(state, episodes=_ordered((*others, episode)))


def _ordered(episodes: Iterable[Episode]) -> tuple[Episode, ...]:
    return tuple(sorted(episodes, key=_order))


def _order(episode: Episode) -> Any:
    return episode.first_at, episode.intake_id


def _bounded(state: PlannerState) -> PlannerState:
    """Forgets the oldest episodes."""
    return msgspec.structs.replace(state, episodes=state.episodes[-EPISODES_AT_MOST:])
