"""The safe start program for an undetermined condition."""

from shared.protocol.source import Record


class StartProgram(Record):
    """The safe start program for an undetermined condition."""
