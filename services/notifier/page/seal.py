"""Signed words that come back from outside: links, sessions, forms. Nobody can make or change one without a key.

They are signed, not encrypted: what is in them can be read by whoever holds them.
"""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from itsdangerous import BadData, URLSafeSerializer

Kind = Literal["link", "session", "form", "receipt"]
"""A word of one kind is worth nothing as another."""

LONGEST = 4096
"""Characters; what is longer is none of ours."""


class Seal:
    """`keys`: the newest first. It signs with the first and knows all of them."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = list(reversed(keys))

    def write(self, kind: Kind, content: dict[str, Any], until: datetime) -> str:
        """Fit for a URL and a cookie. `until` in whole seconds."""
        word = self._serializer(kind).dumps({**content, "u": int(until.timestamp())})
        return str(word)

    def read(self, kind: Kind, word: str, now: datetime) -> dict[str, Any] | None:
        """What was signed; None where it is forged, of another kind, or over."""
        if not word or len(word) > LONGEST:
            return None
        try:
            content = self._serializer(kind).loads(word)
        except BadData:
            return None
        if not isinstance(content, dict) or content.get("u", 0) < now.timestamp():
            return None
        return content

    def _serializer(self, kind: Kind) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys,
            salt=f"adaptive-care/page/{kind}",
            serializer=json,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )
