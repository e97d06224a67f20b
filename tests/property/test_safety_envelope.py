"""The safety envelope against random histories under right, rewritten and wrong protocols.

The machines drive progression as a platform would; `Watch` judges from outside. `make deep` looks further.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shared.decision import Arrival, FlagsSalvaged
from shared.event.adjustment import LoadAdjusted
from shared.event.program import ProgramChanged
from shared.event.vocabulary import vocabulary
from shared.journey.library import shipped_journeys
from tests.journeys.build import new_pipeline
from tests.journeys.cases import CASES
from tests.journeys.patient import end_of
from tests.support.depth import depth
from tests.support.example import EPOCH, arrival
from tests.support.progression import (
    PATIENT,
    Care,
    changed,
    checkin,
    decided,
    performed,
    planned,
    program,
    session,
)
from tests.support.safety_watch import Watch, urgency_of
from tests.support.wrong_protocol import Drawn, protocols

CONDITIONS = (
    "gluteal_tendinopathy",
    "sacroiliac_joint_pain",
    "deep_gluteal_syndrome",
    "proximal_hamstring_tendinopathy",
)
STEPS = [2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0]
PAIN = st.sampled_from([0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
EFFORT = st.sampled_from([4.0, 5.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, None])
SYMPTOMS = st.lists(
    st.sampled_from(
        [
            *sorted(vocabulary().symptoms),
            "claudication",
            "bladder_dysfunction",
            "fever_or_rigors",
            "unremitting_night_pain",
            "of_no_vocabulary",
        ]
    ),
    max_size=2,
    unique=True,
)
RARELY = st.integers(0, 5).map(lambda n: n == 0)
MEASURES = ("NPRS", "GROC", "PSFS", "SIT_TOLERANCE_MIN", "ODI", "LEFS", "VISA-H", "VISA-G")
WELL = {"NPRS": 1.0, "GROC": 4.0, "PSFS": 9.0, "SIT_TOLERANCE_MIN": 60.0, "ODI": 5.0, "LEFS": 78.0}
ILL = {"NPRS": 6.0, "GROC": 0.0, "PSFS": 3.0, "SIT_TOLERANCE_MIN": 5.0, "ODI": 50.0, "LEFS": 30.0}


class CareMachine(RuleBasedStateMachine):
    """What may happen to a patient in care; each rule is some hours or days of it."""

    watch: Watch

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = EPOCH
        self.count = 0
        self.program_id = "program-1"
        self.events: list[Arrival | FlagsSalvaged] = []

    @property
    def care(self) -> Care:
        return self.watch.care

    def give(self, event: Arrival | FlagsSalvaged) -> None:
        self.events.append(event)
        self.watch.feed(event)

    def later(self, hours: float) -> datetime:
        """An instant of no round hour: timers fall due on those."""
        self.count += 1
        self.now += timedelta(hours=hours, seconds=7 + self.count % 5)
        return self.now.replace(microsecond=0)

    def train(self, hours: float, *, pain: float = 1.0, rpe: float | None = 5.0, **changes: Any) -> Arrival:
        exercises = changes.pop("exercises", None) or performed(self.care.prescription, rpe)
        exercises = [one | {"sets": one["sets"][:100]} if "sets" in one else one for one in exercises]
        event = session(
            self.later(hours), exercises, pain=pain, session_id=f"s{self.count}", program_id=self.program_id, **changes
        )
        self.give(event)
        return event

    @rule(
        times=st.integers(1, 6),
        gap=st.sampled_from([26, 40, 50]),
        pain=st.sampled_from([0.0, 1.0, 2.0, 5.0]),
        tells=st.booleans(),
    )
    def good_days(self, times: int, gap: int, pain: float, tells: bool) -> None:
        """Sessions as prescribed, with their mornings in time, and perhaps the measures after them."""
        for _ in range(times):
            self.train(gap, pain=pain, pain_before=2.0)
            self.give(checkin(self.later(14), morning=2.0))
        if tells:
            self.measures(well=True, symptoms=[])

    @rule(
        pain=st.sampled_from([2.0, 6.0, 8.0]),
        morning=st.sampled_from([2.0, 4.0, 6.0, 8.0]),
        rpe=st.sampled_from([5.0, 9.0]),
        hours=st.sampled_from([2, 14, 14]),
    )
    def hard_day(self, pain: float, morning: float, rpe: float, hours: int) -> None:
        """A session as prescribed that was too much, or whose answer comes before any night."""
        self.train(30, pain=pain, rpe=rpe, pain_before=2.0)
        self.give(checkin(self.later(hours), morning=morning))

    @rule(pain=PAIN, after=PAIN, rpe=EFFORT, symptoms=SYMPTOMS, hours=st.integers(1, 70), completed=st.booleans())
    def any_session(
        self, pain: float, after: float, rpe: float | None, symptoms: list[str], hours: int, completed: bool
    ) -> None:
        """A session of whatever kind, without its morning."""
        self.train(hours, pain=pain, rpe=rpe, pain_after=after, symptoms=symptoms, completed=completed)

    @rule(set_pain=PAIN, rpe=EFFORT, skips=st.booleans(), morning=PAIN)
    def odd_exercise(self, set_pain: float, rpe: float | None, skips: bool, morning: float) -> None:
        """A good session but for one exercise."""
        exercises = performed(self.care.prescription)
        if exercises:
            first = exercises[0]
            if skips:
                exercises[0] = {"exercise_id": first["exercise_id"], "skipped": True}
            else:
                effort = {} if rpe is None else {"rpe": rpe}
                sets = [{k: v for k, v in one.items() if k != "rpe"} for one in first["sets"]]
                exercises[0] = first | {"sets": [one | effort | {"pain": set_pain} for one in sets]}
        self.train(30, exercises=exercises, pain_before=2.0)
        self.give(checkin(self.later(14), morning=morning))

    @rule(morning=PAIN, hours=st.sampled_from([1, 4, 10, 14, 30, 60]), symptoms=SYMPTOMS, named=st.booleans())
    def any_morning(self, morning: float, hours: int, symptoms: list[str], named: bool) -> None:
        """A morning: too soon, in time, too late, of a session or of none."""
        which = {"session_id": f"s{max(1, self.count - 1)}"} if named else {}
        self.give(checkin(self.later(hours), morning=morning, symptoms=symptoms, **which))

    @precondition(lambda self: self.events)
    @rule()
    def again(self) -> None:
        """The newest event comes twice."""
        self.watch.feed(self.events[-1])

    @rule(well=st.booleans(), symptoms=SYMPTOMS)
    def measures(self, well: bool, symptoms: list[str]) -> None:
        values = WELL if well else ILL
        told = [{"instrument": name, "value": value} for name, value in values.items()]
        self.give(checkin(self.later(12), measures=told, symptoms=symptoms))

    @rule(weeks=st.integers(2, 9), trains=st.booleans(), well=st.booleans())
    def weeks_of_reports(self, weeks: int, trains: bool, well: bool) -> None:
        """Weeks in which measures are told, with or without sessions."""
        values = WELL if well else ILL
        told = [{"instrument": name, "value": value} for name, value in values.items()]
        for _ in range(weeks):
            if trains:
                for _ in range(2):
                    self.train(50, rpe=7.0, pain_before=2.0)
                    self.give(checkin(self.later(14), morning=2.0))
            self.give(checkin(self.later(40 if trains else 168), measures=told))

    @rule(days=st.sampled_from([1, 2, 5, 9, 16, 30]))
    def silence(self, days: int) -> None:
        self.watch.wait(self.later(24 * days))

    @rule(
        decision=st.sampled_from(["hold", "resume", "resume", "continue", "acknowledge"]),
        named=st.booleans(),
    )
    def clinician(self, decision: str, named: bool) -> None:
        changes: dict[str, Any] = {"program_id": self.program_id}
        if self.care.raised and (named or decision in ("acknowledge", "continue")):
            changes["escalation_id"] = self.care.raised[-1].escalation_id
        elif decision == "acknowledge":
            changes["escalation_id"] = "unknown"
        self.give(decided(self.later(3), decision, **changes))

    @rule(factor=st.sampled_from([0.5, 0.8, 1.0, 1.3, 1.5]), days=st.sampled_from([None, 1, 5, 7]))
    def modify(self, factor: float, days: int | None) -> None:
        changes: dict[str, Any] = {"load_factor": factor}
        if days is not None:
            changes["sessions_per_week"] = days
        self.give(decided(self.later(3), "modify", program_id=self.program_id, changes=changes))

    @rule(days=st.integers(1, 10))
    def away(self, days: int) -> None:
        now = self.later(2)
        when = {"from": now.date().isoformat(), "to": (now + timedelta(days=days)).date().isoformat()}
        data = {"away": when, "timezone": "Europe/Berlin"}
        self.give(arrival("care.patient.updated.v1", data, event_id=f"away-{self.count}", time=now))

    @rule(flag=st.sampled_from(["bladder_dysfunction", "fever_or_rigors", "claudication"]))
    def salvaged(self, flag: str) -> None:
        """Only a red flag of an event could be read."""
        now = self.later(2)
        urgency = urgency_of(flag) or "routine"
        self.give(FlagsSalvaged(f"salvaged-{self.count}", PATIENT, now, "c", ((flag, urgency),)))

    @rule(happens=RARELY)
    def stop(self, happens: bool) -> None:
        if happens:
            data = {"program_id": self.program_id}
            self.give(arrival("care.program.stopped.v1", data, event_id=f"stop-{self.count}", time=self.later(2)))

    @rule(happens=RARELY, kind=st.sampled_from(["refer", "discharge"]))
    def end(self, happens: bool, kind: str) -> None:
        if happens:
            self.give(decided(self.later(2), kind, program_id=self.program_id))

    @rule()
    def unknown(self) -> None:
        """What names a program that nobody knows; its red flags act."""
        now = self.later(1)
        self.give(session(now, [], session_id=f"x{self.count}", program_id="nobody", symptoms=["bladder_dysfunction"]))

    def teardown(self) -> None:
        """Two weeks of the same events in another order: nothing unsafe is told on the way, and the end is the same."""
        if not self.events or len(self.events) % 3:
            return
        first = self.events[0].time
        early = [one for one in self.events if one.time - first <= timedelta(days=12)]
        by_id = {one.id: one for one in early}
        shuffled_events = list(by_id.values())
        random.Random(len(self.events)).shuffle(shuffled_events)  # noqa: S311  # no secret depends on it
        # Versions of a program come in one stream, by one service, so they stay in their order.
        places = [n for n, one in enumerate(shuffled_events) if _is_program(one)]
        for place, one in zip(places, [e for e in by_id.values() if _is_program(e)], strict=True):
            shuffled_events[place] = one
        in_order, shuffled = Care(self.care.protocols), Care(self.care.protocols)
        end = first + timedelta(days=13)
        for one in by_id.values():
            in_order.pass_time(one.time)
            in_order.feed(one, end)
        in_order.pass_time(end)
        for one in shuffled_events:
            decision = shuffled.feed(one, end)
            head = decision.state.head if decision.state else None
            told = [d.data for d in decision.drafts if isinstance(d.data, LoadAdjusted | ProgramChanged)]
            if head is not None and told and (head.status == "ended" or (head.holds and head.status == "active")):
                assert getattr(told[-1], "prescription", ()) == ()
        shuffled.pass_time(end)
        if any(isinstance(one, Arrival) and one.event.type == "care.clinician.decided.v1" for one in early):
            return  # what a clinician could know depends on what had arrived
        assert in_order.state is not None
        assert shuffled.state is not None
        assert shuffled.state.head == in_order.state.head, "another order of arrival ended otherwise"


def _is_program(event: Arrival | FlagsSalvaged) -> bool:
    return isinstance(event, Arrival) and event.event.type.startswith("care.program.") and event.id[:4] != "stop"


class ProgressionMachine(CareMachine):
    """Progression alone, with a program of one condition."""

    @initialize(
        drawn=protocols(),
        condition=st.sampled_from(CONDITIONS),
        phase=st.integers(0, 2),
        kg=st.sampled_from([None, 2.0, 5.0, 10.0]),
        knows_weights=st.booleans(),
        sets=st.sampled_from([None, 3, 20]),
        days=st.sampled_from([1, 3, 7]),
    )
    def begin(
        self,
        drawn: Drawn,
        condition: str,
        phase: int,
        kg: float | None,
        knows_weights: bool,
        sets: int | None,
        days: int,
    ) -> None:
        found = drawn.build()
        self.watch = Watch(Care(found))
        rules = found.condition(condition).program.phases[phase]
        data = program(condition, rules.phase_id)
        first = data["prescription"]
        for one in first:
            if kg is not None:
                one |= {"equipment": "dumbbell", "load_kg": kg}
            if sets is not None:
                one["sets"] = sets
        intake = data["intake"] | {"sessions_per_week": days, "equipment": ["none", "band", "dumbbell"]}
        if knows_weights:
            intake |= {"load_steps_kg": {"dumbbell": STEPS}}
        self.give(planned(condition=condition, phase_id=rules.phase_id, prescription=first, intake=intake))
        self.condition = condition

    @rule(status=st.sampled_from(["active", "active", "held"]), days=st.sampled_from([2, 5]))
    def replan(self, status: str, days: int) -> None:
        """The planner writes another version."""
        state = self.care.state
        if state is None or state.head.status == "ended":
            return
        version = state.published.version + 1
        data = program(self.condition)
        first = [one | {"days_per_week": days} for one in data["prescription"]]
        now = self.later(2)
        self.give(
            changed(
                now,
                event_id=f"changed-{version}-{self.count}",
                condition=self.condition,
                version=version,
                status=status,
                prescription=first if status == "active" else [],
            )
        )


TestProgression = ProgressionMachine.TestCase
TestProgression.settings = depth(100, 5000, 10)


def test_the_shipped_protocols_stay_within_the_envelope() -> None:
    """In no published patient's course does the envelope hold anything back: the rules do not need it."""
    journeys = {journey.journey_id: journey for journey in shipped_journeys()}
    held: list[tuple[str, datetime, Any]] = []
    for case in CASES:
        pipeline = new_pipeline()
        pipeline.replay(journeys[case.journey].events)
        pipeline.advance(end_of(case))
        held.extend(
            (case.journey, event.time, event.data)
            for event in pipeline.published()
            if "ENVELOPE" in getattr(event.data, "rationale", "")
            or "safety envelope" in getattr(event.data, "rationale", "")
        )
    assert held == []
