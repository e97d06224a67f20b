"""What a clinician's word does to the program: it goes before every rule."""

from msgspec.structs import replace

from services.progression.domain import load
from services.progression.domain.circumstance import is_barred
from services.progression.domain.escalation import resolve, silence
from services.progression.domain.fact import DecisionFact
from services.progression.domain.gap import lighten_for_gap
from services.progression.domain.hold import CLINICIAN, PLANNER, end_program, hold, release
from services.progression.domain.load import Track
from services.progression.domain.selection import fill_session
from services.progression.domain.start import capped
from services.progression.domain.state import Resolution
from services.progression.domain.turn import Turn

MODIFIED = "A clinician changed the program."
RESUMED = "A clinician ended the hold."
HELD = "A clinician holds the program."


def decide_as_clinician(turn: Turn, fact: DecisionFact) -> None:
    """Applies one decision. `approve` is the planner's to carry out, `acknowledge` the notifier's."""
    if not _concerns(turn, fact):
        return
    if fact.reason == "no_contact" and turn.s.escalation("no_contact") is not None:
        turn.set(last_contact=turn.at)  # silence counts anew from the clinician's word
    match fact.decision:
        case "continue":
            _continue(turn, fact)
        case "hold":
            hold(turn, CLINICIAN, HELD)
        case "resume":
            _answer(turn, fact, "resume")
            _go_on(turn, RESUMED)
        case "modify":
            _answer(turn, fact, "modify")
            _modify(turn, fact)
            _go_on(turn, MODIFIED)
        case "reclassify":
            _answer(turn, fact, "reclassify")
        case "refer":
            _finish(turn, fact, "refer", "A clinician referred the patient.")
        case "discharge":
            _finish(turn, fact, "discharge", "A clinician discharged the patient.")
        case "approve" | "acknowledge":
            pass


def _concerns(turn: Turn, fact: DecisionFact) -> bool:
    """Whether it is about the program in force. Leaving care, and a hold, need no name for it."""
    if fact.reason is not None:
        return True
    if fact.program_id is not None:
        return fact.program_id == turn.s.program_id
    if fact.decision in ("hold", "refer", "discharge") or not fact.is_elsewhere:
        return True
    # It answers what intake or the planner asked, where that is what keeps the program from running.
    return PLANNER in turn.s.holds or (fact.decision == "modify" and _is_proposal(turn))


def _is_proposal(turn: Turn) -> bool:
    """Awaiting a clinician's word, or running by a word of this very instant."""
    return turn.s.status == "proposed" or turn.s.approved_at == turn.at


def _continue(turn: Turn, fact: DecisionFact) -> None:
    found = turn.s.escalation(fact.reason) if fact.reason else None
    if found is None:
        return
    was_failed = found.reason == "failed_conservative_care"
    silence(turn, replace(found, flags=tuple(f for f in found.flags if f in fact.flags_seen)))
    resolve(turn, found.reason, "continue", decision_id=fact.decision_id, flags_seen=fact.flags_seen)
    if found.reason in turn.s.holds and turn.s.escalation(found.reason) is None:
        # A hold outlives `continue`: from here on it is the clinician's own.
        turn.set(holds=tuple(sorted({CLINICIAN, *(h for h in turn.s.holds if h != found.reason)})))
    if was_failed:
        turn.say("RULEOUT", "A clinician decided that care goes on as it was.")
        turn.adjust()


def _answer(turn: Turn, fact: DecisionFact, how: Resolution) -> None:
    """Resolves what the decision answers; without an escalation, all that holds the program."""
    if fact.is_elsewhere:
        return
    reasons = [fact.reason] if fact.reason else [one.reason for one in turn.s.open if one.holds]
    for reason in reasons:
        if reason is not None:
            resolve(turn, reason, how, decision_id=fact.decision_id, flags_seen=fact.flags_seen)


def _go_on(turn: Turn, because: str) -> None:
    """Ends the hold, but for red flags that nobody has decided on yet, and prescribes."""
    still = {one.reason for one in turn.s.open if one.holds}
    was_held = bool(turn.s.holds)
    release(turn, *(one for one in turn.s.holds if one not in still))
    if turn.s.status != "active":
        return
    if turn.s.holds:
        turn.rewrite("held", "A red flag that is not decided on still holds the program.")
        return
    if was_held:
        lighten_for_gap(turn)
    turn.rewrite("active", because)


def _modify(turn: Turn, fact: DecisionFact) -> None:
    """Takes out, scales, sets days; what then lacks in the session is filled in."""
    book, library = turn.book, turn.protocols.exercises.exercises
    if book is None:
        return
    if fact.sessions_per_week is not None:
        turn.set(days_cap=fact.sessions_per_week)
    kept = []
    for track in turn.s.tracks:
        if track.dose.exercise_id in fact.remove_exercises:
            continue
        dose = track.dose
        if fact.sessions_per_week is not None:
            exercise = library.get(dose.exercise_id)
            if exercise is not None and is_barred(turn, exercise):
                continue
            dose = replace(dose, days_per_week=min(dose.days_per_week or 7, fact.sessions_per_week))
        if fact.load_factor is not None and not _has_planned_now(turn, track):
            dose = load.scale(dose, fact.load_factor, book)
        kept.append(load.mark(replace(track, dose=capped(turn, dose), at_top=0), turn.at))
    turn.set(
        tracks=tuple(kept),
        stopped_exercises=tuple(sorted({*turn.s.stopped_exercises, *fact.remove_exercises})),
        sessions_per_week=fact.sessions_per_week or turn.s.sessions_per_week,
        pending=None,
    )
    if turn.s.tracks or fact.remove_exercises:
        fill_session(turn, "DOMINANCE", "The program was changed by a clinician.")


def _has_planned_now(turn: Turn, track: Track) -> bool:
    """Newly brought in by the planner's version that carries out this very decision: its load is scaled already."""
    return turn.s.approved_at == turn.at and [one.since for one in track.marks] == [turn.at]


def _finish(turn: Turn, fact: DecisionFact, how: Resolution, because: str) -> None:
    for one in turn.s.open:
        resolve(turn, one.reason, how, decision_id=fact.decision_id, flags_seen=fact.flags_seen)
    if turn.s.program_id is not None and turn.s.status not in ("none", "ended"):
        end_program(turn, because)
