"""Sessions done over sessions due."""

from datetime import date, timedelta

from services.progression.domain.adherence import (
    Adherence,
    begin,
    figures,
    sessions_due,
    with_session,
    with_week_closed,
)

MONDAY = date(2026, 3, 2)


def trained(adherence: Adherence, *days: int) -> Adherence:
    """Sessions on days counted from the start."""
    for day in days:
        adherence = with_session(adherence, MONDAY + timedelta(days=day))
    return adherence


def test_adherence_is_unknown_while_nothing_was_due() -> None:
    """A first session is no 100 %: nothing has been due yet."""
    read = figures(trained(begin(MONDAY), 0))
    assert (read.sessions_done, read.adherence, read.adherence_4w) == (1, None, None)


def test_a_day_counts_once() -> None:
    """Two reports of one day are further sets of that day's session."""
    assert figures(trained(begin(MONDAY), 0, 0, 2)).sessions_done == 2


def test_misses_exist_at_the_weeks_end() -> None:
    """Two of three sessions in a closed week are two thirds; the running week does not count yet."""
    read = figures(trained(with_week_closed(trained(begin(MONDAY), 0, 2), 0, 3), 7))
    assert (read.sessions_done, read.adherence) == (3, 0.6667)


def test_with_fixed_days_the_running_week_counts_what_is_past() -> None:
    """Monday and Wednesday are past, only Monday was trained."""
    read = figures(trained(begin(MONDAY), 0), running_due=2)
    assert (read.adherence, read.adherence_4w) == (0.5, 0.5)


def test_more_than_due_is_capped() -> None:
    """Five sessions where three were due are full adherence, not 167 %."""
    assert figures(with_week_closed(trained(begin(MONDAY), 0, 1, 2, 3, 4), 0, 3)).adherence == 1


def test_a_late_session_counts_in_its_own_week() -> None:
    """A session that arrives after its week was closed raises adherence and makes that week active."""
    closed = with_week_closed(with_week_closed(begin(MONDAY), 0, 3), 1, 3)
    assert figures(closed).adherence == 0
    read = figures(trained(closed, 3))
    assert (read.adherence, read.weeks_active) == (0.1667, 1)


def test_the_last_four_weeks_stand_beside_the_whole() -> None:
    """Four idle weeks after four full ones: half in all, nothing lately."""
    adherence = begin(MONDAY)
    for week in range(8):
        if week < 4:
            adherence = trained(adherence, 7 * week, 7 * week + 2, 7 * week + 4)
        adherence = with_week_closed(adherence, week, 3)
    read = figures(adherence)
    assert (read.adherence, read.adherence_4w, read.weeks_due, read.weeks_active) == (0.5, 0, 8, 4)


def test_closing_a_week_twice_changes_nothing() -> None:
    """The timer of a week's end may fire again."""
    once = with_week_closed(trained(begin(MONDAY), 0), 0, 3)
    assert with_week_closed(once, 0, 3) == once


def test_a_week_away_has_nothing_due() -> None:
    """Days away, held or ill ask for no session, with fixed days or without."""
    week = {MONDAY + timedelta(days=n) for n in range(7)}
    end = MONDAY + timedelta(days=7)
    assert sessions_due(3, None, MONDAY, end, week) == 0
    assert sessions_due(3, (1, 3, 5), MONDAY, end, week) == 0
    read = figures(with_week_closed(begin(MONDAY), 0, 0))
    assert (read.adherence, read.weeks_due) == (None, 0)


def test_what_is_due_follows_the_schedule() -> None:
    """Fixed days count as such; without them sessions are due in proportion to the days that are open."""
    end = MONDAY + timedelta(days=7)
    assert sessions_due(3, None, MONDAY, end) == 3
    assert sessions_due(3, (1, 3, 5), MONDAY, end) == 3
    assert sessions_due(3, (1, 3, 5), MONDAY, end, {MONDAY}) == 2
    assert sessions_due(3, None, MONDAY, end, {MONDAY + timedelta(days=n) for n in range(3)}) == 1
    assert sessions_due(3, (1, 3, 5), MONDAY, MONDAY) == 0


def test_the_state_does_not_grow_with_care() -> None:
    """After two years only the last weeks are kept beside the totals."""
    adherence = begin(MONDAY)
    for week in range(104):
        adherence = with_week_closed(trained(adherence, 7 * week), week, 1)
    assert len(adherence.weeks) == 8
    assert figures(adherence).adherence == 1
