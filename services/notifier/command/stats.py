"""`alerts stats`: how alerting fares, from the ledgers."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.notifier.command.office import EVERYTHING, Office, as_json, work
from services.notifier.command.wording import severity
from services.notifier.domain.index import CLOSED, OPEN
from services.notifier.domain.statistic import AlertStatistics, Entry, statistics
from shared.cli.terminal import console, span


def stats(
    days: Annotated[int, typer.Option(min=1, help="Of the escalations raised within so many days.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show how soon alerts are answered, how many each clinician gets, and which are useful or overridden."""
    found = work(lambda office: _read(office, days))
    if json:
        shares = {"useful_share": found.useful_share}
        rules = {rule: asdict(one) | {"override_share": one.override_share} for rule, one in found.rules.items()}
        burdens = {name: asdict(one) | {"per_day": one.per_day} for name, one in found.burdens.items()}
        typer.echo(as_json(asdict(found) | {"days": days, "rules": rules, "burdens": burdens} | shares))
        return
    _print(console(), found, days)


async def ledgers(office: Office, patient_id: str) -> dict[str, list[Entry]]:
    """A patient's ledger by escalation."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in await office.desk.ledger(patient_id):
        found[entry["escalation_id"]].append(entry)
    return found


async def _read(office: Office, days: int) -> AlertStatistics:
    since = office.now - timedelta(days=days)
    listed = [item for name in (OPEN, CLOSED) for item in await office.desk.listed(name, limit=EVERYTHING)]
    chosen: dict[str, Sequence[Entry]] = {}
    for patient_id in dict.fromkeys(item.subject for item in listed):
        found = await ledgers(office, patient_id)
        chosen |= {name: entries for name, entries in found.items() if _raised_at(entries) >= since}
    return statistics(chosen)


def _raised_at(entries: Sequence[Entry]) -> datetime:
    return datetime.fromisoformat(entries[0]["at"])


def _print(to: Console, found: AlertStatistics, days: int) -> None:
    if not found.escalations:
        typer.echo(f"no escalation was raised in the last {days} days")
        return
    typer.echo(f"{found.escalations} escalations raised in the last {days} days")
    table = _table("severity", "asked", "acknowledged", "half within", "90% within")
    for name, one in found.answering.items():
        counts = (str(one.calls), f"{one.acknowledged} ({_share(one.acknowledged / one.calls)})")
        table.add_row(severity(name), *counts, _span(one.p50_s), _span(one.p90_s))  # type: ignore[arg-type]  # a key of URGENCIES
    to.print(table)
    if found.burdens:
        table = _table("clinician", "alerts", "days", "a day", "most in a day")
        for name, burden in found.burdens.items():
            row = (burden.alerts, burden.days, f"{burden.per_day:.1f}", burden.most_in_a_day)
            table.add_row(escape(name), *(str(cell) for cell in row))
        to.print(table)
    table = _table("rule", "alerts", "answered", "overridden")
    for name, rule in found.rules.items():
        share = "" if rule.override_share is None else f" ({_share(rule.override_share)})"
        table.add_row(escape(name), str(rule.alerts), str(rule.answered), f"{rule.overridden}{share}")
    to.print(table)
    if found.useful_share is None:
        typer.echo("nobody has said whether an alert was useful")
    else:
        typer.echo(f"{found.useful} of {found.rated} rated alerts were useful ({_share(found.useful_share)})")


def _span(seconds: float | None) -> str:
    return "–" if seconds is None else span(seconds)


def _share(value: float) -> str:
    return f"{value:.0%}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("severity", "clinician", "rule") else "right")
    return table
