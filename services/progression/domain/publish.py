"""What the world is told: what the newest facts said, and what stands otherwise than it was told before."""

from collections.abc import Mapping

from msgspec.structs import replace

from services.progression.domain.explain import adjustment_of, assessment_of, changed_program, raised, reached_goal
from services.progression.domain.fact import ProgramFact, SessionFact
from services.progression.domain.fold import Folded, Moment
from services.progression.domain.response import Assessment
from services.progression.domain.state import (
    Escalation,
    Left,
    Published,
    RaisedEscalation,
    Snapshot,
    State,
    Status,
    Told,
)
from services.progression.domain.turn import Adjusted, Output, Rewritten, worse
from shared.decision import Draft, Numbering
from shared.event.adjustment import LoadAdjusted, Response
from shared.event.escalation import EscalationResolved
from shared.event.explanation import ProtocolRef
from shared.protocol.library import Protocols


def publish(folded: Folded, arrived: set[str], protocols: Protocols, subject: str) -> tuple[State, tuple[Draft, ...]]:
    """The drafts, and the state that remembers them. Red flags come first."""
    state = folded.state
    drafts = [*_passed(folded, protocols, subject), *_escalations(state, folded.moments, protocols, subject)]
    published = replace(state.published, open=_told(state))
    status, version = published.status, published.version
    for output, repeated in _chosen(folded, arrived):
        if isinstance(output, Rewritten):
            drafts.append(_rewritten(output, version, protocols, subject, repeated))
            version, status = version + 1, output.status
        else:
            # Explaining is dear: only what is told is explained.
            assessment = assessment_of(output, protocols, subject)
            if assessment is None:
                continue
            told = _told_of(assessment.response)
            if output.is_news or repeated or told != published.response:
                drafts.append(_adjusted(output, assessment, protocols, subject, repeated, folded.again))
                published = replace(published, response=told)
                if _prescribes(output) and status in ("held", "ended"):
                    status = "active"  # a late session prescribed: the planner's hold that came after it is told again
    wanted = _status(state.head)
    if wanted != status and wanted in ("active", "held", "ended") and status not in ("none", "proposed"):
        found = _correction(state, wanted)
        if found is not None:
            drafts.append(_rewritten(found, version, protocols, subject, False))
            version, status = version + 1, wanted
    goals = published.goals
    for note in state.head.reached:
        if note.goal_id not in goals and state.head.program_id is not None:
            drafts.append(Draft(reached_goal(note, state.head.program_id), note.time, f"goal:{note.goal_id}"))
            goals = (*goals, note.goal_id)
    published = replace(published, status=status, version=version, goals=goals)
    return replace(state, published=published), tuple(drafts)


def repeat_late(state: State, fact: SessionFact, protocols: Protocols, subject: str) -> tuple[Draft, ...]:
    """The adjustment of a session after the late window: the prescription in force, and no change.

    For a program that another one has replaced nothing is in force.
    """
    s = state.head
    left = next((one for one in state.left if one.program_id == fact.program_id), None)
    if left is not None and fact.program_id != s.program_id:
        return (_of_left(left, fact),)
    book = state.book(s.program_id, s.version)
    if book is None or fact.program_id != s.program_id:
        return ()
    said = Adjusted(
        fact.id,
        max(fact.time, state.newest or fact.time),
        s,
        book,
        fact.session_id,
        None,
        (),
        ("This session was reported too late to adjust the load; it counts toward the outcome.",),
        ("P18",),
        None,
        late=True,
    )
    assessment = assessment_of(said, protocols, subject)
    return () if assessment is None else (_adjusted(said, assessment, protocols, subject, False, False),)


def _of_left(left: Left, fact: SessionFact) -> Draft:
    because = "Another program has taken the place of this one: no load follows from this session."
    payload = LoadAdjusted(
        program_id=left.program_id,
        session_id=fact.session_id,
        checkin_id=None,
        phase_id=left.phase_id,
        prescription_seq=0,
        changes=(),
        prescription=(),
        response=Response.model_validate_json(left.response),
        late=True,
        protocol=ProtocolRef(id=left.protocol[0], version=left.protocol[1]),
        rationale=because,
        references=("P18",),
        turning_point="A session of the program in force would have counted toward its load.",
    )
    return Draft(payload, fact.time, f"adjusted:{fact.id}", Numbering.CURRENT)


def _chosen(folded: Folded, arrived: set[str]) -> list[tuple[Output, bool]]:
    """In order of time: all that is new. After folding anew: what arrived, then again the last adjustment and
    what became of the program after it, so that what was told last is what holds.
    """
    if not folded.again:
        return [(output, False) for output in folded.outputs]
    adjusted = [n for n, output in enumerate(folded.outputs) if isinstance(output, Adjusted)]
    # A plan that comes after what was decided on it has taken the place of what that decision prescribed.
    is_planned = any(isinstance(fact, ProgramFact) and fact.id in arrived for fact in folded.state.recent)
    last = adjusted[-1] if adjusted else len(folded.outputs) - is_planned
    told = {n for n, output in enumerate(folded.outputs) if n >= last or output.cause in arrived}
    prescribed = max((n for n in told if _prescribes(folded.outputs[n])), default=len(folded.outputs))
    rewritten = [n for n, output in enumerate(folded.outputs) if isinstance(output, Rewritten) and n > prescribed]
    # What a late session prescribes is taken back by the hold, or the end, that came after it.
    return [(folded.outputs[n], folded.outputs[n].cause not in arrived) for n in sorted({*told, *rewritten[-1:]})]


