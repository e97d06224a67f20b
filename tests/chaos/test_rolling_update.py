"""A new version takes over from the old one while events come in, and nobody can tell it from the outputs."""

import json
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.black_box import STREAM_OF, System, intake

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
    updated = outputs(redis_url, tmp_path / "updated", events, updates=2)
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
    feeder = threading.Thread(target=feed, args=(system.client, events), daemon=True)
    try:
        replicas = [system.launch("run", CARE_CONSUMER=f"replica-{n}") for n in range(2 if updates else 1)]
        for replica in replicas:
            system.await_ready(replica, WAIT_S)
        feeder.start()
        for number in range(updates):
            handled = system.client.xlen("care:{0}:classifications")
            old = replicas.pop(0)
            old.send_signal(signal.SIGTERM)
            assert old.wait(WAIT_S) == 0, old.log.read_text()[-2000:]
            replicas.append(system.launch("run", CARE_CONSUMER=f"replica-{number % 2}"))
            system.await_ready(replicas[-1], WAIT_S)
            assert number > 0 or system.client.xlen("care:{0}:classifications") > handled, "there was no load"
        feeder.join()
        system.services.update(("intake", "planner", "progression", "notifier"))
        system.settle(WAIT_S)
        found = {stream: {told["id"]: timeless(told) for told in system.read(stream)} for stream in COMPARED}
        for stream in COMPARED:
            assert system.client.xlen(f"care:{{0}}:{stream}") == len(found[stream]), f"{stream} says something twice"
        return found
    finally:
        system.kill()


def timeless(told: dict[str, Any]) -> dict[str, Any]:
    """Without the one field that tells when it was handled: until when somebody must answer."""
    return told | {"data": {key: value for key, value in told["data"].items() if key != "respond_by"}}


def feed(client: Any, events: list[dict[str, Any]]) -> None:
    """As a platform does: one after the other, for as long as the replicas take to be replaced."""
    for event in events:
        client.xadd(f"care:{{0}}:{STREAM_OF[event['type']]}", {"__data__": json.dumps(event)})
        time.sleep(FEED_S / PATIENTS)
