"""Valid events of every type that is read, and what may become of them on the way. Everything follows from a seed."""

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from shared.event.wire import Stream
from tests.support.example import intake

Raw = tuple[Stream, bytes]

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    10**400,
    "",
    "\u0000",
    "é🙂" * 40,
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": {"b": [1, 2, {"c": None}]}},
    "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "2026-03-02T09:00:00",
    "../../etc/passwd",
    "care:{0}:sessions",
    "cauda_equina",
)
SYMPTOMS = ("night_pain_increased", "saddle_anaesthesia", "illness_or_fever", "a_word_nobody_knows")


class Source:
    """Events of some patients, valid and otherwise. Ids never repeat by accident."""

    def __init__(self, rng: Random, patients: int, start: datetime) -> None:
        self.rng = rng
        self.patients = [f"fuzz-{n}" for n in range(patients)]
        self.now = start
        self._count = 0

    def first(self) -> list[Raw]:
        """An intake of each patient, from which a program follows."""
        return [self._intake(patient) for patient in self.patients]

    def valid(self) -> Raw:
        """Any event that a platform may send."""
        patient = self.rng.choice(self.patients)
        make = self.rng.choices(
            (self._session, self._checkin, self._decision, self._intake, self._patient, self._stopped, self._erased),
            (40, 30, 12, 8, 6, 2, 0.3),
        )[0]
        return make(patient)

    def spoilt(self) -> Raw:
        """The same, after something has happened to it once or a few times."""
        stream, raw = self.valid()
        for _ in range(self.rng.choice((1, 1, 1, 2, 5))):
            raw = self.rng.choice(_MUTATIONS)(self.rng, raw)
        if self.rng.random() < 0.03:
            stream = self.rng.choice((Stream.INTAKES, Stream.SESSIONS, Stream.DECISIONS, Stream.PATIENTS))
        return stream, raw

    def _intake(self, patient: str) -> Raw:
        return self._event(patient, Stream.INTAKES, "care.intake.submitted.v1", intake(intake_id=f"i-{patient}"))

    def _session(self, patient: str) -> Raw:
        exercises = ("double_leg_bridge", "single_leg_bridge", "supine_static_abduction", "band_side_step")
        data: dict[str, Any] = {
            "session_id": f"s-{self._count}",
            "program_id": self._program(patient),
            "started_at": self._when().isoformat(),
            "completed": self.rng.random() < 0.8,
            "exercises": [
                {
                    "exercise_id": self.rng.choice(exercises),
                    "sets": [{"reps": self.rng.randint(0, 15), "rpe": self.rng.randint(0, 10)} for _ in range(3)],
                }
            ],
            "pain_before": self.rng.randint(0, 10),
            "pain_during": self.rng.randint(0, 10),
            "symptoms": self._symptoms(),
            "notes": self.rng.choice(("", "a little sore", "ö" * 300)),
        }
        return self._event(patient, Stream.SESSIONS, "care.session.reported.v1", data)

    def _checkin(self, patient: str) -> Raw:
        data: dict[str, Any] = {
            "checkin_id": f"c-{self._count}",
            "reported_at": self._when().isoformat(),
            "next_morning_pain": self.rng.randint(0, 10),
            "measures": [{"instrument": self.rng.choice(("NPRS", "PSFS", "GROC")), "value": self.rng.randint(0, 7)}],
            "symptoms": self._symptoms(),
        }
        return self._event(patient, Stream.SESSIONS, "care.checkin.reported.v1", data)

    def _decision(self, patient: str) -> Raw:
        kinds = ("acknowledge", "approve", "hold", "resume", "reclassify", "modify", "refer", "discharge", "continue")
        data: dict[str, Any] = {
            "decision_id": f"d-{self._count}",
            "clinician_id": "clinician-1",
            "decision": self.rng.choice(kinds),
            "program_id": self._program(patient),
            "intake_id": f"i-{patient}",
            "conditions": ["gluteal_tendinopathy"],
            "changes": {"sessions_per_week": 2, "load_factor": 0.8},
            "rationale": "as seen today",
        }
        return self._event(patient, Stream.DECISIONS, "care.clinician.decided.v1", data)

    def _patient(self, patient: str) -> Raw:
        zone = self.rng.choice(("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"))
        data = {"timezone": zone, "quiet_hours": {"start": "21:00", "end": "08:00"}, "consent": {"reminders": True}}
        return self._event(patient, Stream.PATIENTS, "care.patient.updated.v1", data)

    def _stopped(self, patient: str) -> Raw:
        data = {"program_id": self._program(patient), "reason": "moving away"}
        return self._event(patient, Stream.PATIENTS, "care.program.stopped.v1", data)

    def _erased(self, patient: str) -> Raw:
        return self._event(patient, Stream.PATIENTS, "care.patient.erased.v1", {})

    def _program(self, patient: str) -> str:
        return self.rng.choice((f"prg-i-{patient}",) * 9 + ("prg-unknown",))

    def _symptoms(self) -> list[str]:
        return [self.rng.choice(SYMPTOMS)] if self.rng.random() < 0.1 else []

    def _when(self) -> datetime:
        """Mostly now, sometimes late or early."""
        return self.now + timedelta(hours=self.rng.choice((0, 0, 0, -5, -24 * 5, -24 * 20, 12)))

    def _event(self, patient: str, stream: Stream, event_type: str, data: dict[str, Any]) -> Raw:
        self._count += 1
        time = data.get("started_at") or data.get("reported_at") or self.now.isoformat()
        envelope = {"specversion": "1.0", "id": f"e-{self._count}", "source": "//fuzz", "type": event_type}
        return stream, json.dumps(envelope | {"subject": patient, "time": time, "data": data}).encode()


