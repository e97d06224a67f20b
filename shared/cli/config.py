"""`adaptive-care config`: every setting, its value and its meaning."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shared.settings import Settings, masked, read_settings, unknown_variables, variable
from shared.stream.discovery import load_setting_classes


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as it is in force; secrets are masked."""

    variable: str
    value: str
    default: str
    is_set: bool
    meaning: str


def config(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List every setting with its value, default and meaning."""
    rows = setting_rows()
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif sys.stdout.isatty():
        table = Table("variable", "value", "default", "meaning", show_lines=False)
        for row in rows:
            value = f"[bold]{row.value}[/bold]" if row.is_set else row.value
            table.add_row(row.variable, value, row.default, row.meaning)
        Console().print(table)
    else:
        for row in rows:
            typer.echo(f"{row.variable}={row.value}\t(default: {row.default or 'none'})\t{row.meaning}")
    for warning in unknown_variables(load_setting_classes()):
        typer.echo(f"warning: {warning}", err=True)


def setting_rows() -> list[Row]:
    """Every setting of the shared class and the services'. Raises SettingError for one that is wrong."""
    rows, listed = [], set()
    for kind in load_setting_classes():
        values = read_settings(kind)
        for name, field in kind.model_fields.items():
            if kind is not Settings and (name in Settings.model_fields or name in listed):
                continue
            listed.add(name)
            rows.append(
                Row(
                    variable=variable(kind, name),
                    value=masked(name, getattr(values, name)),
                    default=masked(name, field.get_default(call_default_factory=False)),
                    is_set=name in values.model_fields_set,
                    meaning=field.description or "",
                )
            )
    return rows
