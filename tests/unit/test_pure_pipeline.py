"""The harness itself: it must deliver, forget and fire as the runtime does, or it proves nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from shared.decision import Arrival, Decision, Draft, Incoming, TimerFired
from shared.event.adjustment import GoalReached
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.service import Service
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, intake, wire
from tests.support.four_services import four_services_pipeline

HOUR = timedelta(hours=1)


class Count(Struct, frozen=True):
    """How many check-ins were counted, and the timer that is wanted."""

    checkins: int = 0
    ring_at: datetime | None = None


def counting(state: Count | None, incoming: Incoming, _protocols: Protocols, _now: datetime) -> Decision[Count]:
    """Counts check-ins, tells every count, and rings an hour after the last one."""
    before = state or Count()
    if isinstance(incoming, TimerFired):
        return _decided(replace(before, ring_at=None), _told(0, incoming))
    assert isinstance(incoming, Arrival)
    after = Count(before.checkins + 1, incoming.time + HOUR)
    return _decided(after, _told(after.checkins, incoming))


def _decided(state: Count, draft: Draft) -> Decision[Count]:
    return Decision(state, (draft,), {} if state.ring_at is None else {"ring": state.ring_at})


def _told(count: int, incoming: Incoming) -> Draft:
    goal = GoalReached(program_id="p", goal_id="g", horizon="short_term", value=count, target=1, week=0)
    return Draft(goal, incoming.time)


def pipeline(
    decide: Callable[[Any, Incoming, Protocols, datetime], Decision[Any]] = counting,
) -> PurePipeline:
    service = Service(
        name="progression",
        summary="Counts.",
        reads=(Stream.SESSIONS,),
        writes=(Stream.ADJUSTMENTS,),
        state_type=Count,
        decide=decide,
    )
    return PurePipeline([service], EPOCH)


def checkin(number: int, *, event: str | None = None, **data: Any) -> bytes:
    at = EPOCH + number * timedelta(minutes=10)
    content = {"checkin_id": f"c{number}", "reported_at": at.isoformat()} | data
    return wire("care.checkin.reported.v1", content, event_id=event or f"e{number}", time=at)


def told(run: PurePipeline) -> list[float]:
    return [event.data.value for event in run.published(Stream.ADJUSTMENTS)]


def test_the_same_check_in_under_two_event_ids_counts_once() -> None:
    """A report that arrives twice has one effect."""
    run = pipeline()
    run.replay([checkin(1), checkin(1), checkin(1, event="another")])
    assert told(run) == [1]


def test_a_timer_that_was_moved_fires_once_at_its_last_instant() -> None:
    """The bell rings an hour after the last check-in, not after each."""
    run = pipeline()
    run.replay([checkin(1), checkin(2)])
    run.advance(EPOCH + timedelta(minutes=79))
    assert told(run) == [1, 2]
    assert run.timers("progression", "patient-1") == {"ring": EPOCH + timedelta(minutes=80)}
    run.advance(EPOCH + 3 * HOUR)
    assert told(run) == [1, 2, 0]
    assert run.published(Stream.ADJUSTMENTS)[-1].time == EPOCH + timedelta(minutes=80)


def test_what_follows_keeps_the_correlation_of_what_caused_it() -> None:
    """A bell can be traced back to the check-in that set it."""
    run = pipeline()
    run.replay([checkin(1)])
    run.advance(EPOCH + 3 * HOUR)
    assert [event.correlationid for event in run.published()] == ["e1", "e1"]


def test_an_erased_patient_leaves_nothing() -> None:
    """After erasure there is no state, no timer, and the count begins anew."""
    run = pipeline()
    run.replay([checkin(1)])
    run.replay([wire("care.patient.erased.v1", {}, event_id="gone", time=EPOCH + timedelta(minutes=15))])
    assert run.state("progression", "patient-1") is None
    run.advance(EPOCH + 3 * HOUR)
    run.submit(checkin(30))
    assert told(run) == [1, 1]


def test_a_report_that_cannot_be_read_becomes_a_dead_letter() -> None:
    """Bad input is told of, and the next report is handled as ever."""
    run = pipeline()
    run.replay([checkin(1, next_morning_pain=11), checkin(2)])
    letters = [event.data for event in run.published(Stream.DEAD_LETTERS)]
    assert [(one.error.code, one.error.path) for one in letters] == [("out_of_range", "$.data.next_morning_pain")]
    assert told(run) == [1]


def test_a_core_that_raises_fails_the_test() -> None:
    """A bug in a core is seen, not dead-lettered."""

    def broken(*_: object) -> Decision[Count]:
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        pipeline(broken).replay([checkin(1)])


def test_a_timer_kept_after_its_instant_fails_the_test() -> None:
    """A timer fires once for one instant: who keeps it for that instant waits in vain."""

    def endless(state: Count | None, incoming: Incoming, *_: object) -> Decision[Count]:
        at = incoming.time + (HOUR if isinstance(incoming, Arrival) else timedelta())
        return Decision(Count(), timers={"ring": at})

    run = pipeline(endless)
    run.replay([checkin(1)])
    with pytest.raises(RuntimeError, match="keeps ring"):
        run.advance(EPOCH + 3 * HOUR)


def test_a_session_in_a_publisher_s_envelope_waits_for_its_program_like_any_other() -> None:
    """FastStream's own publisher wraps what it sends; the program that comes later finds the session all the same."""
    early = {
        "session_id": "early",
        "program_id": "prg-intake-1",
        "started_at": (EPOCH + timedelta(hours=1)).isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 3,
    }
    raw = wire("care.session.reported.v1", early, event_id="s-1", time=EPOCH + timedelta(hours=1))
    envelope = b"\x89BIN\r\n\x1a\n" + bytes(6) + (18).to_bytes(4, "big")
    pipeline = four_services_pipeline(EPOCH + timedelta(hours=2))
    pipeline.submit(envelope + raw, Stream.SESSIONS)
    pipeline.submit(wire("care.intake.submitted.v1", intake(), event_id="i-1", time=EPOCH))
    told = pipeline.published(Stream.ADJUSTMENTS)
    assert [event.data.session_id for event in told if event.type == "care.load.adjusted.v1"] == ["early"]
