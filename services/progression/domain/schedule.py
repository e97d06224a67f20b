"""What falls due between facts: mornings, weeks, silence, gaps. Timers of event time, not of the clock."""

from datetime import datetime, timedelta
from typing import Literal

from services.progression.domain import adherence, tolerance
from services.progression.domain.escalation import escalate
from services.progression.domain.gap import lighten_for_gap, next_gap
from services.progression.domain.hold import end_pause, excused_days
from services.progression.domain.progress import expire, lighten_all
from services.progression.domain.review import closed_weeks, review
from services.progression.domain.state import Snapshot
from services.progression.domain.turn import Turn
from shared.protocol.progression import ProgressionRules

Kind = Literal["morning", "rest", "week", "silence", "gap"]
WEEK = timedelta(weeks=1)


def next_due(s: Snapshot, rules: ProgressionRules) -> tuple[datetime, Kind] | None:
    """The earliest that is due, never before the snapshot's own clock."""
    due: list[tuple[datetime, int, Kind]] = []
    if s.pending is not None:
        due.append((s.pending.time + timedelta(hours=rules.no_data.morning_hours), 0, "morning"))
    if s.rest_until is not None:
        due.append((s.rest_until, 1, "rest"))
    if s.week_end is not None:
        due.append((s.week_end, 2, "week"))
    if s.is_running and s.rest_until is None:
        silent = _silent_at(s, rules)
        if silent is not None:
            due.append((silent, 3, "silence"))
        gap = next_gap(s, rules)
        if gap is not None:
            due.append((gap, 4, "gap"))
    if not due:
        return None
    instant, _, kind = min(due)
    return (instant if s.clock is None else max(instant, s.clock)), kind


def tick(turn: Turn, kind: Kind) -> None:
    """Lets one of them happen."""
    match kind:
        case "morning":
            _morning_missed(turn)
        case "rest":
            _recover(turn)
        case "week":
            _close_week(turn)
        case "silence":
            _silence(turn)
        case "gap":
            lighten_for_gap(turn)
    if turn.changes or turn.why:
        turn.adjust()


def _silent_at(s: Snapshot, rules: ProgressionRules) -> datetime | None:
    """When silence becomes news; time away does not count. Source: P21, NOTIFY."""
    if s.last_contact is None or s.escalation("no_contact") is not None:
        return None
    days = timedelta(days=rules.no_data.no_contact_days)
    due = s.last_contact + days
    if s.away is not None and s.away[0] < due and s.away[1] > s.last_contact:
        due = max(due, s.away[1] + days)
    for quiet in s.quiet:
        if quiet.reason == "no_contact":
            due = max(due, quiet.until)
    return due


def _morning_missed(turn: Turn) -> None:
    pending = turn.s.pending
    turn.set(unanswered=turn.s.unanswered + 1)
    if pending is not None and pending.earned and turn.s.is_running:
        turn.say("P21", "The morning after the session was not reported: that holds the load and is never good news.")
        if turn.s.unanswered > 1:
            turn.say("P21", f"No morning was answered after {turn.s.unanswered} sessions running.")
        turn.turning_point = "A good next morning, reported in time, would have let the load rise."
        expire(turn, "P21", "No next morning was reported, so it stays as it is.")
    else:
        turn.set(pending=None)


def _recover(turn: Turn) -> None:
    rule = turn.protocols.progression.illness
    turn.set(rest_until=None)
    end_pause(turn)
    if not turn.s.is_running:
        return
    words = f"Back after illness: {round(100 * (1 - rule.load_factor))} % less load."
    lighten_all(turn, rule.load_factor, "P19", words, levels_back=1)
    turn.say("P19", words)
    turn.turning_point = "Without the illness the load would have stayed."


def _close_week(turn: Turn) -> None:
    """A week is over: what was due and what was done, and whether care helps. Source: O13, P21, P22."""
    s, book, rule = turn.s, turn.book, turn.protocols.progression.non_adherence
    if s.week_end is None or s.adherence is None or book is None:
        turn.set(week_end=None)
        return
    week = closed_weeks(s)
    first = s.adherence.start_day + timedelta(days=7 * week)
    after = first + timedelta(days=7)
    excused = excused_days(turn)
    due = adherence.sessions_due(s.sessions_per_week, book.days, first, after, excused)
    closed = adherence.with_week_closed(s.adherence, week, due)
    done = next((one.done for one in closed.weeks if one.week == week), 0)
    tolerance.close_week(turn, done, due)
    low = s.low_weeks if not due else s.low_weeks + 1 if done < rule.below * due else 0
    turn.set(
        adherence=closed,
        low_weeks=low,
        week_end=s.week_end + WEEK,
        excused=tuple(day for day in excused if day >= after),
    )
    if s.is_running and low >= rule.weeks and s.last_contact is not None and turn.at - s.last_contact < WEEK:
        escalate(
            turn,
            "non_adherence",
            rule.severity,
            "P21",
            f"In {low} weeks running fewer than {round(100 * rule.below)} % of the sessions due were done.",
            evidence=(("sessions in the last week", f"{done} of {due}"),),
        )
    review(turn)


def _silence(turn: Turn) -> None:
    rule = turn.protocols.progression.no_data
    last = turn.s.last_contact
    escalate(
        turn,
        "no_contact",
        rule.severity,
        "P21",
        f"Nothing was heard from the patient for {rule.no_contact_days} days.",
        evidence=(("last contact", last.date().isoformat() if last else "none"),),
    )
