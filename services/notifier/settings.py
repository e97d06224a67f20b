"""The notifier's few knobs: the mail server, the sender, and where the escalation policies lie."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import PREFIX

SCHEMES = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
"""With their default ports."""


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
    policies: Path | None = Field(
        None, description="A policy file, or a folder of them: escalation policies, recipients, reminder times"
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_smtp_url(value)
        return value

    @model_validator(mode="after")
    def _are_together(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("CARE_MAIL_FROM is required where CARE_SMTP_URL is set")
        return self


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
