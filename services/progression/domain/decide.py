"""The core of progression: `decide(late_window, state, event, protocols, now) -> Decision`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from services.progression.domain.book import write_book
from services.progression.domain.escalation import flag_urgency
from services.progression.domain.fact import (
    CheckinFact,
    DecisionFact,
    Fact,
    FlagFact,
    PatientFact,
    ProgramFact,
    SessionFact,
    StopFact,
    checkin_fact,
    decision_fact,
    session_fact,
)
from services.progression.domain.fold import Folded, Passed, count, fold, is_late, is_partial
from services.progression.domain.publish import publish, repeat_late
from services.progression.domain.schedule import next_due
from services.progression.domain.state import State, Waiting
from shared.decision import (
    Arrival,
    Decision,
    Draft,
    FlagsSalvaged,
    Incoming,
    Origin,
    Performed,
    Rejection,
    TimerFired,
)
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationReason
from shared.event.patient import PatientUpdated, ProgramStopped
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.session import CheckinReported, SessionReported
from shared.event.upcast import parse
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols

OWN_SOURCE = "//adaptive-care/progression"
WAKE = "wake"
WAITING_LIMIT = 128
BINDS_UNNAMED = ("hold", "resume", "modify", "refer", "discharge")
"""Decisions that bind the program in force where they name none."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision is made with, beside state and event."""

    protocols: Protocols
    now: datetime
    subject: str
    late_window: timedelta


def decide(
    late_window: timedelta, state: State | None, event: Incoming, protocols: Protocols, now: datetime
) -> Decision[State]:
    """All that follows from one input, for one patient."""
    # A timer acts at the instant it was due, however far a clock has jumped past it.
    context = Context(protocols, event.time if isinstance(event, TimerFired) else now, event.subject, late_window)
    known = state is not None
    before = state or State()
    match event:
        case Arrival():
            return _arrive(before, event, context, known)
        case FlagsSalvaged():
            fact = FlagFact(event.id, event.time, tuple(sorted(flag for flag, _ in event.red_flags)))
            return _take(before, [_within(before, fact)], context)
        case Performed():
            return _ignore(before, context, known)
        case _:
            if not known:
                return Decision(None, outcome="ignored")
            return _take(before, [], context, until=event.time)


def _arrive(state: State, arrival: Arrival, context: Context, known: bool) -> Decision[State]:
    event, data = arrival.event, arrival.event.data
    match data:
        case ProgramPlanned() | ProgramChanged() if event.source == OWN_SOURCE:
            return _ignore(state, context, known)
        case ProgramPlanned() | ProgramChanged():
            return _program(state, arrival, context)
        case SessionReported() if not _is_known(state, data.program_id):
            return _wait(state, arrival, context, flags=data.symptoms)
        case SessionReported():
            fact = session_fact(event.id, event.time, data)
            if is_late(state, event.time):
                return _late(state, fact, context)
            return _take(state, [_from_start(state, fact)], context)
        case CheckinReported():
            checkin = checkin_fact(event.id, event.time, data)
            if is_late(state, event.time):
                return _late(state, checkin, context)
            return _take(state, [checkin], context)
        case ClinicianDecided():
            return _decided(state, arrival, context, known)
        case PatientUpdated():
            away = (data.away.from_, data.away.to) if data.away else None
            patient = PatientFact(event.id, event.time, data.timezone, away)
            return _take(state, [_within(state, patient)], context)
        case ProgramStopped() if not _is_known(state, data.program_id):
            return _wait(state, arrival, context)
        case ProgramStopped():
            stop = StopFact(event.id, event.time, data.program_id)
            return _take(state, [_within(state, _from_start(state, stop))], context)
        case _:
            return _ignore(state, context, known)


