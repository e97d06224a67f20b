"""One signed HTTP POST to an address that others wrote: guarded, bounded in time, with a truthful word on its fate.

answer                                      the message
2xx                                         has arrived
408, 425, 429, 5xx                          is tried again, after Retry-After where it is given
410                                         is refused; the address is dead, as the specification says
3xx, and every other 4xx                    is refused; the address may be mended, so it stays
none, before the request was under way      is tried again: no connection, no certificate, no host name
none, after                                 is uncertain
an address that the guard forbids           is refused
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from services.notifier.channels.channel import DeliveryError, PassingError, Receipt, RefusedError, UncertainError
from services.notifier.channels.connection import MAX_ADDRESSES, LookUp, look_up
from services.notifier.channels.guard import Address, Allowed, ForbiddenAddressError, checked

MAX_RETRY_AFTER_S = 3600.0
"""No receiver puts a message off for longer."""
TRY_AGAIN = (408, 425, 429)
GONE = 410
_UNDER_WAY = "http11.send_request_headers.started"


class Poster:
    """One connection for each message, to the very address that was checked. No redirects, no proxies."""

    def __init__(self, keys: Sequence[str], allowed: Allowed, timeout_s: float, look_up: LookUp = look_up) -> None:
        """`keys`: `whsec_…`, the newest first. `timeout_s`: for the whole hand-over, with its wait for a place."""
        self._keys = [Webhook(key) for key in keys]
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._look_up = look_up
        self._tls = ssl.create_default_context()
        for loud in ("httpx", "httpcore"):  # they would log the address
            logging.getLogger(loud).setLevel(logging.WARNING)

    async def post(
        self,
        address: str,
        message_id: str,
        body: bytes,
        content_type: str,
        *,
        place: AbstractAsyncContextManager[object],
        threads: Executor,
    ) -> Receipt:
        """Held in `place` while it is on its way; `threads` wait for the name server. Raises a DeliveryError."""
        post = _Post(parse_address(address), self._tls, self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s), place:
                targets = await self._targets(post.url, threads)
                # Signed last: a receiver refuses what was signed some minutes ago.
                headers = self._headers(message_id, body, datetime.now(UTC))
                response = await post.run(targets, body, {"content-type": content_type, **headers})
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            # `from None`: the exception repeats the address.
            raise _unanswered(error, is_under_way=post.is_under_way) from None
        return _judge(response)

    async def check(self, address: str, threads: Executor) -> None:
        """Whether the address may be reached, without reaching it. Raises a DeliveryError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._targets(parse_address(address), threads)
        except (OSError, UnicodeError) as error:
            raise _unanswered(error, is_under_way=False) from None

    async def _targets(self, url: httpx.URL, threads: Executor) -> tuple[Address, ...]:
        host, is_encrypted = _host(url), url.scheme == "https"
        port = url.port or (443 if is_encrypted else 80)
        found = await self._look_up(host, port, threads)
        try:
            return checked(host, found, self._allowed, is_encrypted=is_encrypted)[:MAX_ADDRESSES]
        except ForbiddenAddressError as error:
            raise RefusedError(str(error), address_is_dead=False) from None

    def _headers(self, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
        # The library reads any other zone's clock as if it were UTC.
        signatures = [key.sign(message_id, at, body.decode()) for key in self._keys]
        return {
            "user-agent": "adaptive-care",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


class _Post:
    """One request. `is_under_way`: the receiver may have seen some of it."""

    def __init__(self, url: httpx.URL, tls: ssl.SSLContext, timeout_s: float) -> None:
        self.url = url
        self.is_under_way = False
        self._tls = tls
        self._timeout_s = timeout_s

    async def run(self, targets: Sequence[Address], body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Its body is not read: nobody needs it, and it may have no end."""
        limit = httpx.Timeout(self._timeout_s, connect=self._timeout_s / len(targets))
        async with httpx.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=limit
        ) as client:
            for target in targets[:-1]:
                try:
                    return await self._post(client, target, body, headers)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._post(client, targets[-1], body, headers)

    async def _post(
        self, client: httpx.AsyncClient, target: Address, body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        # Connected to the number, and known by the name: in Host, and in the certificate.
        async with client.stream(
            "POST",
            self.url.copy_with(host=str(target)),
            content=body,
            headers={"host": self.url.netloc.decode("ascii"), **headers},
            extensions={"sni_hostname": _host(self.url), "trace": self._trace},
        ) as response:
            return response

    async def _trace(self, event: str, _: dict[str, Any]) -> None:
        if event == _UNDER_WAY:
            self.is_under_way = True


def parse_address(address: str) -> httpx.URL:
    """Raises RefusedError where it is no https:// (or http://) URL of a host."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise RefusedError("the address is no URL", address_is_dead=True) from None
    if url.scheme not in ("https", "http") or not url.raw_host or url.userinfo:
        raise RefusedError("the address is no https:// URL of a host", address_is_dead=True)
    return url


def _host(url: httpx.URL) -> str:
    """As it goes over the wire: what is looked up, called and proved is one and the same name."""
    return url.raw_host.decode("ascii")


def _unanswered(error: Exception, *, is_under_way: bool) -> DeliveryError:
    if is_under_way:
        return UncertainError("the receiver did not say whether it took the message")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return PassingError("the receiver did not answer in time")
    return PassingError(f"the receiver cannot be reached ({type(error).__name__})")


def _judge(response: httpx.Response) -> Receipt:
    code = response.status_code
    if 200 <= code <= 299:
        return Receipt(str(code))
    cause = f"the receiver answered {code}"
    if code in TRY_AGAIN or code >= 500:
        raise PassingError(cause, retry_after_s=retry_after_s(response.headers.get("retry-after"), datetime.now(UTC)))
    raise RefusedError(cause, address_is_dead=code == GONE)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Of a Retry-After header, which gives seconds or a date; None where it gives neither."""
    if value is None:
        return None
    try:
        wait_s = float(min(int(value), int(MAX_RETRY_AFTER_S)))
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        wait_s = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
