"""One patient's notifier in memory: tell it events, move the clock, read what it did."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.notifier.domain.decide import decide
from services.notifier.domain.delivery import DeliveryOutcome, find_delivery
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Delivery, NotifierState
from services.notifier.policy_file import load_policies
from shared.decision import Decision, Draft, Incoming, Performed, Rejection, TimerFired
from shared.event.wire import Payload
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, arrival

Deliver = Callable[[Delivery], DeliveryOutcome]
LATE_WINDOW = timedelta(days=14)


def delivered(delivery: Delivery) -> DeliveryOutcome:
    """A world in which every message arrives."""
    return DeliveryOutcome(delivery.channel)


class NotifierCase:
    """Starts on Monday 2 March 2026, 09:00 UTC, with the shipped policies. Every message arrives."""

    def __init__(self, policies: Policies | None = None, deliver: Deliver = delivered) -> None:
        self.policies = policies or load_policies(None)
        self.deliver = deliver
        self.now = EPOCH
        self.state: NotifierState | None = None
        self.timers: dict[str, datetime] = {}
        self.drafts: list[Draft] = []
        self.rejections: list[Rejection] = []
        self.attempted: list[tuple[datetime, Delivery]] = []
        self.ledger: list[Mapping[str, Any]] = []
        self._told = 0

    def tell(
        self, event_type: str, data: dict[str, Any], at: datetime | None = None, event_id: str = ""
    ) -> Decision[NotifierState]:
        """An event that happened at `at`, by itself now, arrives now."""
        self._told += 1
        return self.take(arrival(event_type, data, event_id=event_id or f"event-{self._told}", time=at or self.now))

    def take(self, incoming: Incoming) -> Decision[NotifierState]:
        decision = decide(self.policies, LATE_WINDOW, self.state, incoming, shipped_protocols(), self.now)
        self.state = decision.state
        self.timers = dict(decision.timers)
        self.drafts.extend(decision.drafts)
        self.rejections.extend(decision.rejections)
        self.ledger.extend(decision.ledger)
        return decision

    def advance(self, to: datetime) -> None:
        """Fires every timer that is due by then, each at its instant."""
        while due := sorted((at, name) for name, at in self.timers.items() if at <= to):
            at, name = due[0]
            self.now = max(self.now, at)
            self.fire(name, at)
        self.now = to

    def leap(self, to: datetime) -> None:
        """An outage: all that was due fires only now."""
        self.now = to
        self.advance(to)

    def fire(self, name: str, at: datetime) -> None:
        timer = TimerFired(f"{name}@{at}", "patient-1", name, at, "correlation")
        del self.timers[name]
        if not self.take(timer).effect:
            return
        delivery = find_delivery(self.state, name) if self.state else None
        assert delivery is not None
        self.attempted.append((self.now, delivery))
        self.take(Performed(timer, self.deliver(delivery)))

    def published(self, kind: type[Payload]) -> list[Any]:
        return [draft.data for draft in self.drafts if isinstance(draft.data, kind)]


def consent(**more: Any) -> dict[str, Any]:
    """A patient in Lisbon who wants reminders by mail."""
    return {
        "timezone": "Europe/Lisbon",
        "consent": {"reminders": True},
        "contact": {"mail": "patient@mail.example"},
        **more,
    }


def program(schedule: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An active program of three sessions a week, without fixed days, check-ins or questionnaires."""
    return {
        "program_id": "program-1",
        "version": 1,
        "intake_id": "intake-1",
        "status": "active",
        "prescription_seq": 1,
        "conditions": ["gluteal_tendinopathy"],
        "goals": [],
        "phases": [],
        "prescription": [
            {
                "exercise_id": "arabesque",
                "name": "Bridge",
                "sets": 2,
                "reps": 8,
                "target_rpe": 5,
                "side": "both",
                "instructions": "Slowly.",
            }
        ],
        "education": [],
        "schedule": {
            "sessions_per_week": 3,
            "checkin": {"next_morning": False, "measures": []},
            "review_weeks": [6],
            **(schedule or {}),
        },
        "adequate_course": {"min_weeks": 8, "min_sessions": 18, "min_adherence": 0.7, "review_week": 8},
        "avoid": [],
        "phase_id": "GT1",
        "protocols": [{"id": "gluteal_tendinopathy", "version": "1.0.0"}],
        "intake": {
            "age_years": 55,
            "sex": "female",
            "side": "right",
            "onset": "gradual",
            "duration_weeks": 20,
        },
        "protocol": {"id": "gluteal_tendinopathy", "version": "1.0.0"},
        "rationale": "It fits.",
        "references": [],
    } | changes


def session(session_id: str, started_at: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "program_id": "program-1",
        "started_at": started_at.isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 2,
    } | changes


def escalation(**changes: Any) -> dict[str, Any]:
    """An urgent flare."""
    return {
        "escalation_id": "escalation-1",
        "severity": "urgent",
        "reason": "flare",
        "sbar": {
            "situation": "Pain has risen sharply.",
            "background": "Week 3 of a program.",
            "assessment": "A flare.",
            "recommendation": "Please look at it today.",
        },
        "options": [{"option_id": "rest", "label": "Reduce the load", "evidence_grade": "B", "references": ["P16"]}],
        "respond_by": (EPOCH + timedelta(hours=2)).isoformat(),
        "holds_program": False,
    } | changes


def acknowledge(**changes: Any) -> dict[str, Any]:
    return {
        "decision_id": "decision-1",
        "clinician_id": "clinician-1",
        "decision": "acknowledge",
        "escalation_id": "escalation-1",
    } | changes
