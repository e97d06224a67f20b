"""Events as a platform would send them, in virtual time, and what the services published of one patient."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from pydantic import TypeAdapter

from shared.event.program import PrescribedExercise
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday: day 0 of every virtual patient."""
MORNING, INTAKE, CLINICIAN, EVENING, LATE = 7, 9, 12, 18, 20
"""Hours of the day at which things happen."""
_PRESCRIPTION: TypeAdapter[tuple[PrescribedExercise, ...]] = TypeAdapter(tuple[PrescribedExercise, ...])
_ENCODER = msgspec.json.Encoder()


def at(day: int, hour: int) -> datetime:
    """An hour of a day."""
    return START + timedelta(days=day, hours=hour)


def instant(time: datetime) -> str:
    """As the wire writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def event(patient_id: str, time: datetime, kind: str, what: str, data: dict[str, Any]) -> bytes:
    """One event; its id is its patient, its time and what it is."""
    content = {
        "specversion": "1.0",
        "id": f"{patient_id}-{time:%Y%m%d%H}-{what}",
        "source": "//platform.example/simulation",
        "type": kind,
        "subject": patient_id,
        "time": instant(time),
        "data": data,
    }
    return _ENCODER.encode(content)


@dataclass(frozen=True, slots=True)
class Raised:
    """One `escalation.raised` and the event that caused it."""

    time: datetime
    caused_by: str | None
    data: dict[str, Any]


class Inbox:
    """What the services have said so far; `read` takes in what is new."""

    def __init__(self, pipeline: PurePipeline) -> None:
        self._pipeline = pipeline
        self._steps = 0
        self._seen = {Stream.PROGRAMS: 0, Stream.ADJUSTMENTS: 0, Stream.ESCALATIONS: 0, Stream.CLASSIFICATIONS: 0}
        self.disposition: str | None = None
        self.program: dict[str, Any] | None = None
        """The newest version."""
        self.prescription: tuple[PrescribedExercise, ...] = ()
        self.prescription_seq = -1
        self.status = ""
        self.raised: list[Raised] = []
        """New ones; whoever handles them takes them out."""
        self.adjusted: list[dict[str, Any]] = []
        """New adjustments; whoever handles them takes them out."""

    @property
    def is_active(self) -> bool:
        """Whether sessions are prescribed."""
        return self.program is not None and self.program["status"] == "active"

    @property
    def has_ended(self) -> bool:
        return self.program is not None and self.program["status"] == "ended"

    def read(self) -> None:
        """Takes in what was published since; where nothing was decided since, there is nothing."""
        steps = len(self._pipeline.steps)
        if steps == self._steps:
            return
        self._steps = steps
        for stream in self._seen:
            for content in self._new(stream):
                self._take(stream, content)

    def _new(self, stream: Stream) -> list[dict[str, Any]]:
        fresh = self._pipeline.entries(stream, self._seen[stream])
        self._seen[stream] += len(fresh)
        return [msgspec.json.decode(raw) for raw in fresh]

    def _take(self, stream: Stream, content: dict[str, Any]) -> None:
        data = content["data"]
        if stream is Stream.CLASSIFICATIONS:
            self.disposition = data["disposition"]
        elif stream is Stream.ESCALATIONS:
            if content["type"] == "care.escalation.raised.v1":
                self.raised.append(Raised(datetime.fromisoformat(content["time"]), content.get("causationid"), data))
        elif "prescription" in data:
            if stream is Stream.PROGRAMS:
                self.program = data
            else:
                self.status = data["response"]["status"]
                self.adjusted.append(data)
            if data["prescription_seq"] > self.prescription_seq:
                self.prescription_seq = data["prescription_seq"]
                self.prescription = _PRESCRIPTION.validate_python(data["prescription"])
