"""One step of the fold while it is taken: the snapshot so far, and what it says to the world."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.progression.domain.book import Book, Dose, treated, with_words
from services.progression.domain.fact import Fact
from services.progression.domain.load import Track
from services.progression.domain.state import Escalation, Snapshot
from shared.event.adjustment import ChangeKind
from shared.event.program import ProgramStatus
from shared.event.vocabulary import URGENCIES, Urgency
from shared.protocol.condition import ConditionProtocol
from shared.protocol.constraint import Case
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
    is_news: bool = True
    """False: only how care is going may have changed, which is told where it has."""
    ground: "Ground | None" = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What a step began with: enough to take it again with one thing changed."""

    before: Snapshot
    books: tuple[Book, ...]
    fact: Fact | None
    """None: a timer."""
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A `program.changed` to be."""

    cause: str
    time: datetime
    snapshot: Snapshot
    book: Book
    status: ProgramStatus
    reason: str
    ground: Ground | None = None


Output = Adjusted | Rewritten


class PainLimits(NamedTuple):
    """Pain that may progress, pain that is allowed, rise by the morning, symptoms that count as red."""

    progress: float
    allowed: float
    rise: float
    symptoms: frozenset[str]


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
    fact: Fact | None = None
    changes: list[LoadChange] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    turning_point: str | None = None
    outputs: list[Output] = field(default_factory=list)
    before: Snapshot = field(init=False)
    """As the step found it."""
    book: Book | None = field(init=False)
    """The version of the program in force; both follow `set`, since they are read all the time."""
    treated: tuple[ConditionProtocol, ...] = field(init=False)
    _limits: "PainLimits | None" = field(default=None, repr=False, compare=False)
    _phases: dict[tuple[str, str], PhaseRules] | None = field(default=None, repr=False, compare=False)
    _restricted: tuple[object, object, Case] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.before = self.s
        self._look_up()

    @property
    def ground(self) -> Ground:
        return Ground(self.before, self.books, self.fact, self.at, self.cause)

    def set(self, **fields: Any) -> None:  # msgspec's own replace is untyped as well
        self.s = replace(self.s, **fields)
        if "version" in fields or "program_id" in fields:
            self._look_up()

    def _look_up(self) -> None:
        wanted = self.s.program_id, self.s.version
        self.book = next((b for b in self.books if (b.program_id, b.version) == wanted), None)
        self.treated = treated(self.book, self.protocols) if self.book else ()
        self._limits, self._restricted, self._phases = None, None, None

    @property
    def pain_limits(self) -> "PainLimits":
        """The strictest of the conditions treated, of which there is at least one. Source: P02-P06, DOMINANCE."""
        if self._limits is None:
            rules = [protocol.course.pain for protocol in self.treated]
            self._limits = PainLimits(
                min(rule.progress_at_most for rule in rules),
                min(rule.allowed_at_most for rule in rules),
                min(rule.morning_rise_at_most for rule in rules),
                frozenset(symptom for rule in rules for symptom in rule.regress_symptoms),
            )
        return self._limits

    def case(self, make: Callable[[], Case]) -> Case:
        """What restricts the exercises; made anew where phases or what was taken out have changed."""
        s, known = self.s, self._restricted
        if known is None or known[0] is not s.stands or known[1] is not s.stopped_exercises:
            known = self._restricted = (s.stands, s.stopped_exercises, make())
        return known[2]

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
        for index, earlier in enumerate(self.changes):
            if earlier.exercise_id == exercise_id:
                before = earlier.before
                del self.changes[index]
                break
        self.changes.append(LoadChange(exercise_id, kind, before, after, rule, because))
        if rule not in self.rules:
            self.rules.append(rule)

    def adjust(
        self,
        *,
        session_id: str | None = None,
        checkin_id: str | None = None,
        late: bool = False,
        is_news: bool = True,
    ) -> None:
        """Publishes the load as it now stands."""
        book = self._spoken_book()
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
                is_news,
                self.ground,
            )
        )

    def rewrite(self, status: ProgramStatus, reason: str) -> None:
        """Publishes the program's new status."""
        book = self._spoken_book()
        if book is not None:
            self.outputs.append(Rewritten(self.cause, self.at, self.s, book, status, reason, self.ground))

    def _spoken_book(self) -> Book | None:
        book = self.book
        if book is None:
            return None
        return with_words(book, [track.dose.exercise_id for track in self.s.tracks], self.protocols)

    def phase_rules(self, condition_id: str, phase_id: str) -> PhaseRules | None:
        if self._phases is None:
            self._phases = {(p.condition_id, one.phase_id): one for p in self.treated for one in p.program.phases}
        return self._phases.get((condition_id, phase_id))

    def dose_rule(self, exercise_id: str) -> PhaseExercise | None:
        """The range of an exercise: of the current phases, the nearest earlier ones, the library's own
        light range, else of a phase yet to come.
        """
        numbers = {stand.condition_id: self.phase_rules(stand.condition_id, stand.phase_id) for stand in self.s.stands}
        current: list[PhaseExercise] = []
        earlier: list[PhaseExercise] = []
        later: list[PhaseExercise] = []
        for stand in self.s.stands:
            now = numbers[stand.condition_id]
            current.extend(now.exercises if now else ())
        for protocol in self.treated:
            now = numbers.get(protocol.condition_id)
            number = now.number if now else 1
            phases = sorted(protocol.program.phases, key=lambda phase: abs(phase.number - number))
            earlier.extend(one for phase in phases if phase.number < number for one in phase.exercises)
            later.extend(one for phase in phases if phase.number > number for one in phase.exercises)
        spare = self.protocols.exercises.fallback
        return next((one for one in (*current, *earlier, *spare, *later) if one.exercise_id == exercise_id), None)

    def end_lighter_time(self) -> None:
        """Where it was lighter by plan, that was no time in which nothing harder was tolerated. Source: J-STALL."""
        s = self.s
        since = s.harder_at or s.started_at
        if s.is_lighter_by_plan and since is not None and s.lightened_at is not None:
            self.set(harder_at=since + (self.at - max(since, s.lightened_at)))
        self.set(relief=None)

    def put(self, track: Track) -> None:
        """The exercise as it now stands, in its place."""
        self.swap(track, track)

    def swap(self, old: Track, new: Track) -> None:
        """Another exercise in the place of one."""
        exercise_id = old.dose.exercise_id
        self.set(tracks=tuple(new if one.dose.exercise_id == exercise_id else one for one in self.s.tracks))

    def keep(self, exercise_id: str, rule: str, because: str) -> None:
        """Notes that an exercise stays as it is, and why."""
        track = self.s.track(exercise_id)
        if track is not None:
            self.change(exercise_id, "hold", track.dose, track.dose, rule, because)

    def weeks_since(self, instant: datetime) -> int:
        return max(0, (self.at - instant) // timedelta(weeks=1))


def worse(a: Urgency, b: Urgency) -> bool:
    """Whether `a` is more urgent than `b`."""
    return URGENCIES.index(a) > URGENCIES.index(b)


def with_open(s: Snapshot, escalation: Escalation) -> Snapshot:
    """The snapshot with this one open in place of any of the same reason."""
    others = [one for one in s.open if one.reason != escalation.reason]
    return replace(s, open=tuple(sorted([*others, escalation], key=lambda one: one.reason)))
