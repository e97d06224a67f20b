"""The CloudEvents envelope around every payload, and the ids that follow from what caused them."""

import hashlib
from typing import Generic, Literal, TypeVar

from shared.event.wire import Identifier, Instant, Omittable, PatientId, Payload, Wire

D = TypeVar("D", bound=Payload)


class Event(Wire, Generic[D]):
    """One CloudEvents 1.0 object in structured mode."""

    specversion: Literal["1.0"] = "1.0"
    id: Identifier
    source: Identifier
    type: str
    subject: PatientId
    time: Instant
    datacontenttype: Omittable[Literal["application/json"]] = None
    correlationid: Omittable[Identifier] = None
    causationid: Omittable[Identifier] = None
    data: D

    @property
    def correlation_id(self) -> str:
        """Carried unchanged to all that follows; an event that starts something correlates with itself."""
        return self.correlationid or self.id


def derive_id(*parts: str) -> str:
    """A deterministic id: the same parts always give the same id, other parts another.

    128 bits of SHA-256 over the length-prefixed parts, as 32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()[:32]
