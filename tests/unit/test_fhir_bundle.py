"""Every shipped journey as a bundle: valid, whole in itself, pseudonymous, and the same each time."""

import json
import re

import pytest
from fhir.resources.R4B.bundle import Bundle

from shared.fhir.bundle import bundle
from shared.fhir.course import SeveralPatientsError
from shared.journey.library import shipped_journeys
from tests.support.example import EPOCH, intake, wire
from tests.support.fhir_case import care_events, event, export, journey_bundle, journey_events, references, resources

JOURNEYS = [journey.journey_id for journey in shipped_journeys()]
ID = re.compile(r"^[A-Za-z0-9\-.]{1,64}$")


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_a_journey_is_a_valid_bundle_that_survives_being_read(journey_id: str) -> None:
    """A receiver who parses and writes it again holds the same bytes."""
    raw = journey_bundle(journey_id)
    assert Bundle.model_validate_json(raw).model_dump_json().encode() == raw


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_ids_are_valid_and_unique_and_references_lead_somewhere(journey_id: str) -> None:
    """No entry points outside the bundle, and none stands there twice."""
    document = json.loads(journey_bundle(journey_id))
    urls = [entry["fullUrl"] for entry in document["entry"]]
    assert len(set(urls)) == len(urls)
    assert all(ID.match(entry["resource"]["id"]) for entry in document["entry"])
    assert all(entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in document["entry"])
    assert {url for url, _ in references(document)} <= set(urls)


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_a_reference_names_the_type_that_it_leads_to(journey_id: str) -> None:
    """A reader who follows a reference to a Condition finds a Condition."""
    document = json.loads(journey_bundle(journey_id))
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in document["entry"]}
    assert [(url, kind) for url, kind in references(document) if types[url] != kind] == []


@pytest.mark.parametrize("journey_id", ["J02", "J06", "J12", "J19"])
def test_a_second_export_is_the_same_to_the_byte_in_any_order(journey_id: str) -> None:
    """Whoever exports again, from a stream that arrived otherwise, changes nothing at the receiver."""
    events = journey_events(journey_id)
    assert export(reversed([*events, *events])) == journey_bundle(journey_id)


