"""What progression keeps of one patient: bounded, frozen, the same for any order of arrival.

`head` is everything folded. What comes out of order is folded anew: from the newest checkpoint that is older than
the late window, with the facts of `window`, all since then (docs/decisions/0013).
"""

import zlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from services.progression.domain.adherence import Adherence
from services.progression.domain.book import Book, Dose
from services.progression.domain.fact import Fact, order
from services.progression.domain.goal import GoalState
from services.progression.domain.load import Light, Track, reduce_volume
from services.progression.domain.statistic import Statistic
from services.progression.domain.verdict import Extension
from shared.event.escalation import EscalationReason
from shared.event.vocabulary import Urgency

Resolution = Literal[
    "continue", "resume", "approve", "modify", "reclassify", "refer", "discharge", "stopped", "superseded"
]
Status = Literal["none", "proposed", "active", "held", "ended"]


class Stand(Struct, frozen=True):
    """Where one condition stands in its own protocol."""

    condition_id: str
    phase_id: str
    since: datetime
    met: int = 0
    """Check-ins in a row that met every exit criterion."""
    sessions: int = 0
    """Since the phase began, with at least a part of its exercises really done."""


class Note(Struct, frozen=True, array_like=True):
    """One of the last sessions, as far as later decisions look back at it."""

    session_id: str
    time: datetime
    light: Light
    pain_nprs: float
    pain_before: float | None = None
    morning_nprs: float | None = None
    performed_share: float | None = None
    """Of what was prescribed, 0 to 1."""
    is_settled: bool | None = None
    """The next morning was back at the pain before; None while unknown."""


class Pending(Struct, frozen=True):
    """The newest session until its next morning: which exercises have earned a step."""

    session_id: str
    time: datetime
    earned: tuple[str, ...]


class Relief(Struct, frozen=True):
    """A lighter time: fewer sets until a good session after its end."""

    until: datetime
    volume_factor: float
    rule: str


PLANNED_RELIEF = "P13"
"""The rule of the lighter week of every few."""


class Flare(Struct, frozen=True):
    """A flare of symptoms since its first sign. Source: P14, P15."""

    since: datetime
    usual_nprs: float
    """The median before it."""
    grade: Literal["mild", "moderate", "severe"]


class Gap(Struct, frozen=True):
    """What the days without a session have taken off the load so far. Source: P18."""

    step: int
    tracks: tuple[Track, ...]
    """As they were before."""


class Escalation(Struct, frozen=True, omit_defaults=True):
    """One that is open. `evidence`: what the decision read, in words, in the order in which it came."""

    reason: EscalationReason
    escalation_id: str
    severity: Urgency
    raised_at: datetime
    updated_at: datetime
    holds: bool
    rule: str
    why: str
    evidence: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    respond_within_h: int | None = None
    """Where a rule asks for another time than its severity."""


class Quiet(Struct, frozen=True):
    """After `continue` the reason is raised again only later, or when it is more severe."""

    reason: EscalationReason
    until: datetime
    severity: Urgency
    flags: tuple[str, ...] = ()


class Closed(Struct, frozen=True, omit_defaults=True):
    """How the last escalation of a reason ended."""

    reason: EscalationReason
    resolution: Resolution
    time: datetime
    decision_id: str | None = None


class ReachedNote(Struct, frozen=True):
    """A goal that was reached."""

    goal_id: str
    horizon: Literal["short_term", "long_term"]
    value: float
    target: float
    week: int
    time: datetime


class Tolerated(Struct, frozen=True, array_like=True):
    """One exercise as it was tried: the hardest dose that was tolerated, how often symptoms reduced it, how much of
    it was prescribed for the sessions that were reported, and how much was done.
    """

    exercise_id: str
    highest: Dose | None = None
    """None: no dose of it has been shown to be tolerated."""
    times_reduced: int = 0
    sessions: int = 0
    """Reported while it was prescribed."""
    sessions_done: int = 0
    """Of those, the ones with a set of it."""
    prescribed: float = 0.0
    """Repetitions, or seconds of hold."""
    performed: float = 0.0


