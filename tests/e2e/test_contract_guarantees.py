"""Contract §3: nothing lost, nothing twice, any order, bad input, red flags first, erasure."""

import base64
import json
import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.black_box import (
    DAY,
    HOUR,
    MONDAY,
    SECRET,
    STREAM_OF,
    Json,
    System,
    checkin,
    decision,
    event,
    intake,
    new_patient,
    partition_of,
    session,
    when,
)
from tests.support.key_scan import layers


def journey(patient: str, prescription: list[Json]) -> list[Json]:
    """Twelve days across all streams: absence, sessions, a flare, a red flag, decisions on it, reports."""
    start = MONDAY
    told = [
        event("patient.updated", patient, start, {"timezone": "Europe/Lisbon", "consent": {"reminders": True}}),
        intake(patient, start + HOUR),
        decision(patient, start + 4 * DAY + 12 * HOUR, "hold", program_id=f"prg-in-{patient}"),
        decision(patient, start + 5 * DAY, "resume", program_id=f"prg-in-{patient}"),
        decision(
            patient,
            start + 9 * DAY,
            "modify",
            program_id=f"prg-in-{patient}",
            changes={"sessions_per_week": 2},
        ),
    ]
    for day, pain, symptoms in (
        (0, 2, []),
        (2, 2, []),
        (4, 3, ["fatigue"]),
        (6, 7, ["night_pain_increased"]),
        (8, 2, ["claudication"]),
        (10, 2, []),
        (12, 2, []),
    ):
        at = start + day * DAY + 9 * HOUR
        told.append(session(patient, at, prescription, pain_during=pain, symptoms=symptoms))
        told.append(checkin(patient, at + 21 * HOUR, next_morning_pain=min(pain, 3)))
    told.append(
        checkin(
            patient,
            start + 7 * DAY + HOUR,
            checkin_id=f"week-{patient}",
            measures=[{"instrument": "NPRS", "value": 4}, {"instrument": "GROC", "value": 1}],
        )
    )
    return sorted(told, key=when)


def final(care: System, patient: str) -> tuple[Any, ...]:
    """What stands in the end, but for how often it was told on the way."""
    adjusted, program = care.adjustment(patient), care.program(patient)
    for one in (adjusted, program):
        for counter in ("prescription_seq", "version", "previous_version"):
            one.pop(counter, None)
    standing = care.open(patient)
    return adjusted, program["status"], care.in_force(patient), standing


def run_order(care: System, patient: str, events: list[Json], seed: int) -> None:
    """All within the late window and at one instant, in an order that the seed chooses."""
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  # a repeatable order
    care.put(*shuffled)
    care.settle()


def test_any_order_of_arrival_ends_in_the_same_care(another: Callable[..., System]) -> None:
    """Whatever arrives first, within two weeks: the same prescription, last adjustment, status and open escalations."""
    care = another(CARE_MAX_AHEAD="24")
    patients = [f"order-{seed}" for seed in range(5)]
    care.until(MONDAY + HOUR)
    care.tell(intake("model", MONDAY + HOUR))
    prescription = care.in_force("model")
    journeys = {patient: journey(patient, prescription) for patient in patients}
    in_order = sorted(journeys["order-0"], key=when)
    care.tell(*in_order)
    care.until(MONDAY + 13 * DAY)
    for seed, patient in enumerate(patients[1:], 1):
        run_order(care, patient, journeys[patient], seed)
    care.until(MONDAY + 14 * DAY)
    expected = plain(final(care, "order-0"), "order-0")
    for patient in patients[1:]:
        assert care.letters(patient) == []
        assert plain(final(care, patient), patient) == expected, patient


def plain(found: tuple[Any, ...], patient: str) -> Any:
    return json.loads(json.dumps(found).replace(patient, "the-patient"))


@pytest.mark.parametrize("kind", ["session", "checkin", "decision", "intake", "update"])
def test_a_repeated_event_changes_nothing_and_emits_nothing(care: System, kind: str) -> None:
    """The same event twice, and the same session, check-in or decision under another event id, count once."""
    patient = care.enrol()
    now = care.now + HOUR
    told = {
        "session": session(patient, now, care.in_force(patient)),
        "checkin": checkin(patient, now, measures=[{"instrument": "NPRS", "value": 4}], symptoms=["claudication"]),
        "decision": decision(patient, now, "hold", program_id=f"prg-in-{patient}"),
        "intake": care.read("intakes", patient)[0],
        "update": event("patient.updated", patient, now, {"timezone": "Europe/Lisbon"}),
    }[kind]
    care.tell(told)
    before = said(care, patient)
    care.put(told, told)
    if kind in ("session", "checkin", "decision"):
        care.put(told | {"id": f"{told['id']}/again"})
        later = told | {"id": f"{told['id']}/later", "time": (now + HOUR).isoformat()}
        care.put(later)
    care.settle()
    care.until(now + 2 * HOUR)
    assert said(care, patient) == before


