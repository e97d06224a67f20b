"""`adaptive-care run`: services as a process."""

import asyncio
import contextlib
from typing import Annotated

import typer

from shared.embedded import open_embedded
from shared.log import configure_log, logger
from shared.settings import Settings, read_settings, unknown_variables
from shared.stream.application import build_application
from shared.stream.discovery import load_services, load_setting_classes


def run(
    services: Annotated[
        list[str] | None, typer.Argument(help="intake, planner, progression, notifier; all where none is named.")
    ] = None,
) -> None:
    """Run the named services, or all four, until SIGTERM or Ctrl-C."""
    settings = read_settings(Settings)
    configure_log(settings.log_format, settings.log_level)
    for warning in unknown_variables(load_setting_classes()):
        logger().warning("unknown setting", problem=warning)
    makers = load_services(services or ())
    with contextlib.ExitStack() as stack:
        if settings.redis_url is None:
            server = stack.enter_context(open_embedded(settings.data_dir))
            settings = settings.model_copy(update={"redis_url": server.url})
            logger().info("embedded server", url=server.url)
        chosen = [make_service(settings) for make_service in makers.values()]
        asyncio.run(build_application(chosen, settings).serve())
