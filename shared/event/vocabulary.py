"""The public ids of the contract: findings, red flags, symptoms, modifiers, instruments, exercises."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Urgency = Literal["emergency", "urgent", "routine"]
URGENCIES: tuple[Urgency, ...] = ("routine", "urgent", "emergency")
"""From the least to the most urgent."""
_IS_OPEN: ContextVar[bool] = ContextVar("is_open", default=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One item of history or examination; `remote`: a patient can do it without a clinician's hands."""

    finding_id: str
    label: str
    kind: Literal["history", "examination"]
    evidence: tuple[str, ...]
    group: str | None
    remote: bool


@dataclass(frozen=True, slots=True)
class RedFlag:
    red_flag_id: str
    label: str
    urgency: Urgency
    evidence: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """An outcome measure; `mic_*`: its minimal important change, where one is known."""

    instrument: str
    label: str
    minimum: float
    maximum: float
    lower_is_better: bool
    mic_points: float | None
    mic_percent: float | None
    mic_is_judgement: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every public id with its label, keyed by id."""

    version: str
    conditions: tuple[str, ...]
    findings: dict[str, Finding]
    red_flags: dict[str, RedFlag]
    symptoms: dict[str, str]
    modifiers: dict[str, str]
    instruments: dict[str, Instrument]
    exercises: dict[str, str]

    def ids(self, kind: str) -> frozenset[str]:
        """All ids of one kind, e.g. `findings`."""
        return frozenset(getattr(self, kind))


@cache
def _known(kind: str) -> frozenset[str]:
    """The ids of one kind, gathered once: every event asks for them, again and again."""
    return vocabulary().ids(kind)


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary shipped with the project."""
    raw = json.loads((files("shared.event") / "vocabulary.json").read_text(encoding="utf-8"))
    return Vocabulary(
        version=raw["version"],
        conditions=tuple(raw["conditions"]),
        findings={
            f["id"]: Finding(
                f["id"], f["label"], f["kind"], tuple(f["evidence"]), f.get("group"), f.get("remote", False)
            )
            for f in raw["findings"]
        },
        red_flags={r["id"]: RedFlag(r["id"], r["label"], r["urgency"], r["evidence"]) for r in raw["red_flags"]},
        symptoms={s["id"]: s["label"] for s in raw["symptoms"]},
        modifiers={m["id"]: m["label"] for m in raw["modifiers"]},
        instruments={i["id"]: _instrument(i) for i in raw["instruments"]},
        exercises={e["id"]: e["evidence"] for e in raw["exercises"]},
    )


def _instrument(raw: dict[str, Any]) -> Instrument:
    change = raw["minimal_important_change"] or {}
    return Instrument(
        instrument=raw["id"],
        label=raw["label"],
        minimum=raw["minimum"],
        maximum=raw["maximum"],
        lower_is_better=raw["better"] == "lower",
        mic_points=change.get("points"),
        mic_percent=change.get("percent"),
        mic_is_judgement=change.get("judgement", False),
        evidence=raw["evidence"],
    )


@contextmanager
def open_vocabulary() -> Iterator[None]:
    """Within it an id that this version does not know passes: for who reads what a newer version wrote."""
    token = _IS_OPEN.set(True)
    try:
        yield
    finally:
        _IS_OPEN.reset(token)


@dataclass(frozen=True, slots=True)
class _Known:
    """Annotation: the string is an id of the vocabulary; the JSON Schema lists them."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in _known(self.kind) and not _IS_OPEN.get():
            raise PydanticCustomError("unknown_id", "'{id}' is no id of {kind}", {"id": value[:80], "kind": self.kind})
        return value

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": sorted(vocabulary().ids(self.kind))}


FindingId = Annotated[str, _Known("findings")]
RedFlagId = Annotated[str, _Known("red_flags")]
ModifierId = Annotated[str, _Known("modifiers")]
InstrumentId = Annotated[str, _Known("instruments")]
ExerciseId = Annotated[str, _Known("exercises")]
