"""What each patient got, gathered from the streams: the table at the end of a demo."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from shared.event.wire import Stream
from shared.stream.history import Entry

Data = dict[str, Any]

STREAMS = (Stream.CLASSIFICATIONS, Stream.PROGRAMS, Stream.ADJUSTMENTS, Stream.ESCALATIONS, Stream.REMINDERS)


@dataclass(slots=True)
class PatientOutcome:
    """One patient's course."""

    patient: str
    disposition: str = ""
    rated: list[Data] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    program_status: str = ""
    prescribed: dict[int, tuple[str, list[Data]]] = field(default_factory=dict)
    """Phase and exercises by the number of the prescription, which is the order of what was in force."""
    response: str = ""
    week: int | None = None
    escalations: dict[str, tuple[str, str]] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    goals_reached: int = 0
    reminders: Counter[str] = field(default_factory=Counter)

    def take(self, event: Data) -> None:
        """Adds one event; those of one stream must come in the stream's order."""
        data = event["data"]
        match event["type"]:
            case "care.condition.classified.v1":
                self.disposition, self.rated = data["disposition"], data["conditions"]
            case "care.program.planned.v1" | "care.program.changed.v1":
                self.conditions, self.program_status = data["conditions"], data["status"]
                self._prescribe(data)
            case "care.load.adjusted.v1":
                self.response, self.week = data["response"]["status"], data["response"]["week"]
                self._prescribe(data)
            case "care.goal.reached.v1":
                self.goals_reached += 1
            case "care.escalation.raised.v1":
                self.escalations[data["escalation_id"]] = (data["severity"], data["reason"])
            case "care.escalation.resolved.v1":
                self.resolved.add(data["escalation_id"])
            case "care.reminder.due.v1":
                self.reminders[data["kind"]] += 1

    def _prescribe(self, data: Data) -> None:
        self.prescribed[data["prescription_seq"]] = (data["phase_id"], data["prescription"])

    @property
    def phases(self) -> list[str]:
        """The phases reached, in order of time."""
        return list(dict.fromkeys(self.prescribed[number][0] for number in sorted(self.prescribed)))

    @property
    def loads(self) -> list[list[Data]]:
        """The first and the last prescription that was not empty."""
        filled = [self.prescribed[number][1] for number in sorted(self.prescribed) if self.prescribed[number][1]]
        return [filled[0], filled[-1]] if filled else []


def gather_outcomes(entries: Iterable[Entry]) -> list[PatientOutcome]:
    """The course of every patient, in the order of their pseudonyms."""
    outcomes: dict[str, PatientOutcome] = {}
    for entry in entries:
        if entry.event is not None and entry.stream in STREAMS:
            patient = str(entry.event["subject"])
            outcomes.setdefault(patient, PatientOutcome(patient)).take(entry.event)
    return [outcomes[patient] for patient in sorted(outcomes)]


def outcome_table(outcomes: Iterable[PatientOutcome], titles: dict[str, str]) -> Table:
    """One row for each patient; `titles` names the journey behind a pseudonym."""
    table = Table(show_lines=True, pad_edge=False)
    for column in ("patient", "condition", "program", "load: start → end", "response", "escalations", "reminders"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        table.add_row(
            f"[bold]{outcome.patient}[/]\n{titles.get(outcome.patient, '')}",
            _condition(outcome),
            _program(outcome),
            "\n→ ".join(describe_load(prescription) for prescription in outcome.loads),
            _response(outcome),
            "\n".join(_escalations(outcome)),
            "\n".join(f"{count} {_words(kind)}" for kind, count in sorted(outcome.reminders.items())),
        )
    return table


_COLOURS = {"emergency": "bold red", "urgent": "yellow", "routine": "cyan"}


def describe_load(prescription: list[Data]) -> str:
    """A prescription in short: how many exercises, repetitions a session, and the heaviest load."""
    repetitions = sum(item["sets"] * item["reps"] for item in prescription)
    kilograms = max((item.get("load_kg") or 0 for item in prescription), default=0)
    level = max((item.get("load_level") or 0 for item in prescription), default=0)
    effort = max((item["target_rpe"] for item in prescription), default=0)
    weight = f", {kilograms:g} kg" if kilograms else f", level {level}" if level else ""
    return f"{len(prescription)} exercises, {repetitions} reps{weight}, RPE {effort:g}"


def _condition(outcome: PatientOutcome) -> str:
    lines = [
        f"{_words(c['condition_id'])} {c['probability']:.2f}" for c in outcome.rated[:2] if c["probability"] >= 0.2
    ]
    return "\n".join([*lines, f"[dim]{_words(outcome.disposition)}[/]"])


def _program(outcome: PatientOutcome) -> str:
    if not outcome.program_status:
        return "none"
    treated = "\n".join(map(_words, outcome.conditions))
    return f"{treated}\n{' → '.join(outcome.phases)}\n[dim]{outcome.program_status}[/]"


def _escalations(outcome: PatientOutcome) -> list[str]:
    return [
        f"[{_COLOURS[severity]}]{severity}[/] {_words(reason)}{' (resolved)' if key in outcome.resolved else ''}"
        for key, (severity, reason) in outcome.escalations.items()
    ]


def _response(outcome: PatientOutcome) -> str:
    if not outcome.response:
        return ""
    goals = f"\n{outcome.goals_reached} goals reached" if outcome.goals_reached else ""
    return f"{_words(outcome.response)}\nweek {outcome.week}{goals}"


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")
