"""`alerts link` and `alerts password`: how a clinician gets in."""

import sys
from typing import Annotated

import typer

from services.notifier.command.office import AlertError, Office, work
from services.notifier.command.story import Id
from services.notifier.page.access import link_for
from services.notifier.page.config import page_config
from services.notifier.page.password import hash_password


def link(
    id: Id,  # noqa: A002  # the name on the command line
    as_: Annotated[str, typer.Option("--as", metavar="WHO", help="The recipient whose link it is.")],
) -> None:
    """Print the signed link that opens an escalation for one recipient. Whoever has it can answer in that name."""

    async def make(office: Office) -> str | None:
        config = page_config(office.own, office.settings)
        if config is None:
            raise AlertError("there is no page: CARE_PAGE_SECRET is not set")
        case = await office.find(id)
        await office.note("link", case.patient_id)
        return link_for(config, office.recipient(as_), case.patient_id, case.alarm.escalation_id, office.now)

    found = work(make)
    if found is None:
        raise AlertError("CARE_PAGE_URL is not set: nobody can know where the page is")
    typer.echo(found)


def password() -> None:
    """Ask for a password and print its hash, for `recipients: {WHO: {password: HASH}}` in the policy file."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    typer.echo(hash_password(typed))
