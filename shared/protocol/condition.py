"""One condition of the buttock as one versioned file."""

from typing import Annotated

from pydantic import Field

from shared.protocol.course import Course
from shared.protocol.program import ProgramRules
from shared.protocol.recognition import Recognition
from shared.protocol.source import Record


class ConditionProtocol(Record):
    """How a condition is recognised, treated and progressed, and when care for it has failed."""

    condition_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    name: str
    recognition: Recognition
    program: ProgramRules
    course: Course
