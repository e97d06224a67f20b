"""A patient's events out of the streams, and the FHIR Bundle that they make. It changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from redis.asyncio import Redis

from shared.event.envelope import Event
from shared.event.registry import PAYLOAD_BY_TYPE, adapter
from shared.event.wire import Stream
from shared.stream.history import Entry, read_partition
from shared.stream.key import partition_of

if TYPE_CHECKING:
    from shared.fhir.bundle import BundleType
    from shared.fhir.identity import People

STREAMS = tuple(stream for stream in Stream if stream not in (Stream.DEAD_LETTERS, Stream.REMINDERS))
"""What a bundle tells of; what was rejected is no part of a patient's care."""


@dataclass(frozen=True, slots=True)
class History:
    """What the streams still hold of a patient."""

    events: tuple[Event[Any], ...]
    unreadable: int
    """Entries of the patient that are no event of the contract: they lie among the dead letters."""


async def read_patient(client: Redis, partitions: int, patient: str) -> History:
    """Every event of a patient but those that a service rejected."""
    partition = partition_of(patient, partitions)
    rejected = {
        (str(letter.get("data", "stream")), str(letter.get("data", "entry_id")))
        async for letter in read_partition(client, partition, (Stream.DEAD_LETTERS,))
    }
    events: list[Event[Any]] = []
    unreadable = 0
    async for entry in _of_patient(client, partition, patient):
        if (entry.key, entry.entry_id) in rejected:
            continue
        event = _parse(entry)
        if event is None:
            unreadable += 1
        else:
            events.append(event)
    return History(tuple(events), unreadable)


async def read_bundle(
    client: Redis, partitions: int, patient: str, kind: "BundleType" = "collection", people: "People | None" = None
) -> bytes | None:
    """A patient's Bundle as JSON; None where the streams hold nothing of that patient.

    It is made in a thread: months of care are seconds of work. Raises ModuleNotFoundError where the optional
    package `fhir.resources` is missing.
    """
    from shared.fhir.bundle import bundle

    history = await read_patient(client, partitions, patient)
    return await asyncio.to_thread(bundle, history.events, kind, people)


async def _of_patient(client: Redis, partition: int, patient: str) -> AsyncIterator[Entry]:
    async for entry in read_partition(client, partition, STREAMS):
        if entry.get("subject") == patient:
            yield entry


def _parse(entry: Entry) -> Event[Any] | None:
    event_type = entry.get("type")
    if not isinstance(event_type, str) or event_type not in PAYLOAD_BY_TYPE:
        return None
    try:
        return adapter(event_type).validate_json(entry.raw)
    except ValidationError:
        return None