def _program(state: State, arrival: Arrival, context: Context) -> Decision[State]:
    """A version of the planner's, and whatever waited for it."""
    data = arrival.event.data
    if data.program_id in state.ended_ids:
        return _ignore(state, context, True)
    book = write_book(arrival.time, data)
    same = (data.program_id, data.version)
    books = (*(b for b in state.books if (b.program_id, b.version) != same), book)
    published = state.published
    if published.program_id == data.program_id:
        published = replace(published, version=max(published.version, data.version), status=data.status)
    else:
        published = replace(
            published,
            program_id=data.program_id,
            version=data.version,
            status=data.status,
            goals=(),
            response=None,
        )
    state = replace(state, books=books, published=published)
    fact = ProgramFact(arrival.id, arrival.time, data.program_id, data.version, data.status)
    return _take(state, [_within(state, fact)], context)


def _decided(state: State, arrival: Arrival, context: Context, known: bool) -> Decision[State]:
    data = arrival.event.data
    if data.decision in ("acknowledge", "approve"):
        return _ignore(state, context, known)
    reason = _reason_of(state, data.escalation_id)
    binds = reason is not None or (
        _is_known(state, data.program_id) if data.program_id is not None else data.decision in BINDS_UNNAMED
    )
    facts: list[Fact] = []
    if binds:
        fact = decision_fact(arrival.id, arrival.time, data, reason, _flags_told(state, data.escalation_id))
        facts.append(_within(state, fact))
    if reason is None and data.escalation_id is not None:
        # The escalation may be another service's, or one of ours that is yet to come.
        return _wait(state, arrival, context, meanwhile=facts)
    if not binds:
        return _wait(state, arrival, context) if data.program_id is not None else _ignore(state, context, known)
    return _take(state, facts, context)


def _take(state: State, facts: list[Fact], context: Context, until: datetime | None = None) -> Decision[State]:
    """Folds facts in, lets what waited follow, and tells the world what is new.

    `until`: the instant of the timer that fired. An arrival moves no clock; what is due by now fires next.
    """
    arrived = {fact.id for fact in facts}
    folded = fold(state, facts, until, context.protocols, context.subject, context.late_window)
    outputs, again, moments = list(folded.outputs), folded.again, dict(folded.moments)
    passed, answers = folded.passed, [fact for fact in facts if isinstance(fact, DecisionFact)]
    too_late = [f for f in facts if isinstance(f, SessionFact) and _is_left(folded.state, f)]
    while (found := _release(folded.state)) is not None:
        after, more = found
        # What waited beyond the late window counts toward the statistics only, like any late session.
        late = [f for f in more if isinstance(f, SessionFact) and is_late(after, f.time)]
        for one in late:
            after = count(after, one, context.protocols, context.subject, context.late_window)
        too_late.extend(late)
        more = [f for f in more if f not in late]
        folded = fold(after, more, until, context.protocols, context.subject, context.late_window)
        outputs = list(folded.outputs) if folded.again else [*outputs, *folded.outputs]
        again, moments = again or folded.again, moments | dict(folded.moments)
        passed = folded.passed if folded.again else (*passed, *folded.passed)
        answers.extend(fact for fact in more if isinstance(fact, DecisionFact))
        arrived |= {fact.id for fact in more}
        too_late.extend(f for f in more if isinstance(f, SessionFact) and _is_left(folded.state, f))
    untold = _untold(state, passed, {fact.decision_id for fact in answers})
    folded = Folded(folded.state, tuple(outputs), again, moments, untold)
    state, drafts = publish(folded, arrived, context.protocols, context.subject)
    # One that came late for a program since replaced may have been folded where it belongs, and told so.
    told = {draft.key for draft in drafts}
    late_drafts = (draft for one in too_late for draft in repeat_late(state, one, context.protocols, context.subject))
    drafts = (*drafts, *(draft for draft in late_drafts if draft.key not in told))
    state, rejections = _give_up(state, context.now)
    rule = next((draft_rule for draft_rule in _rules(folded)), "")
    return Decision(
        state=state,
        drafts=drafts,
        timers=_timers(state, context),
        rejections=rejections,
        rule=rule,
    )


