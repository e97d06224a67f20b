"""`adaptive-care webhooks`: found by its entry point, so that the command line imports no service."""

import typer

from services.notifier.webhook import command
from services.notifier.webhook.ledger import deliveries, resend

app = typer.Typer(
    help="Endpoints that get the pipeline's output events: who gets what, how they stand, what was delivered.",
    no_args_is_help=True,
)
app.command("list")(command.list_)
app.command()(command.add)
app.command()(command.remove)
app.command()(command.pause)
app.command()(command.resume)
app.command("rotate-key")(command.rotate_key)
app.command()(deliveries)
app.command()(resend)
app.command()(command.test)
