"""What a patient's circumstances change."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from shared.event.vocabulary import ExerciseId, ModifierId
from shared.protocol.exercise import ExerciseKind
from shared.protocol.limit import Limit
from shared.protocol.program import AvoidRule
from shared.protocol.source import Record, Sourced


class Modifier(Sourced):
    """One circumstance. What is left out stays as the condition has it."""

    start_factor: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the first dose: repetitions and seconds of hold begin at this part of the phase's low end."""
    phase_factor: Annotated[float, Field(ge=1, le=3)] = 1.0
    """Of each phase's least weeks."""
    rpe_cap: Annotated[float, Field(ge=1, le=10)] | None = None
    rpe_cap_weeks: Annotated[int, Field(ge=1)] | None = None
    """Whole weeks of the program that the cap on effort lasts; None: throughout."""
    hold_cap_s: Annotated[float, Field(gt=0)] | None = None
    """Longest hold; walking and cycling are no holds."""
    limits: tuple[Limit, ...] = ()
    excluded_kinds: tuple[ExerciseKind, ...] = ()
    excluded_exercises: tuple[ExerciseId, ...] = ()
    first: tuple[ExerciseId, ...] = ()
    """Chosen before the condition's own exercises, where nothing excludes them."""
    education: tuple[str, ...] = ()
    avoid: tuple[AvoidRule, ...] = ()
    clinician_note: str | None = None

    @property
    def restricts(self) -> bool:
        """It changes exercises or doses, and not only what is taught or how long phases last."""
        caps = (self.rpe_cap, self.hold_cap_s)
        excludes = self.limits or self.excluded_kinds or self.excluded_exercises or self.first
        return self.start_factor < 1 or bool(excludes) or any(cap is not None for cap in caps)


class ModifierRules(Record):
    """Every modifier of the vocabulary, by id."""

    modifiers: dict[ModifierId, Modifier]

    def of(self, modifier_ids: Iterable[str]) -> tuple[Modifier, ...]:
        """The rules that apply, in the order of their ids."""
        return tuple(self.modifiers[m] for m in sorted(set(modifier_ids)) if m in self.modifiers)


def start_factor(modifiers: Iterable[Modifier]) -> float:
    """The gentlest start that any of them asks for; they do not multiply."""
    return min((m.start_factor for m in modifiers), default=1.0)


def phase_factor(modifiers: Iterable[Modifier]) -> float:
    """The slowest of them; they do not multiply."""
    return max((m.phase_factor for m in modifiers), default=1.0)


def rpe_cap(modifiers: Iterable[Modifier], week: int = 0) -> float | None:
    """The lowest cap on effort in force in a whole week of the program, counted from 0."""
    caps = [
        m.rpe_cap for m in modifiers if m.rpe_cap is not None and (m.rpe_cap_weeks is None or week < m.rpe_cap_weeks)
    ]
    return min(caps, default=None)


def hold_cap_s(modifiers: Iterable[Modifier]) -> float | None:
    """The shortest cap on a hold."""
    return min((m.hold_cap_s for m in modifiers if m.hold_cap_s is not None), default=None)
