"""A patient's course of care through the core of progression: what arrives, what is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.progression.domain.decide import decide
from services.progression.domain.explain import prescription_of
from services.progression.domain.state import State
from shared.decision import Arrival, Decision, Draft, FlagsSalvaged, Incoming, TimerFired
from shared.event.adjustment import LoadAdjusted
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import ProgramChanged
from shared.event.wire import Payload
from shared.protocol.library import Protocols, shipped_protocols
from shared.protocol.program import PhaseExercise
from tests.support.example import EPOCH, arrival

P = TypeVar("P", bound=Payload)
DAY = timedelta(days=1)
PATIENT = "patient-1"
LATE_WINDOW = timedelta(days=14)


def at(days: float) -> datetime:
    """An instant so many days after the program was planned."""
    return EPOCH + timedelta(days=days)


def prescribed(rule: PhaseExercise, **changes: Any) -> dict[str, Any]:
    """One exercise at the bottom of its range, as a planner would prescribe it."""
    exercise = shipped_protocols().exercises.exercises[rule.exercise_id]
    found: dict[str, Any] = {
        "exercise_id": rule.exercise_id,
        "name": exercise.name,
        "sets": rule.sets,
        "reps": int(rule.reps.low),
        "days_per_week": min(rule.days_per_week, 3),
        "target_rpe": rule.rpe.low,
        "side": "right",
        "instructions": exercise.instructions,
    }
    if rule.hold_s is not None:
        found["hold_s"] = rule.hold_s.low
    return found | changes


def program(condition: str = "gluteal_tendinopathy", phase_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A program of one condition from its shipped protocol, in its first phase or the one named."""
    protocol = shipped_protocols().condition(condition)
    rules = protocol.program
    current = next((p for p in rules.phases if p.phase_id == phase_id), rules.phases[0])
    return {
        "program_id": "program-1",
        "version": 1,
        "intake_id": "intake-1",
        "status": "active",
        "prescription_seq": 1,
        "conditions": [condition],
        "goals": [
            {
                "goal_id": "less-pain",
                "horizon": "long_term",
                "statement": "Pain of at most 2/10",
                "measure": {"instrument": "NPRS", "baseline": 5.0, "target": 2.0, "direction": "decrease"},
                "due_week": 12,
            }
        ],
        "phases": [
            {
                "phase_id": phase.phase_id,
                "name": phase.name,
                "intent": phase.intent,
                "entry_criteria": [c.statement for c in phase.entry],
                "exit_criteria": [c.statement for c in phase.exit],
                "exercises": [prescribed(e) for e in phase.exercises],
            }
            for phase in rules.phases
        ],
        "prescription": [prescribed(e) for e in current.exercises[:4]],
        "education": [],
        "schedule": {
            "sessions_per_week": 3,
            "checkin": {"next_morning": True, "measures": [{"instrument": "NPRS", "every_weeks": 1}]},
            "review_weeks": [4, 8, 12],
        },
        "adequate_course": {"min_weeks": 12, "min_sessions": 24, "min_adherence": 0.7, "review_week": 12},
        "avoid": [],
        "phase_id": current.phase_id,
        "phase_by_condition": {},
        "protocols": [{"id": condition, "version": protocol.version}],
        "intake": {
            "age_years": 55,
            "sex": "female",
            "side": "right",
            "onset": "gradual",
            "duration_weeks": 20.0,
            "measures": [{"instrument": "NPRS", "value": 5.0}],
        },
        "protocol": {"id": condition, "version": protocol.version},
        "rationale": "Planned for a test.",
    } | changes


