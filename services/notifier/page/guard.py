"""What stands between the page and the open net: headers, cookies, where a form was sent from, how much is read."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.formparsers import FormParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.notifier.page.config import PageConfig

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
LONGEST_BODY = 64 * 1024
"""Bytes of a form: the longest reason in the widest encoding, and room for the rest."""
PATIENCE_S = 10.0
"""For a form to arrive whole."""
FORM_TYPE = "application/x-www-form-urlencoded"


class TooLargeError(Exception):
    """A form is larger than any that the page has."""


class NoFormError(Exception):
    """What was sent is no form of the page."""


def secured(app: ASGIApp, config: PageConfig) -> ASGIApp:
    """Every answer of the application carries the headers, errors too."""
    headers = dict(HEADERS)
    if config.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in headers.items():
                    own[name] = value
            await send(message)

        await app(scope, receive, with_headers)

    return answer


def cookie_name(config: PageConfig) -> str:
    """With the prefix that lets no neighbour domain set it, where browsers allow that."""
    return "__Host-care" if config.is_https and not config.base else "care"


def set_session(response: Response, config: PageConfig, word: str, until: datetime, now: datetime) -> None:
    response.set_cookie(
        cookie_name(config),
        word,
        max_age=max(1, int((until - now).total_seconds())),
        path=config.base or "/",
        secure=config.is_https,
        httponly=True,
        samesite="strict",
    )


def end_session(response: Response, config: PageConfig) -> None:
    response.delete_cookie(
        cookie_name(config), path=config.base or "/", secure=config.is_https, httponly=True, samesite="strict"
    )


def is_same_origin(headers: Mapping[str, str], config: PageConfig) -> bool:
    """Whether a form was sent from a page of ours, as far as the browser tells.

    With `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms, and say in `Sec-Fetch-Site`
    whether they are ours. Where a browser says neither, the form's own word decides, which no other site can have.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin in (None, "null"):
        return True
    if config.origin is not None:
        return origin == config.origin
    return urlsplit(str(origin)).netloc == headers.get("host", "")


async def read_pairs(request: Request) -> list[tuple[str, str]]:
    """The fields of a posted form. Raises TooLargeError and NoFormError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise NoFormError
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > LONGEST_BODY:
        raise TooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_BODY:
                    raise TooLargeError
    except TimeoutError:
        raise NoFormError from None

    async def whole() -> AsyncGenerator[bytes, None]:
        yield bytes(body)

    try:
        form = await FormParser(request.headers, whole()).parse()
    except UnicodeDecodeError:
        raise NoFormError from None
    return [(key, value) for key, value in form.multi_items() if isinstance(value, str)]
