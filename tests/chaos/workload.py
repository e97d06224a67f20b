"""Seeded care for the chaos runs: what is written, in which steps of the clock, and what follows without faults.

The input is made by running care once in memory (`PurePipeline`): patients do what is prescribed to them at that
moment. That very run is the fault-free one. Nothing here looks at a clock or draws chance but from the seed.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline
from tests.chaos.poison import RECIPES
from tests.support.black_box import (
    DAY,
    HOUR,
    MONDAY,
    STREAM_OF,
    checkin,
    decision,
    event,
    intake,
    partition_of,
    session,
)
from tests.support.four_services import four_services, send

Json = dict[str, Any]
DAYS = 24
"""Longer than the late window, so that there are events beyond it."""
LEAPS = {6: 3, 14: 2}
"""Before these days the clock leaps at once, over so many days on which nobody reports anything."""
EVENTS_EACH = 20
"""About so many entries for each patient, poison and duplicates included."""
POISON_RATE = 0.06
TOO_LATE = 20
"""Days: beyond the late window of 14. It counts from the newest report handled, which may be five days old by then."""
FLAG = "claudication"
OUTPUTS = tuple(stream for stream in Stream if stream.value not in ("intakes", "sessions", "decisions", "patients"))
"""The streams that services alone write to."""
HABITS = ("plain", "plain", "answered", "shuffled", "shuffled", "early", "late")


@dataclass(frozen=True, slots=True)
class Written:
    """One entry to be written to Redis. `number` goes with it and makes it unique in its stream."""

    number: int
    stream: Stream
    partition: int
    fields: Mapping[bytes, bytes]
    poison: str = ""
    """The error code that its dead letter must name; empty for an event."""


@dataclass(slots=True)
class Step:
    """Entries, and where the clock goes once they are handled."""

    clock: datetime
    entries: list[Written] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Workload:
    """All that is written, and all that lies in the streams when nothing fails."""

    begin: datetime
    steps: Sequence[Step]
    partitions: int
    patients: int
    published: Mapping[Stream, Sequence[Json]]
    """What the services published in the fault-free run."""

    @property
    def entries(self) -> Iterator[Written]:
        return (entry for step in self.steps for entry in step.entries)


def make_workload(
    seed: int, events: int, partitions: int, *, progress: Callable[[int], None] = lambda day: None
) -> Workload:
    """About so many events of as many patients as that takes; the same seed gives the same bytes."""
    return _Author(random.Random(seed), max(len(HABITS), events // EVENTS_EACH), partitions).write(progress)  # noqa: S311


class _Author:
    def __init__(self, dice: random.Random, patients: int, partitions: int) -> None:
        self._dice = dice
        self._partitions = partitions
        self._habits = {f"pt-{n}": HABITS[n % len(HABITS)] for n in range(patients)}
        self._begin = MONDAY - timedelta(hours=12)
        self._care = PurePipeline(four_services(), self._begin, perform=send, keeps_decoded=True)
        self._in_force: dict[str, tuple[int, list[Json]]] = {}
        self._open: dict[str, dict[str, str]] = defaultdict(dict)
        self._looked_at = {Stream.PROGRAMS: 0, Stream.ADJUSTMENTS: 0, Stream.ESCALATIONS: 0}
        self._planned: dict[int, list[tuple[Stream, bytes, str]]] = defaultdict(list)
        """Events for each day on which they arrive, with their patient."""
        self._number = 0
        self._poisons = 0

    def write(self, progress: Callable[[int], None]) -> Workload:
        steps, day = [], 0
        while day <= DAYS:
            step = Step(MONDAY + day * DAY + 12 * HOUR)
            self._look()
            for patient, habit in self._habits.items():
                self._live(patient, habit, day, is_last=day == DAYS)
            for stream, raw, patient in self._planned.pop(day, []):
                step.entries.append(self._event(stream, raw, patient))
            self._poison(step, day)
            if day < DAYS:
                self._dice.shuffle(step.entries)
            for entry in step.entries:
                if b"__data__" in entry.fields and entry.poison != "wrong_partition":
                    self._care.submit(entry.fields[b"__data__"], entry.stream)
            day += 1
            leap = LEAPS.get(day, 0)
            for skipped in range(day, day + leap):
                self._planned[day + leap] += self._planned.pop(skipped, [])
            step.clock, day = step.clock + leap * DAY, day + leap
            self._care.advance(step.clock)
            steps.append(step)
            progress(day)
        published = {stream: [json.loads(raw) for raw in self._care.entries(stream)] for stream in OUTPUTS}
        return Workload(self._begin, steps, self._partitions, len(self._habits), published)

    # ---- one patient's day ----

    def _live(self, patient: str, habit: str, day: int, *, is_last: bool) -> None:
        n = int(patient[3:])
        at = MONDAY + day * DAY + timedelta(minutes=n % 200)
        starts = 3 if habit == "early" else 0
        if day == starts:
            self._say(day, intake(patient, at - HOUR, notes="tired"))
        if day == 0 and n % 3 == 0:
            told = {"timezone": "Europe/Lisbon", "consent": {"reminders": True}, "contact": {"log": "x"}}
            self._say(day, event("patient.updated", patient, at, told))
        if is_last:
            self._say(day, self._session(patient, at, pain=2))
            return
        if habit == "answered":
            self._answer(patient, day, at + 8 * HOUR)
        if day > 0 and day % 7 in (1, 3, 5):
            pain = self._dice.choice([1, 2, 2, 3, 3, 4, 6])
            flagged = self._dice.random() < 0.01
            self._report(day, habit, self._session(patient, at, pain=pain, symptoms=[FLAG] if flagged else []))
            if self._dice.random() < 0.7:
                morning = checkin(
                    patient,
                    at + 22 * HOUR,
                    next_morning_pain=self._dice.choice([1, 2, 3, 5]),
                    session_id=f"se-{patient}-{at:%m%d%H}",
                    notes="",
                )
                self._report(day + 1, habit, morning)
        if day % 7 == 6:
            measures = [{"instrument": "NPRS", "value": self._dice.randint(1, 6)}]
            self._report(day, habit, checkin(patient, at + HOUR, measures=measures, notes=""))

    def _session(self, patient: str, at: datetime, *, pain: int, symptoms: Sequence[str] = ()) -> Json:
        _, prescription = self._in_force.get(patient, (0, []))
        effort = self._dice.choice([4.0, 5.0, 6.0, 8.0])
        told = session(patient, at, prescription, pain_during=pain, symptoms=list(symptoms), notes="")
        for exercise in told["data"]["exercises"]:
            for one in exercise["sets"]:
                one["rpe"] = effort
        return told

    def _report(self, day: int, habit: str, told: Json) -> None:
        """On its day, later, much later, or once more under the same or another event id."""
        chance = self._dice.random()
        arrives = day
        if habit == "shuffled" and chance < 0.3:
            arrives = min(day + self._dice.randint(1, 5), DAYS - 1)
        elif habit == "late" and chance < 0.1 and day + TOO_LATE < DAYS:
            arrives = day + TOO_LATE
        if arrives >= DAYS:
            return
        self._say(arrives, told)
        if self._dice.random() < 0.1:
            again = min(arrives + self._dice.choice([0, 0, 1, 4]), DAYS - 1)
            self._say(again, told if self._dice.random() < 0.7 else told | {"id": told["id"] + "/again"})

    def _answer(self, patient: str, day: int, at: datetime) -> None:
        for escalation_id, reason in sorted(self._open[patient].items()):
            if self._dice.random() < 0.5:
                kind = self._dice.choice(["continue", "resume", "acknowledge"])
                told = decision(patient, at, kind, escalation_id=escalation_id, decision_id=f"de-{escalation_id}-{day}")
                self._say(day, told | {"id": f"{told['data']['decision_id']}-{reason}"})

    def _say(self, day: int, told: Json) -> None:
        self._planned[day].append((Stream(STREAM_OF[told["type"]]), json.dumps(told).encode(), told["subject"]))

    # ---- what is written ----

    def _event(self, stream: Stream, raw: bytes, patient: str) -> Written:
        return self._written(stream, partition_of(patient, self._partitions), {b"__data__": raw})

    def _poison(self, step: Step, day: int) -> None:
        count = len(step.entries) * POISON_RATE
        for _ in range(int(count) + (self._dice.random() < count % 1) if day < DAYS else 0):
            recipe = RECIPES[self._poisons % len(RECIPES)]
            if recipe.__name__ == "unknown_program" and day + TOO_LATE > DAYS:
                recipe = RECIPES[1]  # its late window would not be over in the end
            mark = f"poison-{self._poisons}-{recipe.__name__}"
            patient = self._dice.choice(list(self._habits))
            self._poisons += 1
            made = recipe(mark, patient, MONDAY + day * DAY)
            subject = f"flag-{mark}" if recipe.__name__ == "red_flag_in_ruins" else patient
            home = partition_of(subject, self._partitions)
            if made.away and self._partitions == 1:
                continue
            partition = (home + 1) % self._partitions if made.away else home
            step.entries.append(self._written(made.stream, partition, made.fields, made.code))

    def _written(self, stream: Stream, partition: int, fields: Mapping[bytes, bytes], poison: str = "") -> Written:
        self._number += 1
        return Written(self._number, stream, partition, dict(fields) | {b"n": b"%d" % self._number}, poison)

    # ---- what came of it ----

    def _look(self) -> None:
        """Reads what the services have published since the last look."""
        for stream, seen in self._looked_at.items():
            entries = self._care.entries(stream, seen)
            self._looked_at[stream] += len(entries)
            for raw in entries:
                told = json.loads(raw)
                patient, data = told["subject"], told["data"]
                if "prescription_seq" in data and "prescription" in data:
                    if data["prescription_seq"] >= self._in_force.get(patient, (0, []))[0]:
                        self._in_force[patient] = (data["prescription_seq"], data["prescription"])
                elif told["type"] == "care.escalation.raised.v1":
                    self._open[patient][data["escalation_id"]] = data["reason"]
                elif told["type"] == "care.escalation.resolved.v1":
                    self._open[patient].pop(data["escalation_id"], None)
