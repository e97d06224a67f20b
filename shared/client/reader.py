"""From bytes to a typed event, by a reader that may be older than who wrote it.

Unknown fields are ignored. An id that the vocabulary has gained since passes as it is. A type that this
version does not know, or a known one whose data it cannot read, becomes `Unrecognised`: it is handed out,
never dropped.
"""

from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from shared.client.error import UnexpectedAnswerError
from shared.event.envelope import Event
from shared.event.registry import PAYLOAD_BY_TYPE, adapter
from shared.event.vocabulary import open_vocabulary
from shared.event.wire import Payload

P = TypeVar("P", bound=Payload)


class Unrecognised(Payload):
    """Data that this version of the client has no model for. Its fields are in `model_extra`, as in the JSON."""

    model_config = ConfigDict(extra="allow")
    event_type: ClassVar[str] = ""


_ANY: TypeAdapter[Event[Unrecognised]] = TypeAdapter(Event[Unrecognised])


def read_event(raw: bytes) -> Event[Any]:
    """One event. Raises ValueError where the bytes are no event at all: no JSON, or no envelope."""
    plain = _ANY.validate_json(raw)
    if plain.type not in PAYLOAD_BY_TYPE:
        return plain
    try:
        with open_vocabulary():
            return adapter(plain.type).validate_json(raw)
    except ValidationError:
        return plain


def read_payload(kind: type[P], raw: bytes) -> P:
    """A payload by itself. Raises UnexpectedAnswerError for what is none of this kind."""
    try:
        with open_vocabulary():
            return kind.model_validate_json(raw)
    except ValidationError:
        raise UnexpectedAnswerError(f"the answer is no {kind.event_type} that this version reads") from None
