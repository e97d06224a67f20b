"""`alerts list`: what is open, the gravest first, and when its next step is."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from services.notifier.command.office import Case, Office, as_json, work
from services.notifier.command.wording import moment, severity, shortened, step, when
from services.notifier.domain.index import CLOSED, OPEN
from services.notifier.domain.ladder import PlannedStep, is_unanswered, plan
from services.notifier.domain.state import Answer
from shared.cli.terminal import console, span
from shared.event.vocabulary import URGENCIES


def list_(
    closed: Annotated[bool, typer.Option("--closed", help="Those that were resolved, the newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many at most: those whose next step is soonest.")] = 100,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the open escalations: how grave, how old, what comes next, and who has seen them."""

    async def gather(office: Office) -> tuple[list[Case], int, Office]:
        name = CLOSED if closed else OPEN
        listed = await office.desk.listed(name, newest_first=closed, limit=limit)
        cases = await office.cases(listed)
        await office.note("inbox", *(case.patient_id for case in cases))
        return cases, await office.desk.count(name), office

    cases, total, office = work(gather)
    if not closed:
        cases.sort(key=lambda case: -URGENCIES.index(case.alarm.severity))
    if json:
        typer.echo(as_json([_row(office, case) for case in cases]))
        return
    if not cases:
        typer.echo("no escalation was resolved yet" if closed else "no escalation is open")
        return
    to = console()
    ids = [case.alarm.escalation_id for case in cases]
    names = shortened(ids) if to.is_terminal else {one: one for one in ids}
    to.print(_closed_table(cases, names) if closed else _open_table(office, cases, names))
    if total > len(cases):
        typer.echo(f"{total - len(cases)} more; see --limit")


def next_step(office: Office, case: Case) -> PlannedStep | None:
    """The next step if nobody answers; None for what is resolved."""
    return next(iter(plan(office.policies, case.state, case.alarm, office.now, steps=1)), None)


def seen_by(case: Case) -> Answer | None:
    """The answer that keeps the ladder still; None where it climbs."""
    return case.alarm.answers[-1] if case.alarm.answers and not is_unanswered(case.alarm) else None


def _open_table(office: Office, cases: list[Case], names: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("severity", "escalation", "patient", "reason", "open for", "answer by", "next step", "seen by"):
        table.add_column(column, overflow="fold", no_wrap=column in ("severity", "escalation"))
    for case in cases:
        alarm, answer, following = case.alarm, seen_by(case), next_step(office, case)
        table.add_row(
            severity(alarm.severity),
            escape(names[alarm.escalation_id]),
            escape(case.patient_id),
            alarm.reason.replace("_", " "),
            span(office.now - alarm.severe_since) if alarm.severe_since else "",
            moment(alarm.respond_by),
            escape(f"{when(following.at, office.now)}: {_who(following)}") if following else "",
            escape(f"{answer.by} ({answer.intent})") if answer else "nobody",
        )
    return table


def _closed_table(cases: list[Case], names: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("severity", "escalation", "patient", "reason", "resolved", "how"):
        table.add_column(column, overflow="fold", no_wrap=column in ("severity", "escalation"))
    for case in cases:
        alarm = case.alarm
        table.add_row(
            severity(alarm.severity),
            escape(names[alarm.escalation_id]),
            escape(case.patient_id),
            alarm.reason.replace("_", " "),
            moment(alarm.resolved_at),
            alarm.resolution.replace("_", " "),
        )
    return table


def _who(following: PlannedStep) -> str:
    return f"{', '.join(following.recipients)} ({step(following.step)})"


def _row(office: Office, case: Case) -> dict[str, Any]:
    alarm, answer, following = case.alarm, seen_by(case), next_step(office, case)
    return {
        "escalation_id": alarm.escalation_id,
        "patient_id": case.patient_id,
        "severity": alarm.severity,
        "reason": alarm.reason,
        "since": alarm.severe_since,
        "respond_by": alarm.respond_by,
        "next_step": planned(following) if following else None,
        "acknowledged": {"by": answer.by, "intent": answer.intent, "at": answer.at} if answer else None,
        "resolved_at": alarm.resolved_at,
        "resolution": alarm.resolution or None,
    }


def planned(one: PlannedStep) -> dict[str, Any]:
    """A step of the plan as JSON; the last resort has the step 0."""
    return {
        "at": one.at,
        "step": one.step,
        "recipients": list(one.recipients),
        "channels": list(one.channels),
        "note": one.note,
    }