def said(care: System, patient: str) -> list[Json]:
    """All that was told, but for the ladder of an escalation, which climbs as time goes by."""
    return [one for one in care.outputs(patient) if ".notification." not in one["type"]]


def test_two_fresh_systems_give_the_same_ids(another: Callable[..., System]) -> None:
    """The same input can never produce two different outputs: ids, causes and data are equal, dead letters too."""

    def run() -> dict[str, Json]:
        care = another()
        care.tell(intake("twin", MONDAY))
        for told in journey("twin", care.in_force("twin"))[2:]:
            care.tell(told)
        care.tell(session("twin", MONDAY + 13 * DAY, pain_during=12, session_id="bad"))
        care.put_raw("sessions", b"{no json")
        care.until(MONDAY + 16 * DAY)
        found = {}
        for told in care.outputs("twin") + care.outputs("unknown"):
            told["data"].pop("entry_id", None)
            found[told["id"]] = told
        care.kill()
        return found

    one, other = run(), run()
    assert one.keys() == other.keys()
    assert one == other


def test_two_replicas_of_each_service_do_each_thing_once(another: Callable[..., System]) -> None:
    """Twice the processes on two partitions, and still one consequence for each event."""
    care = another(partitions=2)
    care.start(CARE_CONSUMER="second")
    start = care.monday()
    patients = [new_patient() for _ in range(20)]
    care.until(start)
    for patient in patients:
        care.put(intake(patient, start))
    care.settle()
    reports = []
    for patient in patients:
        prescription = care.in_force(patient)
        reports += [session(patient, start + day * DAY + HOUR, prescription) for day in range(4)]
    care.until(start + 4 * DAY)
    for _ in range(2):
        care.put(*reports)
    care.settle()
    for patient in patients:
        adjusted = care.read("adjustments", patient)
        assert care.adjustment(patient)["response"]["sessions_done"] == 4
        numbers = [one["data"]["prescription_seq"] for one in care.read("programs", patient) + adjusted]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    ids = [one["id"] for patient in patients for one in care.outputs(patient)]
    assert len(ids) == len(set(ids))
    # One replica leaves gracefully; the field stays as long as the other one runs.
    care.processes[0].terminate()
    assert care.processes[0].wait(15) == 0
    care.until(care.now + DAY)
    care.tell(session(patients[0], care.now + HOUR, care.in_force(patients[0])))
    assert care.adjustment(patients[0])["response"]["sessions_done"] == 5


def test_what_comes_after_the_late_window_counts_but_adjusts_nothing(care: System) -> None:
    """A session reported weeks later is marked late, repeats the prescription in force and changes no load."""
    patient = care.enrol()
    start = care.now
    forgotten = session(patient, start + DAY, care.in_force(patient), session_id="forgotten")
    for day in (2, 4, 7, 9, 11, 14, 16, 18):
        care.train(patient, start + day * DAY)
    before = care.adjustment(patient)
    care.tell(forgotten)
    after = care.adjustment(patient)
    assert after["session_id"] == "forgotten"
    assert after["late"] is True
    assert after["changes"] == []
    assert after["prescription"] == before["prescription"]
    assert after["response"]["sessions_done"] == before["response"]["sessions_done"] + 1
    assert after["prescription_seq"] >= before["prescription_seq"]
    assert when(care.read("adjustments", patient)[-1]) >= when(forgotten)


def test_a_session_before_its_program_waits_for_it(care: System) -> None:
    """A session that overtakes the intake is no error; it counts as soon as its program is known."""
    patient = new_patient()
    start = care.monday()
    care.until(start + DAY)
    done = [{"exercise_id": "double_leg_bridge", "sets": [{"reps": 5}]}]
    care.put(session(patient, start + HOUR, session_id=f"first-{patient}", exercises=done))
    care.settle()
    assert care.letters(patient) == []
    care.put(intake(patient, start))
    care.settle()
    assert care.adjustment(patient)["session_id"] == f"first-{patient}"
    assert care.adjustment(patient)["response"]["sessions_done"] == 1
    assert care.letters(patient) == []


