"""A condition's pain rules, expected course, and when care for it has failed."""

from typing import Annotated

from pydantic import Field

from shared.event.vocabulary import InstrumentId
from shared.protocol.source import Record, Sourced


class PainRule(Sourced):
    """Up to `progress_at_most` load may rise, up to `allowed_at_most` it holds, above that it falls."""

    progress_at_most: Annotated[float, Field(ge=0, le=10)]
    allowed_at_most: Annotated[float, Field(ge=0, le=10)]
    morning_rise_at_most: Annotated[float, Field(ge=0, le=10)]
    """Points by which the next morning may exceed the pain before the session."""
    regress_symptoms: tuple[str, ...] = ()
    """Symptoms that count as red for this condition, such as `distal_spread`."""


class AdequateRules(Sourced):
    """What must have been tried before care can be called failed."""

    min_weeks: Annotated[int, Field(ge=1)]
    min_sessions: Annotated[int, Field(ge=1)]
    min_adherence: Annotated[float, Field(ge=0, le=1)]
    review_week: Annotated[int, Field(ge=1)]


class NextOption(Sourced):
    """What the evidence offers after failed care; never automatic."""

    option_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    label: str
    evidence_grade: str


class Course(Record):
    """How care for one condition should go."""

    measure: InstrumentId
    """The condition's own measure of function."""
    pain: PainRule
    adequate: AdequateRules
    options: tuple[NextOption, ...]
