"""Secrets come from files, as Docker and Kubernetes mount them, and stay out of sight."""

from pathlib import Path

import pytest

from services.notifier.settings import NotifierSettings
from shared.cli.config import setting_rows
from shared.secret import LARGEST_BYTES
from shared.settings import SettingError, Settings, read_settings, unknown_variables
from shared.stream.discovery import load_setting_classes

URL = "rediss://intake:topsecret@redis:6379/0"


def test_a_secret_is_read_from_the_file_that_its_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mounted secret needs no wrapper script; the newline that editors add is no part of it."""
    (tmp_path / "redis").write_text(URL + "\n")
    (tmp_path / "page").write_text("k" * 40)
    monkeypatch.setenv("CARE_REDIS_URL_FILE", str(tmp_path / "redis"))
    monkeypatch.setenv("CARE_PAGE_SECRET_FILE", str(tmp_path / "page"))
    assert read_settings(Settings).redis_url == URL
    secret = read_settings(NotifierSettings).page_secret
    assert secret is not None
    assert secret.get_secret_value() == "k" * 40


def test_a_secret_from_a_file_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `adaptive-care config` prints can be pasted into a ticket; the variable is known, so nobody is warned."""
    (tmp_path / "redis").write_text(URL)
    monkeypatch.setenv("CARE_REDIS_URL_FILE", str(tmp_path / "redis"))
    rows = {row.variable: row for row in setting_rows()}
    assert rows["CARE_REDIS_URL"].value == "rediss://intake:***@redis:6379/0"
    assert rows["CARE_REDIS_URL"].is_set
    assert "topsecret" not in str(rows)
    assert not [one for one in unknown_variables(load_setting_classes()) if one.startswith("CARE_REDIS_URL")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"redis://\xff\xfe", "is no UTF-8 text"),
        (b"x" * (LARGEST_BYTES + 1), "is larger than 64 KiB"),
        (b"http://user:topsecret@host", "CARE_REDIS_URL: must begin with one of redis://"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_without_its_content(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line tells an operator which file is wrong, and repeats nothing of it."""
    path = tmp_path / "redis"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CARE_REDIS_URL_FILE", str(path))
    with pytest.raises(SettingError) as caught:
        read_settings(Settings)
    assert reason in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to guess which of two passwords is in force."""
    (tmp_path / "redis").write_text(URL)
    monkeypatch.setenv("CARE_REDIS_URL_FILE", str(tmp_path / "redis"))
    monkeypatch.setenv("CARE_REDIS_URL", URL)
    with pytest.raises(SettingError, match="CARE_REDIS_URL and CARE_REDIS_URL_FILE are both set"):
        read_settings(Settings)


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that would be ignored is pointed out."""
    monkeypatch.setenv("CARE_PARTITIONS_FILE", "/run/secrets/partitions")
    assert any("CARE_PARTITIONS_FILE is no setting" in one for one in unknown_variables(load_setting_classes()))
