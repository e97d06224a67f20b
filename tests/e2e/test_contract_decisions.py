"""Contract §5: what a clinician's decision and a patient's stop do, each with its exact consequences."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.black_box import DAY, HOUR, SECRET, Json, System, decision, event, intake, session, system, when
from tests.support.redis_server import RedisServer

EMERGENCY = ["saddle_anaesthesia"]
ROUTINE = ["claudication"]


def flagged(care: System, symptoms: list[str]) -> tuple[str, str]:
    """A patient in a program with a red flag open, and the escalation's id."""
    patient = care.enrol()
    care.train(patient, care.now + HOUR)
    care.tell(session(patient, care.now + DAY, care.in_force(patient), symptoms=symptoms))
    return patient, care.raised(patient, "red_flag")[-1]["escalation_id"]


def decide(care: System, patient: str, kind: str, **fields: Any) -> Json:
    told = decision(patient, care.now + HOUR, kind, **fields)
    care.tell(told)
    assert care.letters(patient) == []
    return told


def numbers(care: System, patient: str) -> list[int]:
    told = care.read("programs", patient) + care.read("adjustments", patient, "load.adjusted")
    return [one["data"]["prescription_seq"] for one in told]


def publishing(care: System, patient: str, after: int) -> list[Json]:
    """What was published of a prescription after that number."""
    told = care.read("programs", patient) + care.read("adjustments", patient, "load.adjusted")
    return [one for one in told if one["data"]["prescription_seq"] > after]


def is_silent(care: System, patient: str) -> None:
    """No timer of the patient fires any more."""
    before = care.outputs(patient)
    care.until(care.now + 40 * DAY, step=5 * DAY)
    assert care.outputs(patient) == before


def test_acknowledge_stops_the_repeats_and_leaves_it_open(care: System) -> None:
    """Someone has seen it: no further message, but the escalation waits for a decision."""
    patient, escalation = flagged(care, ROUTINE)
    care.until(care.now + 4 * DAY, step=DAY)  # what is routine waits for the digest of a working day
    told = decision(patient, care.now + HOUR, "acknowledge", escalation_id=escalation, rationale=None)
    del told["data"]["rationale"]
    care.tell(told)
    (acknowledged,) = care.read("escalations", patient, "escalation.acknowledged")
    assert acknowledged["data"]["escalation_id"] == escalation
    assert acknowledged["causationid"] == told["id"]
    assert care.open(patient) == {"red_flag": "routine"}
    sent = [one for one in care.read("notifications", patient) if one["data"]["recipient_role"] == "clinician"]
    assert sent
    care.until(care.now + 9 * DAY, step=DAY)
    about = {one["id"] for one in care.read("escalations", patient) if one["data"].get("reason") == "red_flag"}
    later = [one for one in care.read("notifications", patient) if one["data"]["about"] in about]
    assert later == [one for one in sent if one["data"]["about"] in about]


def test_without_an_answer_the_word_is_repeated(care: System) -> None:
    """Nobody answers an emergency: the message goes out again and again."""
    patient, _ = flagged(care, EMERGENCY)
    care.until(care.now + 6 * HOUR, step=HOUR)
    sent = [one for one in care.read("notifications", patient) if one["data"]["recipient_role"] == "clinician"]
    assert len(sent) > 1
    for one in sent:
        assert set(one["data"]) >= {"notification_id", "about", "channel", "recipient_role", "attempts"}


def test_continue_resolves_and_the_program_goes_on(care: System) -> None:
    """The clinician has looked; the program stays as it was, and the same reason is quiet for four weeks."""
    patient, escalation = flagged(care, ROUTINE)
    before = care.in_force(patient)
    decide(care, patient, "continue", escalation_id=escalation)
    assert care.resolved(patient) == {escalation: "continue"}
    assert care.program(patient)["status"] == "active"
    assert care.in_force(patient) == before
    raised = len(care.raised(patient, "red_flag"))
    start = care.now
    for day in range(2, 29, 3):
        care.train(patient, start + day * DAY, symptoms=ROUTINE)
        if day < 27:
            assert len(care.raised(patient, "red_flag")) == raised, day
    care.train(patient, start + 30 * DAY, symptoms=ROUTINE)
    assert len(care.raised(patient, "red_flag")) == raised + 1


def test_a_rise_in_severity_breaks_the_quiet_after_continue(care: System) -> None:
    """After `continue` something worse is told at once."""
    patient, escalation = flagged(care, ROUTINE)
    decide(care, patient, "continue", escalation_id=escalation)
    care.tell(session(patient, care.now + DAY, care.in_force(patient), symptoms=EMERGENCY))
    assert care.open(patient)["red_flag"] == "emergency"
    assert care.program(patient)["status"] == "held"