def _untold(before: State, passed: tuple[Passed, ...], decision_ids: set[str]) -> tuple[Passed, ...]:
    """Escalations that nobody has heard of, and that the decisions of this step closed at once."""
    told = {one.reason for one in before.published.open}
    known = {one.escalation_id for one in before.known}
    return tuple(
        one
        for one in passed
        if one.closed.decision_id in decision_ids
        and one.moment.escalation.reason not in told
        and one.moment.escalation.escalation_id not in known
    )


def _late(
    state: State,
    fact: SessionFact | CheckinFact,
    context: Context,
) -> Decision[State]:
    """Statistics only; red flags and symptoms nobody knows act as if they had come now."""
    counted = count(state, fact, context.protocols, context.subject, context.late_window)
    rules, known = context.protocols.progression, vocabulary().symptoms
    heard = tuple(s for s in fact.symptoms if flag_urgency(s, rules) is not None or s not in known)
    facts: list[Fact] = [FlagFact(fact.id, state.newest or fact.time, heard)] if heard else []
    decision = _take(counted, facts, context)
    if decision.state is None or not isinstance(fact, SessionFact):
        return decision
    drafts: tuple[Draft, ...] = repeat_late(decision.state, fact, context.protocols, context.subject)
    return Decision(
        state=decision.state,
        drafts=(*decision.drafts, *drafts),
        timers=decision.timers,
        rejections=decision.rejections,
        rule=decision.rule or "late",
    )


def _wait(
    state: State,
    arrival: Arrival,
    context: Context,
    flags: tuple[str, ...] = (),
    meanwhile: Sequence[Fact] = (),
) -> Decision[State]:
    """Keeps an event for what it belongs to. Its red flags act at once all the same, and so does `meanwhile`."""
    if any(one.event_id == arrival.id for one in state.waiting):
        return Decision(state, timers=_timers(state, context), outcome="ignored")
    origin = arrival.origin
    waiting = Waiting(
        arrival.id,
        arrival.event.type,
        arrival.time,
        _whole_second(context.now + context.late_window),
        origin.stream,
        origin.entry_id,
        origin.raw,
        has_acted=bool(meanwhile),
    )
    kept = tuple(sorted([*state.waiting, waiting], key=lambda one: (one.time, one.event_id)))
    rejections: tuple[Rejection, ...] = ()
    if len(kept) > WAITING_LIMIT:
        kept, dropped = kept[1:], kept[0]
        rejections = (_unknown(dropped),) if dropped.event_type != ClinicianDecided.event_type else ()
    state = replace(state, waiting=kept)
    rules = context.protocols.progression
    red = tuple(sorted({flag for flag in flags if flag_urgency(flag, rules) is not None}))
    facts = [*meanwhile, *([_within(state, FlagFact(arrival.id, arrival.time, red))] if red else [])]
    if facts:
        decision = _take(state, facts, context)
        return Decision(
            decision.state,
            decision.drafts,
            decision.timers,
            (*decision.rejections, *rejections),
            "waiting",
            decision.rule,
        )
    return Decision(state, timers=_timers(state, context), rejections=rejections, outcome="waiting")


def _release(state: State) -> tuple[State, list[Fact]] | None:
    """Events that waited for what is known by now, as facts. None where there are none."""
    facts: list[Fact] = []
    left: list[Waiting] = []
    for one in state.waiting:
        fact = _follow(state, one)
        if fact is None:
            left.append(one)
        else:
            facts.append(fact)
            if is_partial(fact):
                left.append(replace(one, has_acted=True))
    return (replace(state, waiting=tuple(left)), facts) if facts else None


