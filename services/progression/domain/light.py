"""How a session is read: green, amber or red, and what forbids any rise of load."""

from services.progression.domain.fact import Performed, SessionFact
from services.progression.domain.load import Blame, Light
from services.progression.domain.state import Note
from services.progression.domain.trend import is_rising
from services.progression.domain.turn import PainLimits, Turn
from shared.protocol import ceiling


def strictest_limits(turn: Turn) -> PainLimits:
    """Pain that may progress, pain that is allowed, rise by the morning, symptoms that count as red.

    In a mix each condition has its rule and the stricter one holds. Source: P02-P06, DOMINANCE.
    """
    return turn.pain_limits


def light_of(turn: Turn, pain_nprs: float, symptoms: tuple[str, ...], pain_before: float | None = None) -> Light:
    """Green may progress, amber holds, red goes back. Source: P02.

    Pain up to 5/10 that was there before the session holds: less load cannot take it away. Source: J-REST.
    """
    progress, allowed, _, regress = strictest_limits(turn)
    if not regress.isdisjoint(symptoms):
        return "red"
    if pain_nprs <= progress:
        return "green"
    is_held = pain_nprs <= ceiling.PAIN_AT_MOST_NPRS and is_at_rest(turn, pain_nprs, pain_before)
    return "amber" if pain_nprs <= allowed or is_held else "red"


def session_light(turn: Turn, fact: SessionFact) -> Light:
    """Of the whole session, by its worst pain."""
    return light_of(turn, worst_pain(fact), fact.symptoms, fact.pain_before)


def is_at_rest(turn: Turn, pain_nprs: float, pain_before: float | None) -> bool:
    """Whether the pain was there before the session already. Unknown is no. Source: J-REST."""
    if pain_before is None or pain_before <= strictest_limits(turn)[0]:
        return False
    return pain_nprs - pain_before <= turn.protocols.progression.regress.rest_rise_points


def obstacle(turn: Turn) -> tuple[str, str] | None:
    """What forbids any rise of load now: the rule and a sentence. None where nothing does.

    The safety envelope: whatever a protocol says, nothing passes here.
    """
    s, rules = turn.s, turn.protocols.progression
    if not s.is_running:
        return "P17", "The program is not running, so nothing rises."
    if s.escalation("red_flag") is not None:
        return "RF19", "A red flag is open, so nothing rises."
    if s.rest_until is not None:
        return "P19", "The patient is ill, so nothing rises."
    if s.flare is not None or s.escalation("flare") is not None:
        return "P15", "Symptoms have flared, so nothing rises."
    if s.escalation("adverse_response") is not None:
        return "P17", "A clinician is to look at the response first, so nothing rises."
    if s.relief is not None and is_lighter_week(turn):
        return s.relief.rule, "A lighter week is under way, so nothing rises."
    if s.statistic is not None and is_rising(s.statistic, turn.at, rules.trend.weeks, rules.trend.rise_points):
        return "P22", "Average pain has risen for two weeks, so nothing rises."
    return None


def is_lighter_week(turn: Turn) -> bool:
    """A deload or the days after a flare: nothing rises and nothing new comes. Source: P13, P15."""
    return turn.s.relief is not None and turn.at < turn.s.relief.until


def usual_morning(turn: Turn, note: Note) -> float:
    """What the morning after a session is compared with: the pain before it, else the last morning's. Source: P01."""
    if note.pain_before is not None:
        return note.pain_before
    earlier = [n.morning_nprs for n in turn.s.notes if n.time < note.time and n.morning_nprs is not None]
    return earlier[-1] if earlier else min(note.pain_nprs, strictest_limits(turn)[0])


def exercise_light(turn: Turn, fact: SessionFact, performed: Performed, light: Light) -> Light:
    """The exercise's own pain where it was reported, else that of the session."""
    if performed.skipped or performed.pain_nprs is None:
        return light
    return light_of(turn, performed.pain_nprs, fact.symptoms, fact.pain_before)


def blame_for(turn: Turn, fact: SessionFact, performed: Performed) -> Blame:
    """What a red report of an exercise says of it: it hurt, the session hurt, or it hurt before."""
    _, allowed, _, regress = strictest_limits(turn)
    if performed.pain_nprs is not None and performed.pain_nprs > allowed:
        return "rest" if is_at_rest(turn, performed.pain_nprs, fact.pain_before) else "exercise"
    if not regress.isdisjoint(fact.symptoms):
        return "session"
    return "rest" if is_at_rest(turn, worst_pain(fact), fact.pain_before) else "session"


def worst_pain(fact: SessionFact) -> float:
    return max(fact.pain_during, fact.pain_after or 0.0)


def pain_words(turn: Turn, fact: SessionFact, performed: Performed) -> str:
    _, allowed, _, _ = strictest_limits(turn)
    pain = performed.pain_nprs if performed.pain_nprs is not None else worst_pain(fact)
    if pain > allowed:
        return f"Pain of {pain:g}/10 was above the {allowed:g}/10 that is allowed"
    return "A symptom that calls for less load was reported"