def test_continue_leaves_a_hold_in_place(care: System) -> None:
    """`continue` on an emergency closes the escalation; the program stays held until someone resumes it."""
    patient, escalation = flagged(care, EMERGENCY)
    decide(care, patient, "continue", escalation_id=escalation)
    assert care.resolved(patient) == {escalation: "continue"}
    assert care.program(patient)["status"] == "held"
    assert care.in_force(patient) == []


def test_hold_holds_the_program(care: System) -> None:
    """Nothing is prescribed until a clinician decides otherwise."""
    patient = care.enrol()
    before = numbers(care, patient)
    told = decide(care, patient, "hold", program_id=f"prg-in-{patient}")
    (changed,) = publishing(care, patient, max(before))
    assert changed["type"] == "care.program.changed.v1"
    assert changed["causationid"] == told["id"]
    data = changed["data"]
    assert data["status"] == "held"
    assert data["prescription"] == []
    assert data["prescription_seq"] == max(before) + 1
    assert data["version"] == data["previous_version"] + 1
    assert data["reason"]
    care.tell(session(patient, care.now + DAY))
    assert care.in_force(patient) == []
    assert care.adjustment(patient)["prescription"] == []


def test_hold_keeps_the_escalation_open(care: System) -> None:
    """Of the decisions on an escalation `hold` is one that does not close it."""
    patient, escalation = flagged(care, ROUTINE)
    decide(care, patient, "hold", escalation_id=escalation)
    assert care.program(patient)["status"] == "held"
    assert care.open(patient) == {"red_flag": "routine"}


@pytest.mark.parametrize("by", ["escalation", "program", "both"])
def test_resume_resolves_ends_the_hold_and_prescribes(care: System, by: str) -> None:
    """After an emergency was excluded the patient gets a session again."""
    patient, escalation = flagged(care, EMERGENCY)
    assert care.in_force(patient) == []
    before = max(numbers(care, patient))
    names = {"escalation_id": escalation} if by != "program" else {}
    names |= {"program_id": f"prg-in-{patient}"} if by != "escalation" else {}
    decide(care, patient, "resume", **names)
    assert care.resolved(patient) == {escalation: "resume"}
    assert care.program(patient)["status"] == "active"
    assert care.in_force(patient) != []
    told = publishing(care, patient, before)
    assert told
    assert [one["data"]["prescription_seq"] for one in told] == list(range(before + 1, before + 1 + len(told)))


def test_resume_publishes_a_prescription_even_where_nothing_was_held(care: System) -> None:
    """`resume` always says what to do next."""
    patient, escalation = flagged(care, ROUTINE)
    before = max(numbers(care, patient))
    decide(care, patient, "resume", escalation_id=escalation)
    assert care.resolved(patient) == {escalation: "resume"}
    told = publishing(care, patient, before)
    assert told
    assert all(one["data"]["prescription"] for one in told)


def test_modify_applies_the_changes_resolves_and_ends_the_hold(care: System) -> None:
    """Fewer days, without one exercise and lighter: from now on so, and the program runs."""
    patient, escalation = flagged(care, EMERGENCY)
    first = care.read("programs", patient)[0]["data"]
    gone = first["prescription"][-1]["exercise_id"]
    changes = {"remove_exercises": [gone], "sessions_per_week": 2, "load_factor": 0.8}
    decide(care, patient, "modify", escalation_id=escalation, program_id=first["program_id"], changes=changes)
    assert care.resolved(patient) == {escalation: "modify"}
    program = care.program(patient)
    assert program["status"] == "active"
    assert program["schedule"]["sessions_per_week"] == 2
    prescription = care.in_force(patient)
    assert prescription
    assert gone not in [one["exercise_id"] for one in prescription]
    assert max(one.get("days_per_week", 1) for one in prescription) == 2
    for _ in range(8):
        care.train(patient, care.now + 2 * DAY)
        assert gone not in [one["exercise_id"] for one in care.in_force(patient)]
        assert max(one.get("days_per_week", 1) for one in care.in_force(patient)) <= 2


def test_modify_by_the_escalation_alone_reaches_its_program(care: System) -> None:
    """An answer to an escalation needs no program id: the escalation knows its program."""
    patient, escalation = flagged(care, ROUTINE)
    gone = care.in_force(patient)[-1]["exercise_id"]
    decide(care, patient, "modify", escalation_id=escalation, changes={"remove_exercises": [gone]})
    assert care.resolved(patient) == {escalation: "modify"}
    assert gone not in [one["exercise_id"] for one in care.in_force(patient)]


