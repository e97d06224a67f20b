"""One step of the fold while it is taken: the snapshot so far, and what it says to the world."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.progression.domain.book import Book, Dose, treated
from services.progression.domain.state import Escalation, Snapshot
from shared.event.adjustment import ChangeKind
from shared.event.program import ProgramStatus
from shared.event.vocabulary import URGENCIES, Urgency
from shared.protocol.condition import ConditionProtocol
from shared.protocol.library import Protocols
from shared.protocol.program import PhaseExercise, PhaseRules


@dataclass(frozen=True, slots=True)
class LoadChange:
    """One exercise's decision; `before` None where it is introduced, `after` None where it stops."""

    exercise_id: str
    kind: ChangeKind
    before: Dose | None
    after: Dose | None
    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A `load.adjusted` to be, with the snapshot that it speaks of."""

    cause: str
    time: datetime
    snapshot: Snapshot
    book: Book
    session_id: str | None
    checkin_id: str | None
    changes: tuple[LoadChange, ...]
    why: tuple[str, ...]
    rules: tuple[str, ...]
    turning_point: str | None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A `program.changed` to be."""

    cause: str
    time: datetime
    snapshot: Snapshot
    book: Book
    status: ProgramStatus
    reason: str


Output = Adjusted | Rewritten


@dataclass(slots=True)
class Turn:
    """Works on one snapshot at one instant. Nothing of it outlives the step but `s` and `outputs`."""

    s: Snapshot
    books: tuple[Book, ...]
    protocols: Protocols
    subject: str
    at: datetime
    cause: str
    """Id of the fact, or name of the virtual timer."""
    changes: list[LoadChange] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    turning_point: str | None = None
    outputs: list[Output] = field(default_factory=list)

    def set(self, **fields: Any) -> None:  # msgspec's own replace is untyped as well
        self.s = replace(self.s, **fields)

    @property
    def book(self) -> Book | None:
        return next((b for b in self.books if b.program_id == self.s.program_id and b.version == self.s.version), None)

    @property
    def treated(self) -> tuple[ConditionProtocol, ...]:
        return treated(self.book, self.protocols) if self.book else ()

    def local_day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.s.timezone)).date()

    def say(self, rule: str, sentence: str) -> None:
        """Adds a reason to the rationale, once."""
        if sentence not in self.why:
            self.why.append(sentence)
        if rule not in self.rules:
            self.rules.append(rule)

    def change(
        self,
        exercise_id: str,
        kind: ChangeKind,
        before: Dose | None,
        after: Dose | None,
        rule: str,
        because: str,
    ) -> None:
        """Notes one exercise's decision; a later one in the same step goes before an earlier one."""
        earlier = next((one for one in self.changes if one.exercise_id == exercise_id), None)
        if earlier is not None:
            self.changes.remove(earlier)
            before = earlier.before
        self.changes.append(LoadChange(exercise_id, kind, before, after, rule, because))
        if rule not in self.rules:
            self.rules.append(rule)

    def adjust(self, *, session_id: str | None = None, checkin_id: str | None = None, late: bool = False) -> None:
        """Publishes the load as it now stands."""
        book = self.book
        if book is None:
            return
        self.outputs.append(
            Adjusted(
                self.cause,
                self.at,
                self.s,
                book,
                session_id,
                checkin_id,
                tuple(self.changes),
                tuple(self.why),
                tuple(self.rules),
                self.turning_point,
                late,
            )
        )

    def rewrite(self, status: ProgramStatus, reason: str) -> None:
        """Publishes the program's new status."""
        book = self.book
        if book is not None:
            self.outputs.append(Rewritten(self.cause, self.at, self.s, book, status, reason))

    def phase_rules(self, condition_id: str, phase_id: str) -> PhaseRules | None:
        for protocol in self.treated:
            if protocol.condition_id == condition_id:
                return next((p for p in protocol.program.phases if p.phase_id == phase_id), None)
        return None

    def dose_rule(self, exercise_id: str) -> PhaseExercise | None:
        """The range of an exercise: that of the current phases, else of any phase of what is treated."""
        current = [self.phase_rules(stand.condition_id, stand.phase_id) for stand in self.s.stands]
        others = [phase for protocol in self.treated for phase in protocol.program.phases]
        for phase in (*current, *others):
            for one in phase.exercises if phase else ():
                if one.exercise_id == exercise_id:
                    return one
        return None

    def weeks_since(self, instant: datetime) -> int:
        return max(0, (self.at - instant) // timedelta(weeks=1))


def worse(a: Urgency, b: Urgency) -> bool:
    """Whether `a` is more urgent than `b`."""
    return URGENCIES.index(a) > URGENCIES.index(b)


def with_open(s: Snapshot, escalation: Escalation) -> Snapshot:
    """The snapshot with this one open in place of any of the same reason."""
    others = [one for one in s.open if one.reason != escalation.reason]
    return replace(s, open=tuple(sorted([*others, escalation], key=lambda one: one.reason)))
