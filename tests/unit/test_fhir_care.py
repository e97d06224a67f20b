"""What a clinician reads in the bundle: suspicions, plans, goals, prescriptions, reports and escalations."""

import json
from itertools import pairwise
from typing import Any

import pytest

from shared.event.adjustment import LoadAdjusted
from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.session import SessionReported
from shared.event.vocabulary import vocabulary
from shared.fhir.code import INSTRUMENT_LOINC, LOINC, SNOMED
from shared.journey.library import shipped_journeys
from tests.support.example import EPOCH, intake, wire
from tests.support.fhir_case import care_events, codes, event, export, journey_bundle, journey_events, resources

JOURNEYS = [journey.journey_id for journey in shipped_journeys()]
STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def verification(condition: dict[str, Any]) -> str:
    return str(condition["verificationStatus"]["coding"][0]["code"])


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_no_condition_is_ever_confirmed(journey_id: str) -> None:
    """Rules suspect; only a clinician confirms, and not here."""
    conditions = resources(journey_bundle(journey_id), "Condition")
    assert {verification(one) for one in conditions} <= {"provisional", "differential"}


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_what_is_treated_is_a_provisional_diagnosis(journey_id: str) -> None:
    """Care and record agree on what is worked with."""
    programs = [one.data for one in journey_events(journey_id) if isinstance(one.data, ProgramPlanned | ProgramChanged)]
    treated = {condition for program in programs for condition in program.conditions}
    found = resources(journey_bundle(journey_id), "Condition")
    provisional = {one["code"]["coding"][0]["code"] for one in found if verification(one) == "provisional"}
    assert treated <= provisional


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_red_flags_are_no_diagnoses(journey_id: str) -> None:
    """A red flag is a reason to look, told as a DetectedIssue; no Condition is made of it."""
    flags = set(vocabulary().red_flags)
    conditions = resources(journey_bundle(journey_id), "Condition")
    assert {code for one in conditions for _, code in codes(one["code"])}.isdisjoint(flags)


@pytest.mark.parametrize("journey_id", ["J19", "J20", "J21"])
def test_an_urgent_red_flag_is_a_task_an_issue_and_a_message_and_no_tendinopathy(journey_id: str) -> None:
    """Where a serious cause is open, the record offers no harmless label beside it."""
    raw = journey_bundle(journey_id)
    raised = next(one.data for one in journey_events(journey_id) if isinstance(one.data, EscalationRaised))
    (task,) = resources(raw, "Task")
    (issue,) = resources(raw, "DetectedIssue")
    (message,) = resources(raw, "Communication")
    assert resources(raw, "Condition") == []
    assert task["status"] == "requested"
    assert task["priority"] == {"urgent": "urgent", "emergency": "stat"}[raised.severity]
    assert task["restriction"]["period"]["end"] == raised.respond_by.isoformat().replace("+00:00", "Z")
    assert task["focus"]["reference"] == f"urn:uuid:{issue['id']}"
    assert message["about"] == [{"reference": f"urn:uuid:{task['id']}", "type": "Task"}]
    assert issue["severity"] == "high"
    flags = {flag["red_flag_id"] for flag in raised.evidence["flags"]}
    assert {code for one in issue["evidence"] for each in one["code"] for _, code in codes(each)} == flags
    assert message["payload"][0]["contentString"] == f"Situation: {raised.sbar.situation}"


def test_the_assessment_keeps_every_probability() -> None:
    """What is improbable is no Condition, and yet not lost."""
    classified = next(one.data for one in journey_events("J01") if isinstance(one.data, ConditionClassified))
    (assessment,) = (
        one
        for one in resources(journey_bundle("J01"), "Observation")
        if ("urn:adaptive-care:assessment", "classification") in codes(one["code"])
    )
    told = {one["code"]["coding"][0]["code"]: one["valueQuantity"]["value"] for one in assessment["component"]}
    assert told == {one.condition_id: one.probability for one in classified.conditions}
    assert assessment["note"][0]["text"] == classified.rationale


def test_a_goal_is_completed_only_where_it_was_reached() -> None:
    """A due date that has passed proves nothing."""
    reached = {one.data.goal_id for one in journey_events("J02") if one.type == "care.goal.reached.v1"}
    goals = {one["description"]["coding"][0]["code"]: one for one in resources(journey_bundle("J02"), "Goal")}
    assert reached
    completed = {name for name, goal in goals.items() if goal["lifecycleStatus"] == "completed"}
    assert completed == reached
    achieved = {name for name, goal in goals.items() if "achievementStatus" in goal}
    assert achieved == reached


