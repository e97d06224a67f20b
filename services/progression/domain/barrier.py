"""On what grounds an exercise may be harder than before, and by how much: the envelope's own answer.

It repeats none of the rules: it asks what was reported, and compares doses. Source: P01, P11, P21, R5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.progression.domain.adherence import AdherenceFigures
from services.progression.domain.book import Dose
from services.progression.domain.fact import CheckinFact, DecisionFact, Fact, ProgramFact, SessionFact
from services.progression.domain.flare import NIGHT_SYMPTOM
from services.progression.domain.load import DoseMark, Track, volume_of
from services.progression.domain.state import Note, Snapshot
from shared.protocol import ceiling
from shared.protocol.exercise import Exercise

RED_FLAG = "red_flag"
ILLNESS = "illness_or_fever"
_TOLERANCE = 1e-9

LOAD = ("load_kg", "load_level")
VOLUME = ("sets", "reps", "hold_s")
FREQUENCY = ("days_per_week", "times_per_day")
EFFORT = ("target_rpe",)


@dataclass(frozen=True, slots=True)
class Reports:
    """What one step has heard, and what is known of the patient beside the snapshot."""

    at: datetime
    fact: Fact | None
    """None: time has passed."""
    exercises: Mapping[str, Exercise]
    steps_kg: Mapping[str, tuple[float, ...]]
    """Equipment to the weights that exist."""
    adherence: AdherenceFigures | None
    """Of the course that is under way."""
    weeks: int | None
    """Whole weeks of it."""


def is_advanced(before: Snapshot, after: Snapshot, reports: Reports) -> bool:
    """Phases go back with time or a clinician's word; what moves at a report of the patient goes on."""
    if after.program_id != before.program_id or not isinstance(reports.fact, SessionFact | CheckinFact):
        return False
    return [one.phase_id for one in after.stands] != [one.phase_id for one in before.stands]


def bars_dose(old: Track, new: Track, before: Snapshot, after: Snapshot, reports: Reports) -> str | None:
    """Why an exercise may not go on as the rules want it, None where it may."""
    axes = _risen(old.dose, new.dose)
    if not axes:
        return None
    fact = reports.fact
    if isinstance(fact, ProgramFact):
        return None if set(axes) <= set(FREQUENCY) else "a new version of the plan keeps the load that was tolerated"
    if isinstance(fact, DecisionFact):
        return _bars_asked(old.dose, new.dose, axes, fact, after, reports)
    why = bars_rise(before, after, reports)
    if why is not None:
        return why
    opens = is_advanced(before, after, reports)
    if not opens:
        why = bars_earning(before, after, reports, old.dose.exercise_id)
        if why is not None:
            return why
    moved = [one for one in axes if not opens or one in (*LOAD, *VOLUME)]
    if len(moved) > 1:
        return "only one thing of an exercise rises at a time"
    if not opens and new.dose.target_rpe > old.dose.target_rpe + ceiling.EFFORT_STEP_RPE:
        return "the effort asked for rises by one at most"
    if most(new.dose, reports) != new.dose:
        return "a session asks for no more"
    return _bars_amount(old, new.dose, axes, reports)


def _bars_amount(old: Track, new: Dose, axes: list[str], reports: Reports) -> str | None:
    """The caps for a session and for a week. Source: P11."""
    dose = old.dose
    week_ago = _reference(old, reports.at)
    if "load_kg" in axes:
        if dose.load_kg is None or new.load_kg is None or new.equipment != dose.equipment:
            return "weight is not added where there was none"
        steps = reports.steps_kg.get(dose.equipment or "none", ())
        reference = dose.load_kg if week_ago.load_kg is None else week_ago.load_kg
        if new.load_kg > _most_kg(dose.load_kg, ceiling.LOAD_PER_SESSION, steps):
            return "the load rises by a tenth or one smallest step at most"
        if new.load_kg > _most_kg(reference, ceiling.LOAD_PER_WEEK, steps):
            return "the load rises by a fifth or one smallest step a week at most"
    if "load_level" in axes:
        lowest = min(dose.load_level or 0, week_ago.load_level if week_ago.load_level is not None else 100)
        if dose.load_level is None or (new.load_level or 0) > lowest + 1:
            return "the resistance rises by one level a week at most"
    if not set(axes).isdisjoint(VOLUME) and volume_of(new) > _most_volume(dose, axes, week_ago.volume, reports):
        return "the volume rises by a fifth or one smallest step a week at most"
    return None


def _bars_asked(
    old: Dose, new: Dose, axes: list[str], fact: DecisionFact, after: Snapshot, reports: Reports
) -> str | None:
    """A clinician's word may raise, by what it says; never while a red flag is open."""
    factor = fact.load_factor or 1.0
    if after.escalation(RED_FLAG) is not None or not after.is_running:
        return "a red flag is open, or the program is not running"
    for axis in axes:
        was, now = getattr(old, axis), getattr(new, axis)
        if axis == "days_per_week" and now <= (fact.sessions_per_week or 0):
            continue
        if axis not in ("load_kg", *VOLUME) or was is None or now > was * max(1.0, factor) + 0.05 + _TOLERANCE:
            return "nobody asked for more of it"
    return "a session asks for no more" if most(new, reports) != new else None


