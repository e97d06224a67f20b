"""Which channels a machine has, from its settings; a mistake is one plain line without a secret."""

from base64 import b64encode

import pytest

from services.notifier.channels.log import LogChannel
from services.notifier.channels.registry import check_recipients, make_channels
from services.notifier.settings import NotifierSettings
from shared.settings import SettingError, masked, read_settings

KEY = "whsec_" + b64encode(b"k" * 32).decode()


def test_the_log_is_always_there_and_the_others_where_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be set for an alert to be told somewhere."""
    assert set(make_channels(read_settings(NotifierSettings), 5)) - {"apprise"} == {"log"}
    monkeypatch.setenv("CARE_SMTP_URL", "smtps://mail.example")
    monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
    monkeypatch.setenv("CARE_WEBHOOK_SECRETS", f"{KEY}, {KEY}")
    channels = make_channels(read_settings(NotifierSettings), 5)
    assert set(channels) - {"apprise"} == {"log", "mail", "webhook"}
    assert all(channel.name == name for name, channel in channels.items())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("CARE_WEBHOOK_SECRETS", "topsecret", "a key must be whsec_"),
        ("CARE_WEBHOOK_SECRETS", KEY.removeprefix("whsec_"), "a key must be whsec_"),
        ("CARE_WEBHOOK_SECRETS", "whsec_c2hvcnQ=", "24 to 64 bytes"),
        ("CARE_WEBHOOK_SECRETS", f"{KEY},", "a key must be whsec_"),
        ("CARE_WEBHOOK_SECRETS", f"{KEY},{KEY},{KEY}", "holds 3 keys"),
        ("CARE_WEBHOOK_ALLOW", "10.0.0.0/99", "neither a host name nor a network"),
    ],
)
def test_a_wrong_setting_is_one_line_without_the_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    """The log of a failed start may be read by anybody."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"^{name}: .*{reason}") as failed:
        read_settings(NotifierSettings)
    message = str(failed.value)
    assert "\n" not in message
    assert "topsecret" not in message
    assert KEY not in message


def test_keys_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the settings nor by `adaptive-care config`."""
    monkeypatch.setenv("CARE_WEBHOOK_SECRETS", KEY)
    settings = read_settings(NotifierSettings)
    assert KEY not in repr(settings)
    assert masked("webhook_secrets", settings.webhook_secrets) == "***"


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("apprise", r"Apprise is not installed: pip install 'adaptive-care\[apprise\]'"),
        ("webhook", "CARE_WEBHOOK_SECRETS is required"),
        ("pigeon", "there is no channel of that name; there are log"),
    ],
)
def test_a_recipient_whom_no_channel_reaches_stops_the_start(channel: str, reason: str) -> None:
    """Better than at the first emergency."""
    with pytest.raises(SettingError, match=f"the policy reaches on_call by {channel}: {reason}") as failed:
        check_recipients({"on_call": {channel: "secret"}}, {"log": LogChannel()})
    assert "secret" not in str(failed.value)


def test_mail_without_a_server_stops_nothing() -> None:
    """Its alerts go to the log, with a warning at start."""
    check_recipients({"on_call": {"mail": "on-call@clinic.example"}}, {"log": LogChannel()})
