"""Silence, and timers that fall due between what patients tell."""

from datetime import timedelta
from typing import Any

import pytest

from shared.decision import TimerFired
from tests.support.example import arrival
from tests.support.progression import PATIENT, Care, at, changed, checkin, decided, performed, planned, session


def start(**changes: Any) -> Care:
    care = Care()
    care.feed(planned(**changes))
    return care


def reasons(care: Care) -> list[str]:
    return [one.reason for one in care.raised]


def fire(care: Care, now: float) -> None:
    """The next timer fires late: the clock has jumped past it."""
    name, due = min(care.timers.items(), key=lambda item: item[1])
    care.feed(TimerFired(f"timer-{due.isoformat()}", PATIENT, name, due, "c"), at(now))


def test_a_check_in_at_the_same_hour_every_week_is_no_silence() -> None:
    """What is told at the very instant at which a week of silence ends comes before the clock."""
    care = start()
    for week in range(1, 6):
        care.pass_time(at(7 * week) - timedelta(milliseconds=1))
        care.feed(checkin(at(7 * week), measures=[{"instrument": "NPRS", "value": 4}]))
        care.pass_time(at(7 * week))
    assert "no_contact" not in reasons(care)


def test_a_report_that_comes_after_the_timer_of_its_instant_goes_before_it() -> None:
    """Where the clock was first, the silence that it told of is taken back."""
    care = start()
    care.pass_time(at(7))
    assert reasons(care) == ["no_contact"]
    care.feed(checkin(at(7), measures=[{"instrument": "NPRS", "value": 4}]))
    assert care.resolved[-1].resolution == "superseded"
    assert care.state is not None
    assert care.state.head.escalation("no_contact") is None


def test_a_timer_acts_at_its_own_instant_however_far_the_clock_has_jumped() -> None:
    """Three weeks of downtime or one leap of a replay: each thing due is told once, at the time it was due."""
    awaited, leapt = start(), start()
    for care in (awaited, leapt):
        care.feed(session(at(0.1), performed(care.prescription)))
    awaited.pass_time(at(21))
    while leapt.timers and min(leapt.timers.values()) <= at(21):
        fire(leapt, 21)
    assert [(d.time, d.key, d.data) for d in leapt.drafts] == [(d.time, d.key, d.data) for d in awaited.drafts]
    assert leapt.timers == awaited.timers
    assert leapt.state == awaited.state


def test_an_arrival_moves_no_clock_and_what_is_due_fires_next() -> None:
    """A check-in that is handled late leaves a timer in the past, which fires at once: nothing is lost."""
    care = start()
    care.feed(session(at(0.1), performed(care.prescription)), at(5))
    assert min(care.timers.values()) < at(5)
    care.pass_time(at(5))
    assert any("The morning after the session was not reported" in one.rationale for one in care.adjustments)
    assert min(care.timers.values()) > at(5)


@pytest.mark.parametrize("event", ["session", "checkin", "updated"])
def test_any_event_of_the_patient_breaks_the_silence(event: str) -> None:
    """A session, a check-in and a changed contact all count as heard of."""
    care = start()
    care.pass_time(at(5))
    match event:
        case "session":
            care.feed(session(at(5), performed(care.prescription)))
        case "checkin":
            care.feed(checkin(at(5)))
        case _:
            care.feed(arrival("care.patient.updated.v1", {"language": "en"}, event_id="updated", time=at(5)))
    care.pass_time(at(11.9))
    assert "no_contact" not in reasons(care)
    care.pass_time(at(12.1))
    assert "no_contact" in reasons(care)


def test_silence_under_a_hold_or_after_the_end_is_no_news() -> None:
    """Nothing is asked of a patient whose program is held or over."""
    held, over = start(), start()
    held.feed(decided(at(1), "hold", program_id="program-1"))
    over.feed(decided(at(1), "discharge", program_id="program-1"))
    for care in (held, over):
        care.pass_time(at(30))
        assert reasons(care) == []


def test_a_session_that_waited_past_the_late_window_gets_its_late_adjustment() -> None:
    """Its program became known too late for it: it counts, adjusts nothing, and repeats what is in force."""
    care = Care()
    care.feed(session(at(1), [], session_id="early"), at(1))
    care.feed(checkin(at(16), measures=[{"instrument": "NPRS", "value": 4}]), at(14.5))
    care.feed(planned(at(0), status="active"), at(14.6))
    late = [one for one in care.adjustments if one.session_id == "early"]
    assert [(one.late, one.changes, bool(one.prescription)) for one in late] == [(True, (), True)]


def test_a_session_after_the_end_counts_and_prescribes_nothing() -> None:
    """Accepted as late, with an empty prescription, and one session more."""
    care = start()
    care.feed(session(at(0.1), performed(care.prescription)))
    done = performed(care.prescription)
    care.feed(decided(at(2), "discharge", program_id="program-1"))
    care.feed(session(at(3), done))
    last = care.adjustments[-1]
    assert (last.late, last.prescription, last.changes) == (True, (), ())
    assert last.response.sessions_done == 2


@pytest.mark.parametrize("first", ["ended", "planned"])
def test_a_session_of_a_program_that_was_replaced_gets_no_prescription(first: str) -> None:
    """A newer intake ends one program and plans another at one instant; a session of the old one changes nothing."""
    care = start()
    care.feed(session(at(0.1), performed(care.prescription)))
    ended = changed(at(5), version=2, status="ended", prescription=[], event_id="z-ended")
    new = planned(at(5), program_id="program-2")
    for event in (ended, new) if first == "ended" else (new, ended):
        care.feed(event)
    assert care.state is not None
    assert (care.state.head.program_id, care.state.head.status) == ("program-2", "active")
    before = care.state.head.tracks
    care.feed(session(at(6), [], session_id="of-the-old-one"))
    told = [one for one in care.adjustments if one.session_id == "of-the-old-one"]
    assert [(one.program_id, one.late, one.prescription) for one in told] == [("program-1", True, ())]
    assert care.state.head.tracks == before


def test_a_late_session_of_a_program_that_was_replaced_since_is_told_once() -> None:
    """It was done while its program ran, and is folded where it belongs; nothing is told of it twice."""
    care = start()
    done = performed(care.prescription)
    care.feed(session(at(0.1), done))
    for event in (
        changed(at(5), version=2, status="ended", prescription=[], event_id="z-ended"),
        planned(at(5), program_id="program-2"),
    ):
        care.feed(event)
    decision = care.feed(session(at(2), done, session_id="late"), at(6))
    keys = [(type(draft.data), draft.key) for draft in decision.drafts]
    assert len(keys) == len(set(keys))
    told = [one for one in care.adjustments if one.session_id == "late"]
    assert [one.program_id for one in told] == ["program-1"]
