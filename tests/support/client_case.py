"""What tests of the client need: the payloads of a platform, and outputs written as the services write them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.event.adjustment import GoalReached
from shared.event.envelope import Event
from shared.event.intake import IntakeSubmitted
from shared.event.measure import Measure
from shared.event.registry import adapter
from shared.event.session import CheckinReported, SessionReported
from shared.stream.key import DATA_FIELD, partition_of, stream_key

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def intake(intake_id: str = "intake-1", **changes: Any) -> IntakeSubmitted:
    """A typical intake of gluteal tendinopathy, screened completely."""
    fields: dict[str, Any] = {
        "intake_id": intake_id,
        "age_years": 55,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 20,
        "findings": {
            "worst_pain_greater_trochanter": "present",
            "night_pain_lying_on_side": "present",
            "palpation_greater_trochanter": "present",
            "resisted_hip_abduction": "present",
        },
        "red_flag_screen": "complete",
        "measures": (Measure(instrument="NPRS", value=5),),
        "equipment": ("none", "band"),
    }
    return IntakeSubmitted(**(fields | changes))


def session(session_id: str = "session-1", **changes: Any) -> SessionReported:
    """A session without exercises, of a program that need not exist."""
    fields: dict[str, Any] = {
        "session_id": session_id,
        "program_id": "program-1",
        "started_at": NOW,
        "completed": True,
        "exercises": (),
        "pain_during": 2,
    }
    return SessionReported(**(fields | changes))


def morning(checkin_id: str = "checkin-1", **changes: Any) -> CheckinReported:
    """The morning after."""
    fields: dict[str, Any] = {"checkin_id": checkin_id, "reported_at": NOW, "next_morning_pain": 2}
    return CheckinReported(**(fields | changes))


def reached(number: int, patient: str = "patient-1") -> Event[GoalReached]:
    """An output of progression; `goal_id` carries the number."""
    goal = GoalReached(
        program_id="program-1", goal_id=f"goal-{number}", horizon="short_term", value=1, target=1, week=0
    )
    return Event[GoalReached](
        id=f"output-{number}",
        source="//adaptive-care/progression",
        type=GoalReached.event_type,
        subject=patient,
        time=NOW + timedelta(minutes=number),
        data=goal,
    )


async def write(client: Redis, event: Event[Any], *, partitions: int = 1, **changes: Any) -> str:
    """Adds an output to its stream; `changes` replace attributes of its JSON."""
    content = json.loads(adapter(event.type).dump_json(event)) | changes
    key = stream_key(partition_of(event.subject, partitions), event.data.stream)
    entry_id: Any = await client.xadd(key, {DATA_FIELD: json.dumps(content)})
    return str(entry_id.decode())
