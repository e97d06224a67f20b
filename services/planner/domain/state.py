"""What the planner remembers of a patient: registers that come out the same in any order of arrival."""

from datetime import datetime

import msgspec

from shared.event.intake import Equipment

EPISODES_AT_MOST = 4
WAITING_AT_MOST = 32


class Stamp(msgspec.Struct, frozen=True, order=True):
    """When something happened; the id breaks ties, so that the latest is always the same."""

    time: datetime
    id: str


class Classified(msgspec.Struct, frozen=True):
    """The newest classification of an intake."""

    at: Stamp
    body: bytes
    """Its payload as JSON, without what only explains it."""


class Reclassified(msgspec.Struct, frozen=True):
    """The newest clinician's word on the conditions; it binds over any classification."""

    at: Stamp
    conditions: tuple[str, ...]


class Chosen(msgspec.Struct, frozen=True):
    """The newest value that a clinician set."""

    at: Stamp
    value: float


class Published(msgspec.Struct, frozen=True):
    """The plan last published, as far as a later one is compared with it."""

    version: int
    status: str
    conditions: tuple[str, ...]
    is_start: bool
    modifiers: tuple[str, ...]
    side: str
    reclassified_by: str
    versions: tuple[tuple[str, str], ...]
    """Condition and protocol version: an episode of care keeps those that it began with."""
    time: datetime


class ToleratedLoad(msgspec.Struct, frozen=True):
    """What an exercise was last done with."""

    exercise_id: str
    equipment: Equipment | None
    load_kg: float | None
    load_level: int | None


class Episode(msgspec.Struct, frozen=True):
    """One intake and the program that follows from it."""

    intake_id: str
    first_at: Stamp
    """Of its earliest classification known: a later intake replaces the program of an earlier one."""
    classified: Classified
    approved: Stamp | None = None
    modified: Stamp | None = None
    reclassified: Reclassified | None = None
    removed: tuple[str, ...] = ()
    sessions_per_week: Chosen | None = None
    load_factor: Chosen | None = None
    ended: Stamp | None = None
    """The earliest end: by a clinician, the patient, progression, or a newer intake."""
    published: Published | None = None
    escalation_id: str | None = None
    """The one that asks for approval, while it is open."""
    version_seen: int = 0
    """The highest in the stream of programs: progression numbers its changes in the same row."""
    tolerated_seq: int = 0
    tolerated: tuple[ToleratedLoad, ...] = ()
    """Of the prescription last in force."""
    planned: tuple[str, ...] = ()
    """Every exercise of the plan last published, in any phase."""


class Waiting(msgspec.Struct, frozen=True):
    """An event that came before the classification that it belongs to."""

    at: Stamp
    intake_id: str
    event_type: str
    body: bytes
    stream: str
    entry_id: str
    raw: bytes


class PlannerState(msgspec.Struct, frozen=True):
    """One patient. `episodes` by the time of their first classification, oldest first."""

    episodes: tuple[Episode, ...] = ()
    waiting: tuple[Waiting, ...] = ()
