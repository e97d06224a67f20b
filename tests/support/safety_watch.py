"""Watches a course of care from outside and says where it broke the safety envelope.

It shares nothing with the envelope: it keeps its own books of what was reported, and its own numbers, and
compares the loads before and after each decision. It expects events in the order of their time.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from services.progression.domain.book import Dose
from services.progression.domain.decide import decide
from services.progression.domain.load import Track
from services.progression.domain.state import State
from shared.decision import Arrival, Decision, Incoming, TimerFired
from shared.event.adjustment import LoadAdjusted
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationRaised
from shared.event.patient import ProgramStopped
from shared.event.program import PrescribedExercise, ProgramChanged, ProgramPlanned
from shared.event.session import CheckinReported, SessionReported
from shared.event.vocabulary import Urgency, vocabulary
from tests.support.progression import LATE_WINDOW, Care

STATE_LIMIT = 120_000
SEVERITIES: tuple[Urgency, ...] = ("routine", "urgent", "emergency")
EPS = 1e-6
AXES = ("load_kg", "load_level", "sets", "reps", "hold_s", "days_per_week", "times_per_day", "target_rpe")
AMOUNT = ("sets", "reps", "hold_s")


@dataclass(slots=True)
class Trained:
    """One session as it was reported."""

    session_id: str
    time: datetime
    worst: float
    before: float | None
    sound: frozenset[str]
    """Exercises done, with effort reported up to 8 and no pain above 5."""
    morning: float | None = None
    good: bool = False
    """The morning after it was settled, told after a night, without more pain at night."""


@dataclass(slots=True)
class Watch:
    """Feeds a course of care and checks each decision."""

    care: Care
    trained: dict[str, Trained] = field(default_factory=dict)
    last: Trained | None = None
    days: set[date] = field(default_factory=set)
    planned_at: datetime | None = None
    program_id: str | None = None
    ill_at: datetime | None = None
    history: dict[str, list[tuple[datetime, Dose]]] = field(default_factory=dict)
    open_flags: dict[str, Urgency] = field(default_factory=dict)
    severity: dict[str, Urgency] = field(default_factory=dict)
    """By escalation id, as it was raised last."""
    in_force: tuple[PrescribedExercise, ...] = ()
    ended: bool = False
    decisions: int = 0

    def feed(self, event: Incoming) -> Decision[State]:
        """One event, after all timers that are due before it."""
        self._pass_time(event.time)
        return self._step(event)

    def wait(self, until: datetime) -> None:
        self._pass_time(until)
        self.care.now = max(self.care.now, until)

    def _pass_time(self, until: datetime) -> None:
        care = self.care
        while care.timers and min(care.timers.values()) <= until:
            name, due = min(care.timers.items(), key=lambda item: (item[1], item[0]))
            self._step(TimerFired(f"timer-{name}-{due.isoformat()}", event_subject(), name, due, "c"))

    def _step(self, event: Incoming) -> Decision[State]:
        before = self.care.state or State()
        decision = self.care.feed(event)
        self.decisions += 1
        if self.decisions % 4 == 0:
            again = decide(
                LATE_WINDOW, before if self.decisions > 1 else None, event, self.care.protocols, self.care.now
            )
            assert _bytes(again) == _bytes(decision), "the same input gave other bytes"
        data = event.event.data if isinstance(event, Arrival) else None
        note = self._note(event, data)
        after = decision.state or State()
        self._check_flags(data, after, decision)
        self._check_severity(decision)
        self._check_failed(decision, event.time)
        self._check_load(before, after, event, data, note)
        self._check_said(decision)
        self._check_prescription(decision, after)
        self._check_state(after, decision, event.time)
        return decision

    # What was reported

    def _note(self, event: Incoming, data: Any) -> Trained | None:
        """Writes down what was reported; for a check-in gives the session whose morning it is."""
        symptoms = getattr(data, "symptoms", ())
        if "illness_or_fever" in symptoms:
            self.ill_at = event.time
        match data:
            case ProgramPlanned() | ProgramChanged() if data.program_id != self.program_id:
                self.planned_at, self.program_id, self.ended = event.time, data.program_id, data.status == "ended"
                self.trained, self.last, self.days, self.history = {}, None, set(), {}
            case SessionReported() if data.program_id == self.program_id and data.session_id not in self.trained:
                self.days.add(event.time.date())
                sound = {
                    one.exercise_id
                    for one in data.exercises
                    if data.completed and one.sets and all(s.rpe is not None and s.rpe <= 8 for s in one.sets)
                    if all((s.pain or 0) <= 5 for s in one.sets)
                }
                worst = max(data.pain_during, data.pain_after or 0)
                self.last = Trained(data.session_id, event.time, worst, data.pain_before, frozenset(sound))
                self.trained[data.session_id] = self.last
            case CheckinReported() if data.next_morning_pain is not None:
                older = [one for one in self.trained.values() if event.time - one.time >= timedelta(hours=6)]
                latest = max(older, key=lambda one: one.time, default=None)
                named = self.trained.get(data.session_id) if data.session_id else latest
                if named is None or named.morning is not None or named not in older:
                    return None
                named.morning = data.next_morning_pain
                usual = named.worst if named.before is None else named.before
                named.good = (
                    data.next_morning_pain <= min(5, usual + 1)
                    and named.worst <= 5
                    and event.time - named.time >= timedelta(hours=6)
                    and "night_pain_increased" not in symptoms
                )
                return named
            case ProgramStopped() if data.program_id == self.program_id:
                self.ended = True
            case ClinicianDecided() if data.decision in ("refer", "discharge"):
                self.ended = self.program_id is not None
        return None

    # What must hold

    def _check_flags(self, data: Any, after: State, decision: Decision[State]) -> None:
        """A dangerous sign is raised by the decision that hears it, and holds until a clinician has decided."""
        head = after.head
        found = head.escalation("red_flag")
        heard = {s: u for s in getattr(data, "symptoms", ()) if (u := urgency_of(s)) is not None}
        for symptom, urgency in heard.items():
            if urgency == "emergency":
                assert found is not None, f"{symptom} was heard and nobody was told"
                assert found.severity == "emergency"
                assert symptom in found.flags
            if urgency == "emergency" and symptom not in self.open_flags:
                raised = [d.data for d in decision.drafts if isinstance(d.data, EscalationRaised)]
                assert any(r.reason == "red_flag" and r.severity == "emergency" for r in raised)
        self.open_flags = {} if found is None else {f: urgency_of(f) or "routine" for f in found.flags}
        if found is not None and head.status in ("active", "proposed"):
            worst = max((SEVERITIES.index(one) for one in self.open_flags.values()), default=0)
            assert SEVERITIES.index(found.severity) >= worst
            if worst:
                assert "red_flag" in head.holds, "an open dangerous red flag does not hold"
                assert found.holds

    def _check_severity(self, decision: Decision[State]) -> None:
        for draft in decision.drafts:
            if isinstance(draft.data, EscalationRaised):
                one = draft.data
                had = self.severity.get(one.escalation_id)
                assert had is None or SEVERITIES.index(one.severity) >= SEVERITIES.index(had), "a severity was lowered"
                self.severity[one.escalation_id] = one.severity
                if one.reason == "red_flag":
                    assert one.holds_program or one.severity == "routine"

    def _check_failed(self, decision: Decision[State], now: datetime) -> None:
        """Failed care has a denominator."""
        for draft in decision.drafts:
            one = draft.data
            if isinstance(one, EscalationRaised) and one.reason == "failed_conservative_care":
                assert self.planned_at is not None
                assert now - self.planned_at >= timedelta(weeks=6), "failed before six weeks"
                assert len(self.days) >= 12, "failed after fewer than twelve sessions"
                assert one.evidence["sessions_done"] >= 12
                assert one.evidence["adherence"] is not None
                assert one.evidence["adherence"] >= 0.5

    def _check_load(self, before: State, after: State, event: Incoming, data: Any, morning: Trained | None) -> None:
        """Nothing rises but by one axis, within its caps, after a good morning."""
        old, new = before.head, after.head
        if new.program_id != old.program_id or old.status == "proposed":
            self.history = {t.dose.exercise_id: [(event.time, t.dose)] for t in new.tracks}
            for track in new.tracks:
                self._check_bounds(track.dose)
            return
        moved = [s.phase_id for s in old.stands] != [s.phase_id for s in new.stands]
        opens = moved and isinstance(data, CheckinReported | SessionReported)
        if opens:
            assert isinstance(data, CheckinReported), "a phase opened at a session"
            assert self.last is not None
            assert self.last.good, "a phase opened without a settled morning"
            changed = [s for s in old.stands if s.phase_id not in {n.phase_id for n in new.stands}]
            assert len(changed) <= 1
            for stand in changed:
                assert event.time - stand.since >= timedelta(days=7), "a phase was left within its first week"
            self._check_may_rise(after)
        factor_before = old.relief.volume_factor if old.relief else 1.0
        factor_after = new.relief.volume_factor if new.relief else 1.0
        if factor_after > factor_before + EPS and new.status != "ended":
            assert morning is not None, "the usual volume returned without a morning"
            assert morning.good
            self._check_may_rise(after)
        had = {t.dose.exercise_id: t for t in old.tracks}
        assert len(new.tracks) <= max(5, len(old.tracks)) or isinstance(data, ProgramPlanned | ProgramChanged)
        for track in new.tracks:
            exercise_id = track.dose.exercise_id
            self._check_bounds(track.dose)
            if exercise_id not in had:
                self._check_new(old.tracks, track, new.tracks, after, data, morning, opens, event.time)
                self.history[exercise_id] = [(event.time, track.dose)]
                continue
            was = had[exercise_id].dose
            risen = [a for a in AXES if (getattr(track.dose, a) or 0) > (getattr(was, a) or 0) + EPS]
            if risen:
                self._check_rise(was, track.dose, risen, after, event, data, morning, opens)
            if was != track.dose:
                self.history.setdefault(exercise_id, [(event.time, was)]).append((event.time, track.dose))
        self.history = {k: v for k, v in self.history.items() if k in {t.dose.exercise_id for t in new.tracks}}

    def _check_may_rise(self, after: State) -> None:
        head = after.head
        assert head.status == "active"
        assert not head.holds, "a rise under a hold"
        assert head.escalation("red_flag") is None, "a rise with an open red flag"

    def _check_rise(
        self,
        was: Dose,
        now: Dose,
        risen: list[str],
        after: State,
        event: Incoming,
        data: Any,
        morning: Trained | None,
        opens: bool,
    ) -> None:
        if isinstance(data, ProgramPlanned | ProgramChanged):
            assert set(risen) <= {"days_per_week", "times_per_day"}
            return
        self._check_may_rise(after)
        if isinstance(data, ClinicianDecided):
            assert data.decision == "modify"
            factor = data.changes.load_factor if data.changes else None
            assert factor is not None
            assert all(getattr(now, a) <= getattr(was, a) * factor + 0.06 for a in risen)
            return
        assert isinstance(data, CheckinReported), f"{risen} rose without a report of the morning"
        assert self.ill_at is None or event.time - self.ill_at >= timedelta(hours=24), "a rise while ill"
        if not opens:
            assert morning is not None, f"{risen} rose without the session's morning"
            assert morning is self.last
            assert morning.good, f"{risen} rose after pain above 5 or an unsettled morning"
            assert was.exercise_id in morning.sound, f"{risen} rose though it was not soundly done"
            assert len(risen) == 1, f"{risen} rose at once"
            assert "target_rpe" not in risen or now.target_rpe <= was.target_rpe + 1
        else:
            assert len([a for a in risen if a in ("load_kg", "load_level", *AMOUNT)]) <= 1
        reference = self._week_ago(was, event.time)
        steps = after.books[-1].load_steps_kg.get(was.equipment or "none", ())
        if "load_kg" in risen:
            assert was.load_kg is not None
            assert now.load_kg is not None
            assert now.load_kg <= most_kg(was.load_kg, 0.1, steps), "more than the cap for a session"
            assert now.load_kg <= most_kg(reference.load_kg or was.load_kg, 0.2, steps), "more than the cap for a week"
        if "load_level" in risen:
            assert now.load_level == (was.load_level or 0) + 1
            assert now.load_level <= (reference.load_level or 0) + 1
        if any(a in AMOUNT for a in risen):
            kind = self.care.protocols.exercises.exercises[was.exercise_id].kind
            longer = 60.0 if kind == "aerobic" else 5.0
            one_rep, seconds = was.sets * (was.hold_s or 1), was.sets * was.reps * longer
            step = (one_rep if "reps" in risen else seconds if "hold_s" in risen else 0) * load_of(was)
            base = amount(reference)
            assert amount(now) <= max(1.2 * base, base + step) + EPS, f"{risen}: more than the cap for a week"

    def _check_new(
        self,
        old: tuple[Track, ...],
        track: Track,
        new: tuple[Track, ...],
        after: State,
        data: Any,
        morning: Trained | None,
        opens: bool,
        now: datetime,
    ) -> None:
        if isinstance(data, ProgramPlanned | ProgramChanged) or opens:
            return
        library = self.care.protocols.exercises.exercises
        still = {t.dose.exercise_id for t in new}
        source = next(
            (
                t
                for t in old
                if t.dose.exercise_id not in still and library[t.dose.exercise_id].harder == track.dose.exercise_id
            ),
            None,
        )
        if isinstance(data, ClinicianDecided):
            source = None  # what a clinician took out makes room for another
        if source is None and library[track.dose.exercise_id].kind != "energy_storage":
            return
        self._check_may_rise(after)
        assert morning is not None, "a harder exercise without the session's morning"
        assert morning.good
        if source is not None:
            assert source.dose.exercise_id in morning.sound
            assert source.variant_since is None or now - source.variant_since >= timedelta(days=7)

    def _check_bounds(self, dose: Dose | PrescribedExercise) -> None:
        exercise = self.care.protocols.exercises.exercises[dose.exercise_id]
        assert dose.target_rpe <= 8, "effort above 8 is asked for"
        assert dose.sets <= 6
        assert dose.reps <= 30
        assert dose.hold_s is None or dose.hold_s <= (3600 if exercise.kind == "aerobic" else 90)
        assert (dose.times_per_day or 1) <= 3

    def _check_said(self, decision: Decision[State]) -> None:
        """What is told of a change is not harder under the name of a hold or of less."""
        for draft in decision.drafts:
            if not isinstance(draft.data, LoadAdjusted):
                continue
            for one in draft.data.changes:
                if one.decision in ("hold", "regress") and one.from_ is not None and one.to is not None:
                    assert not [
                        a
                        for a in ("load_kg", "load_level", *AMOUNT)
                        if (one.to.get(a) or 0) > (one.from_.get(a) or 0) + EPS and one.rule != "P16"
                    ], f"{one.decision} raised {one.exercise_id}"

    def _check_prescription(self, decision: Decision[State], after: State) -> None:
        """While held, ill or ended nothing is prescribed; and never more than the load that stands."""
        head = after.head
        for draft in decision.drafts:
            data = draft.data
            if isinstance(data, LoadAdjusted | ProgramChanged) and not getattr(data, "late", False):
                self.in_force = data.prescription
        if self.ended:
            assert head.status == "ended", "a stop did not stop"
        if head.status in ("ended", "none") or head.holds or head.rest_until is not None:
            told = [d.data for d in decision.drafts if isinstance(d.data, LoadAdjusted | ProgramChanged)]
            assert not told or told[-1].prescription == (), "a session is prescribed under a hold"
            return
        doses = {t.dose.exercise_id: t.dose for t in head.tracks}
        told = [d.data for d in decision.drafts if isinstance(d.data, LoadAdjusted | ProgramChanged)]
        for one in told[-1].prescription if told else ():
            self._check_bounds(one)
            dose = doses[one.exercise_id]
            assert all((getattr(one, a) or 0) <= (getattr(dose, a) or 0) + EPS for a in AXES)
            exercise = self.care.protocols.exercises.exercises[one.exercise_id]
            if exercise.kind == "energy_storage":
                assert (one.days_per_week or 0) <= 2
            if exercise.kind == "isotonic" and exercise.loads and one.target_rpe >= 7:
                assert (one.days_per_week or 0) <= 3

    def _check_state(self, after: State, decision: Decision[State], now: datetime) -> None:
        assert len(msgspec.msgpack.encode(after)) < STATE_LIMIT, "the state grows"
        clock = after.head.clock
        for due in decision.timers.values():
            assert clock is None or due >= clock - timedelta(seconds=1), "a timer lies in the past"
        if self.ended:
            assert not decision.timers or after.waiting

    def _week_ago(self, was: Dose, now: datetime) -> Dose:
        marks = self.history.get(was.exercise_id, [(now, was)])
        old = [dose for time, dose in marks if time <= now - timedelta(days=7)]
        return old[-1] if old else marks[0][1]


def urgency_of(symptom: str) -> Urgency | None:
    """The vocabulary's, and the contract's for sudden pain."""
    flag = vocabulary().red_flags.get(symptom)
    return flag.urgency if flag else ("urgent" if symptom == "sudden_severe_pain" else None)


def most_kg(kg: float, share: float, steps: tuple[float, ...]) -> float:
    above = min((s for s in steps if s > kg + EPS), default=kg) if steps else kg + 1
    return max(kg * (1 + share), above) + EPS


def load_of(dose: Dose) -> float:
    return dose.load_kg if dose.load_kg is not None else float((dose.load_level or 0) + 1)


def amount(dose: Dose) -> float:
    return dose.sets * dose.reps * (dose.hold_s or 1) * load_of(dose)


def event_subject() -> str:
    return "patient-1"


def _bytes(decision: Decision[State]) -> tuple[bytes, list[str], dict[str, datetime]]:
    drafts = [f"{d.key} {d.time.isoformat()} {d.data.model_dump_json()}" for d in decision.drafts]
    return msgspec.msgpack.encode(decision.state), drafts, dict(decision.timers)
