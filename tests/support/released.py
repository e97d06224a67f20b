"""What a release wrote, kept for all later ones: records of every service, events of every type, and how care went on.

    python -m tests.support.released VERSION

writes `tests/fixtures/released/VERSION`, once, with the code of that very release. It is never written anew: a change
that no longer reads it needs a new version of the state, or of the event's type (docs/upgrades.md).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from services.notifier.domain.delivery import DeliveryOutcome, find_delivery, is_for_clinician
from shared.decision import TimerFired
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import Stream
from shared.service import Service
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services, send
from tests.support.recorded_care import live
from tests.support.rich_history import Told, rich_history

FOLDER = Path(__file__).parents[1] / "fixtures" / "released"
PATIENTS = ("anna-7f3", "bertha-9c1")
LEFT = 4
"""So many events come after the records were saved."""


@cache
def inputs() -> tuple[bytes, ...]:
    """Two rich histories, in order of time, and a clinician who ends one of them."""
    told: list[Told] = [one for patient in PATIENTS for one in rich_history(patient, f"{patient}@home.example")]
    end = max(at for at, _, _ in told) + timedelta(hours=1)
    word = {"clinician_id": "clin-1", "decision": "discharge", "rationale": "Done.", "decision_id": "end"}
    raw = wire("care.clinician.decided.v1", word, subject=PATIENTS[0], event_id="end", time=end)
    told.append((end, Stream.DECISIONS, raw))
    acknowledged = word | {"decision": "acknowledge", "decision_id": "seen", "escalation_id": "none"}
    raw = wire("care.clinician.decided.v1", acknowledged, subject=PATIENTS[1], event_id="seen", time=end)
    told.append((end, Stream.DECISIONS, raw))
    return tuple(raw for _, _, raw in sorted(told, key=lambda one: one[0]))


def fresh() -> PurePipeline:
    """The four services, at the beginning."""
    return PurePipeline(four_services(), EPOCH, perform=send)


def go_on(pipeline: PurePipeline, rest: Sequence[bytes]) -> dict[str, list[str]]:
    """What every service publishes from here on, by stream: for the rest of the events and ten days after them."""
    before = {stream: len(pipeline.entries(stream)) for stream in Stream}
    pipeline.replay(rest)
    pipeline.advance(pipeline.now + timedelta(days=10))
    return {stream.value: [raw.decode() for raw in pipeline.entries(stream, before[stream])] for stream in Stream}


def every_type() -> Iterator[bytes]:
    """One event of each type, as a platform sends it or as the services wrote it."""
    found: dict[str, bytes] = {}
    for pipeline in (_cared_for(), _better(), _stopped()):
        for stream in Stream:
            for raw in pipeline.entries(stream):
                found.setdefault(json.loads(raw)["type"], raw)
    missing = PAYLOAD_BY_TYPE.keys() - found.keys()
    if missing:
        raise RuntimeError(f"no history has {', '.join(sorted(missing))}")
    return iter([found[event_type] for event_type in PAYLOAD_BY_TYPE])


def _cared_for() -> PurePipeline:
    pipeline = fresh()
    go_on(pipeline, inputs())
    return pipeline


def _refused(service: Service[Any], state: Any, timer: TimerFired) -> Any:
    """The patient's address refuses everything."""
    delivery = find_delivery(state, timer.name)
    if delivery is not None and not is_for_clinician(delivery):
        return DeliveryOutcome(delivery.channel, "refused", "550")
    return send(service, state, timer)


def _better() -> PurePipeline:
    """The pain goes until a goal is reached, and no reminder arrives."""
    pipeline = PurePipeline(four_services(), EPOCH, perform=_refused)
    pipeline.replay(inputs()[:1])
    live(pipeline, PATIENTS[0], [5.0, 3.0, 1.0, 1.0, 0.0, 0.0], start=EPOCH + timedelta(minutes=1))
    pipeline.advance(pipeline.now + timedelta(days=5))
    return pipeline


def _stopped() -> PurePipeline:
    """A clinician answers, the patient ends the program and is erased."""
    pipeline = fresh()
    pipeline.replay(inputs()[:-1])
    patient = PATIENTS[0]
    (raised, *_) = pipeline.published(Stream.ESCALATIONS, patient)
    at = pipeline.now + timedelta(hours=2)
    word = {"clinician_id": "clin-1", "decision": "acknowledge", "decision_id": "seen-2"}
    word |= {"escalation_id": raised.data.escalation_id}
    stop = {"program_id": f"prg-{patient}-intake"}
    for number, (event_type, data) in enumerate(
        [("care.clinician.decided.v1", word), ("care.program.stopped.v1", stop), ("care.patient.erased.v1", {})]
    ):
        time = at + timedelta(minutes=number)
        pipeline.replay([wire(event_type, data, subject=patient, event_id=f"last-{number}", time=time)])
    return pipeline


def write(folder: Path) -> None:
    """Raises FileExistsError where this release has been written."""
    folder.mkdir(parents=True)
    told = inputs()
    pipeline = fresh()
    pipeline.replay(told[:-LEFT])
    _write(folder / "records.json", json.dumps(pipeline.save(), indent=1))
    _write(folder / "inputs.jsonl", "\n".join(raw.decode() for raw in told))
    _write(folder / "events.jsonl", "\n".join(raw.decode() for raw in every_type()))


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def read_records(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "records.json").read_text(encoding="utf-8"))
    return found


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER / sys.argv[1])
