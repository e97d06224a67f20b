"""A pause where FastStream makes none: after an answer that refuses the reading itself.

READONLY after a demotion, NOREPLICAS and the like make its subscribers ask again at once, a thousand times a second.
"""

import asyncio
from typing import Any

from redis.exceptions import ResponseError

PAUSE_S = 1.0


def pause_when_refused(subscriber: Any) -> None:
    """Makes a subscriber wait before it reads again. A lost group still ends it."""
    read = subscriber._get_msgs

    async def read_or_pause(*arguments: Any) -> None:
        try:
            await read(*arguments)
        except ResponseError as error:
            if "NOGROUP" in str(error):
                raise
            await asyncio.sleep(PAUSE_S)  # the watchdog says what is wrong, and for how long

    subscriber._get_msgs = read_or_pause
