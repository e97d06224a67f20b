"""What every decision carries: which protocol, why, what it rests on, and what would have turned it."""

from typing import Annotated

from pydantic import Field

from shared.event.wire import Identifier, Wire


class ProtocolRef(Wire):
    """A protocol file and its version."""

    id: Identifier
    version: str


class Explained(Wire):
    """Guarantee 6: a decision explains itself in words that a clinician can read."""

    protocol: ProtocolRef
    rationale: str
    references: tuple[str, ...] = ()
    """Evidence rows, such as `T32`; `adaptive-care protocols` and docs/evidence resolve them."""
    turning_point: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """The smallest change that would have turned the decision, in words."""