def test_a_goal_says_in_which_direction_its_target_lies() -> None:
    """Less pain has an upper bound, more function a lower one."""
    program = next(one.data for one in journey_events("J02") if isinstance(one.data, ProgramPlanned))
    goals = {one["description"]["coding"][0]["code"]: one for one in resources(journey_bundle("J02"), "Goal")}
    for goal in program.goals:
        (target,) = goals[goal.goal_id]["target"]
        bound = {"increase": "low", "decrease": "high"}[goal.measure.direction]
        assert set(target["detailRange"]) == {bound}
        assert target["detailRange"][bound]["value"] == goal.measure.target
        assert ("urn:adaptive-care:instrument", goal.measure.instrument) in codes(target["measure"])


def test_each_new_prescription_replaces_the_one_before() -> None:
    """Of all prescriptions of an active program exactly the last is in force."""
    events = journey_events("J02")
    numbers = {
        one.data.prescription_seq
        for one in events
        if isinstance(one.data, ProgramPlanned | ProgramChanged | LoadAdjusted) and one.data.prescription
    }
    found = sorted(
        resources(journey_bundle("J02"), "ServiceRequest"),
        key=lambda one: int(one["identifier"][0]["value"].rpartition("/")[2]),
    )
    assert len(found) == len(numbers)
    for older, newer in pairwise(found):
        assert newer["replaces"][0]["reference"] == f"urn:uuid:{older['id']}"
    (plan,) = resources(journey_bundle("J02"), "CarePlan")
    assert plan["activity"][0]["reference"]["reference"] == f"urn:uuid:{found[-1]['id']}"
    assert {one["status"] for one in found[:-1]} <= {"completed", "revoked"}
    expected = {"active": "active", "on-hold": "on-hold", "revoked": "revoked", "completed": "revoked"}
    assert found[-1]["status"] == expected[plan["status"]]


def test_every_exercise_of_a_prescription_is_there_with_its_dose() -> None:
    """Nobody has to guess sets, load or days."""
    program = next(one.data for one in journey_events("J02") if isinstance(one.data, ProgramPlanned))
    first = next(
        one
        for one in resources(journey_bundle("J02"), "ServiceRequest")
        if one["identifier"][0]["value"] == f"{program.program_id}/{program.prescription_seq}"
    )
    told = {one["coding"][0]["code"]: one["text"] for one in first["orderDetail"]}
    for exercise in program.prescription:
        sets = "1 set" if exercise.sets == 1 else f"{exercise.sets} sets"
        assert f"{sets} × {exercise.reps}" in told[exercise.exercise_id]
        assert f"RPE {exercise.target_rpe:g}" in told[exercise.exercise_id]
        if exercise.load_kg is not None:
            assert f"{exercise.load_kg:g} kg" in told[exercise.exercise_id]
        assert exercise.instructions in first["patientInstruction"]


def test_an_ended_program_is_no_completed_one() -> None:
    """Only a discharge completes a plan; a patient or a referral that ends it revokes it."""
    base = [wire("care.intake.submitted.v1", intake(), event_id="i-1")]
    later = EPOCH.replace(day=9)

    def plan(kind: str, data: dict[str, Any]) -> dict[str, Any]:
        ended = care_events([*base, wire(kind, {"program_id": "prg-intake-1"} | data, event_id="end", time=later)])
        return resources(export(ended), "CarePlan")[0]

    decided = {"decision_id": "d-1", "clinician_id": "dr-1", "rationale": "seen"}
    assert plan("care.clinician.decided.v1", decided | {"decision": "discharge"})["status"] == "completed"
    assert plan("care.clinician.decided.v1", decided | {"decision": "refer"})["status"] == "revoked"
    assert plan("care.program.stopped.v1", {})["status"] == "revoked"


def test_an_answered_escalation_names_who_answered_and_how() -> None:
    """The record shows that somebody looked, who, and with what result."""
    events = journey_events("J02")
    resolved = next(one.data for one in events if isinstance(one.data, EscalationResolved))
    decision = next(
        one.data
        for one in events
        if isinstance(one.data, ClinicianDecided) and one.data.decision_id == resolved.decision_id
    )
    (task,) = resources(journey_bundle("J02"), "Task")
    assert task["status"] == "completed"
    assert task["owner"]["identifier"]["value"] == decision.clinician_id
    assert task["output"][0]["valueCodeableConcept"]["coding"][0]["code"] == resolved.resolution
    (message,) = resources(journey_bundle("J02"), "Communication")
    assert message["status"] == "completed"
    assert "sent" in message


def test_failed_care_is_an_issue_and_a_flare_only_a_task() -> None:
    """Failed conservative care is found out about the care; a flare is part of the course."""
    reasons = {
        reason
        for journey_id in JOURNEYS
        for one in resources(journey_bundle(journey_id), "DetectedIssue")
        for _, reason in codes(one["code"])
    }
    assert "failed_conservative_care" in reasons
    assert reasons <= {"red_flag", "failed_conservative_care", "adverse_response"}


