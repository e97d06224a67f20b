"""API keys: what one looks like, what it may do, and how it is recognised without being kept.

A key is `care_<id>_<secret>`. The secret has 256 bits from the system's source of randomness, so one SHA-256
hides it as well as a slow hash would; what is kept is that hash.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from shared.event.registry import types_of
from shared.recording import PLATFORM_STREAMS

READ = "read"
"""The scope for the views of patients; every other scope is a pattern of event types."""
INPUT_TYPES = tuple(event_type for stream in PLATFORM_STREAMS for event_type in types_of(stream))
"""What a platform may send."""
LONGEST_NAME = 100
_KEY = re.compile(r"^care_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$")
_PATTERN = re.compile(r"^[a-z0-9.*]{1,64}$")
_NO_HASH = "0" * 64


class ScopeError(Exception):
    """A scope that lets nothing through. The message is one line."""


class Credential(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key as it is kept."""

    key_id: str
    name: str
    """Whose it is, as the operator calls them."""
    secret_hash: str
    scopes: tuple[str, ...]
    per_minute: int
    """Requests."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def may_send(self, event_type: str) -> bool:
        return any(fnmatchcase(event_type, scope) for scope in self.scopes if scope != READ)

    def may_read(self) -> bool:
        return READ in self.scopes

    def standing(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as somebody shows it."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Presented({self.key_id})"

    def opens(self, known: Credential | None) -> bool:
        """Whether it is this very key. Takes as long whether or not there is one."""
        expected = known.secret_hash if known is not None else _NO_HASH
        return hmac.compare_digest(_hash(self.secret), expected) and known is not None


def issue(
    name: str, scopes: Sequence[str], per_minute: int, now: datetime, expires_at: datetime | None = None
) -> tuple[str, Credential]:
    """A new key, to be shown once, and what is kept of it. Raises ScopeError."""
    check_scopes(scopes)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    kept = Credential(key_id, name, _hash(secret), tuple(dict.fromkeys(scopes)), per_minute, now, expires_at=expires_at)
    return f"care_{key_id}_{secret}", kept


def parse_key(text: str) -> Presented | None:
    """None where it cannot be a key."""
    found = _KEY.fullmatch(text)
    return Presented(found[1], found[2]) if found else None


def check_scopes(scopes: Iterable[str]) -> None:
    """Raises ScopeError for one that lets nothing through."""
    wanted = list(scopes)
    if not wanted:
        raise ScopeError(f"a key needs a scope: `{READ}`, or a pattern of event types such as care.session.*")
    for scope in wanted:
        if scope != READ and not (_PATTERN.fullmatch(scope) and any(fnmatchcase(kind, scope) for kind in INPUT_TYPES)):
            raise ScopeError(f"scope {scope!r} matches no event that a platform sends: {', '.join(INPUT_TYPES)}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
