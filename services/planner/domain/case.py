"""What a plan is made from: the intake's facts, the conditions to treat and what clinicians changed."""

from dataclasses import dataclass, field

from services.planner.domain.state import ToleratedLoad
from shared.event.classification import ConditionClassified, IntakeFacts
from shared.protocol.condition import ConditionProtocol
from shared.protocol.constraint import Case
from shared.protocol.library import Protocols
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient's case at planning. Conditions in order: the primary first."""

    protocols: Protocols
    classification: ConditionClassified
    conditions: tuple[str, ...]
    chosen_by_clinician: bool = False
    is_start: bool = False
    """The safe start program of an undetermined condition."""
    removed: frozenset[str] = frozenset()
    sessions_per_week: int | None = None
    """A clinician's word; None: what the patient can do."""
    load_factor: float = 1.0
    tolerated: tuple[ToleratedLoad, ...] = ()
    """Loads of the prescription last in force before a new plan."""
    versions: tuple[tuple[str, str], ...] = ()
    """Condition and protocol version that this episode of care began with; the newest where none is named."""
    treated: tuple[ConditionProtocol, ...] = field(init=False)
    modifiers: tuple[Modifier, ...] = field(init=False)
    mixes: tuple[Mix, ...] = field(init=False)

    def __post_init__(self) -> None:
        protocols, facts = self.protocols, self.classification.intake
        object.__setattr__(self, "treated", tuple(self.protocol(c) for c in self.conditions))
        object.__setattr__(self, "modifiers", protocols.modifiers.of(facts.modifiers))
        object.__setattr__(self, "mixes", protocols.mixes.of(self.conditions, self.classification.referral_route))

    def protocol(self, condition: str) -> ConditionProtocol:
        """In the version that the episode began with, while that is still on file."""
        version = dict(self.versions).get(condition)
        return self.protocols.condition(condition, version if (condition, version) in self.protocols.versions else None)

    @property
    def facts(self) -> IntakeFacts:
        return self.classification.intake

    @property
    def circumstances(self) -> tuple[Mix | Modifier, ...]:
        """Everything beside the conditions that changes the program."""
        return (*self.mixes, *self.modifiers)

    @property
    def sessions(self) -> int:
        """Days a week on which the patient can exercise."""
        return self.sessions_per_week or self.facts.sessions_per_week

    def probability(self, condition_id: str) -> float:
        """0 for a condition that the intake did not rate."""
        rated = (r.probability for r in self.classification.conditions if r.condition_id == condition_id)
        return next(rated, 0.0)

    def restrictions(self, phases: dict[str, int] | None = None) -> Case:
        """What excludes exercises when each condition is in the phase given, by itself the first."""
        return Case(
            programs={p.condition_id: p.program for p in self.treated},
            phases=phases or dict.fromkeys(self.conditions, 1),
            modifiers=self.modifiers,
            mixes=self.mixes,
            equipment=frozenset(self.facts.equipment),
            removed=self.removed,
            start=self.protocols.start_program if self.is_start else None,
            activities=self.facts.activity_goals,
        )


def conditions_to_treat(data: ConditionClassified, primary: str, protocols: Protocols) -> tuple[str, ...]:
    """The primary and every other condition that is probable enough, the most probable first. Source: C7."""
    threshold = protocols.mixes.threshold.value
    others = sorted(
        (r for r in data.conditions if r.condition_id != primary and r.condition_id in protocols.conditions),
        key=lambda r: (-r.probability, r.condition_id),
    )
    return (primary, *(r.condition_id for r in others if r.probability >= threshold))
