"""The client of a platform's backend: publishes and reads typed events, over Redis or over HTTP.

    from shared.client import CareClient
    from shared.event.session import CheckinReported

    with CareClient("redis://localhost:6379") as care:
        care.submit(CheckinReported(checkin_id="c-1", reported_at=now, next_morning_pain=2), patient="patient-1")
        for event in care.events(wait_s=10):
            print(event.type, event.subject, event.data)

`AsyncCareClient` is the same with `await`. Nothing is connected before the first call.
"""

from shared.client.asynchronous import AsyncCareClient
from shared.client.envelope import new_event
from shared.client.error import (
    ClientError,
    CursorError,
    Gap,
    GapError,
    NotFoundError,
    RateLimitedError,
    Refusal,
    RefusedError,
    UnauthorisedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnsupportedError,
    WebhookError,
)
from shared.client.reader import Unrecognised
from shared.client.synchronous import CareClient
from shared.client.webhook import parse_webhook

__all__ = [
    "AsyncCareClient",
    "CareClient",
    "ClientError",
    "CursorError",
    "Gap",
    "GapError",
    "NotFoundError",
    "RateLimitedError",
    "Refusal",
    "RefusedError",
    "UnauthorisedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "Unrecognised",
    "UnsupportedError",
    "WebhookError",
    "new_event",
    "parse_webhook",
]
