"""How mixed presentations are merged."""

from shared.protocol.source import Record


class MixRules(Record):
    """How mixed presentations are merged."""
