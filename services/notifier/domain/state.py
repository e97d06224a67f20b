"""What the notifier holds of one patient. Constant size: every collection has its bound here.

Facts (what events say) are last-writer-wins by event time, or sets of the newest, so that any order of
arrival ends in the same facts. Beside them stands what was done about them: the ladders' progress,
the outbox and the reminders sent, which follow the order in which things happened.
"""

from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from services.notifier.domain.chart import Chart
from shared.decision import Origin
from shared.event.decision import DecisionKind
from shared.event.escalation import EscalationReason
from shared.event.vocabulary import Urgency

T = TypeVar("T")

LAST_RESORT = 0
"""In the place of a step's number."""

MAX_PROGRAMS = 8
MAX_SESSIONS = 32
MAX_MORNINGS = 32
MAX_ALARMS = 24
MAX_ANSWERS = 4
MAX_NOTICED = 16
MAX_WAITING = 16
MAX_OUTBOX = 48
MAX_REMINDED = 32
"""More than two weeks of the longest budget: what is older cannot come due again."""
MAX_OWED = 4
MAX_REFUSED = 10


class Said(Struct, Generic[T], frozen=True):
    """A value with the event that said it; the newest event wins, by time and then by id."""

    value: T
    at: datetime
    by: str


class QuietHours(Struct, frozen=True):
    """Local `HH:MM`; past midnight where `end` is before `start`."""

    start: str
    end: str


class Away(Struct, frozen=True):
    """Local dates, both inclusive."""

    first: date
    last: date


class Refusal(Struct, frozen=True):
    """An address of the patient that refused for good. It is tried no more."""

    channel: str
    address_hash: str
    at: datetime
    code: str = ""
    """What the other side answered, such as `550`."""


