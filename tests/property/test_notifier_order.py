"""Whatever the order of arrival, the notifier ends with the same facts."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.notifier.domain.state import NotifierState
from shared.decision import Arrival
from shared.event.notification import ReminderDue
from tests.support.example import EPOCH, arrival
from tests.support.notifier_case import NotifierCase, acknowledge, escalation, program, session

HOUR = timedelta(hours=1)
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(["Europe/Lisbon", "Asia/Kolkata", "America/New_York"]),
        "quiet_hours": st.sampled_from([{"start": "21:00", "end": "07:00"}, {"start": "12:00", "end": "14:00"}]),
        "contact": st.sampled_from([{"mail": "a@b.example"}, {"sms": "1", "log": "x"}, {}]),
        "consent": st.booleans().map(lambda yes: {"reminders": yes}),
        "care_team": st.sampled_from(["north", "south"]),
        "language": st.sampled_from(["en", "pt"]),
        "away": st.sampled_from([{"from": "2026-03-02", "to": "2026-03-05"}]),
    },
)


def facts(state: NotifierState | None) -> Any:
    """The state without what was done about it, which follows the order in which things happened."""
    assert state is not None
    done = {"rung": 0, "calls": 0, "next_at": None, "last_resort": False, "ledger_seq": 0, "ledger_hash": ""}
    alarms = tuple(replace(alarm, **done) for alarm in state.alarms)
    return replace(state, alarms=alarms, outbox=(), reminded=(), reminded_to=None)


def told(events: list[Arrival]) -> Any:
    case = NotifierCase()
    case.now = EPOCH + timedelta(days=3)
    for event in events:
        case.take(event)
    return facts(case.state)


@st.composite
def shuffled_updates(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival]]:
    updates = draw(st.lists(st.tuples(UPDATES, st.integers(0, 4)), min_size=1, max_size=6))
    events = [
        arrival("care.patient.updated.v1", update, event_id=f"e-{n}", time=EPOCH + hour * HOUR)
        for n, (update, hour) in enumerate(updates)
    ]
    return events, draw(st.permutations(events))


@given(shuffled_updates())
@settings(deadline=None)
def test_the_newest_word_on_each_field_wins_in_any_order(
    orders: tuple[list[Arrival], list[Arrival]],
) -> None:
    """A change of address that arrives late does not undo a newer one."""
    assert told(orders[0]) == told(orders[1])


def history() -> list[Arrival]:
    """Care over two days: plans, sessions, escalations that rise, are answered and resolved, a stop."""
    raised, decided = "care.escalation.raised.v1", "care.clinician.decided.v1"
    changed: dict[str, Any] = {"version": 2, "previous_version": 1, "reason": "A decision.", "prescription_seq": 2}
    second = {"escalation_id": "escalation-2", "reason": "red_flag"}
    resolved = {"escalation_id": "escalation-1", "reason": "flare", "resolution": "continue"}
    morning = {"checkin_id": "c-1", "session_id": "s-1", "next_morning_pain": 2}
    report = {"checkin_id": "c-2", "measures": [{"instrument": "NPRS", "value": 3}]}
    plan: list[tuple[int, str, dict[str, Any]]] = [
        (0, "care.program.planned.v1", program()),
        (1, "care.session.reported.v1", session("s-1", EPOCH + HOUR)),
        (2, raised, escalation(severity="routine")),
        (3, decided, acknowledge()),
        (4, raised, escalation(severity="urgent")),
        (5, decided, acknowledge(decision_id="d-2", decision="continue", rationale="Expected.")),
        (6, "care.escalation.resolved.v1", resolved),
        (7, "care.program.changed.v1", program(status="held", prescription=[], **changed)),
        (8, raised, escalation(**second, severity="urgent")),
        (20, "care.checkin.reported.v1", morning | {"reported_at": (EPOCH + 20 * HOUR).isoformat()}),
        (21, "care.checkin.reported.v1", report | {"reported_at": (EPOCH + 21 * HOUR).isoformat()}),
        (22, "care.session.reported.v1", session("s-2", EPOCH + 22 * HOUR)),
        (23, "care.program.stopped.v1", {"program_id": "program-1"}),
        (24, decided, acknowledge(decision_id="d-3", escalation_id="escalation-2")),
    ]
    return [arrival(kind, data, event_id=f"e-{hour}", time=EPOCH + hour * HOUR) for hour, kind, data in plan]


@given(st.permutations(history()))
@settings(max_examples=150, deadline=None)
def test_the_facts_of_care_do_not_depend_on_the_order_of_arrival(events: list[Arrival]) -> None:
    """A decision before its escalation, a session before its program: the end is the same."""
    assert told(list(events)) == told(history())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("session"), st.integers(1, 60)),
        st.tuples(st.just("held"), st.integers(1, 60)),
        st.tuples(st.just("active"), st.integers(1, 60)),
        st.tuples(st.just("leap"), st.integers(1, 60)),
        st.tuples(st.just("flag"), st.integers(1, 60)),
        st.tuples(st.just("calm"), st.integers(1, 60)),
    ),
    max_size=12,
)
ZONES = st.sampled_from(["Europe/Lisbon", "Pacific/Auckland", "America/St_Johns"])
DAYS = st.one_of(st.none(), st.sets(st.integers(1, 7), min_size=1).map(sorted))
CLOCK = st.tuples(st.integers(0, 23), st.sampled_from([0, 30])).map(lambda t: f"{t[0]:02}:{t[1]:02}")


@given(STEPS, ZONES, DAYS, CLOCK, CLOCK)
@settings(max_examples=60, deadline=None)
def test_no_reminder_ever_breaks_the_peace(
    steps: list[tuple[str, int]], zone: str, days: list[int] | None, start: str, end: str
) -> None:
    """In any history: none in quiet hours, none under a hold or a red flag, two a day, none twice."""

    case = NotifierCase()
    quiet = {"start": start, "end": end}
    case.tell(
        "care.patient.updated.v1",
        {"timezone": zone, "consent": {"reminders": True}, "contact": {"mail": "a@b.example"}, "quiet_hours": quiet},
    )
    schedule = {
        "checkin": {"next_morning": True, "measures": [{"instrument": "NPRS", "every_weeks": 1}]},
        **({"days": days} if days else {}),
    }
    version, allowed, flagged = 1, True, False
    case.tell("care.program.planned.v1", program(schedule))
    spans: list[tuple[datetime, datetime]] = []
    for n, (step, hours) in enumerate(steps):
        before, was_silent = case.now, not allowed or flagged
        (case.leap if step == "leap" else case.advance)(case.now + hours * HOUR)
        if was_silent:
            spans.append((before, case.now))
        if step == "session":
            case.tell("care.session.reported.v1", session(f"s-{n}", case.now))
        elif step in ("held", "active"):
            version += 1
            allowed = step == "active"
            changed = {"version": version, "previous_version": version - 1, "reason": "A decision."}
            case.tell("care.program.changed.v1", program(schedule, status=step, **changed))
        elif step == "flag":
            flagged = True
            case.tell("care.escalation.raised.v1", escalation(reason="red_flag", escalation_id="red"))
        elif step == "calm" and flagged:
            flagged = False
            resolved = {"escalation_id": "red", "reason": "red_flag", "resolution": "resume"}
            case.tell("care.escalation.resolved.v1", resolved)
    reminders = case.published(ReminderDue)
    local = [due.due_at.astimezone(ZoneInfo(zone)) for due in reminders]
    for clock in (f"{instant:%H:%M}" for instant in local):
        assert not (start <= clock < end)
        assert not (end < start and (clock >= start or clock < end))
    for due in reminders:
        assert not any(begin < due.due_at <= until for begin, until in spans)
    assert all(sum(i.date() == day.date() for i in local) <= 2 for day in local)
    assert len({due.reminder_id for due in reminders}) == len(reminders)
