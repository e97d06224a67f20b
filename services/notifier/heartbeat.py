"""The sign of life to whoever watches from outside: a URL that is asked for, or a file that is written anew.

Only that it stops has a meaning, so nothing here ever raises: a sign that could not be given is logged, and whoever
waits for it hears the silence.
"""

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import SecretStr

from shared.log import logger

WITHIN_S = 10.0


class Heartbeat(Protocol):
    """One way to be heard."""

    async def beat(self, at: datetime) -> bool:
        """Whether the sign was taken over. Never raises, and ends within `WITHIN_S`."""


class UrlHeartbeat:
    """GET of a URL, as the services that wait for such signs expect it. Redirects are not followed."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    async def beat(self, at: datetime) -> bool:
        try:
            async with asyncio.timeout(WITHIN_S), httpx.AsyncClient(timeout=WITHIN_S) as client:
                answer = await client.get(self._url.get_secret_value())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            return _failed(type(error).__name__)
        return answer.is_success or _failed(f"status {answer.status_code}")


class FileHeartbeat:
    """A file whose content and time of change say when all was last well. It is replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def beat(self, at: datetime) -> bool:
        try:
            async with asyncio.timeout(WITHIN_S):
                await asyncio.to_thread(self._write, at)
        except (OSError, TimeoutError) as error:
            return _failed(type(error).__name__)
        return True

    def _write(self, at: datetime) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        new.write_text(f"{at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}\n", encoding="ascii")
        new.replace(self._path)


def make_heartbeat(url: SecretStr | None) -> Heartbeat | None:
    """None where nobody listens."""
    if url is None:
        return None
    path = parse_heartbeat_url(url)
    return UrlHeartbeat(url) if path is None else FileHeartbeat(path)


def parse_heartbeat_url(url: SecretStr) -> Path | None:
    """The path of a file; None for the web. Raises ValueError with one line that does not repeat the value."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme in ("http", "https"):
        if not parts.hostname:
            raise ValueError("names no host, as in https://watch.example.org/sign/of/life")
        return None
    if parts.scheme != "file":
        raise ValueError("must begin with one of https://, http://, file:///")
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute() or path.name == "":
        raise ValueError("must name a file by its whole path, as in file:///var/run/adaptive-care/heartbeat")
    return path


def _failed(cause: str) -> bool:
    # The URL is a secret: whoever knows it can give the sign.
    logger().warning("heartbeat_failed", cause=cause)
    return False
