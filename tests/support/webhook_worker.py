"""Webhooks alone, as a process of their own: to be killed while posts are on their way."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace

from services.notifier.app import make_service
from services.notifier.channels.guard import parse_allowed
from services.notifier.webhook.outlet import make_outlet
from shared.settings import Settings, read_settings
from shared.stream.clock import make_clock
from shared.stream.connection import connect
from shared.stream.desk import Desk
from tests.support.webhook_case import HERE, QUICK

LEASE_S = float(os.environ.get("TEST_LEASE_S", "2"))
"""A short one is soon taken over from a process that was killed; a long one outlasts a machine under load."""
PACE = replace(QUICK, lease_s=LEASE_S, post_s=LEASE_S / 2)


async def main() -> None:
    """Until SIGTERM."""
    settings = read_settings(Settings)
    assert settings.redis_url is not None
    client = connect(settings.redis_url)
    desk = Desk(client, make_clock("wall", client), settings, make_service(settings))
    outlet = make_outlet(desk, parse_allowed(HERE), PACE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, outlet.stop)
    await outlet.run()
    with contextlib.suppress(OSError):
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main())
