"""What of `adaptive-care alerts` needs no Redis: linting, passwords, help, and how it words things."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.notifier.cli import app
from services.notifier.command.office import ArgumentError
from services.notifier.command.preview import instant_of
from services.notifier.command.wording import shortened, when
from services.notifier.page.password import is_password
from shared.cli.terminal import span
from tests.support.example import EPOCH

GAP = """
recipients:
  on_call: {mail: on-call@clinic.example}
  lead_clinician: {mail: lead@clinic.example}
rotas:
  days:
    timezone: Europe/Lisbon
    shifts: [{days: [1, 2, 3, 4, 5], start: "08:00", end: "20:00", who: [on_call]}]
policies:
  default:
    working_hours: {timezone: Europe/Lisbon, days: [1, 2, 3, 4, 5], start: "08:00", end: "17:00"}
    owner: lead_clinician
    last_resort: lead_clinician
"""


def ladder(severity: str, hours: str) -> str:
    return (
        f"    {severity}: {{hours: {hours}, repeats: 1, last_resort_every_min: 60, resolve_within_min: 60,\n"
        "      steps: [{to: [days], channels: [mail], acknowledge_within_min: 15}]}\n"
    )


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    """A clinic that forgot its nights and weekends."""
    path = tmp_path / "clinic.yaml"
    path.write_text(GAP + ladder("emergency", "always") + ladder("urgent", "working") + ladder("routine", "working"))
    return path


def alerts(*arguments: str, typed: str | None = None) -> tuple[int, str]:
    """Status and what was printed."""
    told = CliRunner().invoke(app, list(arguments), input=typed)
    return told.exit_code, told.output


def test_hours_without_anybody_are_an_error_with_its_remedy(gap: Path) -> None:
    """Nobody for an emergency at night is found before a night shows it."""
    status, printed = alerts("lint", str(gap))
    assert status == 1
    assert "error: policies.default.emergency: nobody of rota days can be told" in printed
    assert "only the last resort hears" in printed


def test_problems_as_json_have_place_message_and_remedy(gap: Path) -> None:
    """An editor or a pipeline reads them."""
    status, printed = alerts("lint", str(gap), "--json")
    told = json.loads(printed)
    assert status == 1
    assert told["errors"] >= 1
    assert {"place", "message", "remedy", "severity"} == set(told["problems"][0])


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(tmp_path: Path) -> None:
    """One line with the file, and status 1."""
    path = tmp_path / "broken.yaml"
    path.write_text("recipients: [")
    status, printed = alerts("lint", str(path))
    assert status == 1
    assert printed.splitlines()[0].startswith(f"error: {path}: ")
    assert printed.splitlines()[-1] == f"1 error, 0 warnings in {path}"


def test_warnings_fail_only_where_they_are_to(monkeypatch: pytest.MonkeyPatch, gap: Path) -> None:
    """The shipped policies name nobody's address yet: a warning, not an error. `CARE_POLICIES` is what is linted."""
    status, printed = alerts("lint")
    assert status == 0
    assert "0 errors, 3 warnings in the shipped policies" in printed
    assert alerts("lint", "--strict")[0] == 1
    monkeypatch.setenv("CARE_POLICIES", str(gap))
    assert str(gap) in alerts("lint")[1]


def test_a_password_becomes_a_hash_and_is_not_shown() -> None:
    """What it prints goes into the policy file, where the password itself never stands."""
    status, printed = alerts("password", typed="correct horse battery\n")
    assert status == 0
    assert "horse" not in printed
    assert is_password("correct horse battery", printed.strip())


def test_a_short_password_is_refused() -> None:
    """Before anybody relies on it."""
    told = CliRunner().invoke(app, ["password"], input="short\n")
    assert "at least 12 characters" in str(told.exception)
    assert "scrypt" not in told.output


def test_the_help_names_every_command() -> None:
    """Whoever knows only the first word finds the rest."""
    _, printed = alerts("--help")
    for name in ("list", "show", "preview", "stats", "lint", "link", "password", "addresses"):
        assert f" {name} " in printed


@pytest.mark.parametrize(
    ("text", "reason"),
    [("soon", "is no instant"), ("2026-03-02T09:00", "needs an offset"), ("2026-03-02T08:59:59Z", "is over")],
)
def test_an_instant_that_cannot_be_previewed_is_refused(text: str, reason: str) -> None:
    """The past has happened; the ledger tells it."""
    with pytest.raises(ArgumentError, match=reason):
        instant_of(text, EPOCH)


def test_an_instant_may_be_told_in_any_zone() -> None:
    """And left out it is now."""
    assert instant_of("2026-03-02T11:30:00+01:00", EPOCH) == datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    assert instant_of(None, EPOCH) == EPOCH


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=12), "12 s"),
        (timedelta(minutes=4), "4 min"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 5 h"),
        (timedelta(days=1), "1 d"),
        (600.0, "10 min"),
    ],
)
def test_spans_are_told_in_two_units_at_most(length: timedelta | float, words: str) -> None:
    """An operator compares them at a glance."""
    assert span(length) == words


def test_ids_are_shortened_as_far_as_they_stay_apart() -> None:
    """What is typed after a look at the list means one escalation."""
    assert shortened(["d58637034f68", "d58637039999", "short", "e0e0e0e0e0e0"]) == {
        "d58637034f68": "d58637034",
        "d58637039999": "d58637039",
        "short": "short",
        "e0e0e0e0e0e0": "e0e0e0e0",
    }


def test_before_and_after_are_told_apart() -> None:
    """What is overdue reads differently from what is to come."""
    assert when(EPOCH + timedelta(minutes=5), EPOCH) == "in 5 min"
    assert when(EPOCH - timedelta(minutes=5), EPOCH) == "5 min ago"
