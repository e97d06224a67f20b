"""Which four to five exercises a session holds after something of it has gone or a phase begins.

Source: DOMINANCE, CONSTRAINT.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from msgspec.structs import replace

from services.progression.domain.book import Dose
from services.progression.domain.circumstance import is_allowed, is_barred, named_first, restrictions
from services.progression.domain.start import begin_track, starting_dose
from services.progression.domain.state import Stand
from services.progression.domain.turn import Turn
from shared.protocol.program import PhaseRules

TOO_FEW = "Fewer exercises than usual are prescribed: nothing else is left that is allowed."


def exercises_of_phase(turn: Turn, entered: Stand, phase: PhaseRules) -> tuple[str, ...]:
    """What the session holds once a phase is entered: its essentials and the held conditions' work in turn."""
    pools = [_in_order(phase)]
    for stand in turn.s.stands:
        rules = turn.phase_rules(stand.condition_id, stand.phase_id)
        if stand.condition_id != entered.condition_id and rules is not None:
            listed = {one.exercise_id for one in rules.exercises}
            pools.append([t.dose.exercise_id for t in turn.s.tracks if t.dose.exercise_id in listed])
    candidates = list(dict.fromkeys(_in_turn(pools)))
    first = [e for e in named_first(turn) if e in candidates or turn.s.track(e) is not None]
    case, at_most = restrictions(turn), turn.protocols.mixes.session.at_most
    library = turn.protocols.exercises.exercises
    safe = [
        exercise_id
        for exercise_id in dict.fromkeys((*first, *candidates))
        if is_allowed(turn, exercise_id, case) and not is_barred(turn, library[exercise_id])
    ]
    return tuple(safe[:at_most])


def fill_session(turn: Turn, rule: str, because: str) -> None:
    """Brings in what is missing from four exercises: of the current phases, else of the library's light ones."""
    at_least = turn.protocols.mixes.session.at_least
    if len(turn.s.tracks) >= at_least:
        return
    case = restrictions(turn)
    for exercise_id in _spare(turn):
        if len(turn.s.tracks) >= at_least:
            return
        if turn.s.track(exercise_id) is not None or not is_allowed(turn, exercise_id, case):
            continue
        dose = starting_dose(turn, exercise_id)
        if dose is None:
            continue
        dose = _on_session_days(turn, dose)
        turn.change(exercise_id, "introduce", None, dose, rule, f"{because} This one takes a place in the session.")
        turn.set(tracks=(*turn.s.tracks, begin_track(dose, turn.at)))
    if len(turn.s.tracks) < at_least:
        turn.say("DOMINANCE", TOO_FEW)


def _on_session_days(turn: Turn, dose: Dose) -> Dose:
    """What fills a place asks for no more days than the rest of the session."""
    days = [track.dose.days_per_week for track in turn.s.tracks if track.dose.days_per_week is not None]
    if not days or dose.days_per_week is None:
        return dose
    return replace(dose, days_per_week=min(dose.days_per_week, max(days)))


def follow_days(turn: Turn) -> None:
    """Sessions a week are the most days that any exercise of the session asks for."""
    days = [track.dose.days_per_week for track in turn.s.tracks if track.dose.days_per_week is not None]
    if days:
        turn.set(sessions_per_week=max(days))


def _spare(turn: Turn) -> Iterator[str]:
    """Of the leading condition's phase, of the others', then light work; what one day a week bars comes last."""
    library, barred = turn.protocols.exercises, []
    phases = [turn.phase_rules(stand.condition_id, stand.phase_id) for stand in turn.s.stands]
    listed = [exercise_id for phase in phases if phase is not None for exercise_id in _in_order(phase)]
    light = [one.exercise_id for one in library.fallback]
    for exercise_id in dict.fromkeys((*listed, *light)):
        if is_barred(turn, library.exercises[exercise_id]):
            barred.append(exercise_id)
        else:
            yield exercise_id
    yield from (one for one in barred if one in light)


def _in_order(phase: PhaseRules) -> list[str]:
    return [one.exercise_id for essential in (True, False) for one in phase.exercises if one.essential is essential]


def _in_turn(pools: Iterable[list[str]]) -> Iterator[str]:
    for rank in zip_longest(*pools):
        yield from (one for one in rank if one is not None)
