"""`adaptive-care`: the one command.

Ends with status 0 when all went well, 1 where it could not go on, 2 for wrong usage or settings. A user's
mistake gives one line, never a traceback.
"""

import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from typing import Any

import typer
from pydantic import ValidationError
from redis.exceptions import RedisError
from typer.core import TyperGroup
from typer.main import get_command

from shared.settings import SettingError, Settings, explain
from shared.stream.discovery import UnknownServiceError

COMMANDS = {
    "run": "run",
    "config": "config",
    "replay": "replay",
    "dead-letters": "dead_letter",
    "trace": "trace",
    "audit": "audit",
    "privacy": "privacy",
    "status": "status",
    "keys": "key",
    "protocols": "protocol",
    "simulate": "simulate",
    "fhir": "fhir",
    "demo": "demo",
    "docs": "docs",
}
"""Command name -> module of this package: one with an `app`, or with a function of the module's name."""
ADDED = "adaptive_care.commands"
"""The entry points of commands that services add: Typer applications."""


class _Group(TyperGroup):
    """The commands of this package, and those that services add. Only the one that is asked for is loaded."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*(name for name in COMMANDS if _is_there(name)), *(entry.name for entry in entry_points(group=ADDED))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and _is_there(cmd_name):
            return _named(getattr(_module(cmd_name), "app", None) or _alone(cmd_name), cmd_name)
        for entry in entry_points(group=ADDED, name=cmd_name):
            return _named(entry.load(), cmd_name)
        return None


app = typer.Typer(
    name="adaptive-care",
    help="Decision support for the physical therapy of buttock pain, over Redis streams.",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The entry point."""
    try:
        app()
    except (SettingError, UnknownServiceError) as error:
        _end(str(error), 2)
    except ValidationError as error:
        _end(explain(Settings, error), 2)
    except RedisError as error:
        _end(f"Redis: {error}", 1)
    except Exception as error:
        if not type(error).__module__.startswith(("shared.", "services.")):
            raise  # a bug, not a user's mistake
        _end(str(error), 1)


@app.callback()
def _root() -> None:
    pass  # there to be a group: its docstring would replace the help above


def _is_there(command: str) -> bool:
    return importlib.util.find_spec(f"shared.cli.{COMMANDS[command]}") is not None


def _module(command: str) -> Any:
    return importlib.import_module(f"shared.cli.{COMMANDS[command]}")


def _alone(command: str) -> typer.Typer:
    """A command that is one function."""
    found = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    found.command(command)(getattr(_module(command), COMMANDS[command]))
    return found


def _named(application: typer.Typer, name: str) -> Any:
    command = get_command(application)
    command.name = name
    return command


def _end(message: str, status: int) -> None:
    print(f"adaptive-care: {message.splitlines()[0] if message else 'cannot go on'}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    sys.exit(status)


if __name__ == "__main__":
    main()
