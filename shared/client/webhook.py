"""Verifies received webhooks by the Standard Webhooks specification, and reads the event in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from shared.client.error import WebhookError
from shared.client.reader import read_event
from shared.event.envelope import Event

MAX_BYTES = 1024 * 1024


def parse_webhook(headers: Mapping[str, str], body: bytes, secrets: str | Sequence[str]) -> Event[Any]:
    """The event of a webhook that this system sent, within the last five minutes.

    `body`: the bytes as they were received. `secrets`: `whsec_…`; several while one is being changed. The same
    webhook may come again: its event has the same id. Raises WebhookError for every request that is not to be
    trusted, ValueError for a secret that is none.
    """
    if len(body) > MAX_BYTES:
        raise WebhookError(f"larger than {MAX_BYTES} bytes")
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not keys:
        raise ValueError("without a webhook secret no webhook can be trusted")
    if not any(_is_signed(key, headers, body) for key in keys):
        raise WebhookError("no signature of these secrets, or one that is older than five minutes")
    try:
        return read_event(body)
    except ValueError:
        raise WebhookError("rightly signed, but no event of the contract: is this address meant for it?") from None


def _key(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise ValueError("a webhook secret is `whsec_` and base64") from None


def _is_signed(key: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        key.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # also for headers and bodies that cannot be taken apart
        return False
    return True
