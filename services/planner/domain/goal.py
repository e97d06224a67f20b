"""Goals with a baseline and a target that a patient would notice. Source: O01 to O08, J-GOAL."""

import re

from services.planner.domain.case import Patient
from shared.event.measure import Measure
from shared.event.program import Goal, GoalMeasure
from shared.event.vocabulary import vocabulary
from shared.protocol.program import GoalRules

ACTIVITIES_AT_MOST = 5
ACTIVITY_CHARS_AT_MOST = 80


def set_goals(patient: Patient) -> tuple[Goal, ...]:
    """Each condition's goals; one that several conditions share stands once, with the later week."""
    rules: dict[str, GoalRules] = {}
    for protocol in patient.treated:
        for rule in protocol.program.goals:
            known = rules.get(rule.goal_id)
            rules[rule.goal_id] = rule if known is None or rule.due_week > known.due_week else known
    goals = [_goal(patient, rule) for rule in rules.values()]
    return tuple(sorted(goals, key=lambda goal: goal.horizon == "long_term"))


def target_of(rule: GoalRules, baseline: float | None) -> float:
    """The baseline changed by the larger of points and percent, never beyond the instrument's range."""
    instrument = vocabulary().instruments[rule.instrument]
    points, percent = rule.change_points, rule.change_percent
    if points is None and percent is None:
        points, percent = instrument.mic_points, instrument.mic_percent
    if baseline is None:
        if rule.floor_target is not None:
            return rule.floor_target
        baseline = instrument.maximum if rule.direction == "decrease" else instrument.minimum
    change = max(points or 0.0, abs(baseline) * (percent or 0.0) / 100)
    target = baseline - change if rule.direction == "decrease" else baseline + change
    return round(min(instrument.maximum, max(instrument.minimum, target)), 1)


def baseline_of(measures: tuple[Measure, ...], instrument: str) -> float | None:
    """The newest value reported at the intake; None where there was none."""
    found = [m for m in measures if m.instrument == instrument]
    dated = [m for m in found if m.taken_at is not None]
    if dated:
        return max(dated, key=lambda m: (m.taken_at, m.value)).value
    return found[-1].value if found else None


def _goal(patient: Patient, rule: GoalRules) -> Goal:
    baseline = rule.start_value
    if baseline is None:
        baseline = baseline_of(patient.facts.measures, rule.instrument)
    statement = rule.statement
    activities = _activities(patient) if rule.kind == "return_to_activity" else ()
    if activities:
        statement = f"{statement.rstrip('.')}: {'; '.join(activities)}."
    return Goal(
        goal_id=rule.goal_id,
        horizon=rule.horizon,
        statement=statement,
        measure=GoalMeasure(
            instrument=rule.instrument,
            baseline=baseline,
            target=target_of(rule, baseline),
            direction=rule.direction,
        ),
        due_week=rule.due_week,
        items=activities or None,
    )


def _activities(patient: Patient) -> tuple[str, ...]:
    """The patient's own words, which become the items of the Patient-Specific Functional Scale. Bounded."""
    spoken = (
        re.sub(r"\s+", " ", re.sub(r"[\x00-\x1f\x7f]", " ", goal)).strip() for goal in patient.facts.activity_goals
    )
    items = dict.fromkeys(words[:ACTIVITY_CHARS_AT_MOST].rstrip(" .;") for words in spoken if words)
    return tuple(item for item in items if item)[:ACTIVITIES_AT_MOST]
