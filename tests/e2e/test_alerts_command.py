"""`adaptive-care alerts` as an operator types it, against running services."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.black_box import MONDAY, System, command, decision, http, intake, system
from tests.support.redis_server import RedisServer
from tests.support.smtp_server import Mailbox, smtp_server

MINUTE = timedelta(minutes=1)
CLINIC = """
recipients:
  on_call: {mail: on-call@clinic.example}
  lead_clinician: {mail: lead@clinic.example}
delivery: {chart_in_mail: true, attempts: 20, first_retry_s: 1, longest_retry_s: 1}
"""
PAGE: dict[str, Any] = {
    "CARE_PAGE_URL": "https://care.clinic.example",
    "CARE_PAGE_SECRET": "a-key-of-this-test-and-of-nothing-else",
}


def alerts(care: System, *arguments: str) -> str:
    """What `adaptive-care alerts ARGUMENTS` prints."""
    told = run(care, *arguments)
    assert told.returncode == 0, told.stderr
    return told.stdout


def run(care: System, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return command(care, "alerts", *arguments, **settings)


def policies(folder: Path) -> str:
    path = folder / "clinic.yaml"
    path.write_text(CLINIC)
    return str(path)


def escalation_id(care: System, patient: str) -> str:
    return str(care.raised(patient)[0]["escalation_id"])


@pytest.fixture(scope="module")
def clinic(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Monday 08:20. Two emergencies, one of them seen; a routine case; one that was discharged. Tests only look."""
    folder = tmp_path_factory.mktemp("clinic")
    with system(redis_server.url, folder, database=1, CARE_POLICIES=policies(folder), **PAGE) as care:
        start = MONDAY
        care.tell(
            intake("waiting", start, red_flags={"saddle_anaesthesia": "present"}),
            intake("seen", start, red_flags={"fever_or_rigors": "present"}),
            intake("young", start, age_years=16),
            intake("younger", start, age_years=15),
        )
        seen, younger = escalation_id(care, "seen"), escalation_id(care, "younger")
        care.tell(
            decision("seen", start + 10 * MINUTE, "acknowledge", escalation_id=seen, useful=True),
            decision("younger", start + 12 * MINUTE, "discharge", escalation_id=younger, useful=False),
        )
        care.until(start + 20 * MINUTE)
        yield care


def test_the_list_has_the_gravest_first_and_says_who_has_seen_what(clinic: System) -> None:
    """An operator sees at a glance what waits, for how long, and who is next."""
    first, *rest = alerts(clinic, "list").splitlines()[1:]
    assert first.startswith("emergency")
    told = {line.split()[2]: line for line in (first, *rest)}
    assert set(told) == {"waiting", "seen", "young"}
    assert "20 min" in told["waiting"]
    assert "in 10 min: on_call (step 1)" in told["waiting"]
    assert told["waiting"].rstrip().endswith("nobody")
    assert told["seen"].rstrip().endswith("clinician-1 (acknowledge)")
    assert "in 40 min: on_call (step 1)" in told["seen"]
    assert "\x1b" not in first
    closed = alerts(clinic, "list", "--closed")
    assert escalation_id(clinic, "younger") in closed
    assert "discharge" in closed


def test_the_list_as_json_holds_the_same(clinic: System) -> None:
    """Other programs read it without parsing a table."""
    rows = {row["patient_id"]: row for row in json.loads(alerts(clinic, "list", "--json"))}
    waiting, seen = rows["waiting"], rows["seen"]
    assert waiting["severity"] == "emergency"
    assert waiting["acknowledged"] is None
    assert waiting["next_step"]["at"] == "2026-03-02T08:30:00Z"
    assert waiting["next_step"]["recipients"] == ["on_call"]
    assert seen["acknowledged"] == {"by": "clinician-1", "intent": "acknowledge", "at": "2026-03-02T08:10:00Z"}


