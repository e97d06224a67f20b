"""How intake recognises a condition."""

from shared.protocol.source import Record


class Recognition(Record):
    """How intake recognises a condition."""