@pytest.mark.parametrize("by", ["escalation", "program", "both", "intake"])
def test_reclassify_resolves_and_plans_anew(care: System, by: str) -> None:
    """It is another condition after all: a new version of the program treats that."""
    patient, escalation = flagged(care, ROUTINE)
    before = max(numbers(care, patient))
    version = care.program(patient)["version"]
    names: Json = {"conditions": ["deep_gluteal_syndrome"]}
    names |= {"escalation_id": escalation} if by in ("escalation", "both", "intake") else {}
    names |= {"program_id": f"prg-in-{patient}"} if by in ("program", "both") else {}
    names |= {"intake_id": f"in-{patient}"} if by == "intake" else {}
    decide(care, patient, "reclassify", **names)
    program = care.program(patient)
    assert program["conditions"] == ["deep_gluteal_syndrome"]
    assert program["status"] == "active"
    assert program["version"] > version
    assert program["prescription"]
    assert program["prescription_seq"] > before
    if by != "program":  # a red flag is answered by who names it
        assert care.resolved(patient) == {escalation: "reclassify"}
    assert care.in_force(patient)


def test_reclassify_for_an_unknown_condition_is_a_dead_letter(care: System) -> None:
    """What no protocol file describes cannot be treated; the decision is set aside with its path."""
    patient = care.enrol()
    told = decision(patient, care.now + HOUR, "reclassify", program_id=f"prg-in-{patient}", conditions=["lumbago"])
    care.until(when(told))
    (entry,) = care.put(told)
    care.settle()
    (letter,) = care.rejected(entry)
    assert letter["error"]["path"].startswith("$.data.conditions")
    assert care.program(patient)["conditions"] == ["gluteal_tendinopathy"]


@pytest.mark.parametrize("kind", ["refer", "discharge"])
@pytest.mark.parametrize(
    "by",
    [
        "escalation",
        "program",
        "nothing",
    ],
)
def test_refer_and_discharge_end_it_all(care: System, kind: str, by: str) -> None:
    """Care ends here: all that is open is resolved, the program is ended, and no timer fires any more."""
    patient, escalation = flagged(care, EMERGENCY)
    care.tell(event("patient.updated", patient, care.now, {"consent": {"reminders": True}}))
    names = {"escalation": {"escalation_id": escalation}, "program": {"program_id": f"prg-in-{patient}"}}
    decide(care, patient, kind, **names.get(by, {}))
    assert care.resolved(patient) == {escalation: kind}
    assert care.open(patient) == {}
    program = care.program(patient)
    assert program["status"] == "ended"
    assert program["prescription"] == []
    is_silent(care, patient)


def test_stopped_ends_the_program_but_for_red_flags(care: System) -> None:
    """The patient stops: the program ends and its questions close, a red flag still wants an answer."""
    patient, escalation = flagged(care, ROUTINE)
    care.until(care.now + 12 * DAY, step=DAY)
    assert set(care.open(patient)) > {"red_flag"}
    told = event("program.stopped", patient, care.now + HOUR, {"program_id": f"prg-in-{patient}", "reason": SECRET})
    care.tell(told)
    assert care.open(patient) == {"red_flag": "routine"}
    assert escalation not in care.resolved(patient)
    assert set(care.resolved(patient).values()) == {"stopped"}
    program = care.program(patient)
    assert program["status"] == "ended"
    assert program["prescription"] == []
    assert SECRET not in json.dumps(care.outputs(patient))
    before = len(care.raised(patient)), len(care.read("reminders", patient)), len(care.read("adjustments", patient))
    care.until(care.now + 40 * DAY, step=5 * DAY)
    after = len(care.raised(patient)), len(care.read("reminders", patient)), len(care.read("adjustments", patient))
    assert after == before


@pytest.mark.parametrize("kind", ["hold", "resume", "reclassify", "modify", "refer", "discharge", "continue"])
def test_every_decision_but_two_needs_its_rationale(care: System, kind: str) -> None:
    """A decision that changes care says why."""
    patient = care.enrol()
    told = decision(
        patient,
        care.now,
        kind,
        program_id=f"prg-in-{patient}",
        conditions=["deep_gluteal_syndrome"],
        changes={"sessions_per_week": 2},
    )
    del told["data"]["rationale"]
    (entry,) = care.put(told)
    care.settle()
    assert len(care.rejected(entry)) == 1


