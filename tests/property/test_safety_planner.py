"""The safety envelope from the classification on: planner and progression together, for any mix and protocols."""

from datetime import timedelta
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from services.planner.domain.decide import Policy, decide
from services.planner.domain.state import PlannerState
from shared.decision import Arrival, FlagsSalvaged
from shared.event.intake import Equipment
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.vocabulary import vocabulary
from tests.property.test_safety_envelope import CONDITIONS, STEPS, CareMachine
from tests.support.depth import depth
from tests.support.example import EPOCH, arrival
from tests.support.planner_case import classified
from tests.support.progression import Care, decided
from tests.support.safety_watch import Watch
from tests.support.wrong_protocol import Drawn, protocols


class PlannedMachine(CareMachine):
    """A program as the planner writes it, and writes it anew."""

    planner: PlannerState | None = None

    @initialize(
        drawn=protocols(),
        mix=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3, unique=True),
        modifiers=st.lists(st.sampled_from(sorted(vocabulary().modifiers)), max_size=3, unique=True),
        equipment=st.lists(st.sampled_from(get_args(Equipment)), min_size=1, max_size=4, unique=True),
        sessions=st.sampled_from([1, 2, 3, 7]),
        side=st.sampled_from(["left", "both"]),
        needs_approval=st.booleans(),
    )
    def begin(
        self,
        drawn: Drawn,
        mix: list[str],
        modifiers: list[str],
        equipment: list[str],
        sessions: int,
        side: str,
        needs_approval: bool,
    ) -> None:
        self.watch = Watch(Care(drawn.build()))
        self.policy = Policy(needs_approval=needs_approval)
        self.program_id = "prg-intake-1"
        event = classified(
            {condition: 0.7 - 0.05 * n for n, condition in enumerate(mix)},
            modifiers=modifiers,
            equipment=equipment,
            sessions_per_week=sessions,
            side=side,
            load_steps_kg={"dumbbell": STEPS},
        )
        self._plan(event)
        if needs_approval:
            self.give(decided(self.later(2), "approve", program_id=self.program_id))

    def give(self, event: Arrival | FlagsSalvaged) -> None:
        """Both services hear of it, progression first."""
        super().give(event)
        if isinstance(event, Arrival):
            self._plan(event)

    def _plan(self, event: Arrival) -> None:
        decision = decide(self.policy, self.planner, event, self.care.protocols, event.time)
        self.planner = decision.state
        for draft in decision.drafts:
            data: Any = draft.data
            if isinstance(data, ProgramPlanned | ProgramChanged):
                self.count += 1
                self.now = max(self.now, event.time) + timedelta(seconds=3)
                wire = data.model_dump(mode="json", by_alias=True)
                told = arrival(data.event_type, wire, event_id=f"program-{self.count}", time=self.now)
                super().give(told)

    @precondition(lambda self: self.watch.program_id is not None)
    @rule(
        mix=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2, unique=True),
    )
    def reclassify(self, mix: list[str]) -> None:
        """A clinician finds another condition: the planner plans anew."""
        self.give(decided(self.later(2), "reclassify", program_id=self.program_id, conditions=mix))

    @rule()
    def remove(self) -> None:
        """A clinician takes an exercise out."""
        if self.care.prescription:
            gone = [self.care.prescription[0]["exercise_id"]]
            self.give(decided(self.later(2), "modify", program_id=self.program_id, changes={"remove_exercises": gone}))


TestPlanned = PlannedMachine.TestCase
TestPlanned.settings = depth(25, 2500, 8)


def test_the_machine_really_trains() -> None:
    """A course of good days under the shipped protocols raises loads: the machines do not look at nothing."""
    machine = PlannedMachine()
    machine.begin(
        drawn=Drawn(),
        mix=[CONDITIONS[0]],
        modifiers=[],
        equipment=["dumbbell", "band"],
        sessions=3,
        side="left",
        needs_approval=False,
    )
    assert machine.now >= EPOCH
    machine.good_days(times=6, gap=40, pain=1.0, tells=False)
    rises = [c for a in machine.care.adjustments for c in a.changes if c.decision == "progress"]
    assert len(rises) >= 5
