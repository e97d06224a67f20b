"""What patients are taught."""

from typing import Annotated

from pydantic import Field

from shared.protocol.source import Record, Sourced

TopicId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")]


class EducationTopic(Sourced):
    """One lesson in plain words. `source` is what the patient's copy refers to."""

    title: Annotated[str, Field(min_length=1, max_length=120)]
    text: Annotated[str, Field(min_length=1, max_length=1200)]


class EducationLibrary(Record):
    """Every topic by its id."""

    topics: dict[TopicId, EducationTopic]
