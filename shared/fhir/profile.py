"""The one profile that is claimed: PA Service Request of HL7's Physical Activity Implementation Guide 1.0.1.

`REQUIRED` is the profile's required elements, from its source (HL7/physical-activity, input/fsh/Planning.fsh,
profile PAServiceRequest, and input/fsh/Shared.fsh for the kinds of reference). A resource claims the profile only
where all of them are there; docs/fhir.md says why no other profile of the guide is claimed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.fhir.code import Json

PA_SERVICE_REQUEST = "http://hl7.org/fhir/us/physical-activity/StructureDefinition/pa-servicerequest"
PA_CODES = "http://hl7.org/fhir/us/physical-activity/CodeSystem/pa-temporary-codes"
PHYSICAL_ACTIVITY: Json = {"system": PA_CODES, "code": "PhysicalActivity", "display": "Physical Activity"}
"""The category of everything that the guide is about."""
INTENTS = ("original-order", "order", "filler-order")
"""Value set pa-servicerequest-intent."""
STATUSES = ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error")
"""Value set pa-servicerequest-status."""

REQUIRED: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "status from pa-servicerequest-status": lambda found: found.get("status") in STATUSES,
    "intent from pa-servicerequest-intent": lambda found: found.get("intent") in INTENTS,
    "category:PA 1..1": lambda found: _codings(found.get("category", ())).count((PA_CODES, "PhysicalActivity")) == 1,
    "doNotPerform 0..0": lambda found: "doNotPerform" not in found,
    "implicitRules, modifierExtension, specimen 0..0": lambda found: (
        not ({"implicitRules", "modifierExtension", "specimen"} & set(found))
    ),
    "code 1..1": lambda found: bool(found.get("code")),
    "subject 1..1, a reference that resolves over REST": lambda found: bool(found.get("subject", {}).get("reference")),
    "authoredOn 1..1": lambda found: bool(found.get("authoredOn")),
    "requester 1..1, a practitioner over REST": lambda found: _is_practitioner(found.get("requester", {})),
    "pa-sr-1: reasonCode or reasonReference": lambda found: bool(
        found.get("reasonCode") or found.get("reasonReference")
    ),
}
"""Element with its cardinality -> whether a resource, as JSON, has it so."""


def missing(resource: Mapping[str, Any]) -> list[str]:
    """The required elements that a ServiceRequest lacks for the profile; empty where it may claim it."""
    return [element for element, is_met in REQUIRED.items() if not is_met(resource)]


def _codings(concepts: Any) -> list[tuple[str, str]]:
    return [(coding.get("system"), coding.get("code")) for one in concepts for coding in one.get("coding", ())]


def _is_practitioner(reference: Mapping[str, Any]) -> bool:
    """An identifier would have to be a US National Provider Identifier, which is not known here."""
    return bool(reference.get("reference")) and "identifier" not in reference
