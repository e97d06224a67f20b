"""Folds facts in order of time, whatever the order in which they came; timers that fall due in between too.

Folding to an instant and then further is the same as folding there at once, so that timers and late
facts commute. Input comes before the clock: a timer that is due at the very instant of a fact runs after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from services.progression.domain.envelope import hold_back
from services.progression.domain.fact import (
    CheckinFact,
    DecisionFact,
    Fact,
    FlagFact,
    LateFact,
    ProgramFact,
    SessionFact,
    order,
)
from services.progression.domain.review import assessment_now, turn_at
from services.progression.domain.schedule import next_due, tick
from services.progression.domain.state import (
    Checkpoint,
    Closed,
    Escalation,
    KnownEscalation,
    Left,
    Pack,
    Snapshot,
    State,
)
from services.progression.domain.step import apply, count_late
from services.progression.domain.tolerance import note_tolerance
from services.progression.domain.turn import Ground, Output, Turn
from shared.protocol.library import Protocols

WINDOW_LIMIT = 512
SURPLUS = 32
"""Facts folded away at once where there are more."""
RECENT_LIMIT = 24
PACK_SIZE = 16
"""Reports packed at once where more are recent."""
CHECKPOINT_LIMIT = 3
"""The base, and the last two: when the next fact comes, one of them is not newer than its cutoff."""
KNOWN_LIMIT = 64
BOOK_LIMIT = 8
LEFT_LIMIT = 4
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """An escalation with the snapshot of the step that raised it, or added to it, and what that step began with."""

    escalation: Escalation
    snapshot: Snapshot
    ground: Ground | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """An escalation that was opened and then closed, as it last stood."""

    moment: Moment
    closed: Closed


@dataclass(frozen=True, slots=True)
class Folded:
    """A state whose head is up to date, and what was said on the way."""

    state: State
    outputs: tuple[Output, ...]
    again: bool
    """Folded anew from the base: most of what was said has been said before."""
    moments: Mapping[str, Moment] = field(default_factory=dict)
    """The last change of each escalation, by reason: what the decision to raise it read."""
    passed: tuple[Passed, ...] = ()


def is_late(state: State, time: datetime) -> bool:
    """Older than the late window behind the newest event."""
    return state.cutoff is not None and time < state.cutoff


def fold(
    state: State,
    facts: Sequence[Fact],
    until: datetime | None,
    protocols: Protocols,
    subject: str,
    late_window: timedelta,
) -> Folded:
    """Takes facts into the window and brings the head up to them, and to `until`, the timers due then included.

    A timer that is due later, or at the instant of the newest fact, waits for the next wake.
    """
    # Where an event counts in full at last, what it was heard for before is part of it.
    partial = {f.id for f in state.recent if is_partial(f)}
    whole = {f.id for f in facts if f.id in partial and not is_partial(f)}
    completes = bool(whole)
    if completes:
        state = replace(state, recent=tuple(f for f in state.recent if f.id not in whole))
    known = {(type(fact), fact.id) for fact in state.recent}
    fresh = sorted({(type(f), f.id): f for f in facts if (type(f), f.id) not in known}.values(), key=order)
    newest = max([fact.time for fact in fresh], default=None)
    if newest is not None and state.newest is not None:
        newest = max(newest, state.newest)
    newest = newest or state.newest
    moves = bool(fresh) or until is not None
    follows = (
        not completes
        and not (state.is_behind and moves)
        and all(
            (not state.recent or order(fact) > order(state.recent[-1]))
            and (state.head.clock is None or fact.time >= state.head.clock)
            and (state.head.ticked is None or fact.time > state.head.ticked)
            for fact in fresh
        )
    )
    road = _Road(state, protocols, subject, late_window)
    if follows:
        head = road.run(state.head, fresh)
    else:
        window = {(type(f), f.id): f for f in (*fresh, *state.window)}
        head = road.run(road.start(), sorted(window.values(), key=order))
    recent = tuple(sorted([*state.recent, *fresh], key=order))
    reached = max([one for one in (until, state.reached) if one is not None], default=None)
    if reached is not None:
        head = road.advance(head, reached, inclusive=True)
    checkpoints = tuple(road.checkpoints)
    state = replace(
        state,
        head=head,
        recent=recent,
        is_behind=state.is_behind and follows,
        newest=newest,
        reached=reached,
        checkpoints=checkpoints,
    )
    state = _roll(state, road)
    state = replace(
        state,
        known=_remember(state.known, road.heard.escalations),
        left=_leave(state, road.heard.left, protocols, subject),
    )
    return Folded(_forget(state), tuple(road.outputs), not follows, road.heard.moments, tuple(road.heard.passed))


def is_partial(fact: Fact) -> bool:
    """Only the red flags of an event, or a decision whose escalation is not known yet."""
    return isinstance(fact, FlagFact) or (
        isinstance(fact, DecisionFact) and fact.escalation_id is not None and fact.reason is None
    )


def count(
    state: State, report: SessionFact | CheckinFact, protocols: Protocols, subject: str, late_window: timedelta
) -> State:
    """Adds what came after the late window to the statistics. No load follows from it now.

    What is decided from then on may read it, in the same way whichever came first: hence its place in the window.
    """
    late = report.time + late_window
    late = late if state.newest is None else min(late, state.newest)

    def counted(snapshot: Snapshot) -> Snapshot:
        turn = Turn(snapshot, state.books, protocols, subject, late, report.id)
        count_late(turn, report)
        return turn.s

    checkpoints = tuple(
        Checkpoint.of(counted(one.snapshot()), one.at) if one.at > late else one for one in state.checkpoints
    )
    base = state.base
    recent = state.recent
    if base is None or base.at <= late:
        recent = tuple(sorted([*recent, LateFact(report.id, late, report)], key=order))
    return replace(state, checkpoints=checkpoints, head=counted(state.head), recent=recent, is_behind=True)


class Heard:
    """What was open on the way, for the state to remember and for the world to be told of."""

    def __init__(self) -> None:
        self.escalations: list[Escalation] = []
        self.moments: dict[str, Moment] = {}
        self.passed: list[Passed] = []
        self.left: dict[str, Snapshot] = {}
        """Programs that another one replaced, as they last stood."""

    def listen(self, turn: Turn, after: Snapshot) -> None:
        before = turn.before
        if before.program_id is not None and before.program_id != after.program_id:
            self.left[before.program_id] = before
        if after.open is before.open:
            return
        self.escalations.extend(after.open)
        for one in before.open:
            closed = next((c for c in after.closed if c.reason == one.reason), None)
            if closed is not None and after.escalation(one.reason) is None:
                self.passed.append(Passed(self._moment_of(one, before), closed))
        for one in after.open:
            if before.escalation(one.reason) != one:
                self.moments[one.reason] = Moment(one, after, turn.ground)

    def _moment_of(self, one: Escalation, before: Snapshot) -> Moment:
        moment = self.moments.get(one.reason)
        return moment if moment is not None and moment.escalation == one else Moment(one, before)


class _Road:
    """The way from one snapshot to a later one: facts and timers in order, heard, said and checkpointed."""

    def __init__(self, state: State, protocols: Protocols, subject: str, late_window: timedelta) -> None:
        self.late_window = late_window
        self.heard = Heard()
        self.outputs: list[Output] = []
        self.checkpoints = list(state.checkpoints)
        self.protocols = protocols
        self.subject = subject
        self._books = state.books
        self._base = state.base

    def start(self) -> Snapshot:
        """The base, to fold everything since then anew; later checkpoints are taken again on the way."""
        self.checkpoints = [] if self._base is None else [self._base]
        return Snapshot() if self._base is None else self._base.snapshot()

    def run(self, s: Snapshot, facts: Iterable[Fact]) -> Snapshot:
        """Through all facts, and the timers due before each."""
        for fact in facts:
            s = self.advance(s, fact.time)
            self._pass(s, fact.time)
            turn = Turn(s, self._books, self.protocols, self.subject, fact.time, fact.id, fact)
            apply(turn, fact)
            s = self._end(turn, s, fact, clock=fact.time if s.clock is None else max(s.clock, fact.time))
        return s

    def advance(self, s: Snapshot, until: datetime, *, inclusive: bool = False) -> Snapshot:
        """Through all that is due before then, and with `inclusive` what is due at that very instant."""
        while (due := next_due(s, self.protocols.progression)) is not None and (
            due[0] < until or (inclusive and due[0] == until)
        ):
            at, kind = due
            self._pass(s, at)
            turn = Turn(s, self._books, self.protocols, self.subject, at, f"{kind}:{at.isoformat()}")
            tick(turn, kind)
            s = self._end(turn, s, None, clock=at, ticked=at)
        return s

    def _pass(self, s: Snapshot, to: datetime) -> None:
        """Takes a checkpoint where a step crosses the next multiple of the late window.

        Only a step shows that nothing before that instant comes in order any more.
        """
        if s.clock is None:
            return
        at = EPOCH + ((s.clock - EPOCH) // self.late_window + 1) * self.late_window
        if to >= at:
            self.checkpoints.append(Checkpoint.of(s, at))
            del self.checkpoints[1 : 1 - CHECKPOINT_LIMIT]

    def _end(self, turn: Turn, before: Snapshot, fact: Fact | None, **clocks: datetime) -> Snapshot:
        hold_back(turn, before, fact)
        note_tolerance(turn, before)
        after: Snapshot = replace(turn.s, **clocks)
        self.heard.listen(turn, after)
        self.outputs.extend(turn.outputs)
        return after


def _roll(state: State, road: _Road) -> State:
    """Moves the cutoff, and the base behind it; lets go of the facts that are in the base."""
    if state.newest is None:
        return state
    cutoff = state.newest - road.late_window
    if state.cutoff is not None and cutoff < state.cutoff:
        cutoff = state.cutoff
    if len(state.recent) + sum(pack.count for pack in state.packs) > WINDOW_LIMIT:
        return _shorten(state, road, cutoff)
    state = _pack(state)
    if cutoff == state.cutoff:
        return state
    old = [one for one in state.checkpoints if one.at <= cutoff]
    if not old:
        return replace(state, cutoff=cutoff)
    base = old[-1]
    checkpoints = (base, *(one for one in state.checkpoints if one.at > cutoff))
    recent = tuple(fact for fact in state.recent if fact.time >= base.at)
    packs = tuple(pack for pack in state.packs if pack.until >= base.at)
    return replace(state, cutoff=cutoff, checkpoints=checkpoints, recent=recent, packs=packs)


def _pack(state: State) -> State:
    """Packs the oldest of many recent reports. The newest fact stays: what comes next is compared with it."""
    if len(state.recent) <= RECENT_LIMIT:
        return state
    reports = [one for one in state.recent[:-1] if isinstance(one, SessionFact | CheckinFact)]
    if len(reports) < PACK_SIZE:
        return state
    packed = reports[:PACK_SIZE]
    gone = {id(one) for one in packed}
    recent = tuple(one for one in state.recent if id(one) not in gone)
    return replace(state, recent=recent, packs=(*state.packs, Pack.of(packed)))


def _shorten(state: State, road: _Road, cutoff: datetime) -> State:
    """More facts than are kept: the oldest are folded for good, however new they are."""
    window = state.window
    old, kept = window[: SURPLUS - WINDOW_LIMIT], window[SURPLUS - WINDOW_LIMIT :]
    if not old:
        return replace(state, cutoff=cutoff, recent=window, packs=())
    at = kept[0].time
    again = _Road(state, road.protocols, road.subject, road.late_window)
    base = again.advance(again.run(again.start(), old), at)
    checkpoints = (Checkpoint.of(base, at), *(one for one in state.checkpoints if one.at > at))
    return replace(state, cutoff=max(cutoff, at), checkpoints=checkpoints, recent=kept, packs=())


def _remember(known: tuple[KnownEscalation, ...], heard: list[Escalation]) -> tuple[KnownEscalation, ...]:
    found = {one.escalation_id: one for one in known}
    for one in heard:
        had = found.get(one.escalation_id)
        flags = tuple(sorted({*(had.flags if had else ()), *one.flags}))
        found[one.escalation_id] = KnownEscalation(one.escalation_id, one.reason, flags)
    return tuple(found.values())[-KNOWN_LIMIT:]


def _leave(state: State, left: dict[str, Snapshot], protocols: Protocols, subject: str) -> tuple[Left, ...]:
    found = {one.program_id: one for one in state.left}
    for program_id, snapshot in left.items():
        book = state.book(program_id, snapshot.version)
        if book is None or snapshot.clock is None:
            continue
        assessment = assessment_now(turn_at(snapshot, state.books, protocols, subject, snapshot.clock))
        if assessment is not None:
            phase_id = snapshot.stands[0].phase_id if snapshot.stands else book.phase_id
            response = assessment.response.model_dump_json().encode()
            found[program_id] = Left(program_id, phase_id, book.protocols[0], response)
    return tuple(found.values())[-LEFT_LIMIT:]


def _forget(state: State) -> State:
    """Drops books that neither checkpoints nor head nor window refer to any longer."""
    wanted = {(one.program_id, one.version) for one in state.checkpoints}
    wanted.add((state.head.program_id, state.head.version))
    wanted |= {(f.program_id, f.version) for f in state.recent if isinstance(f, ProgramFact)}
    kept = tuple(book for book in state.books if (book.program_id, book.version) in wanted)
    gone = [b.program_id for b in state.books if b not in kept and b.program_id != state.head.program_id]
    ended = tuple(dict.fromkeys([*state.ended_ids, *gone]))[-KNOWN_LIMIT:]
    return replace(state, books=kept[-BOOK_LIMIT:], ended_ids=ended)