def test_a_decision_before_its_escalation_waits_for_it(care: System, another: Callable[..., System]) -> None:
    """A clinician's answer that overtakes the escalation acts once that is there."""
    patient = care.enrol()
    at = care.now + HOUR
    care.tell(session(patient, at, care.in_force(patient), symptoms=["claudication"]))
    known = care.raised(patient, "red_flag")[-1]["escalation_id"]
    # Ids follow from what caused them, so the same course in another system has the same escalation.
    other = another()
    at = care.now + HOUR
    other.until(at)
    other.put(decision(patient, at, "continue", escalation_id=known))
    other.settle()
    assert other.read("dead-letters") == []
    other.put(*care.read("intakes", patient), *care.read("sessions", patient))
    other.settle()
    assert other.resolved(patient) == {known: "continue"}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("session", "unknown_program"), ("stop", "unknown_program"), ("acknowledge", "unknown_escalation")],
)
def test_what_waits_in_vain_becomes_a_dead_letter_with_its_bytes(care: System, kind: str, code: str) -> None:
    """After the late window what belongs to nothing is rejected once, with the original to the byte."""
    patient, now = new_patient(), care.now
    told = {
        "session": session(patient, now, program_id="prg-nowhere"),
        "stop": event("program.stopped", patient, now, {"program_id": "prg-nowhere", "reason": SECRET}),
        "acknowledge": decision(patient, now, "acknowledge", escalation_id="esc-nowhere"),
    }[kind]
    (entry,) = care.put(told)
    care.settle()
    care.until(now + 13 * DAY, step=DAY)
    assert care.rejected(entry) == []
    care.until(now + 15 * DAY)
    (letter,) = care.rejected(entry)
    assert letter["error"]["code"] == code
    assert base64.b64decode(letter["original"]) == json.dumps(told).encode()
    assert letter["stream"] == care.key(patient, STREAM_OF[told["type"]])
    assert care.rejected(entry) == [letter]


