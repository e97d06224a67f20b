"""Received webhooks: only what this system signed, lately, is an event."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from shared.client import Unrecognised, WebhookError, parse_webhook
from shared.event.adjustment import GoalReached
from tests.support.client_case import reached

NEW, OLD, OTHER = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"n", b"o", b"x"))
BODY = reached(1).model_dump_json().encode()


def signed(body: bytes, *keys: str, age: timedelta = timedelta()) -> dict[str, str]:
    at = datetime.now(UTC) - age
    return {
        "Webhook-Id": "output-1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(Webhook(key).sign("output-1", at, body.decode()) for key in keys),
    }


def test_a_signed_webhook_is_a_typed_event() -> None:
    """With one secret, or with several while one is being changed, on either side."""
    for headers, secrets in (
        (signed(BODY, NEW), NEW),
        (signed(BODY, OLD), [NEW, OLD]),
        (signed(BODY, NEW, OLD), OLD),
    ):
        event = parse_webhook(headers, BODY, secrets)
        assert isinstance(event.data, GoalReached)
        assert (event.id, event.subject, event.data.goal_id) == ("output-1", "patient-1", "goal-1")


@pytest.mark.parametrize("minutes", [6, -6])
def test_five_minutes_are_the_limit(minutes: int) -> None:
    """Whoever recorded a webhook cannot send it again later; clocks may differ by less."""
    with pytest.raises(WebhookError, match="five minutes"):
        parse_webhook(signed(BODY, NEW, age=timedelta(minutes=minutes)), BODY, NEW)
    assert parse_webhook(signed(BODY, NEW, age=timedelta(minutes=minutes / 2)), BODY, NEW).id == "output-1"


def test_a_type_of_a_newer_system_comes_as_it_is() -> None:
    """The signature counts, not the vocabulary."""
    body = BODY.replace(b"care.goal.reached.v1", b"care.goal.missed.v1")
    assert isinstance(parse_webhook(signed(body, NEW), body, NEW).data, Unrecognised)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, OTHER),
        signed(BODY + b" ", NEW),
        signed(BODY, NEW, age=timedelta(days=1)),
        signed(BODY, NEW, age=timedelta(days=-1)),
        signed(BODY, NEW) | {"Webhook-Signature": "v1"},
        signed(BODY, NEW) | {"Webhook-Signature": "v1,%%%"},
        signed(BODY, NEW) | {"Webhook-Signature": "v1a,abc v1,abc= a b c"},
        signed(BODY, NEW) | {"Webhook-Timestamp": "nan"},
        signed(BODY, NEW) | {"Webhook-Timestamp": "9" * 400},
        signed(BODY, NEW) | {"Webhook-Id": "another"},
    ],
)
def test_whatever_is_not_rightly_signed_is_refused(headers: dict[str, str]) -> None:
    """Forged, altered, replayed later, or taken apart: one error, which says nothing of the secret."""
    with pytest.raises(WebhookError) as refused:
        parse_webhook(headers, BODY, [NEW])
    assert NEW[6:] not in str(refused.value)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"not json", b'{"type": "escalation.alert", "data": {}}'])
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    """Such as an alert of the notifier, sent to the wrong address."""
    with pytest.raises(WebhookError, match="no event"):
        parse_webhook(signed(body, NEW), body, NEW)


def test_bytes_that_are_no_text_or_too_many_are_refused() -> None:
    """Before anybody looks at them."""
    for body in (b"\xff\xfe", b" " * (2 * 1024 * 1024)):
        with pytest.raises(WebhookError):
            parse_webhook(signed(BODY, NEW), body, NEW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä"])
def test_a_secret_that_is_none_is_the_callers_mistake(secret: str) -> None:
    """Told as such, and not as a forged request."""
    with pytest.raises(ValueError, match="whsec_"):
        parse_webhook(signed(BODY, NEW), BODY, [secret])
    with pytest.raises(ValueError, match="without"):
        parse_webhook(signed(BODY, NEW), BODY, [])
