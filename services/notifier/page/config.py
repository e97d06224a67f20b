"""What the page is set up with: its address, its keys, and how one comes in. Raises SettingError."""

import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from services.notifier.settings import NotifierSettings, split_keys
from shared.settings import SettingError, Settings

KEY_FILE = "page-secret"
EMBEDDED = "unix://"
"""A Redis on a socket of this machine is the embedded server, or as private as it."""


@dataclass(frozen=True, slots=True)
class PageConfig:
    """`keys`: the newest first. `url`: as clinicians reach it, without a slash at its end; None: no links."""

    keys: tuple[str, ...]
    url: str | None = None
    access: Literal["link", "login"] = "link"
    link_life: timedelta = timedelta(days=7)

    def __repr__(self) -> str:
        return f"PageConfig(url={self.url!r}, access={self.access!r})"

    @property
    def base(self) -> str:
        """The path that the page lies under, as browsers see it: empty at the root."""
        return urlsplit(self.url).path.rstrip("/") if self.url else ""

    @property
    def origin(self) -> str | None:
        """Scheme, host and port as a browser names them in `Origin`."""
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        default = {"http": 80, "https": 443}[parts.scheme]
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        port = "" if parts.port in (None, default) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"

    @property
    def is_https(self) -> bool:
        return self.url is not None and self.url.startswith("https://")


def page_config(own: NotifierSettings, settings: Settings) -> PageConfig | None:
    """None where no page is served: no key is set, and none can be kept on this machine alone."""
    if own.page_secret is not None:
        keys = split_keys(own.page_secret)
    elif settings.redis_url is None or not settings.redis_url.startswith(EMBEDDED):
        return None
    else:
        keys = (kept_key(settings.data_dir),)
    return PageConfig(keys, own.page_url, own.page_access, timedelta(days=own.page_link_days))


def kept_key(data_dir: Path) -> str:
    """The key in a file that only its owner may read; made at the first call."""
    path = data_dir / KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_text(encoding="ascii").strip()
        else:
            key = secrets.token_urlsafe(48)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(key + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: the key of the clinician's page cannot be kept: {type(error).__name__}") from None
    if len(key) < 32:
        raise SettingError(f"{path}: holds no key; delete it, and another is made")
    return key