BAD = {
    "no json": (b"{", "$"),
    "no object": (b"[1]", "$"),
    "not utf-8": (b"\xff\xfe", "$"),
    "no type": (b"{}", "$.type"),
    "pain of 11": ({"pain_during": 11}, "$.data.pain_during"),
    "negative pain": ({"pain_after": -1}, "$.data.pain_after"),
    "pain as text": ({"pain_during": "2"}, "$.data.pain_during"),
    "unknown exercise": (
        {"exercises": [{"exercise_id": "yoga", "sets": [{"reps": 1}]}]},
        "$.data.exercises[0].exercise_id",
    ),
    "effort of 12": (
        {"exercises": [{"exercise_id": "band_clam", "sets": [{"reps": 1, "rpe": 12}]}]},
        "$.data.exercises[0].sets[0].rpe",
    ),
    "no pain": ({"pain_during": None}, "$.data.pain_during"),
    "no offset": ({"started_at": "2026-03-02T08:00:00"}, "$.data.started_at"),
    "long notes": ({"notes": "x" * 4001}, "$.data.notes"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_becomes_a_dead_letter_and_the_next_event_is_handled(care: System, what: str) -> None:
    """Whatever does not parse is set aside with reason, path and bytes; the stream goes on."""
    patient = care.enrol()
    change, path = BAD[what]
    good = session(patient, care.now, care.in_force(patient))
    raw = change if isinstance(change, bytes) else json.dumps(good | {"data": good["data"] | change}).encode()
    entry = care.put_raw("sessions", raw)
    care.put(good)
    care.settle()
    (letter,) = care.rejected(entry)
    assert base64.b64decode(letter["original"]) == raw
    assert letter["error"]["path"] == path
    assert letter["error"]["code"]
    assert letter["error"]["message"]
    assert letter["service"] == "progression"
    assert letter["stream"] == "care:{0}:sessions"
    assert letter["attempts"] >= 1
    assert care.adjustment(patient)["session_id"] == good["data"]["session_id"]


def test_an_entry_without_the_field_becomes_a_dead_letter(care: System) -> None:
    """An entry in another form than the contract's does not stop the stream either."""
    entry = care.client.xadd("care:{0}:sessions", {"payload": "x"}).decode()
    care.settle()
    (letter,) = care.rejected(entry)
    assert letter["error"]["path"] == "$"


def raise_flag(care: System, patient: str, told: Json) -> Json:
    care.put(told)
    care.settle()
    raised = care.raised(patient, "red_flag")
    assert raised, "nobody was told of the red flag"
    flags = json.dumps(raised[-1]["evidence"])
    assert "saddle_anaesthesia" in flags
    assert raised[-1]["severity"] == "emergency"
    assert raised[-1]["holds_program"] is True
    return raised[-1]


FLAG: Json = {"symptoms": ["saddle_anaesthesia"]}


def test_a_red_flag_acts_in_a_session(care: System) -> None:
    """Numbness in the saddle area stops exercise at once and calls a person."""
    patient = care.enrol()
    raise_flag(care, patient, session(patient, care.now + HOUR, care.in_force(patient), **FLAG))
    assert care.program(patient)["status"] == "held"
    assert care.in_force(patient) == []


def test_a_red_flag_acts_in_a_rejected_session(care: System) -> None:
    """A broken report of a red flag is still a red flag."""
    patient = care.enrol()
    raise_flag(care, patient, session(patient, care.now + HOUR, pain_during=99, **FLAG))
    assert care.program(patient)["status"] == "held"
    assert len(care.letters(patient)) == 1


def test_a_red_flag_acts_in_a_checkin(care: System) -> None:
    """Check-ins are read for red flags as sessions are."""
    patient = care.enrol()
    raise_flag(care, patient, checkin(patient, care.now + HOUR, **FLAG))
    assert care.program(patient)["status"] == "held"


def test_a_red_flag_acts_in_a_report_that_is_too_far_ahead(care: System) -> None:
    """A wrong clock makes a red flag no less urgent."""
    patient = care.enrol()
    raise_flag(care, patient, session(patient, care.now + 9 * DAY, **FLAG))


def test_a_red_flag_acts_for_an_unknown_program(care: System) -> None:
    """Also of a program that nobody knows, and before it becomes known."""
    patient = new_patient()
    raise_flag(care, patient, session(patient, care.now, program_id="prg-nowhere", **FLAG))


def test_a_red_flag_acts_in_a_late_session(care: System) -> None:
    """A session of five weeks ago tells of numbness: someone must look today."""
    patient = care.enrol()
    start = care.now
    care.tell(session(patient, start + 35 * DAY, care.in_force(patient)))
    raise_flag(care, patient, session(patient, start + DAY, session_id=f"late-{patient}", **FLAG))
    assert care.program(patient)["status"] == "held"


def test_a_red_flag_acts_under_a_hold(care: System) -> None:
    """A held program does not make its patient deaf."""
    patient = care.enrol()
    care.tell(decision(patient, care.now + HOUR, "hold", program_id=f"prg-in-{patient}"))
    raise_flag(care, patient, session(patient, care.now + HOUR, **FLAG))


def test_a_red_flag_acts_after_the_end(care: System) -> None:
    """Sessions after the end of a program count as late; their red flags still act."""
    patient = care.enrol()
    care.tell(decision(patient, care.now + HOUR, "discharge", program_id=f"prg-in-{patient}"))
    told = session(patient, care.now + DAY, session_id=f"after-{patient}", **FLAG)
    care.until(when(told))
    raise_flag(care, patient, told)
    late = [one["data"] for one in care.read("adjustments", patient) if one["data"]["session_id"] == f"after-{patient}"]
    assert [one["late"] for one in late] == [True]
    assert late[0]["prescription"] == []
    assert care.program(patient)["status"] == "ended"
    assert care.letters(patient) == []


def test_a_red_flag_acts_in_a_rejected_intake(care: System) -> None:
    """An intake with a typing error and a red flag is set aside, and the red flag acts."""
    patient = new_patient()
    told = intake(patient, care.now, age_years=555, red_flags={"saddle_anaesthesia": "present"})
    raise_flag(care, patient, told)
    assert len(care.letters(patient)) == 1


def test_a_red_flag_acts_in_the_wrong_stream(care: System) -> None:
    """A session that a platform writes into the stream of intakes is rejected, and its red flag acts."""
    patient = care.enrol()
    told = session(patient, care.now, **FLAG)
    entry = care.put_raw("intakes", json.dumps(told).encode())
    care.settle()
    assert care.rejected(entry)
    assert care.open(patient) == {"red_flag": "emergency"}


def test_a_symptom_among_the_red_flags_of_an_intake_is_a_dead_letter(care: System) -> None:
    """An id that is no red flag rejects the intake at once, and the stream goes on."""
    (entry,) = care.put(intake(new_patient(), care.now, red_flags={"sudden_severe_pain": "present"}))
    care.settle()
    assert len(care.rejected(entry)) == 1


def test_an_unknown_symptom_is_kept_and_shown(care: System) -> None:
    """A word that no list knows rejects nothing; a clinician gets to see it."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), symptoms=["green_toes", "saddle_anaesthesia"]))
    assert care.letters(patient) == []
    assert "green_toes" in json.dumps(care.raised(patient)[-1])


def test_an_unknown_symptom_alone_is_shown_too(care: System) -> None:
    """Even where nothing else is wrong, someone gets to see the unknown word."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), symptoms=["green_toes"]))
    assert care.letters(patient) == []
    told = care.raised(patient) + [one["data"] for one in care.read("adjustments", patient)]
    assert "green_toes" in json.dumps(told)


def test_an_erased_patient_leaves_nothing_behind(care: System) -> None:
    """Every service forgets: state, timers, marks. What comes after starts from nothing."""
    patient = care.enrol()
    start = care.now
    care.tell(
        event(
            "patient.updated",
            patient,
            start,
            {"consent": {"reminders": True}, "contact": {"mail": f"{patient}@address.example"}},
        )
    )
    care.train(patient, start + HOUR)
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), symptoms=["claudication"]))
    assert b"address.example" in dump(care, patient)
    care.tell(event("patient.erased", patient, care.now + HOUR, {}))
    assert dump(care, patient) == b""
    before = care.outputs(patient)
    care.until(care.now + 30 * DAY, step=3 * DAY)
    assert care.outputs(patient) == before
    care.put(session(patient, start + 2 * HOUR, session_id=f"past-{patient}"))
    care.settle()
    assert care.outputs(patient) == before
    assert dump(care, patient) == b""


