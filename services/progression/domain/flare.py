"""Flares: what one is, how it is graded, and what each grade does to the load."""

from datetime import timedelta
from statistics import median

from msgspec.structs import replace

from services.progression.domain.escalation import escalate
from services.progression.domain.load import lighten, mark
from services.progression.domain.state import Flare, Relief
from services.progression.domain.turn import Turn

PAIN_LIMIT = 24
NIGHT_SYMPTOM = "night_pain_increased"
LASTING_SYMPTOM = "pain_over_24_h"


def usual_pain(turn: Turn) -> float | None:
    """The median of the last days' pain; None while fewer than three reports stand. Source: P14."""
    since = turn.at - timedelta(days=turn.protocols.progression.flare.median_days)
    values = [value for time, value in turn.s.pains if time >= since]
    return float(median(values)) if len(values) >= 3 else None


def note_pain(turn: Turn, pain_nprs: float) -> None:
    turn.set(pains=(*turn.s.pains, (turn.at, pain_nprs))[-PAIN_LIMIT:])


def note_night(turn: Turn, symptoms: tuple[str, ...]) -> None:
    """Keeps the nights with more pain of the last days."""
    since = turn.at - timedelta(days=turn.protocols.progression.flare.median_days)
    nights = [night for night in turn.s.nights if night >= since]
    if NIGHT_SYMPTOM in symptoms:
        nights.append(turn.at)
    turn.set(nights=tuple(nights)[-PAIN_LIMIT:])


def follow_flare(turn: Turn, pain_nprs: float, symptoms: tuple[str, ...], *, unsettled: bool, lasts: bool) -> bool:
    """Reads one report for a flare. True where it began, grew or took load away.

    `unsettled`: pain over 5 that the next morning did not settle. `lasts`: this report tells of the day after.
    Source: P14, P15.
    """
    rule = turn.protocols.progression.flare
    before = turn.s.flare
    usual = before.usual_nprs if before else usual_pain(turn)
    raised = usual is not None and pain_nprs >= usual + rule.rise_points
    very_high = pain_nprs >= rule.severe_pain and (usual is None or raised)
    nights = len(turn.s.nights) >= rule.night_reports and NIGHT_SYMPTOM in symptoms
    sign = (raised and lasts) or unsettled or nights or LASTING_SYMPTOM in symptoms or very_high
    if before is None and not sign:
        return False
    if before is not None and not sign and not raised and pain_nprs <= rule.unsettled_above:
        # One bad day that has settled says nothing against judging the course (RULEOUT e).
        turn.set(flare=None, flare_ended=turn.s.flare_ended if before.grade == "mild" else turn.at)
        return False
    neurological = not set(symptoms).isdisjoint(rule.neurological_symptoms)
    flare = before or Flare(turn.at, usual if usual is not None else pain_nprs, "mild")
    age = turn.at - flare.since
    if very_high or neurological or age > timedelta(days=rule.severe_days):
        grade = "severe"
    elif age >= timedelta(hours=rule.mild_hours):
        grade = "moderate"
    else:
        grade = "mild"
    order = ("mild", "moderate", "severe")
    grew = before is None or order.index(grade) > order.index(before.grade)
    if not grew:
        return False
    turn.set(flare=replace(flare, grade=grade), pending=None)
    if grade == "mild":
        turn.say("P15", "Symptoms have flared: the last tolerated load is repeated, nothing rises.")
    elif grade == "moderate":
        turn.say("P15", "The flare has lasted over two days: one step back for some days, with less volume.")
        _step_back(turn)
    else:
        turn.say("P15", "The flare is severe: no load rises, and a clinician must look within 48 hours.")
        if before is None or before.grade == "mild":
            _step_back(turn)
        escalate(
            turn,
            "flare",
            "urgent",
            "P15",
            "A severe flare of symptoms."
            if very_high or neurological
            else "A flare of symptoms has lasted over a week.",
            evidence=(
                ("pain now", f"{pain_nprs:g}/10"),
                ("usual pain before it", f"{flare.usual_nprs:g}/10"),
                ("since", flare.since.date().isoformat()),
            ),
            respond_within_h=rule.respond_within_hours,
        )
    return True


def _step_back(turn: Turn) -> None:
    rule, book = turn.protocols.progression.flare, turn.book
    if book is None:
        return
    tracks = []
    for track in turn.s.tracks:
        lighter = lighten(track.dose, rule.load_factor, book, levels_back=1)
        if lighter != track.dose:
            turn.change(
                track.dose.exercise_id,
                "regress",
                track.dose,
                lighter,
                "P15",
                "Symptoms have flared, so this exercise goes one step back.",
            )
        tracks.append(mark(replace(track, dose=lighter, at_top=0), turn.at))
    turn.end_lighter_time()
    turn.set(
        tracks=tuple(tracks),
        relief=Relief(turn.at + timedelta(days=rule.days), rule.volume_factor, "P15"),
        lightened_at=turn.at,
    )
