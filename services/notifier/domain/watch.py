"""The audit's verdict: what, of all that Redis showed at one instant, proves that somebody may go untold.

It judges only what it is shown, so that a fault is reported by what it does and not by who caused it: a timer that is
late speaks of a promoter that stopped, an entry that waits of a reader that hangs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf, isfinite
from typing import Literal

from services.notifier.domain.policy import WatchPolicy

Kind = Literal[
    "no_answer",
    "audit_broken",
    "step_overdue",
    "timer_overdue",
    "group_missing",
    "entry_waits",
    "service_absent",
    "clock_off",
    "clock_jumped",
    "clock_stands",
]


@dataclass(frozen=True, slots=True)
class Due:
    """The earliest of its kind: an open escalation's next step, or a timer."""

    patient_id: str
    item: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """One consumer group on one stream."""

    stream: str
    """Its name without prefix and partition, e.g. `sessions` or `notifier:due:urgent`."""
    partition: int
    group: str
    exists: bool
    waiting_s: float
    """For how long its oldest entry that is not handled has waited."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at Redis showed."""

    now: datetime
    """By the clock that decisions are made at: the machine's, or the replay's."""
    redis_at: datetime
    monotonic_s: float
    """A clock that nobody can set; only differences count."""
    is_replay: bool = False
    next_step: Due | None = None
    """Of all open escalations; None where none is open."""
    next_timers: Mapping[str, Due] = field(default_factory=dict)
    """By service."""
    queues: tuple[Queue, ...] = ()
    absent_s: Mapping[str, float] = field(default_factory=dict)
    """For how long nobody has spoken for a service."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One reason why all is not proved well: ids and counts only."""

    kind: Kind
    where: str = ""
    seconds: float | None = None

    def __str__(self) -> str:
        late = f"{self.seconds:.0f} s" if self.seconds is not None and isfinite(self.seconds) else ""
        return " ".join(part for part in (self.kind, self.where, late) if part)


def judge(policy: WatchPolicy, look: Look, before: Look | None) -> tuple[Complaint, ...]:
    """Every complaint; none is the proof that the heartbeat stands for. `before`: the look of the audit before."""
    return (
        *_clock(policy, look, before),
        *_overdue(policy, look, before),
        *_queues(policy, look),
        *(
            Complaint("service_absent", service, seconds)
            for service, seconds in look.absent_s.items()
            if seconds > policy.absent_s
        ),
    )


def _clock(policy: WatchPolicy, look: Look, before: Look | None) -> tuple[Complaint, ...]:
    found = []
    if look.is_replay:
        if before is None or look.now <= before.now:
            found.append(Complaint("clock_stands"))
    else:
        off_s = abs((look.now - look.redis_at).total_seconds())
        if off_s > policy.clock_off_s:
            found.append(Complaint("clock_off", "", off_s))
    if before is not None:
        passed = look.redis_at - before.redis_at
        jump_s = abs((passed - timedelta(seconds=look.monotonic_s - before.monotonic_s)).total_seconds())
        if jump_s > policy.clock_off_s:
            found.append(Complaint("clock_jumped", "", jump_s))
    return tuple(found)


def _overdue(policy: WatchPolicy, look: Look, before: Look | None) -> tuple[Complaint, ...]:
    found = []
    late_s = _late_s(look, look.next_step, before, before.next_step if before else None)
    if look.next_step is not None and late_s > policy.step_overdue_s:
        found.append(Complaint("step_overdue", look.next_step.item, late_s))
    for service, due in look.next_timers.items():
        late_s = _late_s(look, due, before, before.next_timers.get(service) if before else None)
        if late_s > policy.timer_overdue_s:
            found.append(Complaint("timer_overdue", service, late_s))
    return tuple(found)


def _late_s(look: Look, due: Due | None, before: Look | None, same: Due | None) -> float:
    """For how long it is overdue.

    A replay's clock leaps over weeks, so that a number says nothing there: what was due at the audit before and is
    still there is late without measure.
    """
    if due is None:
        return 0.0
    if not look.is_replay:
        return (look.redis_at - due.at).total_seconds()
    if before is None or same != due or before.now < due.at:
        return 0.0
    return inf


def _queues(policy: WatchPolicy, look: Look) -> tuple[Complaint, ...]:
    found = []
    for queue in look.queues:
        where = f"{queue.group} on {queue.stream}" + (f" ({queue.partition})" if queue.partition else "")
        limit_s = policy.urgent_waiting_s if _is_urgent(policy, queue.stream) else policy.waiting_s
        if not queue.exists:
            found.append(Complaint("group_missing", where))
        elif queue.waiting_s > limit_s:
            found.append(Complaint("entry_waits", where, queue.waiting_s))
    return tuple(found)


def _is_urgent(policy: WatchPolicy, stream: str) -> bool:
    return stream in policy.urgent_streams or stream.endswith(":urgent")
