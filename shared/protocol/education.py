"""What patients are taught."""

from shared.protocol.source import Record


class EducationLibrary(Record):
    """What patients are taught."""
