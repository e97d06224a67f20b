"""The envelope around what a platform sends, checked before it leaves as the services will check it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

import msgspec

from shared.client.error import Refusal, RefusedError
from shared.decision import Arrival
from shared.event.envelope import Event
from shared.event.wire import Payload, Stream
from shared.recording import PLATFORM_STREAMS
from shared.stream.decode import Source, decode
from shared.stream.key import DATA_FIELD

P = TypeVar("P", bound=Payload)

SOURCE = "//platform"
_ANY_TIME = timedelta(days=366 * 100)
"""How far ahead of now is too far is the system's setting; here only the calendar ends."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event, checked and ready to leave."""

    event: Event[Any]
    raw: bytes
    """The CloudEvents JSON."""

    @property
    def stream(self) -> Stream:
        stream: Stream = self.event.data.stream
        return stream


def new_event(
    data: P,
    *,
    patient: str,
    id: str | None = None,  # noqa: A002  # the attribute's name on the wire
    time: datetime | None = None,
    correlation_id: str | None = None,
    source: str = SOURCE,
) -> Event[P]:
    """An event of a platform. Raises RefusedError where it is not as the contract says.

    `id`: unique for the event; by itself a random one. Give one of your own, kept beside the data, where your
    process may die between sending and remembering: the same id has its effect once. `time`: when the thing
    happened, with offset; by itself now. `correlation_id`: carried by all that follows; by itself the id.
    """
    envelope = {
        "specversion": "1.0",
        "id": str(uuid4()) if id is None else id,
        "source": source,
        "type": data.event_type,
        "subject": patient,
        "time": datetime.now(UTC) if time is None else time,
        "datacontenttype": "application/json",
        "data": data.model_dump(mode="json"),
    }
    if correlation_id is not None:
        envelope["correlationid"] = correlation_id
    checked = _check(0, msgspec.json.encode(envelope), data)
    if isinstance(checked, Refusal):
        raise RefusedError([checked])
    return checked.event


def checked_all(events: Iterable[Event[Any]]) -> list[Outgoing]:
    """All of them, or RefusedError with every refusal: nothing leaves while one is wrong."""
    checked = [_check(index, event.model_dump_json().encode(), event.data) for index, event in enumerate(events)]
    refusals = [one for one in checked if isinstance(one, Refusal)]
    if refusals:
        raise RefusedError(refusals)
    return cast(list[Outgoing], checked)


def _check(index: int, raw: bytes, data: Payload) -> Outgoing | Refusal:
    """What the services' own decoder says of these bytes. For it every patient is at home in one partition."""
    stream = data.stream
    if stream not in PLATFORM_STREAMS:
        message = f"{data.event_type} is written by the services, not by a platform"
        return Refusal(index, None, "wrong_stream", "$.type", message)
    source = Source(partition=0, partitions=1, stream=stream, key=stream.value, max_ahead=_ANY_TIME)
    found = decode("", {DATA_FIELD: raw}, source, datetime.now(UTC))
    if isinstance(found, Arrival):
        return Outgoing(found.event, raw)
    return Refusal(index, found.event_id, found.code, found.path, found.message)
