"""Who uses the command line, for the audit log: the user of the machine."""

import getpass

import typer
from redis.asyncio import Redis

from shared.settings import Settings
from shared.stream.audit import Act, Action, Audit, AuditError


def act(action: Action, what: str, *patients: str) -> Act:
    """Something that a command does for whoever runs it."""
    return Act(f"user:{_user()}", "command", action, what, patients)


async def note(client: Redis, partitions: int, settings: Settings, done: Act) -> None:
    """Writes it to the audit log. Where that fails the command goes on, and says so."""
    try:
        await Audit(client, partitions, settings.audit_days).note(done)
    except AuditError as error:
        typer.echo(f"warning: {error}", err=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
