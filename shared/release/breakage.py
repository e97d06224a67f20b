"""One change that would break a producer or a consumer."""

from dataclasses import dataclass

PRODUCERS = "producers that were right would be refused"
CONSUMERS = "consumers could not read it"


@dataclass(frozen=True, slots=True)
class Breakage:
    """Where, what, and what to do."""

    subject: str
    """An event type, or a part of the vocabulary."""
    path: str
    """JSONPath into the event, `[*]` any element and `.*` any value; empty where it concerns the whole."""
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f" {self.path}" if self.path else ""
        return f"{self.subject}{place}: {self.what}; {self.remedy}"
