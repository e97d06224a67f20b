"""What all conditions share in classification."""

from shared.protocol.source import Record


class ScreeningRules(Record):
    """What all conditions share in classification."""
