"""Settings are checked at start and explained in one line."""

import os

import pytest

from shared.settings import SettingError, Settings, masked, read_settings, unknown_variables


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator learns which variable is wrong; a password in it is not shown."""
    monkeypatch.setenv("CARE_REDIS_URL", "http://user:secret@host")
    with pytest.raises(SettingError, match=r"^CARE_REDIS_URL: must begin with one of redis://") as caught:
        read_settings(Settings)
    assert "secret" not in str(caught.value)


def test_a_misspelt_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error does not pass in silence."""
    for name in [name for name in os.environ if name.startswith("CARE_TEST_")]:
        monkeypatch.delenv(name)  # how the tests themselves are told of a Redis
    monkeypatch.setenv("CARE_PARTITION", "4")
    assert unknown_variables([Settings]) == ["CARE_PARTITION is no setting; did you mean CARE_PARTITIONS?"]


def test_passwords_are_masked_when_settings_are_shown() -> None:
    """What `config` prints can be pasted into a ticket."""
    assert masked("redis_url", "rediss://care:topsecret@redis:6379/0") == "rediss://care:***@redis:6379/0"


def test_duplicates_are_known_at_least_as_long_as_late_events_count() -> None:
    """A late event that is repeated must still be recognised."""
    with pytest.raises(ValueError, match="CARE_DUPLICATE_DAYS"):
        Settings(duplicate_days=7)