def bars_new(source: Track | None, track: Track, before: Snapshot, after: Snapshot, reports: Reports) -> str | None:
    """Why an exercise may not come in: a harder one needs what a rise needs, and so does a jump or sprint."""
    exercise = reports.exercises.get(track.dose.exercise_id)
    if isinstance(reports.fact, DecisionFact):
        source = None  # what a clinician took out makes room for any other exercise
    is_harder = source is not None or (exercise is not None and exercise.kind == "energy_storage")
    if not is_harder or is_advanced(before, after, reports):
        return None
    earner = source.dose.exercise_id if source is not None else None
    why = bars_rise(before, after, reports) or bars_earning(before, after, reports, earner)
    since = source.variant_since if source is not None else None
    if why is None and since is not None and reports.at - since < timedelta(days=ceiling.VARIANT_AFTER_DAYS):
        why = "the exercise was changed within the last week"
    return why


def bars_rise(before: Snapshot, after: Snapshot, reports: Reports) -> str | None:
    """What forbids any rise now, whatever was earned."""
    if not before.is_running or not after.is_running:
        return "the program is not running"
    if after.escalation(RED_FLAG) is not None:
        return "a red flag is open"
    if not isinstance(reports.fact, CheckinFact):
        return "nothing was reported of how it was tolerated"
    if NIGHT_SYMPTOM in reports.fact.symptoms:
        return "the night was worse"
    ill = dict(after.heard).get(ILLNESS)
    if after.rest_until is not None or (
        ill is not None and reports.at - ill < timedelta(hours=ceiling.WELL_AGAIN_AFTER_HOURS)
    ):
        return "the patient was ill"
    return None


def bars_earning(before: Snapshot, after: Snapshot, reports: Reports, exercise_id: str | None = None) -> str | None:
    """Why the report is not the good morning after a session that earned a step. Source: R5, P01, P21."""
    fact, pending = reports.fact, before.pending
    if pending is None or not isinstance(fact, CheckinFact) or fact.next_morning_pain is None:
        return "no next morning was reported"
    if not pending.earned or (exercise_id is not None and exercise_id not in pending.earned):
        return "the session did not earn it"
    is_named = fact.session_id == pending.session_id
    if not is_named and reports.at - pending.time < timedelta(hours=ceiling.MORNING_AFTER_HOURS):
        return "no night has passed since the session"
    return bars_morning(next((one for one in after.notes if one.session_id == pending.session_id), None))


def bars_morning(note: Note | None) -> str | None:
    """Why a session's morning does not count as settled."""
    if note is None or note.morning_nprs is None:
        return "no next morning was reported"
    if max(note.pain_nprs, note.morning_nprs) > ceiling.PAIN_AT_MOST_NPRS:
        return f"pain was above {ceiling.PAIN_AT_MOST_NPRS:g}/10"
    usual = note.pain_nprs if note.pain_before is None else note.pain_before
    if note.is_settled is False or note.morning_nprs > usual + ceiling.MORNING_RISE_AT_MOST_POINTS:
        return "the morning was not settled"
    return None


def _risen(old: Dose, new: Dose) -> list[str]:
    """What of an exercise is harder than before."""
    return [
        axis
        for axis in (*LOAD, *VOLUME, *FREQUENCY, *EFFORT)
        if (getattr(new, axis) or 0) > (getattr(old, axis) or 0) + _TOLERANCE
    ]


def most(dose: Dose, reports: Reports) -> Dose:
    """The dose, or the most of it that a session may ask for."""
    exercise = reports.exercises.get(dose.exercise_id)
    is_aerobic = exercise is not None and exercise.kind == "aerobic"
    longest_s = ceiling.AEROBIC_AT_MOST_S if is_aerobic else ceiling.HOLD_AT_MOST_S
    return replace(
        dose,
        sets=min(dose.sets, ceiling.SETS_AT_MOST),
        reps=min(dose.reps, ceiling.REPS_AT_MOST),
        hold_s=None if dose.hold_s is None else min(dose.hold_s, longest_s),
        target_rpe=min(dose.target_rpe, ceiling.EFFORT_AT_MOST_RPE),
        times_per_day=None if dose.times_per_day is None else min(dose.times_per_day, ceiling.TIMES_PER_DAY_AT_MOST),
    )


def _most_kg(kg: float, share: float, steps: tuple[float, ...]) -> float:
    """A share more, or the next weight that exists."""
    above = next((one for one in steps if one > kg + _TOLERANCE), kg) if steps else kg + ceiling.SMALLEST_STEP_KG
    return max(kg * (1 + share), above) + _TOLERANCE


def _most_volume(dose: Dose, axes: list[str], week_ago: float, reports: Reports) -> float:
    """A fifth more than a week ago, or one smallest step: a repetition in each set, or some seconds in each hold."""
    exercise = reports.exercises.get(dose.exercise_id)
    is_aerobic = exercise is not None and exercise.kind == "aerobic"
    smallest = 0.0
    if "reps" in axes:
        smallest = volume_of(replace(dose, reps=ceiling.SMALLEST_STEP_REPS))
    elif "hold_s" in axes:
        longer_s = ceiling.SMALLEST_STEP_AEROBIC_S if is_aerobic else ceiling.SMALLEST_STEP_HOLD_S
        smallest = volume_of(replace(dose, hold_s=longer_s))
    return max(week_ago * (1 + ceiling.LOAD_PER_WEEK), week_ago + smallest) + _TOLERANCE


def _reference(track: Track, now: datetime) -> DoseMark:
    """The dose of a week before, or the first one where the exercise is younger."""
    dose, week_ago = track.dose, now - timedelta(days=7)
    old = [one for one in track.marks if one.since <= week_ago] or list(track.marks[:1])
    return old[-1] if old else DoseMark(now, volume_of(dose), dose.load_kg, dose.load_level)
