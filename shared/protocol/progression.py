"""How load follows symptoms."""

from shared.protocol.source import Record


class ProgressionRules(Record):
    """How load follows symptoms."""
