"""What every decision carries: which protocol, why, what it rests on, and what would have turned it."""

from typing import Annotated

from pydantic import Field

from shared.event.wire import Identifier, Omittable, Wire

Scalar = bool | int | float | str | None
"""A JSON value without structure."""


class ProtocolRef(Wire):
    """A protocol file and its version."""

    id: Identifier
    version: str


class Basis(Wire):
    """One thing that a decision rests on, and the value of it with which the decision would have been another.

    It can be tried: put `turned_by` in the place of `input` in the event that was decided on, change nothing
    else, decide again, and the outcome is `then`. Entries that share a `together` turn it only jointly.
    """

    rule: str
    """Evidence row or protocol rule that fired, such as `BANDS` or `P02`."""
    input: str
    """Field path in the event, such as `age_years`, `findings.hop_test`, `measures.GROC` or `exercises[].pain`.

    After an array stands what is meant of it: an id (`measures.GROC` its value, `modifiers.pregnant` and
    `symptoms.paraesthesia` whether it is listed, true or false), or `[]` for every element.
    """
    value: Scalar = None
    """What the decision read there; null where nothing was answered."""
    threshold: Scalar = None
    """What the rule compares with; null where it compares with no figure."""
    source: tuple[str, ...] = ()
    """Evidence rows behind the rule."""
    turned_by: Scalar = None
    """The value that turns the decision; null where no value of this input is known to."""
    then: str
    """What the decision would have been: a disposition, a condition, `held`, `progress` …; unturned, what it is."""
    together: Omittable[int] = None
    """Entries with the same number turn the decision together and not alone; left out: this one alone does."""


class Explained(Wire):
    """Guarantee 6: a decision explains itself in words that a clinician can read."""

    protocol: ProtocolRef
    rationale: str
    references: tuple[str, ...] = ()
    """Evidence rows, such as `T32`; `adaptive-care protocols` and docs/evidence resolve them."""
    turning_point: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """The smallest change that would have turned the decision, in words."""
    basis: Annotated[tuple[Basis, ...], Field(exclude_if=lambda value: not value)] = ()
    """The same, to be tried: what the decision rests on and what would have turned it."""
