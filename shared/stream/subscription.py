"""Amendments to FastStream's stream subscribers, by private names that the pinned version keeps (decision 0003)."""

import asyncio
from typing import Any

from redis.exceptions import ResponseError

PAUSE_S = 1.0


def begin_at_the_beginning(subscriber: Any) -> None:
    """A group that is lost between the preparation and the start is made anew at 0.

    Its own start makes it at the end of the stream, and what lies there is never read.
    """
    subscriber.last_id, subscriber.read_id = "0", ">"


def read_once_started(subscriber: Any, started: asyncio.Event) -> None:
    """Makes a subscriber read only when the whole process has started.

    They start one after the other, and FastStream gives each three seconds. Batches of those that read already would
    hold up the loop for longer, and the start would fail in the middle.
    """
    read = subscriber._get_msgs

    async def wait_and_read(*arguments: Any) -> None:
        await started.wait()
        await read(*arguments)

    subscriber._get_msgs = wait_and_read


def pause_when_refused(subscriber: Any) -> None:
    """Makes a subscriber wait where Redis refuses to be read; a lost group still ends it.

    After READONLY, NOREPLICAS and the like it would ask again at once, a thousand times a second.
    """
    read = subscriber._get_msgs

    async def read_or_pause(*arguments: Any) -> None:
        try:
            await read(*arguments)
        except ResponseError as error:
            if "NOGROUP" in str(error):
                raise
            await asyncio.sleep(PAUSE_S)  # the watchdog says what is wrong, and for how long

    subscriber._get_msgs = read_or_pause
