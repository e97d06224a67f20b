"""Courses of virtual patients made by hand, whose figures are known beforehand."""

from typing import Any

from shared.event.escalation import EscalationReason
from shared.event.vocabulary import Urgency
from shared.simulation.course import Alert, Course, Plan

WEEKS = 20


def alert(reason: EscalationReason, day: float, severity: Urgency = "routine", *, is_same_event: bool = False) -> Alert:
    """One escalation."""
    return Alert(day, reason, severity, is_same_event)


def course(patient: int = 1, plan: Plan = "adaptive", **differences: Any) -> Course:
    """A responder who does well over twenty weeks, but for `differences`."""
    usual: dict[str, Any] = {
        "archetype": "responder",
        "condition_id": "gluteal_tendinopathy",
        "disposition": "program",
        "pain_nprs": tuple(6 - week / 5 for week in range(WEEKS + 1)),
        "capacity": tuple(1 + week / 20 for week in range(WEEKS + 1)),
        "load": (0.5,) * (WEEKS + 1),
        "status": ("",) + ("on_track",) * WEEKS if plan == "adaptive" else ("",) * (WEEKS + 1),
        "flare_days": 2,
        "sessions_due": 60,
        "sessions_done": 54,
        "responds": True,
        "has_meaningful_change": True,
        "adequate_day": 84.0,
        "alerts": (),
        "ended_day": None,
        "red_flag_day": None,
        "unsafe_progressions": 0,
    }
    return Course(patient=patient, plan=plan, **(usual | differences))


def failing(patient: int, called_on: float | None) -> Course:
    """Somebody who did an adequate course by day 84 without response, and was called on that day, or never."""
    return course(
        patient,
        archetype="non_responder",
        responds=False,
        has_meaningful_change=False,
        pain_nprs=(6.0,) * (WEEKS + 1),
        alerts=() if called_on is None else (alert("failed_conservative_care", called_on),),
    )


def under_each_plan(adaptive: Course, **differences: Any) -> tuple[Course, Course, Course]:
    """The same patient under all three plans; `differences` hold for the two that only prescribe."""
    others = {"archetype": adaptive.archetype, "responds": adaptive.responds} | differences
    return (
        adaptive,
        course(adaptive.patient, "fixed", **others),
        course(adaptive.patient, "naive", **others),
    )
