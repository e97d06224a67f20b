"""Policy files and settings: a mistake is one plain line, at start, and never shows a password."""

from pathlib import Path

import pytest

from services.notifier.policy_file import PolicyError, load_policies
from services.notifier.settings import NotifierSettings, parse_smtp_url
from shared.settings import SettingError, read_settings


def test_the_shipped_policies_reach_a_person_in_time() -> None:
    """An emergency has 15 minutes a step around the clock and is closed within 60; the rest has working time."""
    policy = load_policies(None).of_team(None)
    assert {step.acknowledge_within_min for step in policy.emergency.steps} == {15}
    assert (policy.emergency.hours, policy.emergency.resolve_within_min) == ("always", 60)
    assert {step.acknowledge_within_min for step in policy.urgent.steps} == {4 * 60}
    assert (policy.urgent.hours, policy.urgent.first_word) == ("working", "at_once")
    assert {step.acknowledge_within_min for step in policy.routine.steps} == {3 * 9 * 60}
    assert policy.routine.digest is not None


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


LADDER = "{hours: always, steps: [{to: [TO], channels: [mail], acknowledge_within_min: 15}], repeats: 1, "
LADDER += "last_resort_every_min: 60, resolve_within_min: 60}"
HOURS = "{timezone: UTC, days: [1], start: '08:00', end: '17:00'}"


def north(to: str = "on_call", owner: str = "on_call", last_resort: str = "on_call", rotas: str = "{}") -> str:
    """A clinic's file with a policy of its own."""
    ladder = LADDER.replace("TO", to)
    return (
        f"rotas: {rotas}\npolicies: {{north: {{working_hours: {HOURS}, owner: {owner}, last_resort: {last_resort}, "
        f"emergency: {ladder}, urgent: {ladder}, routine: {ladder}}}}}\n"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            north(to="on_cal"),
            r"policy north names on_cal, which is neither a recipient nor a rota; did you mean on_call\?",
        ),
        (north(owner="nobody"), "policy north names the owner nobody, which is no recipient$"),
        (north(last_resort="lead"), "names the last_resort lead, which is no recipient"),
        (
            north(rotas="{night: {timezone: UTC, shifts: [{days: [1], start: '20:00', end: '08:00', who: [me]}]}}"),
            "rota night names me, which is no recipient",
        ),
        (
            north(rotas="{on_call: {timezone: UTC}}"),
            "on_call is a recipient and a rota: one of them needs another name",
        ),
        (north().replace("hours: always", "hours: working"), "an emergency's hours must be always"),
        (north().replace("repeats: 1", "repeats: 1, digest: {at: '09:00'}"), "a digest needs hours: working"),
        (
            north(rotas="{night: {timezone: UTC, overrides: [{from: 2026-05-02T08:00, to: 2026-05-01, who: []}]}}"),
            r"rotas\.night\.overrides\.0: an override must end after it begins",
        ),
    ],
)
def test_a_policy_says_only_what_can_be_done(tmp_path: Path, content: str, reason: str) -> None:
    """A role with a typing error, or an emergency that sleeps at night, is found at start, not in the emergency."""
    file = tmp_path / "clinic.yaml"
    file.write_text(content)
    with pytest.raises(PolicyError, match=reason) as failed:
        load_policies(file)
    assert "\n" not in str(failed.value)


def test_a_clinic_s_own_policy_stands_beside_the_shipped_one(tmp_path: Path) -> None:
    """A team's policy, a rota and an address are enough; all else stays as shipped."""
    file = tmp_path / "clinic.yaml"
    rota = "{night: {timezone: Europe/Lisbon, shifts: [{days: [5], start: '20:00', end: '08:00', who: [on_call]}]}}"
    file.write_text(north(to="night", rotas=rota))
    policies = load_policies(file)
    assert policies.of_team("north").emergency.steps[0].to == ("night",)
    assert policies.of_team("south") == load_policies(None).of_team(None)


def test_a_recipient_is_reached_by_the_first_channel_that_he_has(tmp_path: Path) -> None:
    """The others are fall-backs; who has no address is reached at the clinic's own mailbox."""
    file = tmp_path / "clinic.yaml"
    file.write_text(
        "recipients: {on_call: {apprise: 'ntfy://care', mail: a@b.example}, lead_clinician: {}, "
        "pager: {webhook: 'https://pager.example/x', password: 'scrypt$1$2'}}\n"
    )
    policies = load_policies(file)
    wanted = ("webhook", "apprise", "mail")
    assert policies.channels("on_call", wanted) == ("apprise", "mail")
    assert policies.channels("lead_clinician", wanted) == ("mail",)
    assert policies.channels("lead_clinician", ("webhook",)) == ()
    assert policies.channels("pager", ("mail", "log")) == ("mail", "log")
    assert policies.channels_of_last_resort("pager") == ("webhook", "log")
    assert policies.channels_of_last_resort("lead_clinician") == ("mail", "log")
    assert policies.addresses("pager") == {"webhook": "https://pager.example/x"}


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
