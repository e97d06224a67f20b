"""What a patient's circumstances change."""

from shared.protocol.source import Record


class ModifierRules(Record):
    """What a patient's circumstances change."""
