"""How load falls: one step back, an easier exercise or none, and the lighter week of every few."""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain import load
from services.progression.domain.book import Book, Dose
from services.progression.domain.light import is_lighter_week
from services.progression.domain.load import Blame, Track
from services.progression.domain.selection import fill_session
from services.progression.domain.start import begin_track, planned_dose
from services.progression.domain.state import Relief
from services.progression.domain.turn import Turn
from services.progression.domain.variant import variant_of
from shared.event.adjustment import ChangeKind


def fall(turn: Turn, track: Track, because: str, rule: str = "P17", blame: Blame = "session") -> None:
    """One step back; after repeated red sessions the easier variant, or none. Source: P17, J-REST."""
    rules, book = turn.protocols.progression.regress, turn.book
    if book is None:
        return
    reds = track.reds + 1
    exercise_id = track.dose.exercise_id
    lighter = load.lighten(track.dose, rules.load_factor, book, levels_back=1)
    if blame == "rest":
        floor = _phase_dose(turn, book, exercise_id)
        if floor is None or load.volume_of(lighter) < rules.rest_floor_share * load.volume_of(floor):
            turn.keep(exercise_id, rule, f"{because} It was there before, and the load is light already, so it stays.")
        elif lighter != track.dose:
            turn.change(exercise_id, "regress", track.dose, lighter, rule, because)
            turn.put(load.mark(replace(track, dose=lighter, at_top=0), turn.at))
        return
    if lighter != track.dose and (reds < rules.reds_to_substitute or is_lighter_week(turn)):
        turn.change(exercise_id, "regress", track.dose, lighter, rule, because)
        turn.put(load.mark(replace(track, dose=lighter, reds=reds, at_top=0), turn.at))
        return
    easier = None if is_lighter_week(turn) else variant_of(turn, track, up=False)
    if easier is not None:
        turn.change(exercise_id, "substitute", track.dose, easier, rule, f"{because} Its easier variant replaces it.")
        turn.swap(track, replace(begin_track(easier, turn.at), variant_since=turn.at))
        return
    if blame == "session":
        kind: ChangeKind = "regress" if lighter != track.dose else "hold"
        turn.change(exercise_id, kind, track.dose, lighter, rule, f"{because} Nothing easier is left of it.")
        turn.put(load.mark(replace(track, dose=lighter, reds=reds, at_top=0), turn.at))
        return
    before = turn.s
    turn.set(
        tracks=tuple(t for t in before.tracks if t.dose.exercise_id != exercise_id),
        stopped_exercises=tuple(sorted({*before.stopped_exercises, exercise_id})),
    )
    turn.change(exercise_id, "stop", track.dose, None, rule, f"{because} Nothing easier is left of it.")
    fill_session(turn, rule, "An exercise was taken out.")
    if not turn.s.tracks:
        # Not all loading stops unless a red flag says so (P17): the last exercise stays at its least.
        turn.s = before
        turn.change(exercise_id, "regress", track.dose, lighter, rule, because)
        turn.put(load.mark(replace(track, dose=lighter, reds=reds, at_top=0), turn.at))


def ease(turn: Turn, track: Track) -> None:
    """One step back after repeated amber, never below where the phase began: amber is allowed pain. Source: P17."""
    book, factor = turn.book, turn.protocols.progression.regress.load_factor
    if book is None:
        return
    floor = _phase_dose(turn, book, track.dose.exercise_id)
    lighter = load.lighten(track.dose, factor, book, levels_back=1)
    dose = track.dose if floor is None or load.volume_of(lighter) < load.volume_of(floor) else lighter
    if dose == track.dose:
        turn.keep(dose.exercise_id, "P17", "Repeated amber, and already where the phase began, so it stays.")
        return
    because = "This was the second amber session within a week, so it goes one step back."
    turn.change(dose.exercise_id, "regress", track.dose, dose, "P17", because)
    turn.put(load.mark(replace(track, dose=dose, at_top=0, reds=0), turn.at))


def _phase_dose(turn: Turn, book: Book, exercise_id: str) -> Dose | None:
    """What the phase began with."""
    stand = turn.s.stands[0] if turn.s.stands else None
    return planned_dose(book, stand.phase_id if stand else "", exercise_id)


def deload_if_due(turn: Turn) -> bool:
    """Every few weeks a lighter one. True where it begins. Source: P13."""
    rule, s, book = turn.protocols.progression.deload, turn.s, turn.book
    if book is None or s.lightened_at is None or s.relief is not None:
        return False
    if turn.weeks_since(s.lightened_at) < rule.after_weeks:
        return False
    tracks = []
    for track in s.tracks:
        dose = track.dose
        if dose.load_kg is not None:
            dose = load.lighten(dose, rule.load_factor, book)
        lighter = load.reduce_volume(dose, rule.volume_factor)
        turn.change(
            dose.exercise_id,
            "regress" if lighter != track.dose else "hold",
            track.dose,
            lighter,
            "P13",
            f"After {rule.after_weeks} weeks a lighter one: less volume, and less load where there is any.",
        )
        tracks.append(load.mark(replace(track, dose=dose, at_top=0), turn.at))
    turn.set(
        tracks=tuple(tracks),
        relief=Relief(turn.at + timedelta(days=rule.days), rule.volume_factor, "P13"),
        lightened_at=turn.at,
    )
    return True
