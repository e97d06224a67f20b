"""Passwords of the login: scrypt hashes in the policy file, compared in constant time, tried a few times only."""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta

COST = 2**15
"""scrypt's n; with r = 8 one hash takes 32 MiB and about a tenth of a second."""
BLOCKS = 8
LANES = 1
SHORTEST = 12
"""Characters of a password."""
LONGEST = 1024
TRIES = 8
"""Failures of one name within `PAUSE`, after which it has to wait."""
PAUSE = timedelta(minutes=15)
NAMES = 4096
"""Names remembered with their failures: a guesser of names cannot fill the memory."""

_FORM = re.compile(
    r"^scrypt\$n=(?P<n>\d{1,8}),r=(?P<r>\d{1,2}),p=(?P<p>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/=]{16,64})\$(?P<hash>[A-Za-z0-9+/=]{40,128})$"
)


class PasswordError(ValueError):
    """A password or its hash cannot be used. The message is one line and shows neither."""


def hash_password(password: str) -> str:
    """`scrypt$n=…,r=…,p=…$salt$hash` for the policy file: `recipients: {on_call: {password: …}}`."""
    if len(password) < SHORTEST:
        raise PasswordError(f"a password needs at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise PasswordError(f"a password has at most {LONGEST} characters")
    salt = secrets.token_bytes(16)
    digest = _digest(password, salt, COST, BLOCKS, LANES)
    return f"scrypt$n={COST},r={BLOCKS},p={LANES}${_text(salt)}${_text(digest)}"


def is_hash(text: str) -> bool:
    """Whether it is such a hash, of a cost that this machine is willing to pay."""
    found = _FORM.match(text)
    return found is not None and 2**14 <= int(found["n"]) <= 2**18 and int(found["r"]) <= 16 and int(found["p"]) <= 4


def is_password(password: str, stored: str) -> bool:
    """Compares in constant time. Raises PasswordError where `stored` is no hash."""
    found = _FORM.match(stored)
    if found is None or not is_hash(stored):
        raise PasswordError("this is no password hash; `adaptive-care alerts password` makes one")
    wanted = base64.b64decode(found["hash"])
    salt = base64.b64decode(found["salt"])
    digest = _digest(password[: LONGEST + 1], salt, int(found["n"]), int(found["r"]), int(found["p"]), len(wanted))
    return hmac.compare_digest(digest, wanted) and len(password) <= LONGEST


class Gate:
    """Checks names and passwords. Says neither whether a name exists nor, by its time, which of the two was wrong.

    Failures are counted for each name in this process; a restart forgets them.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)
        # An unknown name costs the same work as a known one.
        self._decoy = f"scrypt$n={COST},r={BLOCKS},p={LANES}${_text(bytes(16))}${_text(secrets.token_bytes(32))}"
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._turn = asyncio.Semaphore(2)

    def must_wait(self, name: str, now: datetime) -> bool:
        failures = self._failures.get(_key(name))
        if failures is None:
            return False
        while failures and failures[0] <= now - PAUSE:
            failures.popleft()
        return len(failures) >= TRIES

    async def opens(self, name: str, password: str, now: datetime) -> bool:
        """Whether the two fit. A name that has to wait is not even compared."""
        if self.must_wait(name, now):
            return False
        self._note(name, now)  # before the work, so that tries at the same time count as well
        async with self._turn:
            fits = await asyncio.to_thread(is_password, password, self._hashes.get(name, self._decoy))
        if not fits or name not in self._hashes:
            return False
        self._failures.pop(_key(name), None)
        return True

    def _note(self, name: str, now: datetime) -> None:
        key = _key(name)
        self._failures.setdefault(key, deque(maxlen=TRIES)).append(now)
        self._failures.move_to_end(key)
        while len(self._failures) > NAMES:
            self._failures.popitem(last=False)


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _digest(password: str, salt: bytes, n: int, r: int, p: int, length: int = 32) -> bytes:
    raw = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=length)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
