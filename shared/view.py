"""What a service shows of one patient to whoever asks over HTTP: pure functions of its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from shared.protocol.library import Protocols

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a view is answered with, beside the service's state."""

    subject: str
    now: datetime
    protocols: Protocols
    prescriptions: Mapping[str, int]
    """Program id to the number of its newest prescription, read in one transaction with the state."""


@dataclass(frozen=True, slots=True)
class View(Generic[S]):
    """One question about a patient: `GET /v1/patients/{patient}/{name}`."""

    name: str
    summary: str
    """One line for documents."""
    model: type[BaseModel]
    """What `show` returns."""
    show: Callable[[S, Inquiry], BaseModel | None]
    """Pure. None where nothing is held that would answer it."""
