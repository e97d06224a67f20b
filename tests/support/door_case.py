"""The door for tests: keys, events, and requests as its users send them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from shared.door.credential import issue
from shared.door.keyring import Keyring
from tests.support.example import intake
from tests.support.toy import session

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

Json = dict[str, Any]


async def new_key(
    client: Redis, *scopes: str, per_minute: int = 10_000, expires_in: timedelta | None = None
) -> dict[str, str]:
    """The header of a request with a new key; without scopes it may do everything."""
    now = datetime.now(UTC)
    expires_at = now + expires_in if expires_in is not None else None
    key, kept = issue("test", scopes or ("care.*", "read"), per_minute, now, expires_at)
    await Keyring(client).add(kept)
    return {"Authorization": f"Bearer {key}"}


def event(kind: str, data: Json, event_id: str = "event-1", subject: str = "patient-1", **more: Any) -> Json:
    """An event as a platform has it; `kind` such as `session.reported`."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "//platform.example/app",
        "type": f"care.{kind}.v1",
        "subject": subject,
        "time": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "data": data,
    } | more


def one_of_each() -> Sequence[Json]:
    """The smallest event of every type that a platform may send."""
    now = datetime.now(UTC).isoformat()
    return (
        event("intake.submitted", intake(), "each-1"),
        event("session.reported", session(1, program_id="prg-intake-1"), "each-2"),
        event("checkin.reported", {"checkin_id": "c1", "reported_at": now}, "each-3"),
        event(
            "clinician.decided",
            {"decision_id": "d1", "clinician_id": "clinician-1", "decision": "hold", "rationale": "Rest."},
            "each-4",
        ),
        event("patient.updated", {"timezone": "Europe/Lisbon", "contact": {"mail": "someone@home.example"}}, "each-5"),
        event("program.stopped", {"program_id": "prg-intake-1", "reason": "I move away."}, "each-6"),
        event("patient.erased", {}, "each-7"),
    )


def binary(told: Json) -> tuple[dict[str, str], bytes]:
    """Headers and body of the same event in binary mode."""
    headers = {f"ce-{name}": str(value) for name, value in told.items() if name not in ("data", "datacontenttype")}
    return headers | {"Content-Type": "application/json"}, json.dumps(told["data"]).encode()
