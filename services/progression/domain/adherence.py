"""Sessions done over sessions due, by day, in constant size.

A week is seven local dates from the program's first day. Days away, held or ill are not due. What is due
in a week is known at its end (`with_week_closed`); until then the running week counts only with the
days that are past, and without fixed days not at all: neither its due nor its done sessions.
Source: O13; contract `care.load.adjusted`.
"""

from collections.abc import Collection
from datetime import date, timedelta

import msgspec

WEEKS_KEPT = 8
_DAYS = 7


class WeekOfDays(msgspec.Struct, frozen=True, array_like=True):
    """One week: the days trained as bits (1 for its first day), and what was due once it is closed."""

    week: int
    days: int
    due: int | None

    @property
    def done(self) -> int:
        return self.days.bit_count()


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Of the closed weeks up to some moment."""

    done: int = 0
    due: int = 0
    weeks_due: int = 0
    weeks_active: int = 0


class Adherence(msgspec.Struct, frozen=True):
    """Totals since the start, and the last `WEEKS_KEPT` weeks."""

    start_day: date
    done: int = 0
    """Days with a session, of all weeks."""
    due: int = 0
    """Of the closed weeks."""
    weeks_due: int = 0
    """Closed weeks in which at least one session was due."""
    weeks_active: int = 0
    """Of those, the ones with at least one session."""
    weeks: tuple[WeekOfDays, ...] = ()
    """Ascending."""
    before: Totals = Totals()
    """Of the weeks before the course that is under way: care for another diagnosis proves nothing for this one."""


class AdherenceFigures(msgspec.Struct, frozen=True):
    """What adjustments and verdicts read. Shares are None while nothing was due."""

    sessions_done: int
    """Days with a session since the start, the running week's included."""
    sessions_due: int
    adherence: float | None
    adherence_4w: float | None
    weeks_due: int
    weeks_active: int


def begin(start_day: date) -> Adherence:
    """Nothing due, nothing done. `start_day`: the local date of the first `planned`."""
    return Adherence(start_day)


def with_session(adherence: Adherence, day: date) -> Adherence:
    """Counts one local date as trained; a second session of that date changes nothing.

    A date before the start counts in week 0. A date older than the kept weeks cannot be told from a
    repeat and counts as a day of its own.
    """
    offset = max(0, (day - adherence.start_day).days)
    week, bit = offset // _DAYS, 1 << (offset % _DAYS)
    found = {w.week: w for w in adherence.weeks}
    if found and week <= max(found) - WEEKS_KEPT:
        return msgspec.structs.replace(adherence, done=adherence.done + 1)
    had = found.get(week, WeekOfDays(week, 0, None))
    if had.days & bit:
        return adherence
    found[week] = WeekOfDays(week, had.days | bit, had.due)
    return msgspec.structs.replace(
        adherence,
        done=adherence.done + 1,
        weeks_active=adherence.weeks_active + (1 if had.due and not had.days else 0),
        weeks=_kept(found),
    )


def with_week_closed(adherence: Adherence, week: int, due: int) -> Adherence:
    """Closes week `week` (from 0) with what was due in it, see `sessions_due`. Closing it again changes nothing."""
    found = {w.week: w for w in adherence.weeks}
    had = found.get(week, WeekOfDays(week, 0, None))
    if had.due is not None or (found and week <= max(found) - WEEKS_KEPT):
        return adherence
    found[week] = WeekOfDays(week, had.days, due)
    return msgspec.structs.replace(
        adherence,
        due=adherence.due + due,
        weeks_due=adherence.weeks_due + (1 if due else 0),
        weeks_active=adherence.weeks_active + (1 if due and had.days else 0),
        weeks=_kept(found),
    )


def sessions_due(
    sessions_per_week: int,
    days: Collection[int] | None,
    first: date,
    before: date,
    excused: Collection[date] = (),
) -> int:
    """Sessions due on the local dates from `first` up to but not including `before`.

    With `days` (1 Monday to 7) those weekdays; without, the sessions a week in proportion to the days
    that are not excused, rounded down. `excused`: dates away, held, ill, before approval or after the end.
    """
    open_days = [
        first + timedelta(days=n) for n in range((before - first).days) if first + timedelta(days=n) not in excused
    ]
    if days is not None:
        return sum(day.isoweekday() in days for day in open_days)
    return sessions_per_week * len(open_days) // _DAYS


def figures(adherence: Adherence, running_due: int = 0) -> AdherenceFigures:
    """Adherence by now. `running_due`: with fixed days, those of the running week that are past; else 0.

    Of the running week no more sessions are counted as done than are counted as due.
    """
    closed = [w for w in adherence.weeks if w.due is not None]
    running_done = sum(w.done for w in adherence.weeks if w.due is None)
    running_counted = min(running_done, running_due)
    due = adherence.due + running_due
    done = adherence.done - running_done + running_counted
    recent = [w for w in closed if w.week > closed[-1].week - 4] if closed else []
    due_4w = sum(w.due or 0 for w in recent) + running_due
    done_4w = sum(w.done for w in recent) + running_counted
    return AdherenceFigures(
        sessions_done=adherence.done,
        sessions_due=due,
        adherence=_share(done, due),
        adherence_4w=_share(done_4w, due_4w),
        weeks_due=adherence.weeks_due,
        weeks_active=adherence.weeks_active,
    )


def begin_course(adherence: Adherence) -> Adherence:
    """From here on another diagnosis is treated: the running week is the first of its course."""
    running_done = sum(w.done for w in adherence.weeks if w.due is None)
    closed = Totals(adherence.done - running_done, adherence.due, adherence.weeks_due, adherence.weeks_active)
    return msgspec.structs.replace(adherence, before=closed)


def course_figures(adherence: Adherence, running_due: int = 0) -> AdherenceFigures:
    """Like `figures`, of the course that is under way only: what verdicts read."""
    whole, before = figures(adherence, running_due), adherence.before
    if before == Totals():
        return whole
    running_done = sum(w.done for w in adherence.weeks if w.due is None)
    done = adherence.done - running_done + min(running_done, running_due) - before.done
    due = whole.sessions_due - before.due
    return AdherenceFigures(
        sessions_done=whole.sessions_done - before.done,
        sessions_due=due,
        adherence=_share(done, due),
        adherence_4w=whole.adherence_4w,
        weeks_due=whole.weeks_due - before.weeks_due,
        weeks_active=whole.weeks_active - before.weeks_active,
    )


def _share(done: int, due: int) -> float | None:
    return round(min(1.0, done / due), 4) if due else None


def _kept(found: dict[int, WeekOfDays]) -> tuple[WeekOfDays, ...]:
    newest = max(found)
    return tuple(found[w] for w in sorted(found) if w > newest - WEEKS_KEPT)