def test_colours_are_for_terminals(clinic: System) -> None:
    """On a terminal the gravest is red; in a pipe there is nothing but text."""
    primary, secondary = pty.openpty()
    environment = clinic.environment() | {"TERM": "xterm-256color", "COLUMNS": "160"}
    arguments = [sys.executable, "-m", "shared.cli.main", "alerts", "list"]
    with subprocess.Popen(arguments, env=environment, stdout=secondary, stderr=subprocess.DEVNULL) as process:
        os.close(secondary)
        shown = b""
        try:
            while chunk := os.read(primary, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert process.wait(60) == 0
    os.close(primary)
    assert b"\x1b[1;31memergency" in shown


def test_an_escalation_is_shown_with_its_story_and_its_whole_ledger(clinic: System) -> None:
    """What happened, why, what is asked, who was told when, and that nobody has changed the record."""
    wanted = escalation_id(clinic, "seen")
    shown = alerts(clinic, "show", wanted[:-2])
    for words in (
        "emergency: red flag",
        "Situation",
        "Recommendation",
        "Why it was raised",
        "How complete that is",
        "Seen by clinician-1 at 2026-03-02 08:10 UTC: acknowledge",
        "2026-03-02 08:00  Raised",
        "The ledger is whole",
        "On its way",
    ):
        assert words in shown, words
    told = json.loads(alerts(clinic, "show", wanted, "--json"))
    assert told["sbar"]["situation"] in shown.replace("\n", " ")
    assert [entry["kind"] for entry in told["ledger"]] == ["created", "planned", "claimed", "sent", "acknowledged"]
    assert told["ledger_fault"] is None


def test_a_ledger_that_was_tampered_with_is_found(clinic: System) -> None:
    """An entry that does not follow from the one before, or one too few: status 1, and where."""
    wanted, ledger = escalation_id(clinic, "young"), "care:{0}:notifier:ledger:young"
    entries = clinic.client.xrange(ledger)
    first = json.loads(entries[0][1][b"__data__"])
    clinic.client.delete(ledger)
    try:
        clinic.client.xadd(ledger, {"__data__": json.dumps(first | {"severity": "emergency"})})
        changed = run(clinic, "show", wanted)
        clinic.client.delete(ledger)
        clinic.client.xadd(ledger, entries[0][1])
        shortened = run(clinic, "show", wanted, "--json")
    finally:
        clinic.client.delete(ledger)
        for entry_id, fields in entries:
            clinic.client.xadd(ledger, fields, id=entry_id)
    assert changed.returncode == 1
    assert "The ledger is broken: entry 1 does not follow from the one before" in changed.stdout
    assert shortened.returncode == 1
    assert "ends at entry 1" in json.loads(shortened.stdout)["ledger_fault"]


def test_the_preview_has_the_words_and_the_whole_plan(clinic: System) -> None:
    """Who gets what when if nobody answers, and until when an answer counts."""
    wanted = escalation_id(clinic, "waiting")
    shown = alerts(clinic, "preview", wanted, "--as", "lead_clinician")
    assert "To:      lead_clinician by mail; mail is not set up, so that the log stands in\n" in shown
    assert f"Subject: [emergency] Escalation {wanted[:8]}" in shown
    assert "https://care.clinic.example/escalation?access=" in shown
    for line in (
        "Mon 2026-03-02 08:30  step 1",
        "Mon 2026-03-02 08:45  step 2  on_call by mail, lead_clinician by mail",
    ):
        assert line in shown
    for private in ("saddle", "red flag", "waiting\n", "clinic.example>"):
        assert private not in shown.partition("If nobody answers\n")[0], private
    plan = json.loads(alerts(clinic, "preview", wanted, "--at", "2026-03-03T08:31:00Z", "--json"))["plan"]
    assert plan[0]["at"] > "2026-03-03T08:31:00Z"
    assert {one["step"] for one in plan} == {0}
    assert all(one["recipients"] == ["lead_clinician"] for one in plan)


def test_a_routine_case_is_previewed_as_the_digest_that_it_waits_for(clinic: System) -> None:
    """It is told together with what else waits, at the digest's time."""
    shown = json.loads(alerts(clinic, "preview", escalation_id(clinic, "young"), "--json"))
    assert shown["at"] == "2026-03-02T09:00:00Z"
    assert shown["as"] == "on_call"
    assert escalation_id(clinic, "young") in shown["text"]
    assert shown["plan"][0]["note"] == "in the digest"


def test_statistics_say_how_alerting_fares(clinic: System) -> None:
    """How soon answers come, how many alerts each gets, how useful they are, and what is overridden."""
    shown = alerts(clinic, "stats")
    assert shown.startswith("4 escalations raised in the last 30 days")
    assert "1 of 2 rated alerts were useful (50%)" in shown
    told = json.loads(alerts(clinic, "stats", "--days", "7", "--json"))
    assert told["answering"]["emergency"] == {"calls": 2, "acknowledged": 1, "p50_s": 600.0, "p90_s": 600.0}
    assert told["answering"]["routine"]["p90_s"] == 720.0
    assert told["burdens"]["lead_clinician"]["alerts"] == 1
    assert sum(rule["alerts"] for rule in told["rules"].values()) == 4


def test_the_printed_link_opens_the_page(clinic: System) -> None:
    """A clinician who lost the mail gets in all the same."""
    link = alerts(clinic, "link", escalation_id(clinic, "seen"), "--as", "on_call").strip()
    assert link.startswith("https://care.clinic.example/escalation?access=")
    parts = urlsplit(link)
    status, page = http(clinic.processes[0].port, f"{parts.path}?{parts.query}")
    assert status == 200
    assert b"clinician-1" in page


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        ("show nothing-like-it", 1, "no escalation has an id that begins with 'nothing-like-it'"),
        ("preview SEEN --as nobody", 2, "no recipient 'nobody'; they know on_call, lead_clinician"),
        ("preview SEEN --at tomorrow", 2, "'tomorrow' is no instant such as"),
        ("preview SEEN --at 2099-03-01T09:00:00Z", 2, "too far ahead"),
        ("preview YOUNGER", 1, "is resolved: nobody is told any more"),
        ("addresses enable on_call/mail", 1, "no disabled address has the name 'on_call/mail'"),
    ],
)
def test_a_mistake_is_answered_in_one_line(clinic: System, arguments: str, status: int, reason: str) -> None:
    """It says what is wrong, and the status is an honest one."""
    names = {"SEEN": "seen", "YOUNGER": "younger"}
    told = run(clinic, *(escalation_id(clinic, names[one]) if one in names else one for one in arguments.split()))
    assert told.returncode == status
    (line,) = told.stderr.splitlines()
    assert line.startswith("adaptive-care: ")
    assert reason in line


