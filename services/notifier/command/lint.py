"""`alerts lint`: what is wrong in policies before they are in force."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from services.notifier.command.office import as_json
from services.notifier.policy_file import PolicyError, load_policies
from services.notifier.policy_lint import Problem
from services.notifier.policy_lint import lint as find_problems
from services.notifier.settings import NotifierSettings
from shared.cli.terminal import console
from shared.settings import read_settings

COLOUR = {"error": "bold red", "warning": "yellow"}


def lint(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A policy file or a folder of them; else those in use.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Find hours without anybody, people without an address and what else is wrong in policies.

    Status 1 where there is an error.
    """
    chosen = path or read_settings(NotifierSettings).policies
    problems = _problems(chosen)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    name = str(chosen) if chosen else "the shipped policies"
    if json:
        found = [asdict(problem) for problem in problems]
        typer.echo(as_json({"path": name, "errors": errors, "warnings": warnings, "problems": found}))
    else:
        for problem in problems:
            line = Text(f"{problem.severity}: ", COLOUR[problem.severity])
            console().print(line.append(str(problem).partition(": ")[2], "default"), soft_wrap=True)
        typer.echo(f"{_count(errors, 'error')}, {_count(warnings, 'warning')} in {name}")
    if errors or (strict and problems):
        raise typer.Exit(1)


def _problems(path: Path | None) -> tuple[Problem, ...]:
    """What cannot even be read is one error."""
    shipped = load_policies(None)
    try:
        policies = load_policies(path)
    except PolicyError as error:
        place, _, message = str(error).partition(": ")
        return (Problem(place, message, "Nothing else is checked before that is mended"),)
    return find_problems(policies, datetime.now(UTC).date(), shipped=shipped if path else None)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
