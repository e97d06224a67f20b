"""What each template is given. What is not here, no template can say.

The contexts of outward messages hold no name and no contact of a patient, no free text and nothing clinical.
The one exception is the chart of pain, which a policy can leave out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.event.explanation import Basis
from shared.event.vocabulary import Urgency

Occasion = Literal["raised", "repeated", "worsened", "reopened"]
Matter = Literal["address_disabled", "given_up"]


@dataclass(frozen=True, slots=True)
class Chart:
    """Pain by week, as a PNG image and in words."""

    png: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """Who is told next if nobody answers: recipients by their names in the policy."""

    at: datetime
    recipients: tuple[str, ...]
    channels: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One escalation, to one recipient."""

    notification_id: str
    about: str
    """Id of the newest `raised`."""
    recipient: str
    escalation_id: str
    severity: Urgency
    raised_at: datetime
    respond_by: datetime | None = None
    zone: str = "UTC"
    """IANA name: the clock by which the recipient reads."""
    occasion: Occasion = "raised"
    link: str | None = None
    next_step: NextStep | None = None
    chart: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestItem:
    """One escalation within a digest."""

    escalation_id: str
    severity: Urgency
    raised_at: datetime
    respond_by: datetime | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What waits for one recipient, in the order in which it is listed."""

    notification_id: str
    about: str
    recipient: str
    at: datetime
    items: tuple[DigestItem, ...]
    zone: str = "UTC"
    link: str | None = None
    """Of the page that lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """To the owner of a policy: somebody can no longer be reached, or was not."""

    notification_id: str
    about: str
    recipient: str
    """The owner."""
    matter: Matter
    at: datetime
    channel: str
    cause: str
    """As the channel named it: without an address."""
    unreached: str = ""
    """The recipient who was to be told; empty for a patient."""
    attempts: int = 1
    escalation_id: str = ""
    severity: Urgency | None = None
    zone: str = "UTC"
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """To a patient."""

    notification_id: str
    about: str
    reminder_id: str
    kind: str
    """`session`, `checkin`, `measure` or `re_engage`."""
    due_at: datetime
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """Something that the decision read."""

    label: str
    value: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of what was asked is known."""

    sessions_reported: int
    sessions_due: int | None = None
    newest_report_at: datetime | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """What the evidence offers next."""

    label: str
    evidence_grade: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known of an escalation: for behind the link and for the preview, never outward."""

    patient_id: str
    escalation_id: str
    severity: Urgency
    reason: str
    raised_at: datetime
    situation: str
    background: str
    assessment: str
    recommendation: str
    respond_by: datetime | None = None
    program_id: str = ""
    zone: str = "UTC"
    rules: tuple[Basis, ...] = ()
    values: tuple[Value, ...] = ()
    completeness: Completeness | None = None
    options: tuple[Option, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