def _in_json(change: Callable[[Random, Any, list[tuple[Any, Any]]], None]) -> Callable[[Random, bytes], bytes]:
    """A mutation of the JSON value; bytes that are none any more stay as they are."""

    def mutate(rng: Random, raw: bytes) -> bytes:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            return raw
        places = _places(value)
        if places:
            change(rng, value, places)
        try:
            return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return raw

    return mutate


def _places(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Every container with every key or index in it."""
    if depth > 20 or not isinstance(value, dict | list):
        return []
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [(value, key) for key, _ in items] + [place for _, item in items for place in _places(item, depth + 1)]


def _drop(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    del container[key]


def _replace(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    container[key] = copy.deepcopy(rng.choice(ODD))


def _rename(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    if isinstance(container, dict):
        container[rng.choice((f"{key}x", key.upper(), "data", "type", "é", "x" * 300))] = container.pop(key)


def _double(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = rng.choice(places)
    if isinstance(container, list):
        container.extend([container[key]] * rng.choice((1, 3, 300)))


def _swap(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    (a, i), (b, j) = rng.choice(places), rng.choice(places)
    first, second = copy.deepcopy(a[i]), copy.deepcopy(b[j])
    a[i], b[j] = second, first


def _nudge(rng: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    numbers = [(c, k) for c, k in places if type(c[k]) in (int, float) and abs(c[k]) < 1e300]
    if numbers:
        container, key = rng.choice(numbers)
        container[key] = rng.choice((container[key] + 1e-9, -container[key], container[key] * 1000, 10.0001, -0.0))


def _flip(rng: Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 1, 4))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _insert(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return (
        raw[:at]
        + rng.choice((b"\xff\xfe", b"\x00", b"NaN", b"\xed\xa0\x80", b"{", b'"', b"1e999", b"\xf0\x9f"))
        + raw[at:]
    )


def _wrap(rng: Random, raw: bytes) -> bytes:
    """FastStream's own envelope, whole or broken, deep nesting, and JSON around JSON."""
    header = b"\x89BIN\r\n\x1a\n\x00\x01\x00\x00\x00\x12\x00\x00\x00\x12"
    return rng.choice(
        (header + raw, header[: rng.randrange(18)] + raw, b"[" * 3000 + raw, b"[" + raw + b"]", b"", b"null")
    )


def _again(rng: Random, raw: bytes) -> bytes:
    """As it was: a duplicate or a valid event among the others."""
    return raw


_MUTATIONS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_in_json(change) for change in (_drop, _replace, _replace, _replace, _rename, _double, _swap, _nudge)),
    _flip,
    _cut,
    _insert,
    _wrap,
    _again,
)
