"""`care.event.rejected.v1`: what could not be handled, why, and its original bytes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.event.wire import Identifier, Payload, Stream, Wire

ErrorCode = Literal[
    "missing_data",
    "too_large",
    "invalid_json",
    "invalid_envelope",
    "unknown_type",
    "wrong_stream",
    "wrong_partition",
    "invalid_data",
    "unknown_id",
    "out_of_range",
    "impossible_time",
    "unknown_program",
    "unknown_intake",
    "unknown_escalation",
    "unknown_condition",
    "handler_failed",
    "delivery_failed",
]


class RejectionError(Wire):
    """`path` is a JSONPath into the original, `$` where it concerns the whole."""

    code: ErrorCode
    path: str
    message: str


class EventRejected(Payload):
    event_type: ClassVar[str] = "care.event.rejected.v1"
    stream: ClassVar[Stream] = Stream.DEAD_LETTERS

    origin_stream: Annotated[str, Field(alias="stream")]
    entry_id: str
    service: Identifier
    error: RejectionError
    original: str
    """Base64 of the entry's bytes."""
    attempts: Annotated[int, Field(ge=1)]
