"""A patient of whom every service holds all that it can hold: for erasure, export and upgrades."""

import json
from datetime import datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.event.envelope import derive_id
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from shared.stream.pure_pipeline import time_of
from tests.support.example import EPOCH, wire
from tests.support.four_services import NAMES, four_services_pipeline
from tests.support.notifier_case import escalation
from tests.support.recorded_care import live
from tests.support.running import move_clock, publish

WEEKS = 2
Told = tuple[datetime, Stream, bytes]


def rich_history(patient: str, address: str, start: datetime = EPOCH) -> list[Told]:
    """In order of time: contact, two weeks of care, what waits for what never comes, what is rejected, two alarms."""
    told: list[Told] = []

    def tell(stream: Stream, event_type: str, at: datetime, data: dict[str, Any]) -> None:
        raw = wire(event_type, data, subject=patient, event_id=f"{patient}-extra-{len(told)}", time=at)
        told.append((at, stream, raw))

    contact = {"contact": {"mail": address}, "consent": {"reminders": True}, "timezone": "Europe/Lisbon"}
    tell(Stream.PATIENTS, "care.patient.updated.v1", start, contact)
    pipeline = four_services_pipeline(start)
    pipeline.replay([raw for _, _, raw in told])
    recording = live(pipeline, patient, [5.0] * WEEKS, start=start + timedelta(minutes=1), notes="My own words.")
    told += [(time_of(raw), _stream(raw), raw) for raw in recording]
    end = told[-1][0] + timedelta(hours=1)
    program_id = f"prg-{patient}-intake"
    session = {"started_at": end.isoformat(), "completed": True, "exercises": [], "pain_during": 3, "notes": "Sore."}
    known, unknown = {"program_id": program_id}, {"program_id": f"prg-{patient}-other"}
    tell(Stream.SESSIONS, "care.session.reported.v1", end, session | unknown | {"session_id": f"{patient}-early"})
    bad = session | known | {"session_id": f"{patient}-bad", "pain_during": 99}
    tell(Stream.SESSIONS, "care.session.reported.v1", end, bad)
    word = {"clinician_id": "clin-1", "decision": "continue", "rationale": "Expected.", "decision_id": f"{patient}-d1"}
    tell(Stream.DECISIONS, "care.clinician.decided.v1", end, word | {"escalation_id": f"{patient}-none"})
    word = word | {"decision": "approve", "decision_id": f"{patient}-d2", "intake_id": f"{patient}-later"}
    tell(Stream.DECISIONS, "care.clinician.decided.v1", end, word)
    routine = escalation(escalation_id=derive_id("routine", patient), severity="routine", reason="non_adherence")
    tell(Stream.ESCALATIONS, "care.escalation.raised.v1", end + timedelta(minutes=1), routine)
    flagged = session | known | {"session_id": f"{patient}-flag", "symptoms": ["saddle_anaesthesia"]}
    tell(Stream.SESSIONS, "care.session.reported.v1", end + timedelta(minutes=2), flagged)
    return told


async def tell_all(client: Redis, told: list[Told]) -> datetime:
    """Replays histories through running services: the clock goes on before each event. Returns the last instant."""
    at = min(at for at, _, _ in told)
    for at, stream, raw in sorted(told, key=lambda one: one[0]):
        await move_clock(client, at, NAMES, timeout_s=60)
        await publish(client, stream, raw)
    await move_clock(client, at + timedelta(seconds=1), NAMES, timeout_s=60)
    return at + timedelta(seconds=1)


def _stream(raw: bytes) -> Stream:
    return PAYLOAD_BY_TYPE[json.loads(raw)["type"]].stream
