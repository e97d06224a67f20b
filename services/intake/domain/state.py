"""What intake remembers of a patient: bounded, whatever the length of care."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.event.decision import DecisionKind
from shared.event.escalation import EscalationReason
from shared.event.vocabulary import Urgency

VERSIONS_AT_MOST = 16
WAITING_AT_MOST = 16

FlagSource = Literal["reported", "derived", "suspected"]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A red flag that no clinician has settled yet."""

    red_flag_id: str
    urgency: Urgency
    source: FlagSource
    time: datetime
    """When it was last told."""
    intake_id: str | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version of one intake."""

    intake_id: str
    time: datetime
    event_id: str


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of all intakes, kept to be classified again where a red flag comes to light late."""

    intake_id: str
    time: datetime
    event_id: str
    facts: str
    """The intake as JSON, without the patient's own words in `notes`."""
    suspected: tuple[str, ...]
    """Red flags that the notes made suspected."""
    disposition: str
    flags: tuple[str, ...]
    classified_at: datetime
    """The time that its last classification carries: a revised one must be newer, whatever came late."""


class OpenEscalation(msgspec.Struct, frozen=True, kw_only=True):
    """At most one for each reason."""

    escalation_id: str
    reason: EscalationReason
    severity: Urgency
    time: datetime
    intake_id: str | None = None
    flags: tuple[Flag, ...] = ()
    """By id, for the reason red_flag."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A red flag or a reason on which a clinician decided: what was told up to then raises nothing again."""

    key: str
    time: datetime


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """A reason that a clinician chose to continue with: not raised again until then, unless it gets worse."""

    reason: EscalationReason
    until: datetime
    severity: Urgency
    flags: tuple[str, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A decision on an intake that is not known yet."""

    decision_id: str
    decision: DecisionKind
    intake_id: str
    time: datetime
    stream: str
    entry_id: str
    raw: bytes


class IntakeState(msgspec.Struct, frozen=True, kw_only=True):
    """One patient."""

    current: Current | None = None
    versions: tuple[Version, ...] = ()
    escalations: tuple[OpenEscalation, ...] = ()
    settled: tuple[Settled, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    waiting: tuple[Waiting, ...] = ()
