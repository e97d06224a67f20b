"""Red flags: which facts imply them, which phrases make them suspected."""

from shared.protocol.source import Record


class RedFlagRules(Record):
    """Red flags: which facts imply them, which phrases make them suspected."""
