"""What the auditor calls a fault, and how soon after one the heartbeat stops."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from services.notifier.auditor import ANSWER_WITHIN_S, PERIOD_S
from services.notifier.domain.policy import WatchPolicy
from services.notifier.domain.watch import Due, Look, Queue, judge
from services.notifier.policy_file import load_policies
from tests.support.example import EPOCH

POLICY = load_policies(None).watch
WITHIN_S = 120
"""The heartbeat must have stopped so long after a fault."""


def after(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def look(at_s: float, **changes: object) -> Look:
    """A look at a system at work, so many seconds after the start, on the wall clock."""
    well = Look(
        now=after(at_s),
        redis_at=after(at_s),
        monotonic_s=at_s,
        next_step=Due("patient-1", "escalation-1", after(at_s + 600)),
        next_timers={"notifier": Due("patient-1", "ladder:escalation-1", after(at_s + 600))},
        queues=(Queue("sessions", 0, "progression", True, 0.1), Queue("notifier:due:urgent", 0, "notifier", True, 0.0)),
        absent_s={"intake": 0.5, "notifier": 0.2},
    )
    return replace(well, **changes)  # type: ignore[arg-type]  # each caller gives fields of Look


def replayed(at_s: float, now_s: float, **changes: object) -> Look:
    """The same in a replay, whose clock stands at `now_s`."""
    return look(at_s, is_replay=True, now=after(now_s), **changes)


def reasons(look: Look, before: Look | None = None) -> list[str]:
    return [str(complaint) for complaint in judge(POLICY, look, before)]


def test_a_system_at_work_gives_no_reason_to_complain() -> None:
    """A steady state is proved well, at the first audit and at the next."""
    assert reasons(look(0)) == []
    assert reasons(look(60), look(0)) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"next_step": Due("p", "escalation-7", after(539))}, "step_overdue escalation-7 61 s"),
        ({"next_timers": {"progression": Due("p", "review", after(569))}}, "timer_overdue progression 31 s"),
        ({"queues": (Queue("sessions", 0, "notifier", False, 0.0),)}, "group_missing notifier on sessions"),
        ({"queues": (Queue("programs", 3, "planner", True, 91.0),)}, "entry_waits planner on programs (3) 91 s"),
        ({"queues": (Queue("sessions", 0, "notifier", True, 61.0),)}, "entry_waits notifier on sessions 61 s"),
        (
            {"queues": (Queue("notifier:due:urgent", 0, "notifier", True, 61.0),)},
            "entry_waits notifier on notifier:due:urgent 61 s",
        ),
        ({"absent_s": {"planner": 46.0}}, "service_absent planner 46 s"),
        ({"absent_s": {"planner": float("inf")}}, "service_absent planner"),
        ({"now": after(569)}, "clock_off 31 s"),
        ({"now": after(631)}, "clock_off 31 s"),
    ],
)
def test_each_fault_is_named_with_its_place_and_how_late_it_is(changes: dict[str, object], reason: str) -> None:
    """An operator reads from the log line where to look."""
    assert reasons(look(600, **changes), look(540)) == [reason]


def test_what_is_late_within_its_limit_is_no_fault() -> None:
    """A busy moment does not call anybody."""
    busy = look(
        600,
        next_step=Due("p", "e", after(541)),
        next_timers={"notifier": Due("p", "t", after(571))},
        queues=(Queue("programs", 0, "planner", True, 89.0), Queue("escalations", 0, "notifier", True, 59.0)),
        absent_s={"planner": 44.0},
        now=after(571),
    )
    assert reasons(busy, look(540)) == []


def test_a_clock_that_jumps_with_redis_is_noticed_by_the_time_that_passed() -> None:
    """Redis and the service on one machine: both clocks go wrong together, the machine's uptime does not."""
    jumped = look(60, now=after(3660), redis_at=after(3660), next_step=None, next_timers={})
    assert reasons(jumped, look(0)) == ["clock_jumped 3600 s"]
    assert reasons(jumped) == []


def test_a_replay_s_clock_must_have_moved_since_the_audit_before() -> None:
    """A replay that stands still handles nothing, however well it looks."""
    assert reasons(replayed(60, 86_400), replayed(0, 0)) == []
    assert reasons(replayed(60, 0), replayed(0, 0)) == ["clock_stands"]
    assert reasons(replayed(60, 0)) == ["clock_stands"]


def test_in_a_replay_that_leaps_over_weeks_only_what_stays_due_is_late() -> None:
    """Between two steps of a replayer a thing is weeks overdue for some milliseconds."""
    week_s = 7 * 86_400
    timer = {"notifier": Due("p", "t", after(86_400))}
    leapt = replayed(60, week_s, next_timers=timer)
    assert reasons(leapt, replayed(0, 0, next_timers=timer)) == []
    assert reasons(replayed(120, 2 * week_s, next_timers=timer), leapt) == ["timer_overdue notifier"]


def _overdue_step(since_s: float, at_s: float) -> dict[str, object]:
    return {"next_step": Due("p", "e", after(since_s))} if at_s >= since_s else {}


def _overdue_timer(since_s: float, at_s: float) -> dict[str, object]:
    return {"next_timers": {"notifier": Due("p", "t", after(since_s))}} if at_s >= since_s else {}


def _waiting(since_s: float, at_s: float) -> dict[str, object]:
    return {"queues": (Queue("programs", 0, "planner", True, max(0.0, at_s - since_s)),)}


def _dropped(since_s: float, at_s: float) -> dict[str, object]:
    return {"queues": (Queue("programs", 0, "planner", at_s < since_s, 0.0),)}


def _absent(since_s: float, at_s: float) -> dict[str, object]:
    return {"absent_s": {"planner": max(0.0, at_s - since_s)}}


def _frozen(since_s: float, at_s: float) -> dict[str, object]:
    return {"now": after(min(since_s, at_s))}


def _stands(since_s: float, at_s: float) -> dict[str, object]:
    return {"is_replay": True, "now": after(min(since_s, at_s)), "next_step": None, "next_timers": {}}


def _overdue_in_replay(since_s: float, at_s: float) -> dict[str, object]:
    return {"is_replay": True} | _overdue_timer(since_s, at_s)


@pytest.mark.parametrize(
    "fault", [_overdue_step, _overdue_timer, _waiting, _dropped, _absent, _frozen, _stands, _overdue_in_replay]
)
def test_with_the_shipped_limits_no_sign_is_given_two_minutes_after_a_fault(
    fault: Callable[[float, float], dict[str, object]],
) -> None:
    """At whatever moment between two audits something breaks, silence begins within two minutes."""
    audits = [n * PERIOD_S for n in range(10)]
    for since_s in range(100, 100 + int(PERIOD_S)):
        looks = [look(at_s, **fault(since_s, at_s)) for at_s in audits]
        beats = [audits[n] for n in range(1, len(audits)) if not judge(POLICY, looks[n], looks[n - 1])]
        assert beats[0] == audits[1]
        assert beats[-1] + ANSWER_WITHIN_S <= since_s + WITHIN_S


def test_no_clinic_can_set_a_limit_that_breaks_that_promise() -> None:
    """A longer limit than the promise allows is refused when the file is read."""
    with pytest.raises(ValidationError):
        WatchPolicy.model_validate(POLICY.model_dump() | {"waiting_s": 111})
