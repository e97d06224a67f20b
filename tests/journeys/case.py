"""What a journey is built from: the published case, and what the contract needs beyond it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.stream.pure_pipeline import PurePipeline
from tests.journeys.series import Series

PROGRAM = "program"
"""In a happening's data: stands for the id of the patient's program."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event that is no session and no routine check-in, at a fixed hour of a day of the journey."""

    day: int
    hour: int
    kind: str
    """The event type."""
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OtherExercise:
    """Sessions that follow another program than the prescribed one."""

    weeks: tuple[int, int]
    """From the first week up to, not including, the last."""
    exercises: tuple[dict[str, Any], ...]
    sessions_per_week: int


@dataclass(frozen=True, slots=True)
class Reach:
    """A response status that must be reported at some time within a range of whole weeks, both inclusive."""

    status: str
    weeks: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the published course demands of the services."""

    disposition: str | tuple[str, ...]
    primary: tuple[str | None, ...] = ()
    """Any of these; empty: nothing is demanded."""
    leading: str | None = None
    """The condition that must be the most probable."""
    not_leading: tuple[str, ...] = ()
    mixed: bool | None = None
    referral_route: str | None = None
    red_flags: tuple[str, ...] = ()
    """Must be present at intake or escalated during care."""
    program: bool = True
    conditions: tuple[str, ...] = ()
    reach: tuple[Reach, ...] = ()
    never: tuple[str, ...] = ()
    """Statuses that must never be reported."""
    last: tuple[str, ...] = ()
    """Any of these is the last status reported."""
    escalations: tuple[str, ...] = ()
    """Reasons that must be escalated."""
    no_escalations: tuple[str, ...] = ()
    """Reasons that must never be escalated."""
    severity: Literal["emergency", "urgent", "routine"] | None = None
    """The highest severity escalated."""
    last_program_status: str | None = None
    program_held: bool | None = None
    """The program must have been held at some time."""

    def head(self) -> dict[str, Any]:
        """As the file's head shows it: what is demanded, and nothing else."""
        shown: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if value in ((), None):
                continue
            if name == "reach":
                value = [{"status": reach.status, "weeks": list(reach.weeks)} for reach in value]
            shown[name] = list(value) if isinstance(value, tuple) else value
        return shown


@dataclass(frozen=True, slots=True)
class Case:
    """One published case and its reconstruction."""

    journey: str
    title: str
    references: tuple[str, ...]
    """Rows and keys of the evidence base."""
    published: tuple[str, ...]
    interpolated: tuple[str, ...]
    assumed: tuple[str, ...]
    intake: dict[str, Any]
    expected: Expected
    weeks: int = 0
    """How long the patient reports after the intake; 0: the intake is all there is."""
    silent_weeks: int = 0
    """How much further the clock moves after the last report."""
    pain: Series | None = None
    """NPRS, average of the week."""
    measures: dict[str, Series] = field(default_factory=dict)
    """Other instruments with published values; the others are never reported."""
    session_pain_at_most: float = 3.0
    sessions: Callable[[int], bool] = lambda day: True
    """Whether the patient trains on a day on which a session is prescribed."""
    other_exercise: OtherExercise | None = None
    happenings: tuple[Happening, ...] = ()
    closing: Literal["discharge", "refer"] = "discharge"
    """A clinician's word on the last day, where the published record ends."""

    @property
    def patient_id(self) -> str:
        return f"journey-{self.journey}"

    @property
    def intake_id(self) -> str:
        return f"{self.journey}-intake"

    @property
    def program_id(self) -> str:
        return f"prg-{self.intake_id}"


NewPipeline = Callable[[], PurePipeline]
