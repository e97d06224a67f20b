"""What every channel offers."""

from dataclasses import dataclass
from typing import Protocol

from services.notifier.text import Text


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient. Everything but `text` may be logged."""

    notification_id: str
    about: str
    kind: str
    """`escalation`, or the kind of the reminder."""
    patient_id: str
    text: Text
    recipient: str = ""
    """A role of the policy; empty for the patient."""
    escalation_id: str = ""
    severity: str = ""


class UndeliverableError(Exception):
    """One attempt failed. The message names the cause without any address."""

    def __init__(self, cause: str, *, permanent: bool = False) -> None:
        super().__init__(cause)
        self.permanent = permanent


class Channel(Protocol):
    """Raises UndeliverableError; returns once the message is accepted."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Message, address: str) -> None: ...
