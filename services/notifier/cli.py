"""`adaptive-care alerts`: found by its entry point, so that the command line imports no service."""

import typer

from services.notifier.command import address
from services.notifier.command.access import link, password
from services.notifier.command.inbox import list_
from services.notifier.command.lint import lint
from services.notifier.command.preview import preview
from services.notifier.command.stats import stats
from services.notifier.command.story import show

app = typer.Typer(
    help="Escalations to clinicians: what is open, who was told, who is next, and how alerting fares.",
    no_args_is_help=True,
)
app.command("list")(list_)
app.command()(show)
app.command()(preview)
app.command()(stats)
app.command()(lint)
app.command()(link)
app.command()(password)
app.add_typer(address.app, name="addresses")
