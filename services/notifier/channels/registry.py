"""Which channels there are on this machine, by the name that policies and contacts use."""

from collections.abc import Mapping
from importlib.util import find_spec

from services.notifier.channels.apprise_channel import AppriseChannel
from services.notifier.channels.channel import Channel
from services.notifier.channels.guard import parse_allowed
from services.notifier.channels.log import LogChannel
from services.notifier.channels.mail import MailChannel
from services.notifier.channels.webhook import WebhookChannel
from services.notifier.settings import NotifierSettings, parse_smtp_url, parse_webhook_secrets
from shared.settings import SettingError

TIMEOUT_S = 10.0
"""For one hand-over, on every channel."""
MISSING = {
    "webhook": "CARE_WEBHOOK_SECRETS is required to sign what goes there",
    "apprise": "Apprise is not installed: pip install 'adaptive-care[apprise]'",
}
"""What a channel lacks that is not there. Mail is not listed: without a server its alerts go to the log."""


def make_channels(settings: NotifierSettings, timeout_s: float = TIMEOUT_S) -> dict[str, Channel]:
    """The log always, the others where what they need is there."""
    channels: list[Channel] = [LogChannel()]
    if settings.smtp_url is not None and settings.mail_from is not None:
        channels.append(MailChannel(parse_smtp_url(settings.smtp_url), settings.mail_from, timeout_s))
    if settings.webhook_secrets is not None:
        keys = parse_webhook_secrets(settings.webhook_secrets)
        channels.append(WebhookChannel(keys, parse_allowed(settings.webhook_allow), timeout_s))
    if find_spec("apprise") is not None:
        channels.append(AppriseChannel(timeout_s))
    return {channel.name: channel for channel in channels}


def check_recipients(recipients: Mapping[str, Mapping[str, str]], channels: Mapping[str, Channel]) -> None:
    """Recipients by name, each with addresses by channel. Raises SettingError for the first who cannot be reached."""
    for recipient, addresses in recipients.items():
        for channel in addresses:
            if channel in channels or channel == MailChannel.name:
                continue
            reason = MISSING.get(channel, f"there is no channel of that name; there are {', '.join(sorted(channels))}")
            raise SettingError(f"the policy reaches {recipient} by {channel}: {reason}")
