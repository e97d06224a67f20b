"""The notifier's few knobs: the mail server, the sender, webhooks, the escalation policies, the clinician's page."""

import base64
import binascii
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifier.channels.guard import parse_allowed
from services.notifier.heartbeat import parse_heartbeat_url
from shared.settings import PREFIX

SCHEMES = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
"""With their default ports."""
KEY_PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
"""Standard Webhooks: 192 to 512 bits."""
MAX_KEYS = 2


SHORTEST_KEY = 32
"""Characters of a key that signs links and sessions."""


class NotifierSettings(BaseSettings):
    """Frozen: read once, at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server: smtp://, smtp+starttls:// or smtps://, with user and password; "
        "without it alerts go to the log",
    )
    mail_from: str | None = Field(
        None,
        pattern=r"^[^@\s<>,;:\"]+@[^@\s<>,;:\"]+$",
        max_length=320,
        description="The address that mail comes from; also reaches recipients without an address of their own",
    )
    webhook_secrets: SecretStr | None = Field(
        None,
        description="One or two keys that alerts by webhook are signed with, `whsec_…`, the newest first, separated by "
        "commas; without one no alert goes by webhook",
    )
    webhook_allow: str = Field(
        "",
        description="Hosts and networks that webhooks may reach though they are private or not https, "
        "such as `hook.clinic.example, 10.1.0.0/16`",
    )
    policies: Path | None = Field(
        None, description="A policy file, or a folder of them: escalation policies, recipients, reminder times"
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="Where the auditor reports each minute that all is well: https:// (GET) or file:///; "
        "whoever waits there raises the alarm when it stops",
    )
    page_url: str | None = Field(
        None,
        description="Where clinicians reach their page from outside, such as https://care.example.org; "
        "links in alerts begin with it, without it alerts carry no link",
    )
    page_secret: SecretStr | None = Field(
        None,
        description="Keys that sign links and sessions of the page, the newest first, separated by commas, each of at "
        "least 32 characters; without it no page, but with the embedded server a key is made and kept in CARE_DATA_DIR",
    )
    page_access: Literal["link", "login"] = Field(
        "link",
        description="How clinicians come in: `link`: by the signed link of their alert; `login`: by name and the "
        "password whose hash is in CARE_POLICIES",
    )
    page_link_days: int = Field(7, ge=1, le=31, description="Days for which the link of an alert opens the page")

    @field_validator("page_url")
    @classmethod
    def _is_a_page_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with https:// (or http://) and name a host")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address without user, query and fragment")
        return value.rstrip("/")

    @field_validator("page_secret")
    @classmethod
    def _are_long_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key) < SHORTEST_KEY for key in split_keys(value)):
            raise ValueError(f"each key needs at least {SHORTEST_KEY} characters")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_smtp_url(value)
        return value

    @field_validator("heartbeat_url")
    @classmethod
    def _can_be_touched(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_heartbeat_url(value)
        return value

    @field_validator("webhook_secrets")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_webhook_secrets(value)
        return value

    @field_validator("webhook_allow")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        parse_allowed(value)
        return value

    @model_validator(mode="after")
    def _are_together(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("CARE_MAIL_FROM is required where CARE_SMTP_URL is set")
        return self


def split_keys(keys: SecretStr) -> tuple[str, ...]:
    """The keys of `CARE_PAGE_SECRET`, the newest first."""
    return tuple(key.strip() for key in keys.get_secret_value().split(","))


class MailServer:
    """Where and how mail is handed over. Its password is never shown."""

    def __init__(
        self,
        scheme: Literal["smtp", "smtp+starttls", "smtps"],
        host: str,
        port: int,
        user: str | None,
        password: str | None,
    ) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    def __repr__(self) -> str:
        return f"MailServer({self.scheme}://{self.host}:{self.port})"


def parse_smtp_url(url: SecretStr) -> MailServer:
    """Raises ValueError with one line that does not repeat the value."""
    parts = urlsplit(url.get_secret_value())
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port of the mail server must be a number up to 65535") from None
    if parts.scheme not in SCHEMES:
        raise ValueError("must begin with one of smtp://, smtp+starttls://, smtps://")
    if not parts.hostname:
        raise ValueError("names no host, as in smtps://user:password@mail.example.org")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must end after host and port; a special character in a password must be %-encoded")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("needs user and password, or neither")
    return MailServer(
        parts.scheme,  # type: ignore[arg-type]  # checked against SCHEMES above
        parts.hostname,
        port or SCHEMES[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def parse_webhook_secrets(secrets: SecretStr) -> tuple[str, ...]:
    """Raises ValueError with one line that does not repeat the value."""
    keys = tuple(key.strip() for key in secrets.get_secret_value().split(","))
    if len(keys) > MAX_KEYS:
        raise ValueError(f"holds {len(keys)} keys; {MAX_KEYS} are enough to change from one to the other")
    for key in keys:
        try:
            size = len(base64.b64decode(key.removeprefix(KEY_PREFIX), validate=True))
        except binascii.Error:
            size = 0
        if not key.startswith(KEY_PREFIX) or size not in KEY_BYTES:
            raise ValueError(
                f"a key must be {KEY_PREFIX} and {KEY_BYTES.start} to {KEY_BYTES.stop - 1} bytes in base64, "
                f"such as {KEY_PREFIX}$(openssl rand -base64 32)"
            )
    return keys
