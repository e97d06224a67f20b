"""The settings that all services share: environment variables with the prefix `CARE_`.

A service's own few knobs lie in `services/<name>/settings.py`. Clinical numbers are no settings: they
lie in the protocol files.
"""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.secret import SUFFIX, SecretFileError, is_secret, read_secrets

PREFIX = "CARE_"
SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster", "unix")


class SettingError(Exception):
    """A setting cannot be used. The message is one line that names it and says why."""


class Settings(BaseSettings):
    """What every process of the system must know. Frozen: read once, at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    redis_url: str | None = Field(
        None,
        description="Where Redis is: redis://, rediss://, redis+cluster:// or unix://; without it an embedded server",
        json_schema_extra={"is_secret": True},  # it may hold a password
    )
    partitions: int = Field(1, ge=1, le=1024, description="How many partitions the patients are spread over")
    clock: Literal["wall", "replay"] = Field(
        "wall", description="`replay`: now is what the key care:clock says, which a replayer moves"
    )
    protocols: Path | None = Field(None, description="A folder of protocol files to use instead of the ones shipped")
    log_format: Literal["json", "console"] | None = Field(
        None, description="`json` or `console`; by itself console on a terminal, else json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged"
    )
    data_dir: Path = Field(Path(".adaptive-care"), description="The embedded server's files and what commands write")
    consumer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] | None = Field(
        None, description="The stable consumer name of this replica; by itself the host name and a slot"
    )
    http_host: str = Field(
        "127.0.0.1", description="The address that /live, /ready, /metrics and /asyncapi.json listen on"
    )
    http_port: int = Field(
        8080,
        ge=1,
        le=65531,
        description="Their port; a service alone listens on +1 (intake), +2 (planner), +3 (progression), +4 (notifier)",
    )
    max_ahead: float = Field(
        24.0, gt=0, le=24 * 366, description="Hours; an event further ahead of now is impossible and rejected"
    )
    late_window_days: int = Field(
        14, ge=1, le=60, description="Days of event time within which any order of arrival gives the same state"
    )
    duplicate_days: float = Field(
        30.0, gt=0, le=366, description="Days for which a repeated id is known as a duplicate"
    )
    retention_days: float = Field(30.0, gt=0, le=3660, description="Days that handled entries stay in their streams")
    audit_days: float = Field(
        1096.0, gt=0, le=36600, description="Days that the audit log keeps who read or decided what"
    )
    batch_size: int = Field(200, ge=1, le=2000, description="Entries read and committed in one go")
    claim_idle_s: float = Field(
        30.0, gt=0, le=86400, description="Seconds after which an entry left pending is taken over and tried again"
    )
    max_deliveries: int = Field(
        5, ge=1, le=100, description="Tries after which an entry whose handling fails goes to the dead letters"
    )
    trace_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of traces that are kept, the same in all services; tracing is on where "
        "OTEL_EXPORTER_OTLP_ENDPOINT names a collector",
    )
    redis_patience_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds without Redis after which a process ends with status 1"
    )

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme, query = urlsplit(value).scheme, urlsplit(value).query
        if scheme not in SCHEMES:
            raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
        if not scheme.startswith("rediss") and any(option.startswith("ssl_") for option in query.split("&")):
            raise ValueError("options of TLS need an address that begins with rediss:// or rediss+cluster://")
        return value

    @model_validator(mode="after")
    def _duplicates_outlive_the_late_window(self) -> Self:
        if self.duplicate_days < self.late_window_days:
            raise ValueError("CARE_DUPLICATE_DAYS must not be shorter than CARE_LATE_WINDOW_DAYS")
        return self


K = TypeVar("K", bound=BaseSettings)


def read_settings(kind: type[K]) -> K:
    """Reads one class of settings from the environment and the files that it names. Raises SettingError."""
    try:
        secrets: dict[str, Any] = read_secrets(kind)
        return kind(**secrets)
    except SecretFileError as error:
        raise SettingError(str(error)) from None
    except ValidationError as error:
        raise SettingError(explain(kind, error)) from None
    except ValueError as error:  # pydantic-settings: a value that should be JSON and is not
        raise SettingError(str(error)) from None


def explain(kind: type[BaseSettings], error: ValidationError) -> str:
    """The first error as one line: which variable, and why. Values are not shown: they may be secrets."""
    first = error.errors(include_url=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    return f"{variable(kind, str(first['loc'][0]))}: {message}"


def variable(kind: type[BaseSettings], name: str) -> str:
    """The environment variable of a field."""
    return f"{kind.model_config.get('env_prefix', '')}{name}".upper()


def unknown_variables(kinds: Iterable[type[BaseSettings]]) -> list[str]:
    """One warning for each CARE_ variable in the environment that no setting reads."""
    fields = [(variable(kind, name), field) for kind in kinds for name, field in kind.model_fields.items()]
    known = {name for name, _ in fields} | {name + SUFFIX for name, field in fields if is_secret(field)}
    warnings = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            warnings.append(f"{name} is no setting{hint}")
    return warnings


def masked(name: str, value: Any) -> str:
    """A value fit to be shown: secrets and passwords within URLs become `***`."""
    if value is None:
        return ""
    if isinstance(value, SecretStr) or any(word in name.lower() for word in ("password", "secret", "token")):
        return "***"
    text = str(value)
    if "://" in text:
        parts = urlsplit(text)
        if parts.password is not None:
            user, _, host = parts.netloc.rpartition("@")
            text = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))
        if parts.query:
            text = text.replace(parts.query, re.sub(r"(?i)(password|token|secret|key)=[^&]*", r"\1=***", parts.query))
    return text