class Patient(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `care.patient.updated.v1` told, field by field. The contact is identifying."""

    timezone: Said[str] | None = None
    quiet_hours: Said[QuietHours] | None = None
    contact: Said[tuple[tuple[str, str], ...]] | None = None
    """Channel and address, in the order of the channels' names."""
    reminders: Said[bool] | None = None
    """Consent; None: never asked, which is no consent."""
    care_team: Said[str] | None = None
    language: Said[str] | None = None
    away: Said[Away] | None = None
    refused: tuple[Refusal, ...] = ()
    """Of the present contact only: a new address begins anew."""


class OwedMeasure(Struct, frozen=True):
    instrument: str
    every_weeks: int


class Program(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One program as its newest event left it. Without `status` only its stop or a prescription is known."""

    program_id: str
    latest_at: datetime
    """Newest event of any kind that named it: the oldest program makes room."""
    status: str = ""
    as_of: datetime | None = None
    version: int = 0
    by: str = ""
    planned_at: datetime | None = None
    """Its earliest event."""
    sessions_per_week: int = 0
    days: tuple[int, ...] = ()
    next_morning: bool = False
    measures: tuple[OwedMeasure, ...] = ()
    prescription_seq: int = 0
    prescribes: bool = False
    """Whether the prescription in force holds an exercise."""
    stopped_at: datetime | None = None


class Session(Struct, frozen=True, order=True):
    started_at: datetime
    session_id: str
    program_id: str


class Morning(Struct, frozen=True, order=True):
    """A next-morning pain that was reported; without a session id it answers the session before it."""

    reported_at: datetime
    session_id: str


class Option(Struct, frozen=True):
    label: str
    evidence_grade: str


class Answer(Struct, frozen=True, order=True):
    """A clinician's decision on an escalation; of one of refer and discharge, also where it named none."""

    at: datetime
    decision_id: str
    by: str
    """The clinician's id; empty where the word came without one."""
    intent: str
    """The kind of the decision, such as `acknowledge`."""


class Alarm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One escalation: its highest severity, its newest text, and how far its ladder has climbed."""

    escalation_id: str
    severity: Urgency = "routine"
    reason: EscalationReason = "clinician_review"
    program_id: str = ""
    about: str = ""
    """Id of the newest `raised`; empty while only its end is known."""
    severe_since: datetime | None = None
    """Earliest `raised` of the highest severity: only a later decision answers it."""
    raised_at: datetime | None = None
    """Newest `raised`."""
    respond_by: datetime | None = None
    situation: str = ""
    background: str = ""
    assessment: str = ""
    recommendation: str = ""
    options: tuple[Option, ...] = ()
    answered_at: datetime | None = None
    """Newest answer."""
    answers: tuple[Answer, ...] = ()
    """The newest, oldest first."""
    resolved_at: datetime | None = None
    resolution: str = ""
    """How the newest end came: a resolution of `EscalationResolved`."""
    reopened_at: datetime | None = None
    """When its acknowledgement ran out, last: only a later decision answers it."""
    rung: int = 0
    """Rungs of the ladder already climbed since it was raised, worsened or reopened."""
    calls: int = 0
    """How often somebody was to be told since then."""
    next_at: datetime | None = None
    """Its next step, which every open one has: the next rung, or the end of its acknowledgement."""
    last_resort: bool = False
    """The last resort has been told since the ladder began anew."""
    entered_at: datetime | None = None
    """When the event that made it open or worse entered the stream, by Redis's clock: what latency is measured from."""
    is_told: bool = False
    """A message about it was taken over since."""
    noticed: tuple[str, ...] = ()
    """What the owner was told about its messages, so that he is told once."""
    ledger_seq: int = 0
    """Number of the newest entry of its ledger; 0 where there is none."""
    ledger_hash: str = ""
    """That entry's hash, which the next one will name."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A decision on an escalation that is not known yet."""

    decision_id: str
    escalation_id: str
    clinician_id: str
    decision: DecisionKind
    useful: bool | None = None
    at: datetime
    until: datetime
    origin: Origin


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one recipient, not yet delivered."""

    notification_id: str
    about: str
    """Id of the event that it tells of."""
    kind: str
    """`escalation`, `digest` for an escalation that is told together with others, or the kind of the reminder."""
    channel: str
    due_at: datetime
    """For a digest the same instant for all escalations of one recipient."""
    recipient: str = ""
    """A role of the policy; empty for the patient."""
    escalation_id: str = ""
    channels: tuple[str, ...] = ()
    """The fall-backs that are left, the preferred first."""
    step: int = 0
    """Of the policy's chain, from 1; `LAST_RESORT` for the last resort."""
    urgent: bool = False
    """An emergency: it waits for nothing else."""
    attempts: int = 0
    """Those that failed on the present channel."""
    begun: bool = False
    """An attempt is claimed, and what came of it is not known yet."""
    unknown: int = 0
    """Attempts on the present channel of which nobody will ever know."""
    given_up: bool = False
    """It lies in the dead letters, from where it can be put back."""
    matter: str = ""
    """Of a notice to the owner: recipient, channel and what happened, separated by `/`."""
    expires_at: datetime | None = None


class Reminded(Struct, frozen=True):
    """A reminder that went out. Kind, program and matter are its identity, whatever the time zone."""

    reminder_id: str
    at: datetime
    """When it was due."""
    kind: str = ""
    program_id: str = ""
    matter: str = ""


class Owed(Struct, frozen=True):
    """A reminder whose local time a change of time zone has jumped over: it comes after the jump."""

    kind: str
    program_id: str
    matter: str
    at: datetime


SilenceWhy = Literal["budget", "no_word", "unreachable"]


class Silence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """No reminder any more: the care team has one task, until the patient is heard or a clinician decides."""

    why: SilenceWhy
    since: datetime
    program_id: str
    heard_at: datetime | None = None
    """The patient's last word when it began: a newer one ends it."""
    escalation_id: str = ""
    """The task; empty where an open escalation of progression asks the team to reach the patient already."""


class Resolving(Struct, frozen=True):
    """The newest decision by which a clinician lets care go on, or ends it."""

    at: datetime
    decision_id: str
    decision: DecisionKind
    escalation_id: str = ""


class NotifierState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything of one patient."""

    patient: Patient = Patient()
    programs: tuple[Program, ...] = ()
    """In the order of their ids."""
    sessions: tuple[Session, ...] = ()
    """The newest, oldest first."""
    mornings: tuple[Morning, ...] = ()
    measured: tuple[tuple[str, datetime], ...] = ()
    """Newest report of each instrument, in the order of their names."""
    heard_at: datetime | None = None
    """Newest session or check-in."""
    closed_at: datetime | None = None
    """Newest referral or discharge: it ends every program planned until then."""
    alarms: tuple[Alarm, ...] = ()
    """In the order of their ids."""
    waiting: tuple[Waiting, ...] = ()
    outbox: tuple[Delivery, ...] = ()
    """Oldest first."""
    resolving: Resolving | None = None
    reminded: tuple[Reminded, ...] = ()
    """Oldest first."""
    owed: tuple[Owed, ...] = ()
    silence: Silence | None = None
    reminded_to: datetime | None = None
    """No reminder that was due until then is sent any more."""
    ledger: tuple[dict[str, Any], ...] = ()
    """New entries on their way to the ledger: within a decision only, never in a committed state."""
    chart: Chart = Chart()
    """What the clinician's page shows beside the alarms; nothing is decided by it."""
