"""Tiny services for tests of the runtime: they count, and do what the event's `notes` say."""

import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.decision import Arrival, Decision, Draft, FlagsSalvaged, Incoming, Performed, TimerFired
from shared.event.adjustment import GoalReached
from shared.event.session import CheckinReported, SessionReported
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.service import Service


class Count(msgspec.Struct, frozen=True):
    """What a toy remembers of a patient."""

    sessions: int = 0
    fired: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    begun: int = 0
    timers: dict[str, datetime] = {}


def session(number: int | str, **changes: Any) -> dict[str, Any]:
    """A session's payload."""
    return {
        "session_id": f"session-{number}",
        "program_id": "program-1",
        "started_at": "2026-03-02T09:00:00Z",
        "completed": True,
        "exercises": [],
        "pain_during": 2,
    } | changes


def goal(goal_id: str, value: float) -> GoalReached:
    """The toys' one output: `goal_id` says for what, `value` carries a count."""
    return GoalReached(program_id="program-1", goal_id=goal_id, horizon="short_term", value=value, target=0, week=0)


def count(state: Count | None, event: Incoming, protocols: Protocols, now: datetime) -> Decision[Count]:
    """Counts sessions. `notes`: `raise`, `kill`, or `timer <name> <seconds after the event>`.

    A timer whose name holds `mail` has an effect; the state counts how often it was begun.
    """
    state = state or Count()
    match event:
        case Arrival():
            data = event.event.data
            notes = (data.notes or "") if isinstance(data, SessionReported | CheckinReported) else ""
            if notes == "raise":
                raise RuntimeError("a bug that quotes the patient: my leg hurts")
            if notes == "kill":
                os._exit(9)
            timers = dict(state.timers)
            if notes.startswith("timer"):
                _, name, after_s = notes.split()
                timers[name] = event.time + timedelta(seconds=int(after_s))
            if notes.startswith("cancel"):
                timers.pop(notes.split()[1], None)
            new = msgspec.structs.replace(state, sessions=state.sessions + 1, timers=timers)
            drafts = (Draft(goal(getattr(data, "session_id", event.id), new.sessions), event.time),)
            return Decision(new, drafts, timers, rule="T1")
        case TimerFired() if "mail" in event.name:
            new = msgspec.structs.replace(state, begun=state.begun + 1)
            return Decision(
                new,
                timers=state.timers,
                effect=True,
                ledger=({"kind": "begun", "count": new.begun},),
                lists={"begun": {event.name: event.time}},
            )
        case TimerFired():
            timers = {name: due for name, due in state.timers.items() if name != event.name}
            if event.name.startswith("chain"):
                timers["after"] = event.time + timedelta(seconds=1)
            new = msgspec.structs.replace(state, fired=(*state.fired, event.name), timers=timers)
            return Decision(new, (Draft(goal(f"timer:{event.name}", len(new.fired)), event.time),), timers)
        case FlagsSalvaged():
            flags = tuple(flag for flag, _ in event.red_flags)
            new = msgspec.structs.replace(state, flags=state.flags + flags)
            return Decision(new, (Draft(goal("flags", len(flags)), event.time),), state.timers)
        case Performed():
            timers = {name: due for name, due in state.timers.items() if name != event.timer.name}
            new = msgspec.structs.replace(state, fired=(*state.fired, str(event.outcome)), timers=timers)
            drafts = (Draft(goal(f"performed:{event.timer.name}", new.begun), event.time),)
            return Decision(new, drafts, timers, lists={}, register={"last": event.timer.name})


def toy(
    name: str = "progression",
    *,
    reads: tuple[Stream, ...] = (Stream.SESSIONS, Stream.PATIENTS),
    decide: Callable[..., Decision[Any]] = count,
    perform: Callable[[Any, TimerFired, Any], Awaitable[Any]] | None = None,
    state_type: type[Any] = Count,
) -> Service[Any]:
    """A toy service; it takes the name of a real one, so that groups and responsibilities are the real ones."""
    return Service(
        name=name,
        summary=f"A toy in place of {name}.",
        reads=reads,
        writes=(Stream.ADJUSTMENTS, Stream.PROGRAMS),
        state_type=state_type,
        decide=decide,
        perform=perform,
    )
