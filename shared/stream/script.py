"""Lua scripts by name: sent once, then called by their digest."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError


class Script:
    """One Lua file of this folder. Calling it is one round trip once the server knows it."""

    def __init__(self, name: str) -> None:
        self._source = (files("shared.stream") / name).read_bytes()
        self._digest = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def __call__(self, client: Any, keys: Sequence[str], arguments: Sequence[str | bytes | int] = ()) -> Any:
        """Runs it. Sends the source again where the server has forgotten it (restart, failover)."""
        try:
            return await client.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.eval(self._source, len(keys), *keys, *arguments)
