"""Contract §4: event time, the replay clock, and replayers that step as they like."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.support.black_box import (
    DAY,
    HOUR,
    MONDAY,
    SERVICES,
    Json,
    System,
    checkin,
    event,
    intake,
    session,
    when,
)

WEEK = 7 * DAY


def course(prescription: list[Json]) -> list[Json]:
    """Three weeks with a missed week's end, a flare, a silence, reports and a stop, told for one patient."""
    patient, start = "stepper", MONDAY
    told = [
        event("patient.updated", patient, start, {"consent": {"reminders": True}, "timezone": "Asia/Kolkata"}),
        intake(patient, start + HOUR),
    ]
    for day, pain, morning in ((0, 2, 2), (2, 3, 2), (4, 2, None), (7, 7, 6), (9, 4, 3), (11, 3, 2), (14, 2, 2)):
        at = start + day * DAY + 10 * HOUR
        told.append(session(patient, at, prescription, pain_during=pain))
        if morning is not None:
            told.append(checkin(patient, at + 21 * HOUR, next_morning_pain=morning))
    for week, value in ((1, 5), (2, 4)):
        told.append(
            checkin(
                patient,
                start + week * WEEK + 12 * HOUR,
                checkin_id=f"week-{week}",
                measures=[{"instrument": "NPRS", "value": value}],
            )
        )
    return sorted(told, key=when)


def outcome(care: System, patient: str, *, reminders: bool = False) -> list[tuple[str, str, str]]:
    """What was told, apart from its cause: where the clock leaps, a report may overtake a timer."""
    kinds = ("escalation", "load", "program", "condition", "goal", *(("reminder",) if reminders else ()))
    told = [one for one in care.outputs(patient) if one["type"].split(".")[1] in kinds]
    return sorted((one["time"], one["type"], _plain(one["data"])) for one in told)


def final(care: System, patient: str) -> tuple[Json, Json, Json]:
    adjustment = care.adjustment(patient) | {"prescription_seq": None}
    return adjustment, care.program(patient), care.open(patient)


def _plain(data: Json) -> str:
    return json.dumps(data, sort_keys=True)


def steps(another: Callable[..., System], step: timedelta | None) -> System:
    care = another(CARE_MAX_AHEAD="200")
    first = course([])
    probe = intake("stepper", MONDAY + HOUR)
    assert probe in first
    # The first prescription is the same for each system; it is read off a patient of the same case.
    care.until(MONDAY)
    care.put(intake("model", MONDAY))
    care.settle()
    events = course(care.in_force("model"))
    until = MONDAY + 4 * WEEK
    if step is None:
        care.tell(*events)
        care.until(until, step=DAY)
    else:
        care.replay(events, step, until)
    return care


def test_the_size_of_the_clocks_steps_changes_nothing(another: Callable[..., System]) -> None:
    """A year replayed by the hour, the day or the week gives the patient the same decisions and the same numbers."""
    by_event = steps(another, None)
    expected = outcome(by_event, "stepper", reminders=False)
    assert len(expected) > 10
    for step in (8 * HOUR, DAY):
        care = steps(another, step)
        assert outcome(care, "stepper", reminders=False) == expected, step
        care.kill()
    # By the week, reports of the first days arrive before their program and are answered together.
    care = steps(another, WEEK)
    assert final(care, "stepper") == final(by_event, "stepper")


def test_services_wait_while_the_clock_is_unset(another: Callable[..., System]) -> None:
    """Until a replayer has said what the time is, nothing is handled and nothing is lost."""
    care = another()
    process = care.processes[0]
    process.terminate()
    assert process.wait(15) == 0
    care.client.flushdb()
    care.processes.clear()
    care.put(intake("early", MONDAY))
    care.start()
    assert care.read("classifications") == []
    assert care.client.hgetall("care:clock:handled") == {}
    care.until(MONDAY)
    assert care.read("programs", "early")


def test_a_clock_that_goes_backward_ends_the_services_with_an_error(another: Callable[..., System]) -> None:
    """Time that runs back would make decisions of the past; the process ends and says why."""
    care = another()
    process = care.processes.pop()
    care.client.set("care:clock", "2026-01-01T00:00:00Z")
    assert process.wait(15) != 0
    assert "backward" in process.log.read_text()


def test_a_stopping_service_deletes_its_field(another: Callable[..., System]) -> None:
    """A replayer does not wait for a service that has ended."""
    care = another()
    assert set(care.client.hgetall("care:clock:handled")) == {name.encode() for name in SERVICES}
    process = care.processes[0]
    process.terminate()
    assert process.wait(15) == 0
    assert care.client.hgetall("care:clock:handled") == {}


def test_any_rfc_3339_instant_sets_the_clock(another: Callable[..., System]) -> None:
    """Replayers write the clock with whatever offset and fraction RFC 3339 allows."""
    care = another()
    for text in ("2026-03-02T10:00:00+02:00", "2026-03-02T08:00:00.5Z", "2026-03-02T03:00:01-05:00"):
        care.client.set("care:clock", text)
        until = time.monotonic() + 10
        instants: set[datetime] = set()
        while instants != {datetime.fromisoformat(text)}:
            assert time.monotonic() < until, instants
            time.sleep(0.01)
            fields = care.client.hgetall("care:clock:handled")
            instants = {datetime.fromisoformat(value.decode()) for value in fields.values()}


def test_too_far_ahead_is_impossible(care: System) -> None:
    """A day ahead of the clock is normal in a replay; more is a broken clock and rejected."""
    start = care.monday()
    care.until(start)
    fine, broken = "ahead-fine", "ahead-broken"
    care.put(intake(fine, start + DAY))
    (entry,) = care.put(intake(broken, start + DAY + timedelta(seconds=1)))
    care.settle()
    assert care.read("programs", fine)
    (letter,) = care.rejected(entry)
    assert letter["error"]["path"] == "$.time"


def test_an_output_carries_the_time_of_what_it_is_based_on(care: System) -> None:
    """The time of a decision is that of the event behind it, and of a timer the instant when it was due."""
    patient = care.enrol()
    at = care.monday() + 3 * HOUR
    care.put(session(patient, at, care.in_force(patient)))
    care.until(at + 20 * HOUR)
    (adjusted,) = care.read("adjustments", patient)
    assert when(adjusted) == at
    care.until(at + 30 * DAY)
    (raised,) = [one for one in care.read("escalations", patient) if one["data"]["reason"] == "no_contact"]
    assert at + 6 * DAY < when(raised) < at + 29 * DAY
