"""A step taken again with one thing changed: what would have come of it.

So no explanation is guessed: what is said to turn a decision has been tried on the very rules that took it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from msgspec.structs import replace

from services.progression.domain.envelope import hold_back
from services.progression.domain.fact import CheckinFact, SessionFact
from services.progression.domain.review import assessment_now
from services.progression.domain.state import Snapshot
from services.progression.domain.step import apply
from services.progression.domain.turn import Adjusted, Ground, LoadChange, Turn
from shared.event.explanation import Basis, Scalar
from shared.protocol.library import Protocols

TENTH = 0.1
"""The smallest change that is told of a value that patients rate."""
NOT_RAISED = "not_raised"
Report = SessionFact | CheckinFact


@dataclass(frozen=True, slots=True)
class Trial:
    """What a step began with, and the rules by which it can be taken again."""

    ground: Ground
    protocols: Protocols
    subject: str

    def again(self, fact: Report) -> Turn:
        """The same step with another report."""
        ground = self.ground
        turn = Turn(ground.before, ground.books, self.protocols, self.subject, ground.at, ground.cause, fact)
        apply(turn, fact)
        hold_back(turn, turn.before, fact)
        return turn

    def reader(self) -> Turn:
        """What stood before the step, to be read."""
        ground = self.ground
        return Turn(ground.before, ground.books, self.protocols, self.subject, ground.at, ground.cause)


def outcome_of(turn: Turn) -> str:
    """What a step did to the load, in one word."""
    return outcome(turn.before, turn.s, changes_of(turn))


def changes_of(turn: Turn) -> tuple[LoadChange, ...]:
    """What is told of the load: the envelope may have held something back."""
    told = [one.changes for one in turn.outputs if isinstance(one, Adjusted)]
    return told[-1] if told else tuple(turn.changes)


def outcome(before: Snapshot, after: Snapshot, changes: Iterable[LoadChange]) -> str:
    """The same of a step that was taken: what weighs most."""
    changes = list(changes)
    if after.holds and not before.holds:
        return "held"
    if after.rest_until is not None and after.rest_until != before.rest_until:
        return "rest"
    if after.flare is not None and (before.flare is None or after.flare.grade != before.flare.grade):
        return "flared"
    if [s.phase_id for s in after.stands] != [s.phase_id for s in before.stands]:
        return "phase"
    lessened = [one.rule for one in changes if one.kind in ("regress", "substitute", "stop")]
    if lessened:
        return "deload" if set(lessened) == {"P13"} else "regress"
    if any(one.kind == "progress" for one in changes):
        return "progress"
    return "earned" if newly_earned(before, after) else "hold"


def newly_earned(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Exercises whose step up now waits for the next morning."""
    pending = after.pending
    if pending is None or (before.pending is not None and before.pending.session_id == pending.session_id):
        return ()
    return pending.earned


def exercises_of(before: Snapshot, after: Snapshot, changes: Iterable[LoadChange]) -> dict[str, str]:
    """What the step decided for each exercise."""
    earned = newly_earned(before, after)
    return {one.exercise_id: "earned" if one.exercise_id in earned else one.kind for one in changes}


def severity_of(after: Snapshot, reason: str) -> str:
    """How severe the open escalation of a reason is; `not_raised` where there is none."""
    found = after.escalation(reason)
    return NOT_RAISED if found is None else found.severity


def status_of(turn: Turn) -> str | None:
    """How care is going after the step."""
    found = assessment_now(turn)
    return None if found is None else found.status


def with_pain(fact: SessionFact, pain_nprs: float) -> SessionFact:
    """The session with this worst pain: what is above falls to it, else the pain during it rises."""
    during, after = fact.pain_during, fact.pain_after
    if max(during, after or 0.0) > pain_nprs:
        return replace(
            fact,
            pain_during=min(during, pain_nprs),
            pain_after=None if after is None else min(after, pain_nprs),
        )
    return replace(fact, pain_during=pain_nprs)


def without_symptom(fact: Report, symptom: str) -> Report:
    return replace(fact, symptoms=tuple(one for one in fact.symptoms if one != symptom))


def with_measure(fact: CheckinFact, instrument: str, value: float) -> CheckinFact:
    measures = tuple((one, value if one == instrument else had) for one, had in fact.measures)
    return replace(fact, measures=measures)


@lru_cache(maxsize=4096, typed=True)  # most of what sessions rest on is alike; typed, since True is not 1
def basis(
    rule: str,
    read: str,
    value: Scalar,
    threshold: Scalar,
    source: tuple[str, ...],
    then: str,
    turned_by: Scalar = None,
    together: int | None = None,
) -> Basis:
    """One entry, with figures as a person would write them."""
    return Basis(
        rule=rule,
        input=read,
        value=_plain(value),
        threshold=_plain(threshold),
        source=source,
        turned_by=_plain(turned_by),
        then=then,
        together=together,
    )


def _plain(value: Scalar) -> Scalar:
    if isinstance(value, float) and not isinstance(value, bool):
        return round(value, 3) + 0.0
    return value