def dump(care: System, patient: str) -> bytes:
    """All keys and values that are no streams and name the patient, with whatever is packed in them."""
    found, name = b"", re.compile(rb"(?<![\w-])%b(?![\w-])" % re.escape(patient.encode()))
    for key in care.client.scan_iter("*"):
        kind = care.client.type(key)
        if kind == b"stream":
            continue
        value: Any = {
            b"string": care.client.get,
            b"hash": care.client.hgetall,
            b"zset": lambda k: care.client.zrange(k, 0, -1),
            b"set": care.client.smembers,
            b"list": lambda k: care.client.lrange(k, 0, -1),
        }[kind](key)
        text = key + b" " + (value if isinstance(value, bytes) else repr(value).encode())
        if kind == b"zset":
            members = [one for one in value if one.startswith(patient.encode() + b"|")]
            text = (key if patient.encode() in key.split(b":") else b"") + b" ".join(members)
            found += text if text.strip() else b""
        elif patient.encode() in key.split(b":") or any(name.search(layer) for layer in layers(text)):
            found += b" ".join(layers(text))
    return found


def test_an_erased_patient_may_come_back(care: System) -> None:
    """A pseudonym that is used again begins anew."""
    patient = care.enrol()
    care.tell(event("patient.erased", patient, care.now + HOUR, {}))
    care.tell(intake(patient, care.now + DAY, intake_id=f"new-{patient}"))
    assert care.program(patient)["program_id"] != f"prg-in-{patient}"
    assert care.program(patient)["status"] == "active"


def test_a_killed_process_loses_and_doubles_nothing(another: Callable[..., System]) -> None:
    """Killed in the midst of its work and started again, the system ends as if nothing had happened."""
    care = another(CARE_CLAIM_IDLE_S="1")
    start = care.monday()
    patients = [new_patient() for _ in range(30)]
    care.until(start)
    for patient in patients:
        care.put(intake(patient, start))
    process = care.processes.pop()
    process.kill()
    process.wait()
    care.client.delete("care:clock:handled")
    care.start()
    care.settle()
    care.until(start + HOUR)
    for patient in patients:
        assert len(care.read("classifications", patient)) == 1
        assert len(care.read("programs", patient)) == 1
    assert partition_of(patients[0], 1) == 0
    assert care.now == start + timedelta(hours=1)
