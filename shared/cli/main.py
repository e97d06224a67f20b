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

from shared.cli import config as config_command
from shared.cli import run as run_command
from shared.settings import SettingError, Settings, explain
from shared.stream.discovery import UnknownServiceError

COMMANDS = {
    "replay": "replay",
    "dead-letters": "dead_letter",
    "trace": "trace",
    "audit": "audit",
    "privacy": "privacy",
    "status": "status",
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
    """The commands of this package, and those that services add, which are loaded only when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *(entry.name for entry in entry_points(group=ADDED))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        for entry in entry_points(group=ADDED, name=cmd_name):
            command = get_command(entry.load())
            command.name = cmd_name
            return command
        return super().get_command(ctx, cmd_name)


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
    _mount()
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


def _mount() -> None:
    app.command("run")(run_command.run)
    app.command("config")(config_command.config)
    for command, module_name in COMMANDS.items():
        name = f"shared.cli.{module_name}"
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        if isinstance(getattr(module, "app", None), typer.Typer):
            app.add_typer(module.app, name=command)
        else:
            app.command(command)(getattr(module, module_name))


def _end(message: str, status: int) -> None:
    print(f"adaptive-care: {message.splitlines()[0] if message else 'cannot go on'}", file=sys.stderr)  # noqa: T201  # the command line's own voice
    sys.exit(status)


if __name__ == "__main__":
    main()
