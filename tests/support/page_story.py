"""Six weeks of one patient's care, with a flare and an urgent escalation, as events for the notifier."""

from datetime import datetime, timedelta
from typing import Any

from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from tests.support.example import wire
from tests.support.notifier_case import program, session

PATIENT = "patient-1"
ESCALATION = "escalation-1"
WEEKS = 6
DAY = timedelta(days=1)


def story(now: datetime) -> list[tuple[Stream, bytes]]:
    """Ends now, with the escalation."""
    start = now - WEEKS * 7 * DAY
    told: list[tuple[str, datetime, dict[str, Any]]] = [("care.program.planned.v1", start, _program())]
    for n in range(WEEKS * 3):
        at = start + n * 7 * DAY / 3 + DAY
        if at < now:
            told.append(("care.session.reported.v1", at, _session(n, at)))
            told.append(("care.load.adjusted.v1", at + DAY / 24, _adjusted(n)))
    for week in range(0, WEEKS, 2):
        at = start + week * 7 * DAY + 2 * DAY
        told.append(("care.checkin.reported.v1", at, _checkin(week, at)))
    told.append(("care.clinician.decided.v1", start + 20 * DAY, _decision()))
    told.append(("care.escalation.raised.v1", now, raised(now)))
    return [
        (PAYLOAD_BY_TYPE[kind].stream, wire(kind, data, subject=PATIENT, event_id=f"story-{n:03}", time=at))
        for n, (kind, at, data) in enumerate(told)
    ]


def raised(now: datetime, **changes: Any) -> dict[str, Any]:
    """A flare of the fifth week, with what it rests on and what would help."""
    return {
        "escalation_id": ESCALATION,
        "program_id": "program-1",
        "severity": "urgent",
        "reason": "flare",
        "sbar": {
            "situation": "Pain in sessions has risen to 7 of 10 and stayed there for three days.",
            "background": "Week 5 of a program for gluteal tendinopathy; 15 of 17 sessions were done.",
            "assessment": "A flare after the load was raised. No red flag was reported.",
            "recommendation": "Call the patient today, and decide whether the program is held or made lighter.",
        },
        "options": [
            {"option_id": "lighter", "label": "Go on with less load", "evidence_grade": "B", "references": ["P16"]},
            {"option_id": "rest", "label": "Hold for a week", "evidence_grade": "C", "references": ["P16", "NOTIFY"]},
        ],
        "evidence": {
            "pain": {"in_sessions": [3, 4, 7], "trend_per_week": 0.6},
            "adherence": 0.88,
            "tried": [{"exercise": "Bridge", "highest": "3 sets of 10 with 20 kg", "sessions": 15}],
        },
        "respond_by": (now + timedelta(hours=2)).isoformat(),
        "holds_program": False,
        "basis": [
            {"rule": "P16", "input": "pain_during", "value": 7, "threshold": 5, "turned_by": 5, "then": "not_raised"}
        ],
    } | changes


def _program() -> dict[str, Any]:
    exercises = [("arabesque", "Arabesque"), ("double_leg_bridge", "Double-leg bridge"), ("side_plank", "Side plank")]
    dose = {"sets": 3, "reps": 10, "load_kg": 20, "target_rpe": 6, "side": "right", "instructions": "Slowly."}
    prescription = [{"exercise_id": exercise, "name": name, **dose} for exercise, name in exercises]
    goal = {
        "goal_id": "g-1",
        "horizon": "long_term",
        "statement": "Walk for an hour without pain.",
        "measure": {"instrument": "VISA-G", "baseline": 52, "target": 75, "direction": "increase"},
        "due_week": 12,
    }
    phase = {
        "phase_id": "GT2",
        "name": "Build strength",
        "intent": "Load the tendon slowly and heavily.",
        "entry_criteria": [],
        "exit_criteria": [],
        "exercises": [],
    }
    return program(prescription=prescription, goals=[goal], phases=[phase], phase_id="GT2")


def _session(n: int, at: datetime) -> dict[str, Any]:
    sets = [{"reps": 10, "load_kg": 10 + n // 2, "rpe": 6}] * 3
    pain = 7 if n >= 14 else 3 + n % 3
    exercises = [{"exercise_id": "arabesque", "sets": sets}]
    return session(f"s-{n}", at, pain_during=pain, exercises=exercises)


def _checkin(week: int, at: datetime) -> dict[str, Any]:
    measures = [{"instrument": "VISA-G", "value": 52 + 2 * week}, {"instrument": "NPRS", "value": 5 - week / 4}]
    return {"checkin_id": f"c-{week}", "reported_at": at.isoformat(), "next_morning_pain": 3, "measures": measures}


def _adjusted(n: int) -> dict[str, Any]:
    return {
        "program_id": "program-1",
        "session_id": f"s-{n}",
        "checkin_id": None,
        "phase_id": "GT1" if n < 6 else "GT2",
        "prescription_seq": 1,
        "changes": [
            {
                "exercise_id": "arabesque",
                "decision": "progress" if n < 14 else "regress",
                "from": {"load_kg": 10 + n // 2},
                "to": {"load_kg": 11 + n // 2},
                "rule": "P02",
                "because": "Two sessions in a row were well tolerated." if n < 14 else "Pain rose above 5.",
            }
        ],
        "prescription": _program()["prescription"],
        "response": {
            "status": "on_track" if n < 14 else "flare",
            "week": n // 3,
            "sessions_done": n,
            "adherence": 0.88,
            "adherence_4w": 0.9,
            "pain_trend_per_week": 0.6,
            "probability_of_meaningful_change": 0.2,
            "minimal_important_change": {"instrument": "NPRS", "points": 2},
        },
        "late": False,
        "protocol": {"id": "gluteal_tendinopathy", "version": "1.0.0"},
        "rationale": "As it went.",
    }


def _decision() -> dict[str, Any]:
    return {
        "decision_id": "earlier-1",
        "clinician_id": "lead_clinician",
        "decision": "modify",
        "program_id": "program-1",
        "changes": {"sessions_per_week": 3},
        "rationale": "Three days suit the patient's work better.",
    }
