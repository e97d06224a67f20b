"""Holds: while one stands no session is prescribed, and only a clinician ends it."""

from datetime import date, datetime, timedelta

from services.progression.domain.turn import Turn

CLINICIAN = "clinician"
PLANNER = "planner"
"""The planner holds the program, for a red flag that intake found."""
RUNNING_DAYS = 8
"""A running week and the day on which it is closed."""


def hold(turn: Turn, reason: str, because: str) -> None:
    """Adds a hold. The first one takes the prescription away."""
    was_held = bool(turn.s.holds)
    if reason not in turn.s.holds:
        turn.set(holds=tuple(sorted({*turn.s.holds, reason})))
    if turn.s.status != "active":
        return
    turn.set(pending=None)
    begin_pause(turn)
    if not was_held:
        turn.rewrite("held", because)


def release(turn: Turn, *reasons: str) -> None:
    """Takes holds away; what still holds the program stays."""
    turn.set(holds=tuple(one for one in turn.s.holds if one not in reasons))
    if not turn.s.holds:
        end_pause(turn)


def end_program(turn: Turn, because: str) -> None:
    """The program is over: nothing is prescribed and nothing falls due any more."""
    turn.set(
        status="ended",
        holds=(),
        week_end=None,
        pending=None,
        rest_until=None,
        relief=None,
        gap=None,
        off_since=None,
    )
    turn.rewrite("ended", because)


def begin_pause(turn: Turn) -> None:
    """From here no session is due."""
    if turn.s.off_since is None:
        turn.set(off_since=turn.at)


def end_pause(turn: Turn) -> None:
    """Sessions are due again; the days between are excused, and silence is counted from now."""
    since = turn.s.off_since
    if since is None or turn.s.holds or turn.s.rest_until is not None or turn.s.status == "proposed":
        return
    turn.set(
        excused=_with_days(turn, since),
        off_since=None,
        last_contact=max(turn.s.last_contact or turn.at, turn.at),
    )


def excused_days(turn: Turn) -> tuple[date, ...]:
    """Local dates of the running week without a session due, up to now: held, ill, proposed or away."""
    days = set(turn.s.excused)
    if turn.s.off_since is not None:
        days.update(_days(turn, turn.s.off_since, turn.at))
    if turn.s.away is not None and turn.s.away[0] < turn.at:
        last = min(turn.s.away[1] - timedelta(seconds=1), turn.at)
        if last >= turn.s.away[0]:
            days.update(_days(turn, turn.s.away[0], last))
    return tuple(sorted(days))


def _with_days(turn: Turn, since: datetime) -> tuple[date, ...]:
    return tuple(sorted({*turn.s.excused, *_days(turn, since, turn.at)}))


def _days(turn: Turn, since: datetime, until: datetime) -> tuple[date, ...]:
    """Local dates from one instant to the other, no further back than the running week can reach."""
    first = max(since, until - timedelta(days=RUNNING_DAYS))
    day, last = turn.local_day(first), turn.local_day(until)
    found = []
    while day <= last:
        found.append(day)
        day += timedelta(days=1)
    return tuple(found)
