"""How one exercise's load rises, holds and falls: double progression within caps, one axis at a time."""

from datetime import datetime, timedelta
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from services.progression.domain.book import Book, Dose
from services.progression.domain.fact import Performed
from shared.protocol import ceiling
from shared.protocol.exercise import Exercise
from shared.protocol.program import PhaseExercise, Range
from shared.protocol.progression import ProgressionRules

Light = Literal["green", "amber", "red"]
Blame = Literal[
    "exercise",  # its own pain: one step back, then its easier variant, then none
    "session",  # which exercise hurt is not known: none is taken out for it
    "rest",  # the pain was there before: not far below where the phase began
]
MARK_LIMIT = 16
_Amount = TypeVar("_Amount", int | None, float | None)


class DoseMark(Struct, frozen=True, omit_defaults=True, array_like=True):
    """A dose from the instant it was prescribed: what the weekly cap is measured against."""

    since: datetime
    volume: float
    load_kg: float | None = None
    load_level: int | None = None


class Track(Struct, frozen=True, omit_defaults=True):
    """One exercise as it stands: its dose, and how far it is toward the next step."""

    dose: Dose
    marks: tuple[DoseMark, ...] = ()
    """The doses of the last week, and the one in force before them."""
    at_top: int = 0
    """Sessions in a row at the top of the range."""
    reds: int = 0
    """Red sessions in a row."""
    variant_since: datetime | None = None
    effort_since: datetime | None = None
    """Since when it asks for its effort; None until that first waits for a rise."""


class Span(Struct, frozen=True):
    """The range that repetitions and seconds move within before the load changes."""

    reps_low: int
    reps_high: int
    hold_low_s: float | None = None
    hold_high_s: float | None = None


class Step(Struct, frozen=True):
    """A dose after a step up or down, with the rule and what it was in words."""

    dose: Dose
    rule: str
    what: str


def span_of(rule: PhaseExercise | None, dose: Dose) -> Span:
    """The protocol's range; a dose that lies outside it, or that no protocol knows, widens it."""
    if rule is None:
        return Span(dose.reps, dose.reps, dose.hold_s, dose.hold_s)
    low, high = min(int(rule.reps.low), dose.reps), max(int(rule.reps.high), dose.reps)
    if dose.hold_s is None:
        return Span(low, high)
    hold = rule.hold_s or Range(low=dose.hold_s, high=dose.hold_s)
    return Span(low, high, min(hold.low, dose.hold_s), max(hold.high, dose.hold_s))


def volume_of(dose: Dose) -> float:
    """Sets by repetitions by load: seconds and kilograms where they stand, levels from 1."""
    load = dose.load_kg if dose.load_kg is not None else float((dose.load_level or 0) + 1)
    return dose.sets * dose.reps * (dose.hold_s or 1.0) * load


def mark(track: Track, now: datetime) -> Track:
    """Notes the dose in force for the weekly cap, and forgets what is older than a week but the last."""
    week_ago = now - timedelta(days=7)
    dose = track.dose
    marks = [*track.marks, DoseMark(now, volume_of(dose), dose.load_kg, dose.load_level)]
    while len(marks) > 1 and (marks[1].since <= week_ago or len(marks) > MARK_LIMIT):
        marks.pop(0)
    return replace(track, marks=tuple(marks))


def is_fulfilled(dose: Dose, performed: Performed) -> bool:
    """Every set, repetition, second and load that was prescribed was done and reported."""
    if performed.skipped:
        return False
    if dose.hold_s is not None:
        if performed.hold_s is None or performed.hold_s < dose.hold_s:
            return False
        if performed.total_reps < dose.sets * dose.reps:
            return False
    elif performed.sets < dose.sets or performed.reps < dose.reps:
        return False
    if dose.load_kg is not None and (performed.load_kg is None or performed.load_kg < dose.load_kg):
        return False
    return dose.load_level is None or (performed.load_level is not None and performed.load_level >= dose.load_level)


def is_at_top(dose: Dose, span: Span) -> bool:
    """Seconds first, then repetitions: both at the end of their range."""
    if dose.hold_s is not None and span.hold_high_s is not None and dose.hold_s < span.hold_high_s:
        return False
    return dose.reps >= span.reps_high


