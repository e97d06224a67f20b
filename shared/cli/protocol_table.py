"""One condition as tables: how it is recognised, treated and judged, with the source and mark of each number."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from shared.cli.terminal import console
from shared.protocol.condition import ConditionProtocol
from shared.protocol.exercise import ExerciseLibrary
from shared.protocol.presentation import Presents
from shared.protocol.program import Criterion, PhaseExercise, ProgramRules, Range
from shared.protocol.recognition import Likelihood, Recognition
from shared.protocol.source import Sourced

Cells = tuple[str, ...]


def short(value: Any, length: int = 240) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def print_condition(protocol: ConditionProtocol, library: ExerciseLibrary) -> None:
    """All of it, section by section."""
    typer.echo(f"{protocol.name} ({protocol.condition_id}), version {protocol.version}")
    _print("Recognition", ("group", "what", "present", "absent"), _recognition(protocol.recognition))
    for phase in protocol.program.phases:
        title = f"Phase {phase.number}, {phase.phase_id}: {phase.name}, at least {phase.min_weeks} " + (
            "week" if phase.min_weeks == 1 else "weeks"
        )
        doses: list[tuple[Sourced, Cells]] = [(phase, (phase.intent, "", "", "", ""))]
        doses += [(dose, _dose(dose, library)) for dose in phase.exercises]
        _print(title, ("exercise", "dose", "effort", "days", "resistance"), doses)
        criteria = [*(("enter", one) for one in phase.entry), *(("leave", one) for one in phase.exit)]
        _print("", ("", "criterion", "rule"), ((one, (way, one.statement, _rule(one))) for way, one in criteria))
    _print_program(protocol.program)
    _print("Pain rules, course and verdict", ("part", "what", "value"), _course(protocol))
    options = (
        (one, (one.option_id, one.label, one.evidence_grade, str(one.from_week), ", ".join(one.not_with)))
        for one in protocol.course.options
    )
    _print("Options after failed care", ("option", "what", "evidence", "from week", "not with"), options)


def _print_program(program: ProgramRules) -> None:
    goals = (
        (one, (one.goal_id, one.horizon, one.instrument, _target(one), f"{one.due_week}", one.statement))
        for one in program.goals
    )
    _print("Goals", ("goal", "horizon", "instrument", "target", "week", "statement"), goals)
    measures = ((one, (one.instrument, f"every {one.every_weeks} weeks")) for one in program.measures)
    _print("Measures", ("instrument", "asked"), measures)
    limits = ((one, (one.tag, str(one.at_most), _until(one.until_phase))) for one in program.limits)
    _print("Limits on every exercise", ("tag", "at most", "until"), limits)
    avoid = ((one, (one.what, one.reason, _until(one.until_phase))) for one in program.avoid)
    _print("To avoid", ("what", "because", "until"), avoid)
    reviews = ", ".join(map(str, program.review_weeks))
    typer.echo(f"\nSessions a week: {program.sessions_per_week}. Reviews in week {reviews}.")
    typer.echo(f"Taught: {', '.join(program.education)}.")


def _print(title: str, columns: Iterable[str], rows: Iterable[tuple[Sourced, Cells]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in (*columns, "source", "mark"):
        table.add_column(column, overflow="fold")
    for sourced, cells in rows:
        signed = f", signed by {sourced.signed_by}" if sourced.signed_by else ""
        table.add_row(*map(escape, cells), ", ".join(sourced.source), f"{sourced.mark}{signed}")
    if table.row_count:
        if title:
            typer.echo(f"\n{title}")
        console().print(table)


def _recognition(recognition: Recognition) -> Iterator[tuple[Sourced, Cells]]:
    yield recognition.prior, ("prior", "probability before anything is known", f"{recognition.prior.value:g}", "")
    remote = recognition.remote_only_ceiling
    yield remote, ("ceiling", "while nobody has examined by hand", f"{remote.value:g}", "")
    for group in recognition.groups:
        for figure in group.figures:
            yield figure, (group.group, _finding(figure), f"{figure.lr_positive:g}", f"{figure.lr_negative:g}")


def _finding(figure: Likelihood) -> str:
    at_least = f"{figure.positive_at} of " if len(figure.findings) > 1 else ""
    when = figure.support_only_when
    only = f"{', if ' if figure.findings else ''}{_presents(when)}" if when is not None else ""
    return f"{at_least}{', '.join(figure.findings)}{only}"


def _presents(when: Presents) -> str:
    return "; ".join(
        f"{key.replace('_', ' ')} {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
        for key, value in when.model_dump(exclude_defaults=True).items()
    )


def _dose(dose: PhaseExercise, library: ExerciseLibrary) -> Cells:
    hold = f" x {_range(dose.hold_s)} s" if dose.hold_s is not None else ""
    times = f", {dose.times_per_day} times a day" if dose.times_per_day > 1 else ""
    known = library.exercises.get(dose.exercise_id)
    name = known.name if known is not None else dose.exercise_id
    return (
        f"{name}{' (essential)' if dose.essential else ''}",
        f"{dose.sets} x {_range(dose.reps)}{hold}{times}",
        _range(dose.rpe),
        str(dose.days_per_week),
        "as on hand" if dose.loaded else "body weight",
    )


def _range(both: Range) -> str:
    return f"{both.low:g}" if both.low == both.high else f"{both.low:g}-{both.high:g}"


def _rule(one: Criterion) -> str:
    parts = [one.kind.replace("_", " "), one.instrument, one.symptom]
    parts += [f"{one.value:g}" if one.value is not None else None]
    parts += [f"{one.percent:g} percent" if one.percent is not None else None]
    parts += [f"{one.count} in a row" if one.count > 1 else None, f"{one.days} days" if one.days else None]
    return ", ".join(part for part in parts if part)


def _target(goal: Any) -> str:
    change = [f"{goal.change_points:g} points" if goal.change_points else ""]
    change += [f"{goal.change_percent:g} percent" if goal.change_percent else ""]
    words = " or ".join(filter(None, change)) or "what patients notice"
    floor = f"; {goal.floor_target:g} without a baseline" if goal.floor_target is not None else ""
    return f"{goal.direction} by {words}{floor}"


def _until(phase: int | None) -> str:
    return "throughout" if phase is None else f"phase {phase}"


def _course(protocol: ConditionProtocol) -> Iterator[tuple[Sourced, Cells]]:
    """Every object of the course that names its source, but for the options."""
    for part in type(protocol.course).model_fields:
        if part != "options":
            yield from _values(part, getattr(protocol.course, part))


def _values(part: str, value: Any) -> Iterator[tuple[Sourced, Cells]]:
    if isinstance(value, tuple):
        for one in value:
            yield from _values(part, one)
    elif isinstance(value, Sourced):
        shown = part.replace("_", " ")
        for key in type(value).model_fields:
            inner = getattr(value, key)
            if key in Sourced.model_fields or inner is None or inner == ():
                continue
            if isinstance(inner, Sourced) or (isinstance(inner, tuple) and any(isinstance(i, Sourced) for i in inner)):
                yield from _values(f"{part}: {key}", inner)
            else:
                text = ", ".join(map(str, inner)) if isinstance(inner, tuple) else str(inner)
                yield value, (shown, key.replace("_", " "), text)
                shown = ""
