"""The port: what a channel is given, what it answers, and in how many ways it can fail.

    DeliveryError            one attempt has failed; `cause` names no address
    ├── PassingError         try again, on this channel, not before `retry_after_s` where the other side said so
    ├── RefusedError         never again this message here; where `address_is_dead`, nothing more to this address
    └── UncertainError       it may have arrived: what that means is for the class of the message to say

A clinician's alert is sent again after `UncertainError`, under the same id; a patient's reminder is not.
Anything else that a channel raises is a bug of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one recipient, fit to leave the house. What a channel does not need it ignores."""

    notification_id: str
    """The same in every repeat of the same message: Message-ID, webhook-id."""
    about: str
    """Id of the event that it tells of."""
    kind: str
    """`escalation`, `digest`, `notice`, or the kind of a reminder."""
    subject: str
    text: str
    html: str | None = None
    """The same for readers of HTML. It loads nothing from elsewhere; its chart is `cid:` and `chart_cid()`."""
    chart_png: bytes | None = None
    short: str = ""
    """The same in a line or two, for push and chat."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for machines: what a webhook posts as JSON."""
    thread_id: str = ""
    """One for all messages about the same escalation, so that they stand together in a mailbox."""
    recipient: str = ""
    """A recipient's name in the policy; empty for the patient."""
    escalation_id: str = ""
    severity: str = ""
    patient_id: str = ""
    """For our own log only: no other channel passes it on."""

    @property
    def is_urgent(self) -> bool:
        """It must not wait for others: an emergency."""
        return self.severity == "emergency"


def chart_cid(notification_id: str) -> str:
    """The Content-ID under which a message's HTML finds its chart."""
    return f"trend.{notification_id}@adaptive-care"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The other side has taken the message over; that a person has read it is another matter."""

    code: str
    """How it said so, such as `250` or `204`: for the ledger, without address and without its words."""


class DeliveryError(Exception):
    """One attempt has failed."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class PassingError(DeliveryError):
    """Another try may help."""

    def __init__(self, cause: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(cause)
        self.retry_after_s = retry_after_s


class RefusedError(DeliveryError):
    """No other try on this channel can help."""

    def __init__(self, cause: str, *, address_is_dead: bool) -> None:
        super().__init__(cause)
        self.address_is_dead = address_is_dead


class UncertainError(DeliveryError):
    """It may have been taken over: the answer is missing."""


class Channel(Protocol):
    """One way to reach people. Many messages may be on their way at once."""

    @property
    def name(self) -> str:
        """As policies and contacts call it."""
        ...

    async def send(self, message: Message, address: str) -> Receipt:
        """Returns once the other side has taken it over. Raises a DeliveryError, in bounded time."""
        ...
