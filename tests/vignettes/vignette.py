"""First presentations as data: one patient at the door, and what a careful physiotherapist would conclude.

The YAML files beside this module hold them, grouped by subject. A misspelt field, an unknown id, a key written
twice or an answer given twice is an error and never a silently smaller vignette.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.event.vocabulary import FindingId, ModifierId, RedFlagId

DATA = Path(__file__).parent / "data"

Kind = Literal["textbook", "published", "mix", "mimic", "red_flag", "near_miss", "trap"]
KINDS: tuple[Kind, ...] = ("textbook", "published", "mix", "mimic", "red_flag", "near_miss", "trap")
ConditionId = Literal[
    "gluteal_tendinopathy", "sacroiliac_joint_pain", "deep_gluteal_syndrome", "proximal_hamstring_tendinopathy"
]
Disposition = Literal["program", "more_information", "clinician_review", "urgent_referral", "emergency"]
Route = Literal["lumbar", "hip", "none"]


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Dispositions = Annotated[tuple[Disposition, ...], BeforeValidator(_listed)]
Primaries = Annotated[tuple[ConditionId | None, ...], BeforeValidator(_listed)]
"""Conditions any of which is right; None: that no condition is probable enough."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Intake(_Written):
    """What is known of the patient. Whatever is in none of the lists is unknown."""

    age_years: int
    sex: Literal["female", "male", "other", "unknown"]
    side: Literal["left", "right", "both"]
    onset: Literal["gradual", "sudden", "traumatic", "postpartum"]
    duration_weeks: float
    pain_nprs: float
    screen: Literal["complete", "partial"]
    present: tuple[FindingId, ...] = ()
    absent: tuple[FindingId, ...] = ()
    red_flags: tuple[RedFlagId, ...] = ()
    red_flags_absent: tuple[RedFlagId, ...] = ()
    red_flags_unknown: tuple[RedFlagId, ...] = ()
    modifiers: tuple[ModifierId, ...] = ()
    notes: str | None = None

    @model_validator(mode="after")
    def _answers_each_question_once(self) -> Self:
        findings = Counter(self.present + self.absent)
        flags = Counter(self.red_flags + self.red_flags_absent + self.red_flags_unknown)
        if twice := [name for name, times in (findings + flags).items() if times > 1]:
            raise ValueError(f"answered twice: {', '.join(twice)}")
        return self

    def data(self, intake_id: str) -> dict[str, Any]:
        """The intake as a platform would send it."""
        return {
            "intake_id": intake_id,
            "age_years": self.age_years,
            "sex": self.sex,
            "side": self.side,
            "onset": self.onset,
            "duration_weeks": self.duration_weeks,
            "findings": dict.fromkeys(self.present, "present") | dict.fromkeys(self.absent, "absent"),
            "red_flags": dict.fromkeys(self.red_flags, "present")
            | dict.fromkeys(self.red_flags_absent, "absent")
            | dict.fromkeys(self.red_flags_unknown, "unknown"),
            "red_flag_screen": self.screen,
            "modifiers": list(self.modifiers),
            "measures": [{"instrument": "NPRS", "value": self.pain_nprs}],
        } | ({} if self.notes is None else {"notes": self.notes})


class Expected(_Written):
    """What would be right. What is left out is not judged."""

    disposition: Dispositions
    primary: Primaries | None = None
    """None: not judged."""
    mixed: bool | None = None
    route: Route | None = None
    red_flags: tuple[RedFlagId, ...] = ()
    """Each of these must be found; others may be."""
    ask_red_flags: bool = False
    """A red flag must be the first thing to ask next."""

    @property
    def primary_for_sure(self) -> bool:
        """That a condition must be named, and only conditions are right."""
        return self.primary is not None and None not in self.primary


class MustNot(_Written):
    """What would be wrong, whatever else is tolerable."""

    disposition: Dispositions = ()
    primary: Primaries = ()


class Vignette(_Written):
    id: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]*$")]
    title: str
    kind: Kind
    story: str
    intake: Intake
    expected: Expected
    must_not: MustNot = MustNot()
    why: str

    @property
    def may_be_emergency(self) -> bool:
        return "emergency" in self.expected.disposition


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that is written twice, which YAML would let win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
        if twice := [key for key, times in keys.items() if times > 1]:
            raise ValueError(f"written twice: {twice}, {node.start_mark}")
        return super().construct_mapping(node, deep)


def read(path: Path) -> Iterator[Vignette]:
    """The vignettes of one file, in its order."""
    with path.open(encoding="utf-8") as file:
        for entry in yaml.load(file, Loader=_OnceLoader):  # noqa: S506  # a safe loader that refuses doubles
            yield Vignette.model_validate(entry)


@cache
def vignettes() -> tuple[Vignette, ...]:
    """All of them, by file and then as written."""
    return tuple(vignette for path in sorted(DATA.glob("*.yaml")) for vignette in read(path))
