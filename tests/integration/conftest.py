"""What several integration tests need."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Points the notifier at a mail server, with retries after a second."""

    def point(port: int) -> None:
        policies = tmp_path / "clinic.yaml"
        policies.write_text(
            "recipients: {on_call: {mail: on-call@clinic.example}}\n"
            "delivery: {attempts: 20, first_retry_s: 1, longest_retry_s: 1}\n"
        )
        monkeypatch.setenv("CARE_SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
        monkeypatch.setenv("CARE_POLICIES", str(policies))

    return point
