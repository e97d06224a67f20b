"""Secrets that lie in files, as Docker and Kubernetes mount them: `CARE_X_FILE` names the file that holds `CARE_X`.

What is in a file is never shown, nor named in an error.
"""

import os
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

SUFFIX = "_FILE"
LARGEST_BYTES = 64 * 1024


class SecretFileError(Exception):
    """A file that a setting names cannot be used. The message is one line with the variable and the path."""


def is_secret(field: FieldInfo) -> bool:
    """A setting that may be given by a file: a SecretStr, or one marked `json_schema_extra={"is_secret": True}`."""
    extra = field.json_schema_extra
    marked = isinstance(extra, dict) and bool(extra.get("is_secret"))
    return marked or field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def read_secrets(kind: type[BaseSettings]) -> dict[str, str]:
    """The secrets of one class of settings that the environment gives by file, by field. Raises SecretFileError."""
    prefix = kind.model_config.get("env_prefix", "")
    environment = {name.upper(): value for name, value in os.environ.items() if value}
    found = {}
    for name, field in kind.model_fields.items():
        variable = f"{prefix}{name}".upper()
        path = environment.get(variable + SUFFIX)
        if path is None or not is_secret(field):
            continue
        if variable in environment:
            raise SecretFileError(f"{variable} and {variable}{SUFFIX} are both set; leave one of them out")
        found[name] = _read(variable + SUFFIX, Path(path))
    return found


def _read(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
        text = raw.decode().strip()
    except OSError as error:
        raise SecretFileError(f"{variable}: {path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise SecretFileError(f"{variable}: {path} is no UTF-8 text") from None
    if len(raw) > LARGEST_BYTES:
        raise SecretFileError(f"{variable}: {path} is larger than {LARGEST_BYTES // 1024} KiB")
    if not text:
        raise SecretFileError(f"{variable}: {path} is empty")
    return text
