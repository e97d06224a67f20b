"""The virtual clinician: plausible answers to what the services ask, by rule and without judgement of their quality.

red flag, or any emergency     refer within hours: care ends
failed conservative care       refer after 3 days: care ends
a program that is held         resume after 2 days
urgent, not holding            continue after 1 day
any other                      continue after 3 days
an intake without a program    reclassify to what the findings speak for, two hours later
a proposed program             approve at the next visit
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.simulation.wire import Raised

SEVERITIES = ("routine", "urgent", "emergency")


@dataclass(slots=True)
class _Task:
    due: datetime
    decision: str
    escalation: dict[str, Any]


class Clinician:
    """Remembers what was asked and answers when it is due."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}

    def hear(self, raised: Raised) -> None:
        """Something was raised; a second one with the same id may bring the answer forward."""
        decision, wait = _answer(raised.data)
        due = raised.time + wait
        known = self._tasks.get(raised.data["escalation_id"])
        if known is None or due < known.due or decision != known.decision:
            self._tasks[raised.data["escalation_id"]] = _Task(due, decision, raised.data)

    def visit(self, now: datetime) -> Iterator[dict[str, Any]]:
        """Decisions that are due, in order; what a decision ends makes the rest void."""
        for escalation_id in sorted(self._tasks, key=lambda one: (self._tasks[one].due, one)):
            task = self._tasks.get(escalation_id)
            if task is None or task.due > now:
                continue
            del self._tasks[escalation_id]
            if task.decision == "refer":
                self._tasks.clear()
            yield decision(
                task.decision,
                f"{escalation_id}-{task.due:%m%d}",
                escalation_id=escalation_id,
                program_id=task.escalation.get("program_id"),
            )


def decision(kind: str, decision_id: str, **more: Any) -> dict[str, Any]:
    """The data of a decision; what is None is left out."""
    content = {
        "decision_id": decision_id,
        "clinician_id": "clinician-1",
        "decision": kind,
        "rationale": "Answered by rule.",
    }
    return content | {name: value for name, value in more.items() if value is not None}


def _answer(escalation: dict[str, Any]) -> tuple[str, timedelta]:
    if escalation["reason"] == "red_flag" or escalation["severity"] == "emergency":
        return "refer", timedelta(hours=1)
    if escalation["reason"] == "failed_conservative_care":
        return "refer", timedelta(days=3)
    if escalation["holds_program"]:
        return "resume", timedelta(days=2)
    return "continue", timedelta(days=1 if escalation["severity"] == "urgent" else 3)
