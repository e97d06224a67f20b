"""Pseudonyms for patients, derived with a key from the identifiers of a platform.

The same identifier and key always give the same pseudonym; without the key nobody can go back, nor try out identifiers
(docs/privacy.md). A pseudonym is the first digits of the key's own digest, and 128 bits of HMAC-SHA256 in base32.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import unicodedata
from pathlib import Path

KEY_BYTES = 32
_PURPOSE = b"adaptive-care/pseudonym/1\x00"
_TELLING = re.compile(
    r"\d{4,}"  # a record number, or a phone's
    r"|[^\d]*(?:19|20)\d\d[-._]?(?:0[1-9]|1[0-2])[-._]?(?:0[1-9]|[12]\d|3[01])[^\d]*"  # a date of birth
    r"|[A-Z][a-z]+[-._][A-Z][a-z]+"  # a name
)


def may_identify(patient: str) -> bool:
    """Looks like a record number, a date of birth or a name. Others may identify, too, and nobody can see it."""
    return _TELLING.fullmatch(patient) is not None


class PseudonymError(Exception):
    """A key or an identifier cannot be used. The message is one line and never holds either."""


def write_key(path: Path) -> None:
    """A fresh key in a file that only its owner may read. Raises PseudonymError where there is one already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise PseudonymError(f"{path} exists: another key would give every patient another pseudonym") from None
    except OSError as error:
        raise PseudonymError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")


def read_key(path: Path) -> bytes:
    """Raises PseudonymError for a file that is no key, or that others may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise PseudonymError(f"{path} may be read by others: chmod 600 {path}")
        text = path.read_text(encoding="ascii").strip()
        key = base64.b64decode(text, validate=True)
    except OSError as error:
        raise PseudonymError(f"{path}: {error.strerror}; `adaptive-care privacy key FILE` makes one") from None
    except (binascii.Error, UnicodeDecodeError):
        key = b""
    if len(key) < KEY_BYTES:
        raise PseudonymError(f"{path} holds no key: at least {KEY_BYTES} bytes in base64")
    return key


def derive_pseudonym(key: bytes, identifier: str) -> str:
    """31 characters of `[a-z0-9-]`. Spaces around the identifier do not count; its case does."""
    plain = unicodedata.normalize("NFC", identifier.strip())
    if not plain:
        raise PseudonymError("an identifier is empty")
    digest = hmac.digest(key, _PURPOSE + plain.encode(), "sha256")
    word = base64.b32encode(digest[:16]).decode().rstrip("=").lower()
    return f"{hashlib.sha256(_PURPOSE + key).hexdigest()[:4]}-{word}"
