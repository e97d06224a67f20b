"""Patients in care and their sessions, as bytes: one patient is treated for real, the others are copies of it.

Treating one through the pure pipeline gives a record as progression would hold it after so many weeks, and the
session that comes next. Another patient's are the same bytes with another id of the same length, so seeding 100,000
patients takes seconds. Within the copies' compressed parts (the program as planned, checkpoints) the first patient's
ids remain: nothing that a session in order of time reads.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from redis.asyncio import Redis

from services.intake.app import make_service as make_intake
from services.planner.app import make_service as make_planner
from services.progression.app import make_service as make_progression
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.key import partition_of, state_key, stream_key
from shared.stream.pure_pipeline import PurePipeline
from shared.stream.record import pack, unpack

MODEL = "p-00000000"
SETTINGS = Settings(redis_url="redis://unused")
BEGUN = datetime(2026, 1, 5, 8, tzinfo=UTC)
SESSION_BYTES = 1024
DAYS_BETWEEN = 2
SEED_AT_ONCE = 500

Event = tuple[Stream, bytes]


@dataclass(frozen=True, slots=True)
class Workload:
    """A record of progression's after so many sessions, and what comes next."""

    record: bytes
    """As it lies in Redis, of `MODEL`."""
    session: bytes
    """The next session as it comes over the wire, 1 KB, of `MODEL`."""
    now: datetime
    """Just after the session."""

    def record_of(self, patient: str) -> bytes:
        version, content = unpack(self.record)
        return pack(version, content.replace(MODEL.encode(), patient.encode()))

    def session_of(self, patient: str) -> bytes:
        return self.session.replace(MODEL.encode(), patient.encode())


def patient_id(number: int) -> str:
    """Of the same length for all."""
    return f"p-{number:08d}"


@cache
def after(sessions: int) -> Workload:
    """Care with a session every other day and the morning after it, for so many sessions."""
    now = BEGUN
    pipeline = PurePipeline([make(SETTINGS) for make in (make_intake, make_planner, make_progression)], now)
    pipeline.replay([intake(MODEL, BEGUN)[1]])
    for number in range(sessions):
        at = at_of(number)
        pipeline.replay([session(MODEL, number, at, prescription(pipeline))[1], morning(MODEL, number, at)[1]])
    at = at_of(sessions)
    pipeline.advance(at)
    raw = session(MODEL, sessions, at, prescription(pipeline), size=SESSION_BYTES)[1]
    return Workload(pipeline.record("progression", MODEL), raw, at)


def at_of(number: int) -> datetime:
    """When the patient does a session: at no instant at which a timer is due, or it would come out of order."""
    return BEGUN + timedelta(days=1 + DAYS_BETWEEN * number, minutes=17)


def prescription(pipeline: PurePipeline) -> list[dict[str, Any]]:
    """What the model patient is to do next."""
    for stream in (Stream.ADJUSTMENTS, Stream.PROGRAMS):
        for raw in reversed(pipeline.entries(stream)):
            found: list[dict[str, Any]] = json.loads(raw)["data"].get("prescription", [])
            if found:
                return found
    raise RuntimeError("the model patient has got no program")


async def seed(client: Redis, workload: Workload, numbers: range, partitions: int = 1) -> None:
    """Puts these patients into care."""
    for first in range(numbers.start, numbers.stop, SEED_AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for number in range(first, min(first + SEED_AT_ONCE, numbers.stop)):
            patient = patient_id(number)
            pipeline.set(
                state_key(partition_of(patient, partitions), "progression", patient), workload.record_of(patient)
            )
        await pipeline.execute()


async def send(client: Redis, workload: Workload, numbers: Sequence[int], partitions: int = 1) -> None:
    """One session of each of these patients."""
    for first in range(0, len(numbers), SEED_AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for number in numbers[first : first + SEED_AT_ONCE]:
            patient = patient_id(number)
            key = stream_key(partition_of(patient, partitions), Stream.SESSIONS)
            pipeline.xadd(key, {"__data__": workload.session_of(patient)})
        await pipeline.execute()


def intake(patient: str, at: datetime) -> Event:
    """An intake that gets a program."""
    data = {
        "intake_id": f"i-{patient}",
        "age_years": 55,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 20,
        "red_flag_screen": "complete",
        "findings": {
            "worst_pain_greater_trochanter": "present",
            "night_pain_lying_on_side": "present",
            "palpation_greater_trochanter": "present",
            "resisted_hip_abduction": "present",
        },
        "measures": [{"instrument": "NPRS", "value": 5}],
        "equipment": ["none", "band"],
    }
    return _event(patient, Stream.INTAKES, "care.intake.submitted.v1", f"e-{patient}", at, data)


def session(patient: str, number: int, at: datetime, prescribed: list[dict[str, Any]], *, size: int = 0) -> Event:
    """A session done as prescribed, set by set; the patient's own words fill it up to a size in bytes."""
    data: dict[str, Any] = {
        "session_id": f"s-{patient}-{number}",
        "program_id": f"prg-i-{patient}",
        "started_at": at.isoformat(),
        "completed": True,
        "exercises": [
            {"exercise_id": one["exercise_id"], "sets": [_set_of(one) for _ in range(one["sets"])]}
            for one in prescribed
        ],
        "pain_before": 2,
        "pain_during": 2.5,
        "pain_after": 2,
    }
    event = _event(patient, Stream.SESSIONS, "care.session.reported.v1", f"es-{patient}-{number}", at, data)
    short = size - len(event[1]) - len(', "notes": ""')
    if short <= 0:
        return event
    data["notes"] = ("It went well today. " * (short // 20 + 1))[:short]
    return _event(patient, Stream.SESSIONS, "care.session.reported.v1", f"es-{patient}-{number}", at, data)


def morning(patient: str, number: int, at: datetime) -> Event:
    """The morning after a session."""
    then = at + timedelta(hours=14)
    data = {
        "checkin_id": f"c-{patient}-{number}",
        "reported_at": then.isoformat(),
        "next_morning_pain": 2,
        "session_id": f"s-{patient}-{number}",
    }
    return _event(patient, Stream.SESSIONS, "care.checkin.reported.v1", f"ec-{patient}-{number}", then, data)


def flagged(patient: str, number: int, at: datetime) -> Event:
    """A session with a red flag."""
    data = {
        "session_id": f"s-{patient}-{number}",
        "program_id": f"prg-i-{patient}",
        "started_at": at.isoformat(),
        "completed": False,
        "exercises": [],
        "pain_during": 6,
        "symptoms": ["saddle_anaesthesia"],
    }
    return _event(patient, Stream.SESSIONS, "care.session.reported.v1", f"ef-{patient}-{number}", at, data)


def _set_of(prescribed: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"reps": prescribed["reps"], "rpe": min(10, prescribed["target_rpe"]), "pain": 2}
    return done | {
        name: prescribed[name] for name in ("hold_s", "load_kg", "load_level") if prescribed.get(name) is not None
    }


def _event(patient: str, stream: Stream, event_type: str, event_id: str, at: datetime, data: dict[str, Any]) -> Event:
    envelope = {"specversion": "1.0", "id": event_id, "source": "//bench", "type": event_type, "subject": patient}
    return stream, json.dumps(envelope | {"time": at.isoformat(), "data": data}).encode()