class Snapshot(Struct, frozen=True, omit_defaults=True):
    """Everything that follows from facts up to `clock`."""

    clock: datetime | None = None
    """The newest fact or virtual timer."""
    ticked: datetime | None = None
    """The newest virtual timer: a fact of its very instant goes before it."""
    program_id: str | None = None
    version: int = 0
    started_at: datetime | None = None
    """When the program was first planned."""
    approved_at: datetime | None = None
    """When a clinician's word last made a proposal of it run."""
    status: Status = "none"
    week_end: datetime | None = None
    """The next one that is due."""
    stands: tuple[Stand, ...] = ()
    tracks: tuple[Track, ...] = ()
    sessions_per_week: int = 0
    days_cap: int | None = None
    """Days a week that a clinician allows at most."""
    stopped_exercises: tuple[str, ...] = ()
    """Never prescribed again in this program unless a clinician plans anew."""
    relief: Relief | None = None
    lightened_at: datetime | None = None
    """The start, the last deload or flare: from here the weeks until the next deload count."""
    flare: Flare | None = None
    regressed_at: datetime | None = None
    """Amber sessions count from here."""
    flare_ended: datetime | None = None
    gap: Gap | None = None
    rest_until: datetime | None = None
    """Ill: no session until then."""
    holds: tuple[str, ...] = ()
    """Reasons of escalations that hold the program, or `clinician`, or `planner`."""
    pending: Pending | None = None
    unanswered: int = 0
    """Sessions in a row without their next morning."""
    notes: tuple[Note, ...] = ()
    pains: tuple[tuple[datetime, float], ...] = ()
    """Worst pain of the last sessions and mornings, for the median."""
    nights: tuple[datetime, ...] = ()
    """Reports of more pain at night."""
    symptoms: tuple[str, ...] = ()
    """Known symptoms of the last reports, for the clinician's packet."""
    heard: tuple[tuple[str, datetime], ...] = ()
    """Each known symptom that was ever reported, with its last report; by name."""
    unfit: int = 0
    """Reports in a row of symptoms that the condition does not explain."""
    open: tuple[Escalation, ...] = ()
    closed: tuple[Closed, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    last_session: datetime | None = None
    last_contact: datetime | None = None
    low_weeks: int = 0
    """Weeks in a row with too few sessions."""
    away: tuple[datetime, datetime] | None = None
    timezone: str = "UTC"
    off_since: datetime | None = None
    """Held, proposed or ill: no session is due from here on."""
    excused: tuple[date, ...] = ()
    """Local dates of the running week without a session due."""
    extension: Extension | None = None
    tolerated: tuple[Tolerated, ...] = ()
    harder_at: datetime | None = None
    """When more of an exercise that loads was last asked for; later by the lighter times since then."""
    stalled_weeks: int = 0
    """Weeks since then in which all was done and answered, without one between them in which too little was done."""
    statistic: Statistic | None = None
    adherence: Adherence | None = None
    goals: tuple[GoalState, ...] = ()
    reached: tuple[ReachedNote, ...] = ()

    @property
    def is_running(self) -> bool:
        """Sessions are due: active, not held."""
        return self.status == "active" and not self.holds

    @property
    def is_lighter_by_plan(self) -> bool:
        return self.relief is not None and self.relief.rule == PLANNED_RELIEF

    def in_force(self, dose: Dose) -> Dose:
        """What is prescribed of a dose: with fewer sets in a lighter time."""
        return reduce_volume(dose, self.relief.volume_factor) if self.relief else dose

    def escalation(self, reason: str) -> Escalation | None:
        for one in self.open:
            if one.reason == reason:
                return one
        return None

    def track(self, exercise_id: str) -> Track | None:
        for one in self.tracks:
            if one.dose.exercise_id == exercise_id:
                return one
        return None


_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_FACTS = msgspec.json.Decoder(tuple[Fact, ...])


class Checkpoint(Struct, frozen=True):
    """A snapshot to fold from, packed: it is read only when something comes out of order."""

    at: datetime
    """All facts before this instant are in it, and all timers due before it."""
    program_id: str | None
    version: int
    packed: bytes

    @classmethod
    def of(cls, s: Snapshot, at: datetime) -> "Checkpoint":
        return cls(at, s.program_id, s.version, zlib.compress(msgspec.json.encode(s), 1))

    def snapshot(self) -> Snapshot:
        return _SNAPSHOT.decode(zlib.decompress(self.packed))


class Pack(Struct, frozen=True, array_like=True):
    """Some older reports of the window, packed: they are read only when something comes out of order."""

    until: datetime
    """The time of the newest."""
    count: int
    packed: bytes

    @classmethod
    def of(cls, facts: Sequence[Fact]) -> "Pack":
        return cls(facts[-1].time, len(facts), zlib.compress(msgspec.json.encode(facts), 1))

    def facts(self) -> tuple[Fact, ...]:
        return _FACTS.decode(zlib.decompress(self.packed))


class Waiting(Struct, frozen=True, omit_defaults=True):
    """An event that belongs to something not yet known, with its original bytes."""

    event_id: str
    event_type: str
    time: datetime
    until: datetime
    stream: str
    entry_id: str
    raw: bytes
    has_acted: bool = False
    """A decision that binds the program already, and waits only for the escalation that it names."""


class RaisedEscalation(Struct, frozen=True):
    """As it was last published."""

    reason: EscalationReason
    escalation_id: str
    severity: Urgency
    flags: tuple[str, ...]
    program_id: str | None


class KnownEscalation(Struct, frozen=True, omit_defaults=True):
    """One that was raised at some time: what a decision on it answers."""

    escalation_id: str
    reason: EscalationReason
    flags: tuple[str, ...] = ()


class Left(Struct, frozen=True):
    """A program that another one has replaced: what is told of a session that still names it."""

    program_id: str
    phase_id: str
    protocol: tuple[str, str]
    response: bytes
    """As it last stood, JSON."""


class Told(Struct, frozen=True, array_like=True):
    """How care was going when it was told last."""

    status: str
    week: int
    probability: float | None


class Published(Struct, frozen=True, omit_defaults=True):
    """What the world has been told last: what differs from `head` is told next."""

    open: tuple[RaisedEscalation, ...] = ()
    goals: tuple[str, ...] = ()
    program_id: str | None = None
    version: int = 0
    """The highest of the program, whoever published it."""
    status: Status = "none"
    response: Told | None = None
    """Of the last adjustment of the program."""


class State(Struct, frozen=True, omit_defaults=True):
    """One patient."""

    checkpoints: tuple[Checkpoint, ...] = ()
    """Oldest first. The first is the base, where it is not newer than the cutoff; else care began after the cutoff."""
    head: Snapshot = Snapshot()
    recent: tuple[Fact, ...] = ()
    """The newest facts since the base, and all that are no reports."""
    is_behind: bool = False
    """What came too late has been counted since: with the next step all is folded anew, so that all know of it."""
    packs: tuple[Pack, ...] = ()
    """The older reports since the base, or some time before it."""
    cutoff: datetime | None = None
    """What is older comes too late: newest event time less the late window."""
    newest: datetime | None = None
    """Newest event time."""
    reached: datetime | None = None
    """All timers due by then have run; one that late facts bring up before it runs with them."""
    books: tuple[Book, ...] = ()
    """Versions of programs that checkpoints, head or window refer to."""
    ended_ids: tuple[str, ...] = ()
    """Programs that are over, as ids only."""
    left: tuple[Left, ...] = ()
    """The last of them."""
    known: tuple[KnownEscalation, ...] = ()
    """Escalations of this patient that were ever raised, the last ones."""
    waiting: tuple[Waiting, ...] = ()
    published: Published = Published()

    @property
    def base(self) -> Checkpoint | None:
        """Where facts within the late window are folded from: none where care began within it."""
        first = self.checkpoints[0] if self.checkpoints else None
        return None if first is None or self.cutoff is None or first.at > self.cutoff else first

    @property
    def window(self) -> tuple[Fact, ...]:
        """All facts since the base, in order."""
        if not self.packs:
            return self.recent
        base = self.base
        packed = [f for pack in self.packs for f in pack.facts() if base is None or f.time >= base.at]
        return tuple(sorted([*packed, *self.recent], key=order))

    def book(self, program_id: str | None, version: int) -> Book | None:
        return next((b for b in self.books if b.program_id == program_id and b.version == version), None)
