"""Outcome measures as they are reported."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.event.vocabulary import InstrumentId, vocabulary
from shared.event.wire import Instant, Omittable, Wire


class Measure(Wire):
    """One value of one instrument, in the instrument's own points."""

    instrument: InstrumentId
    value: Annotated[float, Field(allow_inf_nan=False)]
    taken_at: Omittable[Instant] = None

    @model_validator(mode="after")
    def _within_range(self) -> Self:
        instrument = vocabulary().instruments.get(self.instrument)
        if instrument is None:  # of a newer vocabulary
            return self
        if not instrument.minimum <= self.value <= instrument.maximum:
            raise PydanticCustomError(
                "out_of_range",
                "{instrument} runs from {minimum} to {maximum}",
                {
                    "instrument": self.instrument,
                    "minimum": instrument.minimum,
                    "maximum": instrument.maximum,
                },
            )
        return self
