"""Ids that follow from what a resource stands for, and references by them.

The same event or thing gives the same id in every export, so a second export changes nothing in a store that
took the first. An id is a UUID: valid as `Resource.id` and as the `urn:uuid:` of a bundle's entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from shared.event.envelope import derive_id
from shared.fhir.code import Json, system

NAMESPACE = UUID("8f8e7d0a-6a55-5b0e-9b1c-0d3c5a1f2e47")
"""The project's own; never changed, or every exported id changes with it."""


def resource_id(kind: str, patient: str, *parts: str) -> str:
    """The id of a resource of that type; `parts` name what it stands for among the patient's own.

    The pseudonym is always in it: two patients whose intakes a platform calls `intake-1` share no id.
    """
    return str(uuid5(NAMESPACE, derive_id(kind, patient, *parts)))


def refer(kind: str, patient: str, *parts: str) -> Json:
    """A Reference to a resource in the same bundle."""
    return {"reference": f"urn:uuid:{resource_id(kind, patient, *parts)}", "type": kind}


def logical(kind: str, identifier_kind: str, value: str) -> Json:
    """A Reference by identifier alone, to something that no resource in the bundle stands for."""
    return {"type": kind, "identifier": identifier(identifier_kind, value)}


def identifier(kind: str, value: str) -> Json:
    """An Identifier in one of the project's own systems."""
    return {"system": system(kind), "value": value}


@dataclass(frozen=True, slots=True)
class People:
    """Whom resources are about and who decided: pseudonyms and opaque ids, never names.

    `subject` and `practitioners` (by clinician id) name the receiver's own resources, such as `Patient/123`, where
    whoever exports knows them.
    """

    patient: str
    subject: str | None = None
    practitioners: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> Json:
        """The patient, by pseudonym, and by the receiver's resource where it is known."""
        known: Json = {"reference": self.subject} if self.subject else {}
        return known | logical("Patient", "patient", self.patient)

    def practitioner(self, clinician_id: str) -> Json:
        """A clinician by the receiver's resource where it is known, else by the opaque id."""
        known = self.practitioners.get(clinician_id)
        if known is not None:
            return {"reference": known, "type": "Practitioner"}
        return logical("Practitioner", "clinician", clinician_id)
