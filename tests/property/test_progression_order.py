"""Whatever the order of arrival, care ends where it ends in order of time."""

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.progression.domain.state import State
from shared.decision import Arrival
from tests.support.progression import Care, at, checkin, decided, performed, planned, session

DAYS = 12
END = at(DAYS + 1.5)
LONG_DAYS = 70
"""Five late windows: checkpoints are taken, become the base and are left behind."""


FLAGS = {"claudication", "sudden_severe_pain"}
SEEDS = st.integers(0, 100_000)


def live(seed: int, days: int = DAYS) -> tuple[list[Arrival], Care]:
    """Weeks of care as they happened, with the decisions that a clinician took on what was raised."""
    chance = random.Random(seed)  # noqa: S311  # no secret depends on it
    care = Care()
    events = [planned()]
    care.feed(events[0])
    # One flag for each history: one that comes to light after a decision stays open on purpose.
    flag = chance.choice(sorted(FLAGS))

    def happen(event: Arrival) -> None:
        care.pass_time(event.time)
        care.feed(event)
        events.append(event)

    for day in range(0, days, 2):
        happen(
            session(
                at(day + 0.1),
                performed(care.prescription, rpe=chance.choice([5.0, 6.0, 9.0, None])),
                pain=chance.choice([1, 2, 3, 4, 6, 8]),
                symptoms=chance.choice([[], [], [], ["night_pain_increased"], ["illness_or_fever"], [flag]]),
            )
        )
        if chance.random() < 0.7:
            measures: list[dict[str, Any]] = [{"instrument": "NPRS", "value": chance.randint(0, 8)}]
            # 36 hours after the session is the very instant at which its morning counts as missing.
            after = chance.choice([0.9, 0.9, 1.6])
            happen(checkin(at(day + after), morning=chance.choice([1, 2, 4, 6]), measures=measures))
        assert care.state is not None
        for number, one in enumerate(care.state.published.open):
            if chance.random() < 0.5:
                happen(
                    decided(
                        at(day + 1.62 + number / 100),
                        chance.choice(["continue", "resume", "hold"]),
                        escalation_id=one.escalation_id,
                        decision_id=f"decision-{day}-{one.reason}",
                    )
                )
    care.pass_time(at(days + 1.5))
    return events, care


def shuffled(events: list[Arrival], seed: int) -> list[Arrival]:
    """The same events in another order, some of them twice."""
    chance = random.Random(seed)  # noqa: S311
    mixed = [*events, *chance.sample(events, 3)]
    chance.shuffle(mixed)
    return mixed


def retell(events: list[Arrival], now: datetime) -> Care:
    care = Care(now=now)
    for event in events:
        care.feed(event, now)
    care.pass_time(now)
    return care


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_any_order_of_arrival_ends_the_same(history: int, order: int) -> None:
    """Sessions, check-ins and decisions in any order, some of them twice, end in the same state and prescription."""
    events, in_order = live(history)
    care = retell(shuffled(events, order), END)
    assert care.state is not None
    assert in_order.state is not None
    assert care.state.head == in_order.state.head
    assert care.state.window == in_order.state.window
    assert care.prescription == in_order.prescription
    assert care.state.waiting == ()


def delayed(events: list[Arrival], seed: int) -> list[Arrival]:
    """The same events, most of them on time and some up to 13 days behind the newest."""
    chance = random.Random(seed)  # noqa: S311
    delay = [timedelta(days=chance.choice([0, 0, 0, 0, 0.5, 3, 13])) for _ in events]
    order = sorted(range(len(events)), key=lambda n: (events[n].time + delay[n], n))
    return [events[n] for n in order]


@settings(max_examples=12, deadline=None)
@given(SEEDS, SEEDS)
def test_long_care_with_late_reports_ends_the_same(history: int, order: int) -> None:
    """Months of care in which reports come up to 13 days late end as if all had come in time."""
    events, in_order = live(history, LONG_DAYS)
    care = retell(delayed(events, order), at(LONG_DAYS + 1.5))
    assert care.state is not None
    assert in_order.state is not None
    assert care.state.head == in_order.state.head
    assert care.prescription == in_order.prescription
    cutoff = care.state.cutoff
    assert cutoff is not None
    assert [f for f in care.state.window if f.time >= cutoff] == [f for f in in_order.state.window if f.time >= cutoff]
    assert all(state.checkpoints[0].at <= cutoff for state in (care.state, in_order.state))
    assert all(fact.time >= care.state.checkpoints[0].at for fact in care.state.window)


def too_late(events: list[Arrival], seed: int) -> tuple[list[Arrival], list[Arrival]]:
    """On time but for some reports, each at two places: right before the event that it comes with, and right after.

    They are 16 to 25 days old by then: too late by either. None has a red flag, which acts when it comes.
    """
    chance = random.Random(seed)  # noqa: S311
    calm = [n for n, one in enumerate(events) if not {*getattr(one.event.data, "symptoms", FLAGS)} & FLAGS]
    behind = {n for n in calm if chance.random() < 0.2}
    delay = {n: timedelta(days=chance.uniform(16, 25)) for n in behind}
    rest = [one for n, one in enumerate(events) if n not in behind]
    before, after = rest[:1], rest[:1]
    for newest, one in pairwise(rest):
        due = [n for n in sorted(delay) if events[n].time + delay[n] <= newest.time]
        late = [events[n] for n in due]
        for n in due:
            del delay[n]
        before += [*late, one]
        after += [one, *late]
    return before, after


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS, st.integers(18, LONG_DAYS))
def test_what_comes_too_late_counts_the_same_before_and_after_another_event(
    history: int, order: int, days: int
) -> None:
    """It counts toward the statistics; once there is more to decide on, its place among the others shows nowhere."""
    events, _ = live(history, days)
    last = session(at(days + 1), performed(Care().prescription), pain=2)
    before, after = (retell([*one, last], at(days + 2)) for one in too_late(events, order))
    assert before.state is not None
    assert after.state is not None
    assert before.state.head.adherence == after.state.head.adherence
    assert before.state.head.statistic == after.state.head.statistic
    assert before.state.head == after.state.head
    assert before.prescription == after.prescription


@settings(max_examples=15, deadline=None)
@given(SEEDS, SEEDS)
def test_the_same_input_gives_the_same_bytes(history: int, order: int) -> None:
    """The same events in the same order give the same state and the same events, byte for byte."""
    events = shuffled(live(history)[0], order)
    first, second = retell(events, END), retell(events, END)
    assert msgspec.msgpack.encode(first.state) == msgspec.msgpack.encode(second.state)
    assert [d.data.model_dump_json() for d in first.drafts] == [d.data.model_dump_json() for d in second.drafts]
    assert [(d.key, d.time) for d in first.drafts] == [(d.key, d.time) for d in second.drafts]


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_state_survives_its_own_bytes(history: int) -> None:
    """What is stored between two events is the whole state."""
    _, care = live(history)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(care.state), type=State) == care.state
    assert msgspec.json.decode(msgspec.json.encode(care.state), type=State) == care.state


@settings(max_examples=15, deadline=None)
@given(SEEDS, SEEDS)
def test_no_two_drafts_of_one_decision_share_a_key(history: int, order: int) -> None:
    """Every event that one input causes gets an id of its own."""
    for decision in retell(shuffled(live(history)[0], order), END).decisions:
        keys = [(draft.data.event_type, draft.key) for draft in decision.drafts]
        assert len(keys) == len(set(keys))