def raise_within_range(
    track: Track, span: Span, exercise: Exercise, now: datetime, rules: ProgressionRules
) -> Step | None:
    """More seconds of hold, else more repetitions; None where the week's cap leaves no room.

    Source: P08, P11.
    """
    dose, double = track.dose, rules.double_progression
    if dose.hold_s is not None and span.hold_high_s is not None and dose.hold_s < span.hold_high_s:
        longer = double.hold_step_s
        if exercise.kind == "aerobic":
            longer = _aerobic_step_s(dose.hold_s, rules)
        raised = replace(dose, hold_s=min(dose.hold_s + longer, span.hold_high_s))
        what = _time_words(dose.hold_s, raised.hold_s or 0.0, exercise)
        smallest = dose.sets * dose.reps * longer
    elif dose.reps < span.reps_high:
        raised = replace(dose, reps=min(dose.reps + double.reps_step, span.reps_high))
        what = f"repetitions from {dose.reps} to {raised.reps}"
        smallest = volume_of(replace(dose, reps=double.reps_step))
    else:
        return None
    before = _week_ago(track, now)
    ceiling = max(before.volume * (1 + rules.cap.per_week), before.volume + smallest)
    if volume_of(raised) > ceiling + 1e-9:
        return None
    return Step(raised, "P08", what)


def is_within_week(track: Track, dose: Dose, now: datetime, rules: ProgressionRules) -> bool:
    """Whether another volume stays within what a week may add. Source: P11."""
    return volume_of(dose) <= _week_ago(track, now).volume * (1 + rules.cap.per_week) + 1e-9


def raise_load(
    track: Track, span: Span, exercise: Exercise, book: Book, now: datetime, rules: ProgressionRules
) -> Step | None:
    """The next load or level that the caps allow, with repetitions and seconds back at the bottom.

    Source: P07, P08, P11.
    """
    dose = track.dose
    before = _week_ago(track, now)
    if dose.load_kg is not None:
        following = next_kg(dose, book, rules, before.load_kg)
        if following is None:
            return None
        raised = replace(dose, load_kg=following)
        what = f"load from {dose.load_kg:g} to {following:g} kg"
    elif dose.load_level is not None:
        top = len(exercise.level_labels) - 1
        if (top >= 0 and dose.load_level >= top) or (
            before.load_level is not None and dose.load_level + 1 > before.load_level + 1
        ):
            return None
        raised = replace(dose, load_level=dose.load_level + 1)
        what = f"resistance from level {dose.load_level} to {raised.load_level}"
    else:
        return None
    raised = replace(raised, reps=span.reps_low, hold_s=span.hold_low_s if dose.hold_s is not None else None)
    return Step(raised, "P08", what)


def raise_effort(track: Track, highest_rpe: float, now: datetime, rules: ProgressionRules) -> Step | None:
    """More effort at the same dose, at most one step in so many days. Source: P10."""
    rule, dose = rules.effort, track.dose
    if track.effort_since is None or now - track.effort_since < timedelta(days=rule.step_days):
        return None
    target = min(dose.target_rpe + rule.step_rpe, highest_rpe)
    if target <= dose.target_rpe:
        return None
    return Step(replace(dose, target_rpe=target), "P10", f"effort from {dose.target_rpe:g} to {target:g} of 10")


def next_kg(dose: Dose, book: Book, rules: ProgressionRules, week_ago_kg: float | None) -> float | None:
    """The heaviest load within the caps per session and per week, or one smallest step. Source: P11."""
    if dose.load_kg is None:
        return None
    cap = rules.cap
    reference = dose.load_kg if week_ago_kg is None else week_ago_kg
    steps = book.load_steps_kg.get(dose.equipment or "none", ())

    def step_above(kg: float) -> float | None:
        if not steps:
            return kg + cap.step_kg_where_none_is_known
        return next((step for step in steps if step > kg + 1e-9), None)

    above, above_reference = step_above(dose.load_kg), step_above(reference)
    if above is None or above_reference is None:
        return None
    ceiling = min(
        max(dose.load_kg * (1 + cap.per_session), above),
        max(reference * (1 + cap.per_week), above_reference),
    )
    if steps:
        heavier = [step for step in steps if dose.load_kg + 1e-9 < step <= ceiling + 1e-9]
        return max(heavier, default=None)
    size = cap.step_kg_where_none_is_known
    following = int((ceiling + 1e-9) / size) * size
    return following if following > dose.load_kg + 1e-9 else None


def lighten(dose: Dose, factor: float, book: Book, *, levels_back: int = 0) -> Dose:
    """Less load: kilograms where they stand, else a level, else repetitions or seconds. Always less,
    unless the dose is already the least that exists.
    """
    if dose.load_kg is not None:
        lower = _lower_kg(dose.load_kg, factor, book.load_steps_kg.get(dose.equipment or "none", ()))
        if lower is not None:
            return replace(dose, load_kg=lower)
    if levels_back and dose.load_level:
        return replace(dose, load_level=max(0, dose.load_level - levels_back))
    if dose.hold_s is not None and dose.hold_s > 1:
        return replace(dose, hold_s=float(max(1, int(dose.hold_s * factor + 1e-9))))
    if dose.reps > 1:
        return replace(dose, reps=max(1, min(dose.reps - 1, int(dose.reps * factor + 1e-9))))
    if dose.sets > 1:
        return replace(dose, sets=dose.sets - 1)
    return dose


