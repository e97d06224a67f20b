"""What a patient reported, week by week: pain, load, function, and how care stood.

Any order of arrival gives the same weeks: each is a sum, a maximum or the newest word of its own week. Sums are kept
in whole hundredths, since adding fractions in another order gives another last digit.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from shared.event.measure import Measure
from shared.event.session import CheckinReported, SessionReported

MAX_WEEKS = 60
MAX_READINGS = 12
"""Instruments of one week."""


class Reading(Struct, frozen=True, array_like=True, order=True):
    """The newest report of one instrument within its week."""

    instrument: str
    at: datetime
    value: float


class Dated(Struct, frozen=True, array_like=True, order=True):
    """A word and when it was said: the newest stands."""

    at: datetime
    by: str
    word: str


class Week(Struct, frozen=True, array_like=True):
    """One week, Monday to Sunday in UTC. Sums are in hundredths of their unit."""

    monday: date
    sessions: int = 0
    pain_sum: int = 0
    """Of the worst pain of each session (NPRS)."""
    pain_worst: int | None = None
    mornings: int = 0
    morning_sum: int = 0
    """Of the pain on the mornings after."""
    repetitions: int = 0
    """Holds count as one each."""
    kg_sum: int = 0
    """Repetitions times kilograms."""
    effort: int | None = None
    """The hardest set (RPE)."""
    readings: tuple[Reading, ...] = ()
    """In the order of the instruments."""
    status: Dated | None = None
    phase: Dated | None = None
    flare_at: datetime | None = None
    """The earliest word of a flare."""


Weeks = tuple[Week, ...]
"""Oldest first, without those in which nothing was told."""


def monday_of(instant: datetime) -> date:
    day = instant.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def with_session(weeks: Weeks, session: SessionReported) -> Weeks:
    sets = [one for exercise in session.exercises for one in exercise.sets]
    efforts = [_hundredths(one.rpe) for one in sets if one.rpe is not None]
    pain = _hundredths(session.pain_during)

    def fold(week: Week) -> Week:
        return replace(
            week,
            sessions=week.sessions + 1,
            pain_sum=week.pain_sum + pain,
            pain_worst=_most(week.pain_worst, pain),
            repetitions=week.repetitions + sum(one.reps for one in sets),
            kg_sum=week.kg_sum + sum(_hundredths(one.reps * (one.load_kg or 0)) for one in sets),
            effort=max([*efforts, *([] if week.effort is None else [week.effort])], default=None),
        )

    return _with_week(weeks, session.started_at, fold)


def with_checkin(weeks: Weeks, checkin: CheckinReported) -> Weeks:
    pain = checkin.next_morning_pain
    if pain is not None:
        weeks = _with_week(
            weeks,
            checkin.reported_at,
            lambda week: replace(
                week, mornings=week.mornings + 1, morning_sum=week.morning_sum + _hundredths(float(pain))
            ),
        )
    return with_measures(weeks, checkin.measures, checkin.reported_at)


def with_measures(weeks: Weeks, measures: tuple[Measure, ...], at: datetime) -> Weeks:
    """`at`: when they were taken, where a measure does not say so itself."""
    for measure in measures:
        reading = Reading(measure.instrument, measure.taken_at or at, measure.value)
        weeks = _with_week(weeks, reading.at, partial(_with_reading, new=reading))
    return weeks


def with_course(weeks: Weeks, at: datetime, by: str, *, phase: str, status: str = "") -> Weeks:
    """How care stood after an adjustment or a program's event."""

    def fold(week: Week) -> Week:
        is_flare = status == "flare"
        return replace(
            week,
            phase=_newest(week.phase, Dated(at, by, phase)) if phase else week.phase,
            status=_newest(week.status, Dated(at, by, status)) if status else week.status,
            flare_at=min(week.flare_at or at, at) if is_flare else week.flare_at,
        )

    return _with_week(weeks, at, fold)


def _with_reading(week: Week, new: Reading) -> Week:
    newest = {reading.instrument: reading for reading in week.readings}
    newest[new.instrument] = max(newest.get(new.instrument, new), new)
    kept = sorted(newest.values())
    return replace(week, readings=tuple(kept[:MAX_READINGS]))


def _with_week(weeks: Weeks, at: datetime, fold: Callable[[Week], Week]) -> Weeks:
    monday = monday_of(at)
    known = {week.monday: week for week in weeks}
    known[monday] = fold(known.get(monday, Week(monday)))
    return tuple(known[day] for day in sorted(known)[-MAX_WEEKS:])


def _newest(known: Dated | None, new: Dated) -> Dated:
    return new if known is None else max(known, new)


def _most(known: int | None, new: int) -> int:
    return new if known is None else max(known, new)


def _hundredths(value: float) -> int:
    return round(value * 100)
