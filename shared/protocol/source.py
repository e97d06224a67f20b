"""Every clinical number carries where it comes from and how far it may be trusted."""

import re
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Mark(StrEnum):
    """The certainty of a figure."""

    CHECKED = "checked"
    """Checked against its source, often the abstract only."""
    LITERATURE = "literature"
    """From the literature, not checked again."""
    DERIVED = "derived"
    """Arithmetic from checked or published figures."""
    JUDGEMENT = "judgement"
    """A design judgement without a direct source: a clinician signs it before clinical use."""


EvidenceId = Annotated[str, Field(pattern=r"^[A-Z§][A-Za-z0-9_.+/§-]{0,63}$")]
"""A row of `evidence.yaml`."""


SIGNATURE = re.compile(r"(?P<name>\S[^\n]{1,118}), (?P<day>\d{4}-\d{2}-\d{2})")
"""A clinician's name and the day of signing: `Dr A. Example, 2026-05-31`."""


class Record(BaseModel):
    """Anything in a protocol file: frozen, and a key that the schema does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sourced(Record):
    """An object of a protocol file whose numbers share one source."""

    source: Annotated[tuple[EvidenceId, ...], Field(min_length=1)]
    mark: Mark
    signed_by: str | None = None
    """The clinician who signed a judgement, and the day (`SIGNATURE`)."""


class Figure(Sourced, Generic[T]):
    """One value with its source: `{value: 5, source: [P01], mark: checked}`."""

    value: T


class EvidenceRow(Record):
    """One row of the evidence base: what it says and how certain it is."""

    statement: str
    mark: str
    """The row's own mark with its reference keys, e.g. `V:KIN24`."""
    section: str
