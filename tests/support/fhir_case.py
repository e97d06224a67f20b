"""Care as FHIR: the events of a journey through all services, and a bundle to look into."""

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from shared.event.envelope import Event
from shared.event.registry import adapter
from shared.event.wire import Stream
from shared.fhir.bundle import BundleType, bundle
from shared.fhir.identity import People
from shared.journey.library import shipped_journeys
from shared.stream.pure_pipeline import time_of
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services_pipeline

Json = dict[str, Any]


@cache
def journey_events(journey_id: str) -> tuple[Event[Any], ...]:
    """What lies in the streams after a shipped journey, rejected events apart."""
    (journey,) = (one for one in shipped_journeys() if one.journey_id == journey_id)
    return care_events(journey.events)


def care_events(raws: Iterable[bytes]) -> tuple[Event[Any], ...]:
    """What lies in the streams after these inputs, the inputs included."""
    inputs = list(raws)
    pipeline = four_services_pipeline(time_of(inputs[0]) - timedelta(seconds=1))
    pipeline.replay(inputs)
    return tuple(
        event for stream in Stream if stream is not Stream.DEAD_LETTERS for event in pipeline.published(stream)
    )


@cache
def journey_bundle(journey_id: str) -> bytes:
    """The bundle of a shipped journey, made once for all tests that look into it."""
    made = bundle(journey_events(journey_id))
    assert made is not None
    return made


def event(event_type: str, data: Json, **envelope: Any) -> Event[Any]:
    """One event of any type of the contract."""
    raw = wire(event_type, data, event_id=envelope.pop("event_id"), time=envelope.pop("time", EPOCH))
    return adapter(event_type).validate_json(json.dumps(json.loads(raw) | envelope))


def resources(raw: bytes, kind: str | None = None) -> list[Json]:
    """The resources of a bundle, of one type or all."""
    found = [entry["resource"] for entry in json.loads(raw).get("entry", ())]
    return [one for one in found if kind is None or one["resourceType"] == kind]


def export(events: Iterable[Event[Any]], kind: BundleType = "collection", people: People | None = None) -> bytes:
    """The bundle of events that hold something."""
    made = bundle(events, kind, people)
    assert made is not None
    return made


def references(document: Any) -> list[tuple[str, str]]:
    """Where every reference leads, and the type that it names."""
    if isinstance(document, list):
        return [found for value in document for found in references(value)]
    if not isinstance(document, dict):
        return []
    here = [(document["reference"], document["type"])] if isinstance(document.get("reference"), str) else []
    return here + [found for value in document.values() for found in references(value)]


def codes(concept: Json) -> set[tuple[str, str]]:
    """System and code of every coding of a concept."""
    return {(coding["system"], coding["code"]) for coding in concept.get("coding", ())}