def _follow(state: State, one: Waiting) -> Fact | None:
    event = parse(one.raw)
    data: Any = event.data
    fact: Fact
    match data:
        case SessionReported() if _is_known(state, data.program_id):
            session = session_fact(event.id, event.time, data)
            fact = session if is_late(state, event.time) else _from_start(state, session)
        case ProgramStopped() if _is_known(state, data.program_id):
            fact = _from_start(state, StopFact(event.id, event.time, data.program_id))
        case ClinicianDecided():
            reason = _reason_of(state, data.escalation_id)
            if reason is None and (one.has_acted or not _is_known(state, data.program_id)):
                return None
            if one.has_acted and all(known.id != event.id for known in state.recent):
                return None  # what it did has left the window: it would be done twice
            fact = decision_fact(event.id, event.time, data, reason, _flags_told(state, data.escalation_id))
        case _:
            return None
    bound: Fact = fact if isinstance(fact, SessionFact) else _within(state, fact)
    return bound


def _give_up(state: State, now: datetime) -> tuple[State, tuple[Rejection, ...]]:
    """What waited in vain. A decision may concern another service's escalation and is let go in silence."""
    over = [one for one in state.waiting if one.until <= now]
    if not over:
        return state, ()
    rejections = tuple(_unknown(one) for one in over if one.event_type != ClinicianDecided.event_type)
    return replace(state, waiting=tuple(one for one in state.waiting if one.until > now)), rejections


def _unknown(one: Waiting) -> Rejection:
    return Rejection(
        "unknown_program",
        "$.data.program_id",
        "no program with this id became known within the late window",
        Origin(one.stream, one.entry_id, one.raw),
    )


def _ignore(state: State, context: Context, known: bool) -> Decision[State]:
    if not known:
        return Decision(None, outcome="ignored")
    return Decision(state, timers=_timers(state, context), outcome="ignored")


def _timers(state: State, context: Context) -> dict[str, datetime]:
    """One timer for each patient: the next that falls due, in whole seconds."""
    due = [one.until for one in state.waiting if not one.has_acted]
    following = next_due(state.head, context.protocols.progression)
    if following is not None:
        due.append(_whole_second(following[0]))
    return {WAKE: min(due)} if due else {}


def _whole_second(instant: datetime) -> datetime:
    """Up to the next whole second, so that a timer never fires too early."""
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)


def _is_left(state: State, fact: SessionFact) -> bool:
    """Whether another program has replaced the one that a session names."""
    return fact.program_id != state.head.program_id and any(one.program_id == fact.program_id for one in state.left)


def _is_known(state: State, program_id: str | None) -> bool:
    return program_id is not None and (
        program_id in state.ended_ids
        or program_id == state.head.program_id
        or any(one.program_id == program_id for one in state.checkpoints)
        or any(book.program_id == program_id for book in state.books)
    )


def _reason_of(state: State, escalation_id: str | None) -> EscalationReason | None:
    return next((one.reason for one in state.known if one.escalation_id == escalation_id), None)


def _flags_told(state: State, escalation_id: str | None) -> tuple[str, ...]:
    """Those that are published, and those ever raised under the escalation that is answered."""
    told = next((one.flags for one in state.published.open if one.reason == "red_flag"), ())
    named = next((one.flags for one in state.known if one.escalation_id == escalation_id), ())
    return tuple(sorted({*told, *named}))


def _within(state: State, fact: Any) -> Any:
    """A fact that comes after the late window and still binds: it acts from the window's start on."""
    return replace(fact, time=state.cutoff) if is_late(state, fact.time) else fact


def _from_start(state: State, fact: Any) -> Any:
    """A producer's clock may run behind: nothing happens within a program before it was planned."""
    times = [book.time for book in state.books if book.program_id == fact.program_id]
    start = state.head.started_at if state.head.program_id == fact.program_id else min(times, default=None)
    return replace(fact, time=start) if start is not None and fact.time < start else fact


def _rules(folded: Folded) -> list[str]:
    return [rule for output in folded.outputs[-1:] for rule in getattr(output, "rules", ())[:1]]
