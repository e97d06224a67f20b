"""What a step costs without Redis: CPU for each event and service, and bytes of state for each patient.

CPU is told beside that of a fixed piece of work in the same process, so that the ratio may be compared over machines.
"""

import gc
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import msgspec

from bench import workload
from bench.step import Step
from services.intake.app import make_service as make_intake
from services.notifier.app import make_service as make_notifier
from services.planner.app import make_service as make_planner
from services.progression.app import make_service as make_progression
from shared.stream.pure_pipeline import PurePipeline

SERVICES = ("intake", "planner", "progression", "notifier")
MAKERS = (make_intake, make_planner, make_progression, make_notifier)
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a course of care from intake to the last session."""

    cpu_us_per_event: dict[str, float]
    """By service, per event or timer handled; decode, decide, encode."""
    cpu_units_per_event: dict[str, float]
    """The same in units of `unit_us`."""
    state_bytes: dict[str, int]
    """By service, of one patient at the end."""


class _Timed(PurePipeline):
    """Adds up what each service uses."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.used_ns: dict[str, int] = defaultdict(int)
        self.count: dict[str, int] = defaultdict(int)

    def _handle(self, service: str, *arguments: Any) -> None:
        began, before = time.process_time_ns(), sum(self.used_ns.values())
        super()._handle(service, *arguments)
        inner = sum(self.used_ns.values()) - before
        self.used_ns[service] += time.process_time_ns() - began - inner
        self.count[service] += 1


def measure(sessions: int) -> Cost:
    """One patient's care over so many sessions, by all four services, several times; the fastest counts."""
    used: dict[str, list[float]] = defaultdict(list)
    units: dict[str, list[float]] = defaultdict(list)
    state: dict[str, int] = {}
    for _ in range(ROUNDS):
        unit = unit_us()
        pipeline = _care(sessions)
        for service in SERVICES:
            cpu_us = pipeline.used_ns[service] / pipeline.count[service] / 1000
            used[service].append(cpu_us)
            units[service].append(cpu_us / unit)
            state[service] = len(pipeline.record(service, workload.MODEL))
    return Cost({s: min(used[s]) for s in SERVICES}, {s: min(units[s]) for s in SERVICES}, state)


def _care(sessions: int) -> _Timed:
    now = workload.BEGUN
    pipeline = _Timed([make(workload.SETTINGS) for make in MAKERS], now, perform=lambda *_: None)
    pipeline.replay([workload.intake(workload.MODEL, now)[1]])
    for number in range(sessions):
        at = workload.at_of(number)
        prescribed = workload.prescription(pipeline)
        session = workload.session(workload.MODEL, number, at, prescribed, size=workload.SESSION_BYTES)
        pipeline.replay([session[1], workload.morning(workload.MODEL, number, at)[1]])
    return pipeline


def unit_us() -> float:
    """CPU of a fixed mix of what the services do: objects, dictionaries, sorting, JSON. The fastest of several."""
    document = {f"key-{n}": [n, n * 0.5, {"name": f"value {n}", "flag": n % 2 == 0}] for n in range(60)}
    found = []
    for _ in range(20):
        began = time.process_time_ns()
        raw = msgspec.json.encode(document)
        again = msgspec.json.decode(raw)
        total = sum(value[0] for _, value in sorted(again.items(), key=lambda item: -item[1][0]))
        " ".join(f"{key}:{total}" for key in again)
        found.append((time.process_time_ns() - began) / 1000)
    return min(found)


def pure_core_us(sessions: int, count: int) -> float:
    """CPU of decode, decide and encode for one session, without a runtime: the ceiling of the session hop."""
    work = workload.after(sessions)
    step = Step(work.now)
    pairs = [(work.session_of(p), work.record_of(p)) for p in map(workload.patient_id, range(count))]
    gc.collect()
    gc.freeze()
    began = time.process_time_ns()
    for raw, record in pairs:
        step.take("0-1", step.decode("0-1", raw), record)
    used = time.process_time_ns() - began
    gc.unfreeze()
    return used / count / 1000