def test_a_session_is_told_with_its_pains_and_symptoms() -> None:
    """What a patient did and felt is there, each value by itself, and gathered at the session."""
    data = {
        "session_id": "s-1",
        "program_id": "prg-1",
        "started_at": EPOCH.isoformat(),
        "completed": False,
        "exercises": [
            {"exercise_id": "band_clam", "sets": [{"reps": 12, "load_level": 2, "rpe": 6, "pain": 3}]},
            {"exercise_id": "side_plank", "sets": [{"reps": 1, "hold_s": 20}]},
            {"exercise_id": "step_up", "skipped": True},
        ],
        "pain_before": 1,
        "pain_during": 4,
        "symptoms": ["paraesthesia", "saddle_anaesthesia", "odd_feeling"],
    }
    raw = export([event("care.session.reported.v1", data, event_id="e-1")])
    found = resources(raw, "Observation")
    session, *others = found
    assert session["valueBoolean"] is False
    assert [one.get("valueString") for one in session["component"]] == [
        "12 reps, level 2, RPE 6, pain 3/10",
        "1 × 20 s",
        None,
    ]
    assert session["component"][2]["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert [one["reference"] for one in session["hasMember"]] == [f"urn:uuid:{one['id']}" for one in others]
    assert [one["valueQuantity"]["value"] for one in others[:2]] == [1, 4]
    assert ("urn:adaptive-care:red-flag", "saddle_anaesthesia") in codes(others[3]["code"])
    assert others[4]["code"] == {"text": "odd_feeling"}


def test_only_a_rating_of_one_moment_carries_the_code_of_one() -> None:
    """The average of a week and the worst of a session would mislead whoever charts them as a momentary rating."""
    rated: dict[str, set[str]] = {"momentary": set(), "other": set()}
    for one in resources(journey_bundle("J02"), "Observation"):
        own = next(iter(sorted(code for system, code in codes(one["code"]) if system.startswith("urn:"))), "")
        rated["momentary" if (LOINC, "72514-3") in codes(one["code"]) else "other"].add(own)
    assert rated["momentary"] <= {"pain_before", "pain_after", "next_morning_pain"}
    assert {"NPRS", "pain_during"} <= rated["other"]


def test_no_foreign_code_is_used_beyond_those_looked_up() -> None:
    """A code of LOINC or SNOMED that nobody checked never leaves."""
    looked_up = {
        (LOINC, "72514-3"),
        (SNOMED, "229065009"),
        *((LOINC, one["code"]) for one in INSTRUMENT_LOINC.values()),
    }
    assert {one["code"] for one in INSTRUMENT_LOINC.values()} == {"97909-6"}
    used: set[tuple[str, str]] = set()

    def gather(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("system") in (LOINC, SNOMED):
                used.add((node["system"], node["code"]))
            for value in node.values():
                gather(value)
        elif isinstance(node, list):
            for value in node:
                gather(value)

    for journey_id in JOURNEYS:
        gather(json.loads(journey_bundle(journey_id)))
    assert used <= looked_up
    assert (LOINC, "72514-3") in used


def test_a_provenance_names_protocol_rules_and_cause() -> None:
    """Which version of which protocol, which rule, and what set it off can be read off each decision."""
    adjusted = next(one for one in journey_events("J02") if isinstance(one.data, LoadAdjusted) and one.data.changes)
    provenance = next(
        one
        for one in resources(journey_bundle("J02"), "Provenance")
        if one["entity"][0]["what"]["identifier"]["value"] == adjusted.id
    )
    protocol = adjusted.data.protocol
    assert provenance["policy"] == [f"urn:adaptive-care:protocol:{protocol.id}:{protocol.version}"]
    rules = {code for one in provenance["reason"] for system, code in codes(one) if system.endswith(":rule")}
    assert rules == {change.rule for change in adjusted.data.changes} | {one.rule for one in adjusted.data.basis}
    assert provenance["entity"][1]["what"]["identifier"]["value"] == adjusted.causationid
    assert provenance["agent"][0]["who"]["identifier"]["value"] == "//adaptive-care/progression"


def test_every_session_and_measure_of_a_journey_is_exported() -> None:
    """Nothing that a patient reported is lost on the way."""
    events = journey_events("J02")
    sessions = [one for one in events if isinstance(one.data, SessionReported)]
    measures = sum(len(one.data.measures) for one in events if one.type.startswith(("care.intake", "care.checkin")))
    found = [codes(one["code"]) for one in resources(journey_bundle("J02"), "Observation")]
    assert sum(("urn:adaptive-care:report", "session_completed") in one for one in found) == len(sessions)
    assert sum(any(system == "urn:adaptive-care:instrument" for system, _ in one) for one in found) == measures
