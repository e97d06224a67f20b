"""The system as others see it: the real command as a process, Redis, HTTP. Nothing of a service is imported.

The replayer here is not the project's own: it knows the contract's keys only, and moves the clock in steps of
whatever length it is told.
"""

import binascii
import contextlib
import itertools
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis

from tests.support.running import environment_for

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SERVICES = ("intake", "planner", "progression", "notifier")
STREAMS = (
    "intakes",
    "sessions",
    "decisions",
    "patients",
    "classifications",
    "programs",
    "adjustments",
    "escalations",
    "reminders",
    "notifications",
    "dead-letters",
)
STREAM_OF = {
    "care.intake.submitted.v1": "intakes",
    "care.session.reported.v1": "sessions",
    "care.checkin.reported.v1": "sessions",
    "care.clinician.decided.v1": "decisions",
    "care.patient.updated.v1": "patients",
    "care.program.stopped.v1": "patients",
    "care.patient.erased.v1": "patients",
}
TIMEOUT_S = 30.0
_numbers = itertools.count(1)

Json = dict[str, Any]


def new_patient() -> str:
    """A pseudonym that no other test uses."""
    return f"pt-{next(_numbers)}"


def partition_of(patient: str, partitions: int) -> int:
    """By the contract's formula, written anew: CRC16-XMODEM, the hash slot of Redis Cluster."""
    return binascii.crc_hqx(patient.encode(), 0) % 16384 % partitions


def event(kind: str, subject: str, at: datetime, data: Json, event_id: str | None = None, **more: Any) -> Json:
    """An event as a platform writes it; `kind` such as `session.reported`."""
    return {
        "specversion": "1.0",
        "id": event_id or f"{subject}/{kind}/{at.isoformat()}",
        "source": "//platform.example/app",
        "type": f"care.{kind}.v1",
        "subject": subject,
        "time": at.isoformat().replace("+00:00", "Z"),
        "data": data,
        **more,
    }


def intake(patient: str, at: datetime, **changes: Any) -> Json:
    """A typical intake of one condition: the sides of the hip, screened completely."""
    data: Json = {
        "intake_id": f"in-{patient}",
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
        "notes": SECRET,
    } | changes
    return event("intake.submitted", patient, at, data)


SECRET = "zanzibar-marmalade"
"""Stands in every free text that these tests send; it must come out nowhere."""


def performed(prescription: Iterable[Json], effort: float | None = None) -> list[Json]:
    """Everything done exactly as prescribed, with the effort that was asked for unless told otherwise."""
    done = []
    for one in prescription:
        rpe = one["target_rpe"] if effort is None else effort
        load = {name: one[name] for name in ("load_kg", "load_level") if name in one}
        if "hold_s" in one:
            sets = [{"reps": 1, "hold_s": one["hold_s"], "rpe": rpe} | load] * (one["sets"] * one["reps"])
        else:
            sets = [{"reps": one["reps"], "rpe": rpe} | load] * one["sets"]
        done.append({"exercise_id": one["exercise_id"], "sets": sets})
    return done


def session(patient: str, at: datetime, prescription: Iterable[Json] = (), **changes: Any) -> Json:
    data: Json = {
        "session_id": f"se-{patient}-{at:%m%d%H}",
        "program_id": f"prg-in-{patient}",
        "started_at": at.isoformat(),
        "completed": True,
        "exercises": performed(prescription),
        "pain_before": 2,
        "pain_during": 2,
        "notes": SECRET,
    } | changes
    return event("session.reported", patient, at, data)


def checkin(patient: str, at: datetime, **changes: Any) -> Json:
    data: Json = {"checkin_id": f"ch-{patient}-{at:%m%d%H}", "reported_at": at.isoformat(), "notes": SECRET} | changes
    return event("checkin.reported", patient, at, data)


def decision(patient: str, at: datetime, kind: str, **changes: Any) -> Json:
    data: Json = {
        "decision_id": f"de-{patient}-{kind}-{at:%m%d%H%M}",
        "clinician_id": "clinician-1",
        "decision": kind,
        "rationale": SECRET,
    } | changes
    return event("clinician.decided", patient, at, data, data["decision_id"] + "/event")


def when(told: Json) -> datetime:
    return datetime.fromisoformat(told["time"])


def _pauses_s() -> Iterator[float]:
    """Between two looks: short at first, then longer, since looking takes what the services need."""
    pause_s = 0.004
    while True:
        yield pause_s
        pause_s = min(pause_s * 1.25, 0.05)


class Process(subprocess.Popen[bytes]):
    """A command that runs in the background."""

    log: Path
    port: int
    """CARE_HTTP_PORT, as it was told."""
    names: tuple[str, ...]