@pytest.fixture(scope="module")
def cautious(care: System, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system in which every program awaits approval."""
    with system(redis_server.url, tmp_path_factory.mktemp("cautious"), database=9, CARE_APPROVAL="clinician") as found:
        yield found


@pytest.mark.parametrize("by", ["program", "escalation", "intake"])
def test_with_approval_a_program_is_proposed_until_approved(cautious: System, by: str) -> None:
    """Where clinicians approve, nothing starts by itself; with the approval it does."""
    patient = cautious.enrol()
    planned = cautious.program(patient)
    assert planned["status"] == "proposed"
    (asked,) = cautious.raised(patient)
    assert asked["reason"] == "clinician_review"
    assert asked["severity"] == "routine"
    assert asked["holds_program"] is False
    names = {
        "program": {"program_id": planned["program_id"]},
        "escalation": {"escalation_id": asked["escalation_id"]},
        "intake": {"intake_id": planned["intake_id"]},
    }[by]
    told = decision(patient, cautious.now + HOUR, "approve", **names)
    del told["data"]["rationale"]
    cautious.tell(told)
    program = cautious.program(patient)
    assert cautious.read("programs", patient)[-1]["type"] == "care.program.changed.v1"
    assert program["status"] == "active"
    assert program["previous_version"] == planned["version"]
    assert program["prescription_seq"] == planned["prescription_seq"] + 1
    assert cautious.resolved(patient) == {asked["escalation_id"]: "approve"}
    cautious.train(patient, cautious.now + HOUR)
    assert cautious.adjustment(patient)["prescription"]


def test_a_proposed_program_prescribes_no_load_and_misses_no_session(cautious: System) -> None:
    """While nobody has approved, no session is owed and no silence counts."""
    patient = cautious.enrol()
    cautious.until(cautious.now + 21 * DAY, step=DAY)
    assert set(cautious.open(patient)) == {"clinician_review"}


@pytest.mark.parametrize("kind", ["refer", "discharge"])
def test_a_proposal_can_be_refused(cautious: System, kind: str) -> None:
    """A clinician who refers instead of approving ends the proposal."""
    patient = cautious.enrol()
    (asked,) = cautious.raised(patient)
    cautious.tell(decision(patient, cautious.now + HOUR, kind, escalation_id=asked["escalation_id"]))
    assert cautious.program(patient)["status"] == "ended"
    assert cautious.open(patient) == {}
    assert cautious.in_force(patient) == []


def test_modify_of_a_proposal_activates_it(cautious: System) -> None:
    """A change by a clinician is a clinician's word: the changed program runs."""
    patient = cautious.enrol()
    planned = cautious.program(patient)
    gone = planned["prescription"][-1]["exercise_id"]
    (asked,) = cautious.raised(patient)
    cautious.tell(
        decision(
            patient,
            cautious.now + HOUR,
            "modify",
            escalation_id=asked["escalation_id"],
            changes={"remove_exercises": [gone]},
        )
    )
    assert cautious.program(patient)["status"] == "active"
    assert gone not in [one["exercise_id"] for one in cautious.in_force(patient)]
    assert cautious.open(patient) == {}


@pytest.mark.parametrize("by", ["escalation", "intake", "both"])
@pytest.mark.parametrize("kind", ["approve", "reclassify"])
def test_a_clinician_may_plan_where_intake_did_not(care: System, kind: str, by: str) -> None:
    """Intake was not sure; `approve` starts the safe program, `reclassify` the one for the conditions named."""
    patient = care.enrol(age_years=16)
    assert care.classified(patient)["disposition"] == "clinician_review"
    assert not care.read("programs", patient)
    (asked,) = care.raised(patient)
    names: Json = {"escalation_id": asked["escalation_id"]} if by != "intake" else {}
    names |= {"intake_id": f"in-{patient}"} if by != "escalation" else {}
    names |= {"conditions": ["sacroiliac_joint_pain"]} if kind == "reclassify" else {}
    decide(care, patient, kind, **names)
    assert care.program(patient)["status"] == "active"
    assert care.resolved(patient) == {asked["escalation_id"]: kind}
    if kind == "reclassify":
        assert care.program(patient)["conditions"] == ["sacroiliac_joint_pain"]


def test_a_decision_is_answered_once_by_two_fresh_systems_alike(another: Callable[..., System]) -> None:
    """A decision published before anything else is known waits, and then does what it says."""
    care = another()
    patient = "early-word"
    start = care.monday()
    care.until(start + DAY)
    care.put(decision(patient, start + 2 * HOUR, "hold", program_id=f"prg-in-{patient}"))
    care.settle()
    care.put(intake(patient, start))
    care.settle()
    assert care.program(patient)["status"] == "held"
    assert care.letters(patient) == []