@dataclass(slots=True, repr=False)
class Care:
    """Drives `decide` and keeps what it said. `now` follows the newest arrival."""

    protocols: Protocols = field(default_factory=shipped_protocols)
    state: State | None = None
    now: datetime = EPOCH
    drafts: list[Draft] = field(default_factory=list, init=False)
    timers: dict[str, datetime] = field(default_factory=dict)
    decisions: list[Decision[State]] = field(default_factory=list, init=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # Hypothesis' own protocol
        """Short where Hypothesis tells of it: a course of care is megabytes of events and protocols."""
        printer.text(f"Care(now={self.now.isoformat()}, {len(self.decisions)} decisions)")

    def feed(self, event: Incoming, now: datetime | None = None) -> Decision[State]:
        self.now = max(self.now, now or event.time)
        decision = decide(LATE_WINDOW, self.state, event, self.protocols, self.now)
        self.state, self.timers = decision.state, dict(decision.timers)
        self.drafts.extend(decision.drafts)
        self.decisions.append(decision)
        return decision

    def pass_time(self, until: datetime) -> None:
        """Fires timers as they fall due, as the runtime would."""
        while self.timers and min(self.timers.values()) <= until:
            name, due = min(self.timers.items(), key=lambda item: (item[1], item[0]))
            self.feed(TimerFired(f"timer-{name}-{due.isoformat()}", PATIENT, name, due, "c"), due)
        self.now = max(self.now, until)

    def told(self, payload: type[P]) -> list[P]:
        return [draft.data for draft in self.drafts if isinstance(draft.data, payload)]

    @property
    def adjustments(self) -> list[LoadAdjusted]:
        return self.told(LoadAdjusted)

    @property
    def raised(self) -> list[EscalationRaised]:
        return self.told(EscalationRaised)

    @property
    def resolved(self) -> list[EscalationResolved]:
        return self.told(EscalationResolved)

    @property
    def programs(self) -> list[ProgramChanged]:
        return self.told(ProgramChanged)

    @property
    def prescription(self) -> list[dict[str, Any]]:
        """What is in force: as told last, and before anything was told as the planner wrote it."""
        for draft in reversed(self.drafts):
            data = draft.data
            if isinstance(data, LoadAdjusted | ProgramChanged) and not getattr(data, "late", False):
                return [one.model_dump() for one in data.prescription]
        book = self.state.book(self.state.head.program_id, self.state.head.version) if self.state else None
        if self.state is None or book is None:
            return []
        return [one.model_dump() for one in prescription_of(self.state.head, book, self.protocols)]


def planned(time: datetime = EPOCH, **changes: Any) -> Arrival:
    data = program(**changes)
    return arrival(
        "care.program.planned.v1", data, event_id=f"planned-{data['program_id']}-{data['version']}", time=time
    )


def changed(time: datetime, *, reason: str = "Planned anew.", event_id: str = "changed", **changes: Any) -> Arrival:
    data = program(**changes) | {"previous_version": changes.get("version", 2) - 1, "reason": reason}
    return arrival("care.program.changed.v1", data, event_id=event_id, time=time)


def performed(prescription: Iterable[dict[str, Any]], rpe: float | None = 5.0) -> list[dict[str, Any]]:
    """Everything done exactly as prescribed."""
    done = []
    for one in prescription:
        holds = one.get("hold_s") is not None
        one_set: dict[str, Any] = {"reps": 1 if holds else one["reps"]}
        for name in ("hold_s", "load_kg", "load_level"):
            if one.get(name) is not None:
                one_set[name] = one[name]
        if rpe is not None:
            one_set["rpe"] = rpe
        count = one["sets"] * one["reps"] if holds else one["sets"]
        done.append({"exercise_id": one["exercise_id"], "sets": [one_set] * count})
    return done


def session(
    time: datetime,
    exercises: list[dict[str, Any]],
    *,
    pain: float = 2.0,
    session_id: str | None = None,
    event_id: str | None = None,
    **changes: Any,
) -> Arrival:
    session_id = session_id or f"session-{time.isoformat()}"
    data = {
        "session_id": session_id,
        "program_id": "program-1",
        "started_at": time.isoformat(),
        "completed": True,
        "exercises": exercises,
        "pain_before": 2.0,
        "pain_during": pain,
    } | changes
    return arrival("care.session.reported.v1", data, event_id=event_id or f"e-{session_id}", time=time)


def checkin(time: datetime, *, morning: float | None = None, **changes: Any) -> Arrival:
    checkin_id = f"checkin-{time.isoformat()}"
    data: dict[str, Any] = {"checkin_id": checkin_id, "reported_at": time.isoformat()} | changes
    if morning is not None:
        data["next_morning_pain"] = morning
    return arrival("care.checkin.reported.v1", data, event_id=f"e-{checkin_id}", time=time)


def decided(time: datetime, decision: str, **changes: Any) -> Arrival:
    decision_id = changes.pop("decision_id", f"decision-{time.isoformat()}")
    data = {
        "decision_id": decision_id,
        "clinician_id": "clinician-1",
        "decision": decision,
        "rationale": "Seen and talked with the patient.",
    } | changes
    return arrival("care.clinician.decided.v1", data, event_id=f"e-{decision_id}", time=time)


def salvaged(time: datetime, *flags: tuple[str, Any]) -> FlagsSalvaged:
    return FlagsSalvaged(f"salvaged-{time.isoformat()}", PATIENT, time, "c", flags)
