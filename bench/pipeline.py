"""Patients through the four services on an embedded Redis: what a step costs, and how many fit into a second.

Redis commands and bytes for each event hardly depend on the machine; times inform, and vary with whatever
else the machine does. Run with `make bench`.
"""

import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from rich.table import Table

from shared.cli.terminal import console
from shared.embedded import open_embedded
from shared.event.wire import Stream
from shared.log import configure_log
from shared.settings import Settings
from shared.stream.application import build_application
from shared.stream.connection import connect
from shared.stream.discovery import load_services
from shared.stream.idle import wait_until_idle
from shared.stream.key import stream_key

PATIENTS = 200
SESSIONS = 5
"""For each patient, with the morning after each."""
SINGLE = 50
"""Sessions sent one by one, to see how long one takes through the pipeline."""
START = datetime.now(UTC) - timedelta(days=SESSIONS + 1)
WARM_UP = 10

Event = tuple[Stream, str, bytes]


def main() -> None:
    """Runs the pipeline once and prints the table."""
    configure_log("json", "error")
    with tempfile.TemporaryDirectory(prefix="care-bench-") as folder, open_embedded(Path(folder)) as server:
        rows = asyncio.run(_measure(server.url))
    table = Table(title=f"{PATIENTS} patients, one process, one partition, embedded Redis on a unix socket")
    for column in ("what", "events", "events/s", "commands/event", "KiB to Redis/event", "p50 ms", "p95 ms"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        table.add_row(*row)
    console().print(table)


async def _measure(url: str) -> list[tuple[str, ...]]:
    settings = Settings(redis_url=url, consumer="bench-0", clock="wall")
    services = [make_service(settings) for make_service in load_services().values()]
    client = connect(url)
    rows = []
    async with build_application(services, settings).started():
        await _burst(client, [_intake(f"warm-{n}") for n in range(WARM_UP)])
        rows.append(_row("intakes to programs", *await _burst(client, [_intake(f"p-{n}") for n in range(PATIENTS)])))
        days = [(n, day) for day in range(SESSIONS) for n in range(PATIENTS)]
        reports = [event for n, day in days for event in _report(f"p-{n}", day)]
        rows.append(_row("sessions and mornings", *await _burst(client, reports)))
        rows.append(await _latencies(client))
    await client.aclose()
    return rows


async def _burst(client: Redis, events: list[Event]) -> tuple[int, float, float, float]:
    """Sends all at once and waits until nothing is left to do. Gives count, seconds, commands and bytes."""
    pipeline = client.pipeline(transaction=False)
    for stream, _, raw in events:
        pipeline.xadd(stream_key(0, stream), {"__data__": raw})
    before, began = await _usage(client), time.perf_counter()
    await pipeline.execute()
    await wait_until_idle(client, 1, timeout_s=600)
    seconds = time.perf_counter() - began
    after = await _usage(client)
    return len(events), seconds, after[0] - before[0], after[1] - before[1]


async def _usage(client: Redis) -> tuple[float, float]:
    """Commands that load or commit a step (no polling), and bytes that the server has read."""
    commands: Any = await client.info("commandstats")
    calls = sum(commands.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "get", "zmscore"))
    stats: Any = await client.info("stats")
    return float(calls), float(stats["total_net_input_bytes"])


def _row(what: str, count: int, seconds: float, commands: float, size: float) -> tuple[str, ...]:
    return (
        what,
        str(count),
        f"{count / seconds:,.0f}",
        f"{commands / count:.2f}",
        f"{size / count / 1024:.1f}",
        "",
        "",
    )


async def _latencies(client: Redis) -> tuple[str, ...]:
    """One session at a time: from its XADD to its adjustment."""
    taken = []
    for n in range(SINGLE):
        (session, _) = _report(f"p-{n}", SESSIONS)
        stream, _, raw = session
        key, last = stream_key(0, Stream.ADJUSTMENTS), "$"
        newest: Any = await client.xrevrange(key, count=1)
        last = newest[0][0] if newest else "0"
        began = time.perf_counter()
        await client.xadd(stream_key(0, stream), {"__data__": raw})
        await client.xread({key: last}, count=1, block=4000)
        taken.append((time.perf_counter() - began) * 1000)
        await wait_until_idle(client, 1, timeout_s=60)
    p95 = statistics.quantiles(taken, n=20)[-1]
    return ("one session to its adjustment", str(SINGLE), "", "", "", f"{statistics.median(taken):.1f}", f"{p95:.1f}")


def _event(patient: str, stream: Stream, event_type: str, event_id: str, at: datetime, data: dict[str, Any]) -> Event:
    envelope = {"specversion": "1.0", "id": event_id, "source": "//bench", "type": event_type, "subject": patient}
    return stream, event_id, json.dumps(envelope | {"time": at.isoformat(), "data": data}).encode()


def _intake(patient: str) -> Event:
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
    return _event(patient, Stream.INTAKES, "care.intake.submitted.v1", f"e-{patient}", START, data)


def _report(patient: str, day: int) -> tuple[Event, Event]:
    at = START + timedelta(days=day, hours=1)
    morning = at + timedelta(hours=14)
    session = {
        "session_id": f"s-{patient}-{day}",
        "program_id": f"prg-i-{patient}",
        "started_at": at.isoformat(),
        "completed": True,
        "exercises": [{"exercise_id": "double_leg_bridge", "sets": [{"reps": 10, "rpe": 3, "pain": 2}]}],
        "pain_before": 2,
        "pain_during": 2,
    }
    checkin = {
        "checkin_id": f"c-{patient}-{day}",
        "reported_at": morning.isoformat(),
        "next_morning_pain": 2,
        "session_id": f"s-{patient}-{day}",
    }
    return (
        _event(patient, Stream.SESSIONS, "care.session.reported.v1", f"es-{patient}-{day}", at, session),
        _event(patient, Stream.SESSIONS, "care.checkin.reported.v1", f"ec-{patient}-{day}", morning, checkin),
    )


if __name__ == "__main__":
    main()
