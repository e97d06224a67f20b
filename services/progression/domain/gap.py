"""Days without a session: what they take off the load."""

from datetime import datetime, timedelta
from math import ceil

from services.progression.domain.escalation import escalate
from services.progression.domain.phase import retreat
from services.progression.domain.progress import lighten_all
from services.progression.domain.state import Gap, Snapshot
from services.progression.domain.turn import Turn
from shared.protocol.progression import ProgressionRules


def next_gap(s: Snapshot, rules: ProgressionRules) -> datetime | None:
    """When the days missed reach the next step of the rule. Source: P18."""
    step = s.gap.step if s.gap else 0
    if s.last_session is None or step >= len(rules.gap.steps):
        return None
    interval = ceil(7 / max(1, s.sessions_per_week))
    return s.last_session + timedelta(days=interval + rules.gap.steps[step].missed_days)


def lighten_for_gap(turn: Turn) -> None:
    """Takes off what the gap calls for by now, measured from the loads before it. Source: P18."""
    rules = turn.protocols.progression
    before = turn.s.gap
    reached = before.step if before else 0
    while (due := next_gap(turn.s, rules)) is not None and due <= turn.at:
        tracks = turn.s.gap.tracks if turn.s.gap else turn.s.tracks
        turn.set(gap=Gap((turn.s.gap.step if turn.s.gap else 0) + 1, tracks))
    gap = turn.s.gap
    if gap is None or gap.step == reached:
        return
    rule = rules.gap.steps[gap.step - 1]
    words = f"Over {rule.missed_days} days of training were missed: {round(100 * (1 - rule.load_factor))} % less load."
    was_back = any(one.phases_back for one in rules.gap.steps[:reached])
    if was_back:
        # The earlier phase has its own light doses: only what this step takes off beyond the last one.
        beyond = rule.load_factor / rules.gap.steps[reached - 1].load_factor
        if beyond < 1:
            lighten_all(turn, beyond, "P18", words)
    else:
        before_gap = {track.dose.exercise_id: track.dose for track in gap.tracks}
        lighten_all(turn, rule.load_factor, "P18", words, levels_back=rule.steps_back, measured_from=before_gap)
        if any(one.phases_back for one in rules.gap.steps[reached : gap.step]):
            retreat(turn, "P18")
    turn.say("P18", words)
    turn.turning_point = f"A session within {rule.missed_days} missed days would have kept the load."
    if rule.screen_again:
        escalate(
            turn,
            "clinician_review",
            "routine",
            "P18",
            "No session for over four weeks: screen for red flags again before the program restarts.",
            evidence=(("last session", turn.s.last_session.date().isoformat() if turn.s.last_session else "none"),),
        )
