"""The one profile that is claimed: HL7's Physical Activity guide, PA Service Request.

The table of required elements is written here a second time, from the guide (HL7/physical-activity 1.0.1,
input/fsh/Planning.fsh and Vocabulary.fsh), so that a slip in the code's table is found.
"""

from typing import Any

import pytest

from shared.fhir.identity import People
from shared.fhir.profile import PA_SERVICE_REQUEST, missing
from shared.journey.library import shipped_journeys
from tests.support.fhir_case import Json, codes, export, journey_bundle, journey_events, resources

GUIDE = "http://hl7.org/fhir/us/physical-activity"
CATEGORY = (f"{GUIDE}/CodeSystem/pa-temporary-codes", "PhysicalActivity")


def people(journey_id: str) -> People:
    """The receiver's own resources of the patient and of every clinician who decided."""
    events = journey_events(journey_id)
    clinicians = {one.data.clinician_id for one in events if one.type == "care.clinician.decided.v1"}
    return People(events[0].subject, "Patient/123", dict.fromkeys(clinicians, "Practitioner/7"))


def claimed(raw: bytes) -> list[Json]:
    return [one for one in resources(raw) if "meta" in one]


def test_a_clinicians_order_claims_the_profile_with_all_that_it_requires() -> None:
    """A receiver that validates by the guide finds each required element where the profile is claimed."""
    found = claimed(export(journey_events("J02"), people=people("J02")))
    assert found
    for one in found:
        assert one["resourceType"] == "ServiceRequest"
        assert one["meta"] == {"profile": [f"{GUIDE}/StructureDefinition/pa-servicerequest"]}
        assert one["status"] in ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error")
        assert one["intent"] in ("original-order", "order", "filler-order")
        assert [CATEGORY in codes(category) for category in one["category"]].count(True) == 1
        assert ("http://snomed.info/sct", "229065009") in codes(one["code"])
        assert one["subject"]["reference"] == "Patient/123"
        assert one["performer"][0]["reference"] == "Patient/123"
        assert one["authoredOn"]
        assert one["requester"] == {"reference": "Practitioner/7", "type": "Practitioner"}
        assert one["reasonCode"] or one["reasonReference"]
        assert not {"implicitRules", "modifierExtension", "doNotPerform", "specimen", "note"} & set(one)


def test_the_profile_is_claimed_exactly_where_a_clinician_decided() -> None:
    """What the rules adjusted is no practitioner's order, and does not pose as one."""
    found = resources(export(journey_events("J02"), people=people("J02")), "ServiceRequest")
    assert {one["intent"] for one in found if "meta" in one} == {"order"}
    assert {one["intent"] for one in found if "meta" not in one} <= {"plan", "reflex-order", "proposal"}
    assert "reflex-order" in {one["intent"] for one in found}


@pytest.mark.parametrize("journey_id", [journey.journey_id for journey in shipped_journeys()])
def test_without_the_receivers_resources_nothing_is_claimed(journey_id: str) -> None:
    """The guide demands references that resolve over REST; a pseudonym alone is none."""
    assert claimed(journey_bundle(journey_id)) == []


def test_an_adjustment_after_an_order_is_based_on_it() -> None:
    """The chain from the load of today back to the clinician who approved the program is whole."""
    found = resources(journey_bundle("J02"), "ServiceRequest")
    orders = {f"urn:uuid:{one['id']}" for one in found if one["intent"] == "order"}
    for one in found:
        if one["intent"] == "reflex-order":
            assert {based["reference"] for based in one["basedOn"]} & orders


WHOLE: dict[str, Any] = {
    "status": "active",
    "intent": "order",
    "category": [{"coding": [{"system": CATEGORY[0], "code": CATEGORY[1]}]}],
    "code": {"text": "x"},
    "subject": {"reference": "Patient/1"},
    "authoredOn": "2026-03-02T09:00:00Z",
    "requester": {"reference": "Practitioner/1"},
    "reasonCode": [{"text": "x"}],
}


@pytest.mark.parametrize("element", sorted(WHOLE))
def test_each_required_element_is_missed_where_it_is_not_there(element: str) -> None:
    """No claim slips through with one element gone."""
    assert missing(WHOLE) == []
    assert len(missing({name: value for name, value in WHOLE.items() if name != element})) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "unknown"},
        {"intent": "reflex-order"},
        {"doNotPerform": True},
        {"specimen": [{"reference": "Specimen/1"}]},
        {"category": [{"coding": [{"system": "urn:other", "code": "PhysicalActivity"}]}]},
        {"subject": {"identifier": {"value": "p"}}},
        {"requester": {"identifier": {"system": "urn:other", "value": "dr-1"}}},
    ],
    ids=str,
)
def test_what_the_profile_forbids_is_seen(wrong: Json) -> None:
    """A value outside the guide's value sets, or a reference of the wrong kind, claims nothing."""
    assert len(missing(WHOLE | wrong)) == 1
    assert PA_SERVICE_REQUEST.endswith("/pa-servicerequest")
