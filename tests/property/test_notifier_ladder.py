"""Whatever happens under whatever policy: no open escalation is forgotten, and no answered one rings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.notifier.domain import ladder
from services.notifier.domain.decide import decide
from services.notifier.domain.delivery import DeliveryOutcome, Result
from services.notifier.domain.policy import Ladder, Policies
from services.notifier.domain.rung import later
from services.notifier.domain.state import MAX_ANSWERS, Alarm, Delivery, NotifierState
from services.notifier.policy_file import load_policies
from shared.chain import verify
from shared.decision import Arrival, Incoming, TimerFired
from shared.protocol.library import shipped_protocols
from tests.support.depth import depth
from tests.support.example import EPOCH, arrival
from tests.support.notifier_case import LATE_WINDOW, NotifierCase, acknowledge, escalation

RAISED = "care.escalation.raised.v1"
RESOLVED = "care.escalation.resolved.v1"
DECIDED = "care.clinician.decided.v1"
ECHOED = "care.escalation.acknowledged.v1"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
IDS = ("escalation-1", "escalation-2")
PEOPLE = ("on_call", "lead_clinician", "third")
ROTAS = ("day", "night")

CLOCK = st.tuples(st.integers(0, 23), st.sampled_from([0, 7, 30])).map(lambda t: f"{t[0]:02}:{t[1]:02}")
ZONES = st.sampled_from(["UTC", "Europe/Lisbon", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
DAYS = st.sets(st.integers(1, 7), min_size=1).map(sorted)
WAITS = st.one_of(st.integers(1, 60), st.integers(60, 3000))


def shifts() -> st.SearchStrategy[dict[str, Any]]:
    who = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2)
    return st.fixed_dictionaries({"days": DAYS, "start": CLOCK, "end": CLOCK, "who": who})


@st.composite
def overrides(draw: st.DrawFn) -> dict[str, Any]:
    begin = datetime(2026, 3, 1) + draw(st.integers(0, 300)) * timedelta(hours=1)  # noqa: DTZ001  # wall time
    end = begin + draw(st.integers(1, 100)) * timedelta(hours=1)
    return {"from": begin, "to": end, "who": draw(st.lists(st.sampled_from(PEOPLE), max_size=2))}


@st.composite
def ladders(draw: st.DrawFn, *, always: bool) -> dict[str, Any]:
    hours = "always" if always else draw(st.sampled_from(["always", "working"]))
    digest = hours == "working" and draw(st.booleans())
    steps = st.fixed_dictionaries(
        {
            "to": st.lists(st.sampled_from(PEOPLE + ROTAS), min_size=1, max_size=3),
            "channels": st.sampled_from([("mail",), ("webhook",), ("webhook", "mail"), ("log",)]),
            "acknowledge_within_min": WAITS,
        }
    )
    return {
        "hours": hours,
        "first_word": "in_hours" if digest else draw(st.sampled_from(["in_hours", "at_once"])),
        "digest": {"at": draw(CLOCK)} if digest else None,
        "steps": draw(st.lists(steps, min_size=1, max_size=3)),
        "repeats": draw(st.integers(0, 3)),
        "last_resort_every_min": draw(WAITS),
        "resolve_within_min": draw(WAITS),
    }


@st.composite
def some_policies(draw: st.DrawFn) -> Policies:
    """Any that the schema accepts: rotas with holes, people without addresses, chains of one minute and of days."""
    content = load_policies(None).model_dump(by_alias=True)
    address = st.dictionaries(st.sampled_from(["mail", "webhook"]), st.just("https://a@b.example"))
    content["recipients"] = {name: draw(address) for name in PEOPLE}
    rota = st.fixed_dictionaries(
        {
            "timezone": ZONES,
            "shifts": st.lists(shifts(), max_size=2),
            "overrides": st.lists(overrides(), max_size=2),
        }
    )
    content["rotas"] = {name: draw(rota) for name in ROTAS}
    start, end = draw(st.sampled_from([("08:00", "17:00"), ("00:00", "23:59"), ("01:30", "02:30")]))
    content["policies"]["default"] = {
        "working_hours": {"timezone": draw(ZONES), "days": draw(DAYS), "start": start, "end": end},
        "owner": "on_call",
        "last_resort": draw(st.sampled_from(PEOPLE)),
        "emergency": draw(ladders(always=True)),
        "urgent": draw(ladders(always=False)),
        "routine": draw(ladders(always=False)),
    }
    return Policies.model_validate(content)


class Escalations(RuleBasedStateMachine):
    """Two escalations of one patient, in any history."""

    @initialize(policies=some_policies())
    def begin(self, policies: Policies) -> None:
        self.case = NotifierCase(policies, self._deliver)
        self.result: Result = "sent"
        self.told = 0

    def _deliver(self, delivery: Delivery) -> DeliveryOutcome:
        return DeliveryOutcome(delivery.channel, self.result, "550", address_hash="hash-of-an-address")

    @rule(which=st.sampled_from(IDS), severity=st.sampled_from(["routine", "urgent", "emergency"]))
    def raise_it(self, which: str, severity: str) -> None:
        reason = "red_flag" if which == IDS[0] else "flare"
        self._tell(RAISED, escalation(escalation_id=which, severity=severity, reason=reason))

    @rule(which=st.sampled_from(IDS), decision=st.sampled_from(["acknowledge", "hold", "continue", "refer"]))
    def answer_it(self, which: str, decision: str) -> None:
        self.told += 1
        said = acknowledge(escalation_id=which, decision=decision, decision_id=f"d-{self.told}", rationale="So.")
        self._tell(DECIDED, said)

    @rule(which=st.sampled_from(IDS))
    def resolve_it(self, which: str) -> None:
        self._tell(RESOLVED, {"escalation_id": which, "reason": "flare", "resolution": "superseded"})

    @rule(minutes=st.one_of(st.integers(0, 90), st.integers(90, 6000)))
    def wait(self, minutes: int) -> None:
        # A clinic that is called every minute for days is not the subject here.
        while minutes > 0 and len(self.case.attempted) < 150:
            self.case.advance(self.case.now + min(minutes, 240) * MINUTE)
            minutes -= 240

    @rule(which=st.sampled_from(IDS))
    def reach_the_next_step(self, which: str) -> None:
        """The next rung, or the end of the acknowledgement."""
        alarm = self.case.state and ladder.find_alarm(self.case.state, which)
        if alarm and alarm.next_at and len(self.case.attempted) < 150:
            self.case.advance(max(self.case.now, alarm.next_at))

    @rule(minutes=st.integers(1, 6000))
    def lie_down(self, minutes: int) -> None:
        """An outage."""
        self.case.leap(self.case.now + minutes * MINUTE)

    @rule(which=st.sampled_from(IDS), is_answered=st.booleans())
    def lose_a_worker(self, which: str, is_answered: bool) -> None:
        """It had claimed a message, and nobody knows what became of it; perhaps an answer comes before the next."""
        for name, at in sorted(self.case.timers.items()):
            if "deliver:" in name and at <= self.case.now:
                self.case.take(_timer(name, at))
                break
        if is_answered:
            self.told += 1
            self.case.now += SECOND
            self.case.tell(DECIDED, acknowledge(escalation_id=which, decision_id=f"d-{self.told}"))

    @rule(result=st.sampled_from(["sent", "sent", "passing", "refused", "address_dead", "uncertain"]))
    def change_the_world(self, result: Result) -> None:
        self.result = result

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        # An event takes a moment: two of the same instant have no order.
        self.case.advance(self.case.now + timedelta(seconds=1))
        self.case.tell(kind, data)

    @invariant()
    def every_open_one_has_a_next_step(self) -> None:
        if self.case.state is None:
            return
        opened = {alarm.escalation_id: alarm for alarm in self.case.state.alarms if ladder.is_open(alarm)}
        for alarm in opened.values():
            assert alarm.next_at is not None
            assert self.case.timers[ladder.timer_of(alarm)] == alarm.next_at
            assert ladder.plan(self.case.policies, self.case.state, alarm, self.case.now, steps=3)

    @invariant()
    def none_waits_longer_than_its_interval_without_word_or_answer(self) -> None:
        if self.case.state is None:
            return
        for alarm in self.case.state.alarms:
            if ladder.is_unanswered(alarm) and alarm.calls:
                assert alarm.next_at is not None
                told_at = max(
                    _instant(entry, "due_at") for entry in self._entries(alarm, "planned") if "due_at" in entry
                )
                assert alarm.next_at <= self._at_most_after(alarm, max(told_at, alarm.severe_since or told_at))

    @invariant()
    def an_acknowledgement_is_good_for_a_step_s_time_and_not_for_ever(self) -> None:
        if self.case.state is None:
            return
        policy = ladder.policy_of(self.case.policies, self.case.state)
        for alarm in self.case.state.alarms:
            if ladder.is_open(alarm) and not ladder.is_unanswered(alarm):
                assert alarm.next_at is not None
                assert alarm.answered_at is not None
                assert alarm.severe_since is not None
                steps = policy.ladder(alarm.severity)
                grace = later(policy, steps, alarm.answered_at, steps.steps[0].acknowledge_within_min)
                due = later(policy, steps, alarm.severe_since, steps.resolve_within_min)
                assert alarm.next_at in (grace, due)
                assert alarm.next_at >= max(grace, due)

    @invariant()
    def what_is_answered_or_closed_has_no_message_to_send(self) -> None:
        if self.case.state is None:
            return
        silent = {alarm.escalation_id for alarm in self.case.state.alarms if not ladder.is_unanswered(alarm)}
        waiting = [d for d in self.case.state.outbox if d.kind in ladder.TOLD and not d.begun]
        assert not [d for d in waiting if d.escalation_id in silent]

    @invariant()
    def the_state_is_bounded_and_holds_no_entry_of_the_ledger(self) -> None:
        if self.case.state is None:
            return
        assert self.case.state.ledger == ()
        assert all(len(alarm.answers) <= MAX_ANSWERS for alarm in self.case.state.alarms)
        assert len(msgspec.json.encode(self.case.state)) < 40_000

    def teardown(self) -> None:
        if not hasattr(self, "case"):
            return
        for which in IDS:
            entries = [entry for entry in self.case.ledger if entry["escalation_id"] == which]
            assert verify(entries) is None
            is_silent = False
            for entry in entries:
                match entry["kind"]:
                    case "acknowledged" | "resolved":
                        is_silent = True
                    case "created" | "worsened" | "reopened":
                        is_silent = False
                    case "planned" | "claimed":
                        assert not is_silent, entry

    def _entries(self, alarm: Alarm, kind: str) -> list[Any]:
        return [e for e in self.case.ledger if e["escalation_id"] == alarm.escalation_id and e["kind"] == kind]

    def _at_most_after(self, alarm: Alarm, told_at: datetime) -> datetime:
        """The longest wait that the policy allows after a word; an outage may have made it later."""
        assert self.case.state is not None
        policy = ladder.policy_of(self.case.policies, self.case.state)
        steps: Ladder = policy.ladder(alarm.severity)
        waits = [*(step.acknowledge_within_min for step in steps.steps), steps.last_resort_every_min]
        return later(policy, steps, told_at, max(waits)) + timedelta(seconds=2)


def _instant(entry: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(entry[name])


TestEscalations = Escalations.TestCase
TestEscalations.settings = depth(usual=80, deep=2000, steps=30)


@dataclass(frozen=True)
class Race:
    """One escalation on its ladder, a second after another; what happens to it comes in any order."""

    policies: Policies
    events: Mapping[tuple[str, datetime], Arrival]
    state: NotifierState
    timers: Mapping[str, datetime]
    now: datetime = EPOCH
    next_step: tuple[str, datetime] = ("", EPOCH)
    """The promoter has this timer in its hands, though an acknowledgement may have set another."""
    is_decided: bool = False
    is_answered: bool = False
    claims: tuple[bool, ...] = ()
    """For each whether the escalation was answered at that moment."""

    def step(self, name: str) -> "Race":
        race = replace(self, now=self.now + SECOND)
        match name:
            case "climb" | "climb_again":
                return race._take(_timer(*self.next_step))
            case "send" | "send_again":
                for timer, due in self.timers.items():
                    if "deliver:" in timer:
                        race = race._take(_timer(timer, due))
                return race
            case "acknowledge" | "echo":
                # Both are the same decision: the second of them is no new answer.
                race = race._take(self.events[name, race.now])
                return replace(race, is_answered=self.is_answered or not self.is_decided, is_decided=True)
            case _:
                race = race._take(self.events[name, race.now])
                return replace(race, is_answered=self.is_answered and name != "worsen")

    def _take(self, incoming: Incoming) -> "Race":
        decision = decide(self.policies, LATE_WINDOW, self.state, incoming, shipped_protocols(), self.now)
        assert decision.state is not None
        (alarm,) = decision.state.alarms
        next_step = self.next_step
        if ladder.is_unanswered(alarm) and alarm.next_at is not None:
            next_step = ladder.timer_of(alarm), alarm.next_at
        return replace(
            self,
            state=decision.state,
            timers=decision.timers,
            next_step=next_step,
            claims=(*self.claims, self.is_answered) if decision.effect else self.claims,
        )


def _timer(name: str, due: datetime) -> TimerFired:
    return TimerFired(f"{name}@{due}", "patient-1", name, due, "correlation")


INPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "acknowledge": (DECIDED, acknowledge()),
    "echo": (ECHOED, {"escalation_id": IDS[0], "clinician_id": "clinician-1", "decision_id": "decision-1"}),
    "worsen": (RAISED, escalation(severity="emergency")),
    "add": (RAISED, escalation(severity="routine")),
}


@pytest.mark.parametrize(("severity", "more"), [("urgent", "worsen"), ("emergency", "add")])
def test_no_message_is_claimed_after_the_acknowledgement(severity: str, more: str) -> None:
    """All 5,040 orders of an acknowledgement, its echo, two climbs, two sends, and a rise or an addition."""
    names = ("acknowledge", "echo", "climb", "climb_again", "send", "send_again", more)
    times = [EPOCH + n * SECOND for n in range(1, len(names) + 1)]
    events = {
        (name, at): arrival(*INPUTS[name], event_id=f"{name}-{at:%S}", time=at) for name in INPUTS for at in times
    }
    raised = arrival(RAISED, escalation(severity=severity), event_id="raised")
    policies = load_policies(None)
    begun = decide(policies, LATE_WINDOW, None, raised, shipped_protocols(), EPOCH)
    assert begun.state is not None
    (alarm,) = begun.state.alarms
    assert alarm.next_at is not None
    race = Race(policies, events, begun.state, begun.timers, next_step=(ladder.timer_of(alarm), alarm.next_at))
    ends = list(_every_order(race, frozenset(names)))
    assert len(ends) == 5040
    claims = Counter(claim for end in ends for claim in end.claims)
    assert claims[True] == 0
    assert claims[False] > len(ends)


def _every_order(race: Race, left: frozenset[str]) -> Iterator[Race]:
    """A core is pure: orders that begin alike share their beginning."""
    if not left:
        yield race
    for name in sorted(left):
        yield from _every_order(race.step(name), left - {name})