def test_more_events_change_no_id_of_what_was_there() -> None:
    """A store that took last week's export finds the same resources in this week's, and some more."""
    events = sorted(journey_events("J12"), key=lambda one: (one.time, one.id))
    early = {(one["resourceType"], one["id"]) for one in resources(export(events[: len(events) // 2]))}
    late = {(one["resourceType"], one["id"]) for one in resources(journey_bundle("J12"))}
    assert early <= late
    assert len(early) > 100


def test_what_was_trimmed_away_is_missing_and_nothing_points_to_it() -> None:
    """After the retention the first events are gone; what is left is a whole bundle with the loads in force."""
    events = sorted(journey_events("J06"), key=lambda one: (one.time, one.id))
    left = [events[len(events) * share // 10 :] for share in (1, 3, 6, 9)]
    left += [[one for one in events if one.type != kind] for kind in sorted({one.type for one in events})]
    for some in left:
        document = json.loads(export(some))
        assert {url for url, _ in references(document)} <= {entry["fullUrl"] for entry in document["entry"]}
    adjustments = [one for one in events if one.type == "care.load.adjusted.v1"]
    found = resources(export(adjustments), "ServiceRequest")
    assert found
    assert found[-1]["status"] == "unknown"


def test_a_transaction_puts_each_resource_under_its_own_id() -> None:
    """A store that takes the bundle twice is as after the first time."""
    document = json.loads(export(journey_events("J06"), "transaction"))
    assert document["type"] == "transaction"
    for entry in document["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    assert [entry["resource"] for entry in document["entry"]] == resources(journey_bundle("J06"))


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_a_patient_is_a_pseudonym_and_nothing_else(journey_id: str) -> None:
    """No demographics leave: no Patient resource, and each subject is the identifier alone."""
    found = resources(journey_bundle(journey_id))
    assert {one["resourceType"] for one in found}.isdisjoint({"Patient", "Practitioner", "RelatedPerson"})
    pseudonym = {
        "type": "Patient",
        "identifier": {"system": "urn:adaptive-care:patient", "value": f"journey-{journey_id}"},
    }
    subjects = [one.get("subject") or one.get("patient") or one.get("for") for one in found]
    assert [one for one in subjects if one is not None and one != pseudonym] == []


def test_what_people_wrote_in_their_own_words_stays_inside() -> None:
    """Notes of a patient and the rationale of a clinician are not copied anywhere."""
    told = {
        "intake_id": "intake-1",
        "age_years": 50,
        "sex": "female",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 8,
        "measures": [{"instrument": "NPRS", "value": 4}],
        "notes": "xyzzy lives in Elm Street",
    }
    decided = {
        "decision_id": "d-1",
        "clinician_id": "dr-1",
        "decision": "hold",
        "program_id": "prg-1",
        "rationale": "plugh",
    }
    session = {
        "session_id": "s-1",
        "program_id": "prg-1",
        "started_at": EPOCH.isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 2,
        "notes": "frobozz",
    }
    raw = export(
        [
            event("care.intake.submitted.v1", told, event_id="e-1"),
            event("care.clinician.decided.v1", decided, event_id="e-2"),
            event("care.session.reported.v1", session, event_id="e-3"),
            event("care.program.stopped.v1", {"program_id": "prg-1", "reason": "quux"}, event_id="e-4"),
            event("care.patient.updated.v1", {"contact": {"mail": "who@home.example"}}, event_id="e-5"),
        ]
    ).decode()
    assert [word for word in ("xyzzy", "Elm", "plugh", "frobozz", "quux", "who@home") if word in raw] == []


def test_what_came_before_an_erasure_is_gone() -> None:
    """A patient who was erased is not brought back by an export, though the streams still hold old entries."""
    events = journey_events("J19")
    last = max(one.time for one in events)
    erased = event("care.patient.erased.v1", {}, event_id="erasure", subject=events[0].subject, time=last)
    assert bundle([*events, erased]) is None
    assert bundle([]) is None


def test_one_bundle_is_about_one_patient() -> None:
    """Events of two people are never mixed."""
    with pytest.raises(SeveralPatientsError, match="2 patients"):
        bundle([*journey_events("J19"), *journey_events("J20")])


def test_two_patients_share_no_id() -> None:
    """Platforms may call every first intake `intake-1`: a store that takes both keeps both programs."""
    ids = []
    for patient in ("p-1", "p-2"):
        events = care_events([wire("care.intake.submitted.v1", intake(), subject=patient, event_id=f"{patient}-e")])
        found = resources(export(events))
        assert "CarePlan" in {one["resourceType"] for one in found}
        ids.append({one["id"] for one in found})
    assert ids[0].isdisjoint(ids[1])


def test_what_was_reported_twice_is_there_once() -> None:
    """A session that an app sent again under another event id is one Observation."""
    session = {
        "session_id": "s-1",
        "program_id": "prg-1",
        "started_at": EPOCH.isoformat(),
        "completed": True,
        "exercises": [],
        "pain_during": 2,
    }
    twice = [event("care.session.reported.v1", session, event_id=name) for name in ("e-1", "e-2")]
    assert export(twice) == export(twice[:1])


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_each_resource_has_a_provenance_that_names_its_event(journey_id: str) -> None:
    """Nobody need take a resource on trust: what it rests on can be looked up in the trace."""
    found = resources(journey_bundle(journey_id))
    provenances = [one for one in found if one["resourceType"] == "Provenance"]
    targets = {target["reference"] for one in provenances for target in one["target"]}
    assert targets == {f"urn:uuid:{one['id']}" for one in found if one["resourceType"] != "Provenance"}
    known = {one.id for one in journey_events(journey_id)}
    assert {one["entity"][0]["what"]["identifier"]["value"] for one in provenances} <= known
