"""Policy files and settings: a mistake is one plain line, at start, and never shows a password."""

from pathlib import Path

import pytest

from services.notifier.policy_file import PolicyError, load_policies
from services.notifier.settings import NotifierSettings, parse_smtp_url
from shared.settings import SettingError, read_settings


def test_the_shipped_policies_reach_a_person_in_time() -> None:
    """An emergency is repeated within 15 minutes, an urgent escalation within 2 hours."""
    policy = load_policies(None).of_team(None)
    assert policy.emergency.gap_after(0).total_seconds() <= 15 * 60
    assert policy.urgent.gap_after(0).total_seconds() <= 2 * 3600
    assert policy.emergency.hours == policy.urgent.hours == "always"


def test_a_clinic_adds_what_is_its_own_and_keeps_the_rest(tmp_path: Path) -> None:
    """A file with two addresses is a whole policy file."""
    file = tmp_path / "clinic.yaml"
    file.write_text("recipients: {on_call: {mail: on-call@clinic.example}}\n")
    policies = load_policies(file)
    assert policies.recipients["on_call"] == {"mail": "on-call@clinic.example"}
    assert policies.of_team("nobody") == load_policies(None).of_team(None)


def test_a_folder_of_policy_files_is_read_as_one(tmp_path: Path) -> None:
    """Rota and addresses may lie in files of their own; the same name twice is an error."""
    (tmp_path / "a.yaml").write_text("recipients: {on_call: {mail: a@clinic.example}}\n")
    (tmp_path / "b.yaml").write_text("recipients: {lead_clinician: {mail: b@clinic.example}}\n")
    assert set(load_policies(tmp_path).recipients) == {"on_call", "lead_clinician"}
    (tmp_path / "c.yaml").write_text("recipients: {on_call: {mail: c@clinic.example}}\n")
    with pytest.raises(PolicyError, match=r"c\.yaml: recipients\.on_call: stands in .*a\.yaml already"):
        load_policies(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("delivery: {attempts: 0, first_retry_s: 1, longest_retry_s: 1}", r"delivery\.attempts: .*greater than"),
        ("recipients: {on call: {}}", r"recipients"),
        ("colours: {}", r"colours: is none of reminder"),
        ("- a", r"must hold a mapping"),
        ("a: [", r"line \d+: is no YAML"),
    ],
)
def test_a_mistake_in_a_policy_file_is_one_line_with_file_place_and_reason(
    tmp_path: Path, content: str, reason: str
) -> None:
    """An operator finds the place without reading code."""
    file = tmp_path / "clinic.yaml"
    file.write_text(content)
    with pytest.raises(PolicyError, match=rf"clinic\.yaml: {reason}") as failed:
        load_policies(file)
    assert "\n" not in str(failed.value)


def test_a_policy_names_only_recipients_that_exist(tmp_path: Path) -> None:
    """A role with a typing error does not swallow an emergency."""
    file = tmp_path / "clinic.yaml"
    ladder = (
        "{hours: always, steps: [{after_min: 0, channel: mail, to: [on_cal]}], repeat_every_min: 15, "
        "repeats: 4, then_every_min: 1440}"
    )
    hours = "{timezone: UTC, days: [1], start: '08:00', end: '17:00'}"
    file.write_text(
        f"policies: {{north: {{working_hours: {hours}, emergency: {ladder}, urgent: {ladder}, routine: {ladder}}}}}"
    )
    with pytest.raises(PolicyError, match="policy north names the recipient on_cal, which recipients lacks"):
        load_policies(file)


def test_a_missing_policy_file_says_so(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(PolicyError, match=r"gone\.yaml: is missing"):
        load_policies(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://mail.example", "must begin with one of smtp://"),
        ("smtp://", "names no host"),
        ("smtps://user:secret@mail.example:99999", "must be a number"),
        ("smtps://user@mail.example", "user and password, or neither"),
        ("smtps://user:sec/ret@mail.example", "port|end after host"),
    ],
)
def test_a_wrong_mail_server_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    """The log of a failed start may be read by anybody."""
    monkeypatch.setenv("CARE_SMTP_URL", url)
    monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
    with pytest.raises(SettingError, match=f"^CARE_SMTP_URL: .*({reason})") as failed:
        read_settings(NotifierSettings)
    assert "sec" not in str(failed.value)


def test_a_mail_server_needs_a_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two settings alone is an error at start, not at the first emergency."""
    monkeypatch.setenv("CARE_SMTP_URL", "smtp://mail.example")
    with pytest.raises(SettingError, match="CARE_MAIL_FROM is required"):
        read_settings(NotifierSettings)


def test_the_password_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings nor the server show it."""
    monkeypatch.setenv("CARE_SMTP_URL", "smtps://care:p%40ss@mail.example")
    monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
    settings = read_settings(NotifierSettings)
    assert settings.smtp_url is not None
    server = parse_smtp_url(settings.smtp_url)
    assert (server.host, server.port, server.user, server.password) == ("mail.example", 465, "care", "p@ss")
    assert "p@ss" not in repr(server)
    assert "p%40ss" not in repr(settings)