def _prescribes(output: Output) -> bool:
    return isinstance(output, Adjusted) and output.snapshot.is_running and not output.late


def _told_of(response: Response) -> Told:
    return Told(response.status, response.week, response.probability_of_meaningful_change)


def _adjusted(
    said: Adjusted, assessment: Assessment, protocols: Protocols, subject: str, repeated: bool, again: bool
) -> Draft:
    """`again`: facts were folded anew, so what is in force may be another prescription than was told."""
    payload = adjustment_of(said, assessment, protocols, subject)
    is_prescribed = _prescribes(said) and (said.is_news or again)
    return Draft(
        payload,
        said.time,
        f"{'again' if repeated else 'adjusted'}:{said.cause}",
        Numbering.NEXT if is_prescribed else Numbering.CURRENT,
    )


def _rewritten(said: Rewritten, version: int, protocols: Protocols, subject: str, repeated: bool) -> Draft:
    key = f"{'again-' if repeated else ''}{said.status}:{said.cause}"
    return Draft(changed_program(said, version, protocols, subject), said.time, key, Numbering.NEXT)


def _correction(state: State, wanted: Status) -> Rewritten | None:
    """Late facts left the program in another status than the world was told."""
    s = state.head
    book = state.book(s.program_id, s.version)
    if book is None or wanted not in ("active", "held", "ended"):
        return None
    at = state.newest or book.time
    return Rewritten("late", at, s, book, wanted, "What was reported late changes what holds now.")


def _status(s: Snapshot) -> Status:
    return "held" if s.status == "active" and s.holds else s.status


def _told(state: State) -> tuple[RaisedEscalation, ...]:
    return tuple(
        RaisedEscalation(
            one.reason,
            _id_of(one, state.published),
            one.severity,
            one.flags,
            state.head.program_id,
        )
        for one in state.head.open
    )


def _id_of(one: Escalation, published: Published) -> str:
    """An escalation keeps the id under which it became known, also where late facts move its cause."""
    return next((old.escalation_id for old in published.open if old.reason == one.reason), one.escalation_id)


def _passed(folded: Folded, protocols: Protocols, subject: str) -> list[Draft]:
    """What a decision that had waited for it closed in the very step that raised it: told once, and closed."""
    state, drafts = folded.state, []
    for passed in sorted(folded.passed, key=lambda p: p.moment.escalation.reason != "red_flag"):
        one, then, closed = passed.moment.escalation, passed.moment.snapshot, passed.closed
        book = state.book(then.program_id, then.version)
        payload = raised(one, one.escalation_id, then, book, protocols, subject, passed.moment.ground)
        drafts.append(Draft(payload, one.updated_at, f"raised:{one.escalation_id}"))
        resolved = EscalationResolved(
            escalation_id=one.escalation_id,
            program_id=then.program_id,
            reason=one.reason,
            resolution=closed.resolution,
            decision_id=closed.decision_id,
        )
        drafts.append(Draft(resolved, max(closed.time, one.updated_at), f"resolved:{one.escalation_id}"))
    return drafts


def _escalations(state: State, moments: Mapping[str, Moment], protocols: Protocols, subject: str) -> list[Draft]:
    """What is open now against what was told: new, worse, or closed.

    The evidence is that of the moment at which it was raised, whatever the same fold learned after it.
    """
    s, told = state.head, {one.reason: one for one in state.published.open}
    drafts: list[Draft] = []
    for one in sorted(s.open, key=lambda e: (e.reason != "red_flag", e.reason)):
        old = told.get(one.reason)
        if old is not None and not worse(one.severity, old.severity) and set(one.flags) <= set(old.flags):
            continue
        moment = moments.get(one.reason)
        is_its_own = moment is not None and moment.escalation == one
        then, ground = (moment.snapshot, moment.ground) if moment is not None and is_its_own else (s, None)
        book = state.book(then.program_id, then.version) or state.book(s.program_id, s.version)
        payload = raised(one, _id_of(one, state.published), then, book, protocols, subject, ground)
        count = len(one.flags)
        drafts.append(Draft(payload, one.updated_at, f"raised:{one.reason}:{one.severity}:{count}"))
    still = {one.reason for one in s.open}
    for reason in sorted(set(told) - still):
        old = told[reason]
        closed = next((one for one in s.closed if one.reason == reason), None)
        resolved = EscalationResolved(
            escalation_id=old.escalation_id,
            program_id=old.program_id,
            reason=reason,
            resolution=closed.resolution if closed else "superseded",
            decision_id=closed.decision_id if closed else None,
        )
        at = closed.time if closed else state.newest or s.clock
        if at is not None:
            drafts.append(Draft(resolved, at, f"resolved:{reason}"))
    return drafts
