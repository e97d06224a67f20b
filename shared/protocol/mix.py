"""How mixed presentations are merged."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from shared.event.vocabulary import ExerciseId, FindingId
from shared.protocol.activity import ActivityWords
from shared.protocol.exercise import ExerciseKind
from shared.protocol.limit import Limit
from shared.protocol.program import AvoidRule
from shared.protocol.source import Figure, Record, Sourced

Route = Literal["lumbar", "hip"]


class Mix(Sourced):
    """One conflict and its resolution: a pair of conditions, or any condition with a referral route."""

    mix_id: Annotated[str, Field(pattern=r"^M[1-9]\d?$")]
    conditions: tuple[str, ...] = ()
    """The pair; empty for a route."""
    route: Route | None = None
    resolution: str
    limits: tuple[Limit, ...] = ()
    excluded_kinds: tuple[ExerciseKind, ...] = ()
    excluded_exercises: tuple[ExerciseId, ...] = ()
    first: tuple[ExerciseId, ...] = ()
    """Chosen before the conditions' own exercises, where nothing excludes them."""
    alternate_tendons: bool = False
    """Loads of gluteal and hamstring tendon fall on different days."""
    education: tuple[str, ...] = ()
    avoid: tuple[AvoidRule, ...] = ()


class Dominance(Sourced):
    """Who leads a mix: the irritable nerve, then the most irritable tendon, then the condition that hampers the
    patient's main goal, then the more probable one.
    """

    neural: dict[str, tuple[FindingId, ...]]
    """Condition to the findings, any of which makes it neurally irritable."""
    tendon: dict[str, tuple[FindingId, ...]]
    """Condition to the findings of an irritable tendon; the larger share present is the more irritable."""
    hampers: dict[str, ActivityWords] = Field(default_factory=dict)
    """Condition to the activities that it hampers; the first goal that a patient names is the main one."""


class SessionSize(Sourced):
    """How many exercises a session holds."""

    at_least: int
    at_most: int


class Bilateral(Sourced):
    """Both sides sore."""

    instruction: str


class MixRules(Record):
    """How mixed presentations are merged."""

    threshold: Figure[float]
    """A condition beside the primary is treated from this probability."""
    probable_from: Figure[float]
    """Below it a condition is called possible."""
    light_below_rpe: Figure[float]
    """Work for both tendons below this effort may be done every day."""
    session: SessionSize
    dominance: Dominance
    bilateral: Bilateral
    mixes: tuple[Mix, ...]

    def of(self, conditions: Collection[str], route: str | None = None) -> tuple[Mix, ...]:
        """Every rule whose pair is treated, and the route's; in the order of the file."""
        treated = set(conditions)
        return tuple(
            mix
            for mix in self.mixes
            if (mix.conditions and treated.issuperset(mix.conditions)) or (mix.route is not None and mix.route == route)
        )