def no_harder(dose: Dose, than: Dose) -> Dose:
    """The dose, with nothing of it above another one of the same exercise."""
    return replace(
        dose,
        sets=min(dose.sets, than.sets),
        reps=min(dose.reps, than.reps),
        hold_s=_least(dose.hold_s, than.hold_s),
        load_kg=_least(dose.load_kg, than.load_kg),
        load_level=_least(dose.load_level, than.load_level),
        target_rpe=min(dose.target_rpe, than.target_rpe),
    )


def scale(dose: Dose, factor: float, book: Book) -> Dose:
    """A clinician's factor on the load; upward only where kilograms or repetitions can follow it."""
    if factor < 1:
        return lighten(dose, factor, book, levels_back=1)
    if dose.load_kg is not None:
        steps = book.load_steps_kg.get(dose.equipment or "none", ())
        within = [kg for kg in steps if kg <= dose.load_kg * factor + 1e-9]
        return replace(dose, load_kg=max(within, default=dose.load_kg) if steps else round(dose.load_kg * factor, 1))
    if dose.hold_s is not None:
        return replace(dose, hold_s=float(int(dose.hold_s * factor)))
    return replace(dose, reps=int(dose.reps * factor))


def reduce_volume(dose: Dose, factor: float) -> Dose:
    """Fewer sets, or fewer repetitions where there is one set."""
    if dose.sets > 1:
        return replace(dose, sets=max(1, round(dose.sets * factor)))
    return replace(dose, reps=max(1, round(dose.reps * factor)))


def space_out(dose: Dose, exercise: Exercise | None, rules: ProgressionRules) -> Dose:
    """Days enough between two loads of one tendon. Source: P12."""
    hours = spacing_hours(dose, exercise, rules)
    if hours is None or dose.days_per_week is None:
        return dose
    return replace(dose, days_per_week=min(dose.days_per_week, max(1, 7 * 24 // hours)))


def spacing_hours(dose: Dose, exercise: Exercise | None, rules: ProgressionRules) -> int | None:
    """Hours to leave between two days with this exercise, where its tendon needs them: the envelope's at least.

    Source: P12.
    """
    if exercise is None:
        return None
    if exercise.kind == "energy_storage":
        return max(rules.spacing.energy_storage_hours, ceiling.ENERGY_STORAGE_HOURS)
    heavy_from_rpe = min(rules.spacing.heavy_from_rpe, ceiling.HEAVY_FROM_RPE)
    if exercise.kind == "isotonic" and exercise.loads and dose.target_rpe >= heavy_from_rpe:
        return max(rules.spacing.heavy_hours, ceiling.HEAVY_HOURS)
    return None


def _aerobic_step_s(time_s: float, rules: ProgressionRules) -> float:
    """A share of the time up to a whole step, one step at least: what ends between two steps ends on one."""
    whole = rules.aerobic.whole_s
    longer_s = max(time_s * rules.aerobic.step_share, whole)
    return (time_s + longer_s + 1e-9) // whole * whole - time_s


def _time_words(before_s: float, after_s: float, exercise: Exercise) -> str:
    if exercise.kind == "aerobic":
        return f"time from {before_s / 60:.3g} to {after_s / 60:.3g} minutes"
    return f"hold from {before_s:g} to {after_s:g} seconds"


def _week_ago(track: Track, now: datetime) -> DoseMark:
    """The dose in force a week before, or the first one where the exercise is younger."""
    week_ago = now - timedelta(days=7)
    found = None
    for one in track.marks:
        if found is None or one.since <= week_ago:
            found = one
    dose = track.dose
    return found or DoseMark(now, volume_of(dose), dose.load_kg, dose.load_level)


def _lower_kg(load_kg: float, factor: float, steps: tuple[float, ...]) -> float | None:
    if not steps:
        lower = int(load_kg * factor * 2 + 1e-9) / 2
        return lower if lower > 0 else None
    below = [step for step in steps if step < load_kg - 1e-9]
    if not below:
        return None
    within = [step for step in below if step <= load_kg * factor + 1e-9]
    return max(within) if within else min(below)


def _least(one: _Amount, other: _Amount) -> _Amount:
    return one if one is None or other is None else min(one, other)
