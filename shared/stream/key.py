"""Every Redis key, and who reads and answers for which stream.

All keys of a partition carry its hash tag `{p}`, so that one script may change them together,
also on a Redis Cluster.
"""

import hashlib
from binascii import crc_hqx
from enum import Enum

from shared.event.wire import Stream

CLOCK = "care:clock"
"""The replay clock, RFC 3339; who replays history moves it."""
CLOCK_HANDLED = "care:clock:handled"
"""Hash of service -> the instant up to which all its timers have fired."""
PARTITIONS = "care:partitions"
"""How many partitions this Redis holds; written once."""
HTTP_KEYS = "care:{0}:http:keys"
"""Hash of key id -> an API key of the HTTP door, its secret hashed."""
AUDIT = "care:{0}:audit"
"""Stream of who read or decided what."""
AUDIT_HEAD = "care:{0}:audit:head"
"""Number and hash of its newest entry."""


DATA_FIELD = b"__data__"
"""The one field of an entry."""

READERS: dict[Stream, tuple[str, ...]] = {
    Stream.INTAKES: ("intake",),
    Stream.SESSIONS: ("progression", "notifier"),
    Stream.DECISIONS: ("intake", "planner", "progression", "notifier"),
    Stream.PATIENTS: ("intake", "planner", "progression", "notifier"),
    Stream.CLASSIFICATIONS: ("planner",),
    Stream.PROGRAMS: ("planner", "progression", "notifier"),
    Stream.ADJUSTMENTS: ("notifier",),
    Stream.ESCALATIONS: ("notifier",),
    Stream.REMINDERS: (),
    Stream.NOTIFICATIONS: (),
    Stream.DEAD_LETTERS: (),
}
"""The groups that must exist and must have handled an entry before it may be trimmed."""

ANSWERS_FOR: dict[Stream, str] = {
    Stream.INTAKES: "intake",
    Stream.SESSIONS: "progression",
    Stream.DECISIONS: "planner",
    Stream.PATIENTS: "notifier",
    Stream.CLASSIFICATIONS: "planner",
    Stream.PROGRAMS: "progression",
    Stream.ADJUSTMENTS: "notifier",
    Stream.ESCALATIONS: "notifier",
}
"""Of several readers, the one that dead-letters what cannot be decoded, so that it happens once."""


def partition_of(patient: str, partitions: int) -> int:
    """The partition of a patient: Redis Cluster's key slot of the id, modulo the number of partitions."""
    return crc_hqx(patient.encode(), 0) % 16384 % partitions


def stream_key(partition: int, stream: Stream) -> str:
    """The key of one partition of a stream."""
    return f"care:{{{partition}}}:{stream.value}"


class Lane(Enum):
    """The internal streams of a service's timers that have come due."""

    DUE = "due"
    URGENT = "due:urgent"
    """For timers whose name begins with `URGENT`, so that no queue of others delays them."""


def lane_key(partition: int, service: str, lane: Lane) -> str:
    """One lane of one service."""
    return f"care:{{{partition}}}:{service}:{lane.value}"


def stream_of(key: str) -> str:
    """Without partition and service: `care:{3}:notifier:due:urgent` is `due:urgent`."""
    name = key.split("}:", 1)[1]
    return next((lane.value for lane in Lane if name.endswith(f":{lane.value}")), name)


def timers_key(partition: int, service: str) -> str:
    """Sorted set of a service's timers: member `<patient>|<name>`, score the due instant in ms."""
    return f"care:{{{partition}}}:{service}:timers"


def state_key(partition: int, service: str, patient: str) -> str:
    """A patient's record of one service."""
    return f"care:{{{partition}}}:{service}:state:{patient}"


def tombstone_key(partition: int, service: str, patient: str) -> str:
    """What tells that a patient was erased, without the pseudonym: its SHA-256 only."""
    return f"care:{{{partition}}}:{service}:erased:{hashlib.sha256(patient.encode()).hexdigest()[:32]}"


def seen_key(partition: int, service: str, patient: str) -> str:
    """Sorted set of the marks against duplicates of one patient and service, scored by when they were set."""
    return f"care:{{{partition}}}:{service}:seen:{patient}"


def ledger_key(partition: int, service: str, patient: str) -> str:
    """Stream of what a service did for a patient, kept until the patient is erased."""
    return f"care:{{{partition}}}:{service}:ledger:{patient}"


def list_key(partition: int, service: str, name: str) -> str:
    """Sorted set over all patients: member `<patient>|<item>`, score an instant in ms."""
    return f"care:{{{partition}}}:{service}:list:{name}"


def register_key(partition: int, service: str) -> str:
    """Hash of what a service knows that belongs to no patient."""
    return f"care:{{{partition}}}:{service}:register"


def groups_key(partition: int) -> str:
    """Hash of `<service>|<stream key>` for each consumer group that was ever made."""
    return f"care:{{{partition}}}:groups"


def present_key(service: str) -> str:
    """That a replica of the service reads its streams; how fresh the word is tells its time to live."""
    return f"care:{{0}}:present:{service}"


def joint_key(service: str, name: str) -> str:
    """Whether something that one does for many patients is begun or done."""
    return f"care:{{0}}:{service}:joint:{name}"


def alias_key(partition: int) -> str:
    """Hash of patient -> the alias by which the audit log knows them."""
    return f"care:{{{partition}}}:audit:alias"


def alias_name_key(partition: int) -> str:
    """Hash of alias -> patient."""
    return f"care:{{{partition}}}:audit:name"


def prescriptions_key(partition: int, patient: str) -> str:
    """Hash of program id -> the number of its newest prescription, shared by the services."""
    return f"care:{{{partition}}}:prescriptions:{patient}"


def rejected_key(partition: int) -> str:
    """Sorted set of the entries that some service has rejected, scored by when, in ms: each has one dead letter."""
    return f"care:{{{partition}}}:rejected"


def http_requests_key(key_id: str) -> str:
    """How many requests an API key has made in the running minute."""
    return f"care:{{0}}:http:requests:{key_id}"


def webhooks_key() -> str:
    """Hash of subscription id -> the subscription, with its keys."""
    return "care:{0}:webhooks"


def webhook_replicas_key() -> str:
    """Sorted set of the processes that work subscriptions, scored by when each was last heard of, in ms."""
    return "care:{0}:webhooks:replicas"


def webhook_standing_key(subscription: str) -> str:
    """Hash of how one subscription stands: active, paused, held or ended, and why."""
    return f"care:{{0}}:webhook:{subscription}:standing"


def webhook_key(partition: int, subscription: str, part: str) -> str:
    """What one subscription has in one partition: `lease`, `fence`, `cursor`, `ahead`, `tries`, `ledger`, `gaps`, …"""
    return f"care:{{{partition}}}:webhook:{subscription}:{part}"