@dataclass
class System:
    """One Redis database and the processes that run on it."""

    url: str
    folder: Path
    partitions: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    client: Any = field(init=False)
    now: datetime = MONDAY - DAY

    def __post_init__(self) -> None:
        self.client = redis.Redis.from_url(self.url)

    # ---- processes ----

    def start(self, *names: str, **settings: str) -> Process:
        """`adaptive-care run`, ready."""
        process = self.launch("run", *names, **settings)
        self.services.update(names or SERVICES)
        self.await_ready(process)
        return process

    def environment(self, **settings: str) -> dict[str, str]:
        own = {"CARE_REDIS_URL": self.url, "CARE_CLOCK": "replay", "CARE_PARTITIONS": str(self.partitions)}
        return environment_for(self.folder, **(own | dict(self.settings) | settings))

    def launch(self, *arguments: str, **settings: str) -> Process:
        """The command, in the background."""
        environment = self.environment(**settings)
        log = self.folder / f"log-{len(self.processes)}.txt"
        with log.open("wb") as output:
            process = Process(
                [sys.executable, "-m", "shared.cli.main", *arguments], env=environment, stdout=output, stderr=output
            )
        process.log = log
        process.port = int(environment["CARE_HTTP_PORT"])
        process.names = arguments[1:]
        self.processes.append(process)
        return process

    def await_ready(self, process: Process, within_s: float = TIMEOUT_S) -> None:
        offset = 1 + SERVICES.index(process.names[0]) if len(process.names) == 1 else 0
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            assert process.poll() is None, process.log.read_text()
            with contextlib.suppress(OSError):
                if http(process.port + offset, "/ready")[0] == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(process.log.read_text())

    def kill(self) -> None:
        """Ends it all at once: nobody needs what it holds any more."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()
        self.client.close()

    # ---- writing ----

    def key(self, patient: str, stream: str) -> str:
        return f"care:{{{partition_of(patient, self.partitions)}}}:{stream}"

    def put(self, *told: Json) -> list[str]:
        """Publishes without waiting. Returns the entries' ids."""
        return [
            str(
                self.client.xadd(self.key(one["subject"], STREAM_OF[one["type"]]), {"__data__": json.dumps(one)}),
                "ascii",
            )
            for one in told
        ]

    def put_raw(self, stream: str, raw: bytes, partition: int = 0) -> str:
        return str(self.client.xadd(f"care:{{{partition}}}:{stream}", {"__data__": raw}), "ascii")

    def tell(self, *told: Json) -> None:
        """Publishes, each event when the clock stands at its time (never backward), and waits for idleness."""
        for one in told:
            self.until(when(one))
            self.put(one)
        self.settle()

    # ---- the clock ----

    def until(self, instant: datetime, step: timedelta | None = None) -> None:
        """Moves the clock on, in steps if told so."""
        if instant <= self.now and self.client.exists("care:clock"):
            return
        now = self.now
        while step is not None and now + step < instant:
            now += step
            self._move(now)
        self._move(max(instant, self.now))

    def _move(self, instant: datetime) -> None:
        if self.client.exists("care:clock"):
            self.settle()
        self.now = instant
        text = instant.isoformat()
        self.client.set("care:clock", text)
        deadline, pauses_s = time.monotonic() + TIMEOUT_S, _pauses_s()
        while time.monotonic() < deadline:
            self._alive()
            fields = {k.decode(): v.decode() for k, v in self.client.hgetall("care:clock:handled").items()}
            if all(name in fields and datetime.fromisoformat(fields[name]) >= instant for name in self.services):
                self.settle()
                return
            time.sleep(next(pauses_s))
        raise AssertionError(f"care:clock:handled stays {fields} at {text}")

    def settle(self, within_s: float = TIMEOUT_S) -> None:
        """Waits until no group of any stream has anything pending or any lag."""
        deadline, pauses_s = time.monotonic() + within_s, _pauses_s()
        while busy := self._busy():
            self._alive()
            assert time.monotonic() < deadline, f"not idle: {busy}"
            time.sleep(next(pauses_s))

    def _busy(self) -> list[str]:
        keys = [f"care:{{{n}}}:{stream}" for n in range(self.partitions) for stream in STREAMS]
        pipeline = self.client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("XINFO GROUPS", key)
        found = []
        for key, groups in zip(keys, pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(groups, Exception):
                continue
            for group in groups:
                name = group["name"].decode()
                if name in self.services and (group["pending"] or group["lag"]):
                    found.append(f"{key} {name} pending {group['pending']} lag {group['lag']}")
        return found

    def _alive(self) -> None:
        for process in self.processes:
            if process.poll() not in (None, 0):
                raise AssertionError(f"a process ended: {process.log.read_text()[-3000:]}")

    def replay(self, events: Sequence[Json], step: timedelta, until: datetime) -> None:
        """Publishes a step's events, lets them be handled, moves the clock to the step's end, and so on."""
        left = sorted(events, key=when)
        at = when(left[0])
        self.until(at)
        while left or self.now < until:
            at = min(self.now + step, max(until, when(left[-1]) if left else until))
            while left and when(left[0]) <= at:
                self.put(left.pop(0))
            self.settle()
            self.until(at)

    # ---- reading ----

    def read(self, stream: str, patient: str | None = None, kind: str | None = None) -> list[Json]:
        """The events of a stream, of one patient and of one kind (`load.adjusted`) if told so."""
        numbers = range(self.partitions) if patient is None else [partition_of(patient, self.partitions)]
        named = json.dumps(patient or "")[1:-1].encode()  # most events are another patient's, and need not be parsed
        found = []
        for number in numbers:
            for _, fields in self.client.xrange(f"care:{{{number}}}:{stream}"):
                if named not in fields[b"__data__"]:
                    continue
                told = json.loads(fields[b"__data__"])
                if patient in (None, told["subject"]) and kind in (None, told["type"][5:-3]):
                    found.append(told)
        return found

    def outputs(self, patient: str, *, reminders: bool = True) -> list[Json]:
        """All that services said of a patient."""
        streams = STREAMS[4:] if reminders else STREAMS[4:8]
        return [told for stream in streams for told in self.read(stream, patient)]

    def classified(self, patient: str) -> Json:
        data: Json = self.read("classifications", patient)[-1]["data"]
        return data

    def program(self, patient: str) -> Json:
        """The newest version of the newest program."""
        data: Json = self.read("programs", patient)[-1]["data"]
        return data

    def adjustment(self, patient: str) -> Json:
        data: Json = self.read("adjustments", patient, "load.adjusted")[-1]["data"]
        return data

    def in_force(self, patient: str) -> list[Json]:
        """The prescription with the highest number."""
        told = self.read("programs", patient) + self.read("adjustments", patient, "load.adjusted")
        newest = max(told, key=lambda one: one["data"]["prescription_seq"])
        prescription: list[Json] = newest["data"]["prescription"]
        return prescription

    def raised(self, patient: str, reason: str | None = None) -> list[Json]:
        found = self.read("escalations", patient, "escalation.raised")
        return [one["data"] for one in found if reason in (None, one["data"]["reason"])]

    def resolved(self, patient: str) -> dict[str, str]:
        """How each escalation was resolved, by id."""
        found = self.read("escalations", patient, "escalation.resolved")
        return {one["data"]["escalation_id"]: one["data"].get("resolution", "") for one in found}

    def open(self, patient: str) -> dict[str, str]:
        """Reason and severity of what stands open."""
        standing: dict[str, Json] = {}
        for one in self.read("escalations", patient):
            data = one["data"]
            if one["type"] == "care.escalation.raised.v1":
                standing[data["escalation_id"]] = data
            elif one["type"] == "care.escalation.resolved.v1":
                standing.pop(data["escalation_id"], None)
        return {data["reason"]: data["severity"] for data in standing.values()}

    def rejected(self, entry_id: str) -> list[Json]:
        return [one["data"] for one in self.read("dead-letters") if one["data"]["entry_id"] == entry_id]

    def letters(self, patient: str) -> list[Json]:
        return [one["data"] for one in self.read("dead-letters", patient)]

    # ---- courses ----

    def enrol(self, at: datetime | None = None, **changes: Any) -> str:
        """A patient with an active program. `at`: by itself the next Monday morning."""
        patient = new_patient()
        self.tell(intake(patient, at or self.monday(), **changes))
        return patient

    def monday(self) -> datetime:
        """The first Monday at eight that is not past."""
        ahead = max(timedelta(), self.now - MONDAY)
        weeks = -(-ahead // timedelta(weeks=1))
        return MONDAY + timedelta(weeks=weeks)

    def train(self, patient: str, at: datetime, *, morning: float | None = 2, **changes: Any) -> None:
        """One session as prescribed, and its next morning."""
        self.tell(session(patient, at, self.in_force(patient), **changes))
        if morning is not None:
            self.tell(checkin(patient, at + timedelta(hours=22), next_morning_pain=morning))


def http(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextlib.contextmanager
def system(
    url: str, folder: Path, *, database: int = 0, partitions: int = 1, services: Sequence[str] = (), **settings: str
) -> Iterator[System]:
    """All services in one process on one database, on the replay clock; with `services` None started."""
    mark = "?db=" if url.startswith("unix") else "/"
    own = folder / f"system-{database}-{next(_numbers)}"
    own.mkdir(parents=True)
    found = System(f"{url}{mark}{database}", own, partitions, settings)
    found.client.flushdb()
    try:
        found.start(*services)
        found.until(MONDAY - DAY)
        yield found
    finally:
        found.kill()


def command(found: System, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One run of the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "shared.cli.main", *arguments],
        env=found.environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
