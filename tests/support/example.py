"""Events for tests: the smallest valid ones, to be varied."""

import json
from datetime import UTC, datetime
from typing import Any

from shared.decision import Arrival, Origin
from shared.event.registry import PAYLOAD_BY_TYPE, adapter

EPOCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday."""


def wire(
    event_type: str,
    data: dict[str, Any],
    *,
    subject: str = "patient-1",
    event_id: str,
    time: datetime = EPOCH,
) -> bytes:
    """One event as a platform would send it."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "//platform.example/app",
            "type": event_type,
            "subject": subject,
            "time": time.isoformat(),
            "data": data,
        }
    ).encode()


def arrival(
    event_type: str,
    data: dict[str, Any],
    *,
    subject: str = "patient-1",
    event_id: str,
    time: datetime = EPOCH,
) -> Arrival:
    """The same event as a pure core receives it."""
    raw = wire(event_type, data, subject=subject, event_id=event_id, time=time)
    stream = PAYLOAD_BY_TYPE[event_type].stream.value
    return Arrival(adapter(event_type).validate_json(raw), Origin(stream, "0-1", raw))


def intake(**changes: Any) -> dict[str, Any]:
    """A typical intake of gluteal tendinopathy; give fields to change it."""
    return {
        "intake_id": "intake-1",
        "age_years": 55,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 20,
        "findings": {
            "worst_pain_greater_trochanter": "present",
            "night_pain_lying_on_side": "present",
            "pain_single_leg_loading": "present",
            "palpation_greater_trochanter": "present",
            "resisted_hip_abduction": "present",
            "single_leg_stance_30s_lateral_pain": "present",
        },
        "red_flag_screen": "complete",
        "measures": [{"instrument": "NPRS", "value": 5}, {"instrument": "VISA-G", "value": 60}],
        "equipment": ["none", "band"],
    } | changes
