"""Reads a request's body no further than it may be long, and no longer than it may take."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from shared.door.problem import Problem, Refused

PATIENCE_S = 10.0
"""For a body to arrive whole."""


async def read_body(request: Request, limit: int) -> bytes:
    """Raises Refused with 413 as soon as it is too long, whether or not its length was declared."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise Refused(_too_large(limit))
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Refused(_too_large(limit))
    except TimeoutError:
        raise Refused(
            Problem(408, "body_timeout", f"the body did not arrive within {PATIENCE_S:g} s", headers=_CLOSE)
        ) from None
    except ClientDisconnect:
        raise Refused(Problem(400, "body_cut_off", "the connection ended within the body")) from None
    return bytes(body)


_CLOSE = {"Connection": "close"}
"""What is still to come of the body is not read."""


def _too_large(limit: int) -> Problem:
    detail = f"the body is larger than {limit} bytes; nothing of it was read as an event: send less at once"
    return Problem(413, "too_large", detail, "$", headers=_CLOSE)
