"""A new version takes over from the old one while events come in, and nobody can tell it from the outputs."""

import contextlib
import json
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.black_box import STREAM_OF, Process, System, http, intake

PATIENTS = 200
FEED_S = 15.0
WAIT_S = 180.0
COMPARED = ("classifications", "programs", "escalations", "dead-letters")


@pytest.mark.slow
def test_a_rolling_update_under_load_loses_nothing_and_doubles_nothing(redis_url: str, tmp_path: Path) -> None:
    """Replica by replica stops and comes back as the new one; each patient gets what an undisturbed run gives."""
    now = datetime.now(UTC)
    events = [intake(f"patient-{n}", now, notes="", red_flags=flags(n)) for n in range(PATIENTS)]
    undisturbed = outputs(redis_url, tmp_path / "undisturbed", events, updates=0)
    updated = outputs(redis_url, tmp_path / "updated", events, updates=4)
    assert len(undisturbed["classifications"]) == PATIENTS
    assert len(undisturbed["programs"]) == PATIENTS - PATIENTS // 20
    assert len(undisturbed["escalations"]) == PATIENTS // 20
    assert undisturbed["dead-letters"] == {}
    assert updated == undisturbed


def flags(number: int) -> dict[str, str]:
    """One patient in twenty must be seen at once."""
    return {"saddle_anaesthesia": "present"} if number % 20 == 0 else {}


def outputs(url: str, folder: Path, events: list[dict[str, Any]], updates: int) -> dict[str, dict[str, Any]]:
    """What the services said of these events, by stream and id, with so many replicas replaced meanwhile."""
    folder.mkdir()
    system = System(url, folder, settings={"CARE_CLOCK": "wall", "CARE_BATCH_SIZE": "20"})
    system.client.flushall()
    feeder = threading.Thread(target=feed, args=(system.client, events))
    try:
        replicas = [system.launch("run", CARE_CONSUMER=f"replica-{n}") for n in range(2 if updates else 1)]
        for replica in replicas:
            await_ready(replica)
        feeder.start()
        for number in range(updates):
            handled = system.client.xlen("care:{0}:classifications")
            old = replicas.pop(0)
            old.send_signal(signal.SIGTERM)
            assert old.wait(WAIT_S) == 0, old.log.read_text()[-2000:]
            replicas.append(system.launch("run", CARE_CONSUMER=f"replica-{number % 2}"))
            await_ready(replicas[-1])
            assert number > 0 or system.client.xlen("care:{0}:classifications") > handled, "there was no load"
        feeder.join()
        system.services.update(("intake", "planner", "progression", "notifier"))
        settle(system)
        found = {stream: {told["id"]: told for told in system.read(stream)} for stream in COMPARED}
        for stream in COMPARED:
            assert system.client.xlen(f"care:{{0}}:{stream}") == len(found[stream]), f"{stream} says something twice"
        return found
    finally:
        system.kill()


def await_ready(replica: Process) -> None:
    """As a rolling update does, before it goes on to the next replica."""
    deadline = time.monotonic() + WAIT_S
    while True:
        assert replica.poll() is None, replica.log.read_text()[-2000:]
        with contextlib.suppress(OSError):
            if http(replica.port, "/ready")[0] == 200:
                return
        assert time.monotonic() < deadline, replica.log.read_text()[-2000:]
        time.sleep(0.1)


def settle(system: System) -> None:
    """Waits for idleness for as long as a loaded machine may take."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return system.settle()
        except AssertionError:
            if time.monotonic() > deadline:
                raise


def feed(client: Any, events: list[dict[str, Any]]) -> None:
    """As a platform does: one after the other, for as long as the replicas take to be replaced."""
    for event in events:
        client.xadd(f"care:{{0}}:{STREAM_OF[event['type']]}", {"__data__": json.dumps(event)})
        time.sleep(FEED_S / PATIENTS)
