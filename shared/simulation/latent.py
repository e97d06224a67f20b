"""What the two latent dose-response models have in common: who the patient is, and what a body can be asked.

Rules that were tuned on one structure are judged on the other: `tissue` adapts within a window of intensity and
heals its source of pain, `fitness_fatigue` sums impulses with two time constants and heals nothing. Units: pain in
points of 0 to 10, load and capacity in capacities of the mean patient at the start, time in days.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Model = Literal["tissue", "fitness_fatigue"]


@dataclass(frozen=True, slots=True)
class Traits:
    """One patient as drawn; the names are those of `data/world.yaml`."""

    pain_nprs: float
    """Mean pain at the start."""
    capacity: float
    tolerance: float
    """Relative intensity, load over capacity, above which a session irritates."""
    irritation_nprs: float
    """Points of pain for each unit of relative intensity above tolerance."""
    calm_days: float
    """Time constant with which irritation fades."""
    response: float
    """To load: 0 none, 1 the mean responder's."""
    natural_per_week: float
    """Share of the pain that goes by itself each week; below 0 it comes."""
    lasting_share: float
    """Of the pain at the start: stays whatever is done."""
    rest_share: float
    """Pain at rest as a share of the day's mean pain."""
    provocation_nprs: float
    """Points that a session at capacity adds while it lasts."""
    unaccustomed_per_week: float
    """Days of unaccustomed load in daily life."""
    adherence: float
    excess: float
    """What is done as a share of what is prescribed."""
    morning_answers: float
    effort_bias_rpe: float


class Body(Protocol):
    """A patient's tissue from day to day: the night passes, then there may be a session."""

    @property
    def pain_nprs(self) -> float:
        """The day's true mean pain, 0 to 10."""

    @property
    def irritation_nprs(self) -> float:
        """The part of it that load or a flare brought, felt at rest too."""

    @property
    def capacity(self) -> float:
        """The load that the tissue bears."""

    def sleep(self, unaccustomed: float) -> None:
        """A night passes. `unaccustomed`: relative intensity above tolerance that daily life brought yesterday."""

    def bear(self, load: float) -> float:
        """A session of this load; returns its relative intensity, load over capacity."""


def rest_pain(body: Body, traits: Traits) -> float:
    """True pain at rest: part of what moving brings, and all irritation."""
    moving = body.pain_nprs - body.irritation_nprs
    return min(10.0, traits.rest_share * moving + body.irritation_nprs)


def session_pain(rest_nprs: float, intensity: float, traits: Traits) -> float:
    """True worst pain in a session: what was there, provocation, and what an overload irritates at once."""
    overload = max(0.0, intensity - traits.tolerance)
    return min(10.0, rest_nprs + traits.provocation_nprs * intensity + traits.irritation_nprs * overload / 2)