def test_without_the_address_of_the_page_there_is_no_link(clinic: System) -> None:
    """The missing setting is named."""
    told = run(clinic, "link", escalation_id(clinic, "seen"), "--as", "on_call", CARE_PAGE_URL="")
    assert told.returncode == 1
    assert "CARE_PAGE_URL is not set" in told.stderr


async def test_the_preview_is_the_mail_to_the_letter_and_a_refused_address_is_enabled_again(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """What was previewed for an instant is what arrives then; 550 disables, and an operator undoes it."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        settings = PAGE | {
            "CARE_POLICIES": policies(tmp_path),
            "CARE_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "CARE_MAIL_FROM": "care@clinic.example",
        }
        await asyncio.to_thread(_previewed_and_refused, redis_server.url, tmp_path, settings, mailbox)


def _previewed_and_refused(url: str, folder: Path, settings: dict[str, Any], mailbox: Mailbox) -> None:
    with system(url, folder, database=2, **settings) as care:
        care.tell(intake("waiting", MONDAY, red_flags={"saddle_anaesthesia": "present"}))
        wanted = escalation_id(care, "waiting")
        at = MONDAY + 15 * MINUTE
        previews = {
            who: json.loads(alerts(care, "preview", wanted, "--as", who, "--at", at.isoformat(), "--json"))
            for who in ("on_call", "lead_clinician")
        }
        mailbox.mails.clear()
        care.until(at)
        arrived = {str(mail["To"]).partition("@")[0]: mail for mail in mailbox.mails}
        for who, address in (("on_call", "on-call"), ("lead_clinician", "lead")):
            mail = arrived[address]
            assert mail["Subject"] == previews[who]["subject"]
            assert _text(mail).splitlines() == previews[who]["text"].splitlines()
        mailbox.answer = "550 no such user"
        care.until(at + 15 * MINUTE)
        listed = alerts(care, "addresses", "--json")
        assert "clinic.example" not in listed
        assert ("on_call/mail", True) in {(row["name"], row["in_use"]) for row in json.loads(listed)}
        assert "messages go to on_call/mail again" in alerts(care, "addresses", "enable", "on_call/mail")
        assert "on_call/mail" not in alerts(care, "addresses")


def _text(mail: EmailMessage) -> str:
    body: Any = mail.get_body(("plain",))
    return str(body.get_content())
