"""Provenance: for each event which resources rest on it, who wrote it, by which protocol and which rules."""

from collections.abc import Iterable, Sequence
from typing import Any

from fhir.resources.R4B.provenance import Provenance

from shared.event.adjustment import LoadAdjusted
from shared.event.decision import ClinicianDecided
from shared.event.envelope import Event
from shared.event.escalation import EscalationRaised
from shared.event.explanation import Explained, ProtocolRef
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.fhir.code import OWN, Json, concept, hl7, own
from shared.fhir.course import Derived
from shared.fhir.identity import People, identifier, logical, resource_id


def provenance_of(derived: Sequence[Derived], people: People) -> list[Derived]:
    """One Provenance for each event that a resource rests on, in order of the events."""
    targets: dict[str, list[Json]] = {}
    events: dict[str, Event[Any]] = {}
    for one in derived:
        kind = one.resource.get_resource_type()
        for event in one.events:
            events[event.id] = event
            targets.setdefault(event.id, []).append({"reference": f"urn:uuid:{one.resource.id}", "type": kind})
    ordered = sorted(events.values(), key=lambda event: (event.time, event.id))
    return [Derived(_provenance(event, targets[event.id], people), (event,)) for event in ordered]


def protocol_uri(protocol: ProtocolRef) -> str:
    """Names a protocol file and its version."""
    return f"{OWN}:protocol:{protocol.id}:{protocol.version}"


def _provenance(event: Event[Any], targets: list[Json], people: People) -> Provenance:
    entities: list[Json] = [{"role": "source", "what": {"identifier": identifier("event", event.id)}}]
    if event.causationid is not None and event.causationid != event.id:
        entities.append({"role": "derivation", "what": {"identifier": identifier("event", event.causationid)}})
    reasons = [concept(own("rule", rule)) for rule in _rules(event.data)]
    reasons += [concept(own("evidence", row)) for row in _evidence(event.data)]
    return Provenance(
        id=resource_id("Provenance", people.patient, event.id),
        target=targets,
        occurredDateTime=event.time,
        recorded=event.time,
        policy=[protocol_uri(one) for one in _protocols(event.data)] or None,
        reason=reasons or None,
        activity=concept(own("event-type", event.type)),
        agent=[{"type": hl7("provenance-participant-type", "author"), "who": _author(event, people)}],
        entity=entities,
    )


def _author(event: Event[Any], people: People) -> Json:
    if isinstance(event.data, ClinicianDecided):
        return people.practitioner(event.data.clinician_id)
    return logical("Device", "source", event.source)


def _protocols(data: Any) -> list[ProtocolRef]:
    if isinstance(data, ProgramPlanned | ProgramChanged):
        return list(dict.fromkeys((data.protocol, *data.protocols)))
    return [data.protocol] if isinstance(data, Explained) else []


def _rules(data: Any) -> Iterable[str]:
    rules = [basis.rule for basis in data.basis] if isinstance(data, Explained | EscalationRaised) else []
    if isinstance(data, LoadAdjusted):
        rules += [change.rule for change in data.changes]
    return dict.fromkeys(rules)


def _evidence(data: Any) -> Iterable[str]:
    """Evidence rows: those of the decision, and of an escalation those among its values."""
    if isinstance(data, Explained):
        return dict.fromkeys(data.references)
    told = data.evidence.get("references") if isinstance(data, EscalationRaised) else ()
    return dict.fromkeys(str(one) for one in told or ())
