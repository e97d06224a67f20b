"""Coming in by name and password: slowly for guessers, and without a word on who exists."""

import re
from datetime import timedelta

import httpx
import pytest

from services.notifier.domain.policy import Policies
from services.notifier.page.app import hashes_of
from services.notifier.page.password import (
    PAUSE,
    TRIES,
    Gate,
    PasswordError,
    hash_password,
    is_hash,
    is_password,
)
from services.notifier.policy_file import load_policies
from shared.settings import SettingError
from tests.support.example import EPOCH
from tests.support.page_case import PageCase

PASSWORD = "correct horse battery"
WRONG = "wrong"
HASH = hash_password(PASSWORD)


def policies(stored: str = HASH) -> Policies:
    shipped = load_policies(None)
    recipients = {**shipped.recipients, "on_call": {"password": stored}}
    return shipped.model_copy(update={"recipients": recipients})


def case() -> PageCase:
    return PageCase(access="login", policies=policies())


async def log_in(
    browser: httpx.AsyncClient, name: str = "on_call", password: str = PASSWORD, path: str = "/login"
) -> httpx.Response:
    form = await browser.get(path)
    word = re.findall(r'name="word" value="([^"]+)"', form.text)[-1]
    return await browser.post("/login", data={"word": word, "name": name, "password": password})


async def test_who_opens_a_mails_link_logs_in_and_lands_on_the_escalation() -> None:
    """The way from the mail to the alert is not lost by the login."""
    page = case()
    async with page.browser() as browser:
        form = await browser.get(page.link())
        assert form.url.path == "/login"
        assert "Pain has risen" not in form.text
        answer = await log_in(browser, path=str(form.url))
        assert answer.url.path == "/escalation"
        assert "Pain has risen sharply." in answer.text
        assert "You are <strong>on_call</strong>" in answer.text


async def test_a_login_without_a_destination_leads_to_the_inbox() -> None:
    """Who comes in by the front door sees what waits."""
    page = case()
    async with page.browser() as browser:
        answer = await log_in(browser)
        assert answer.url.path == "/escalations"
        assert "patient-1" in answer.text


@pytest.mark.parametrize(
    ("name", "password"), [("on_call", "wrong"), ("nobody", PASSWORD), ("", ""), ("lead_clinician", "")]
)
async def test_a_wrong_name_and_a_wrong_password_look_the_same(name: str, password: str) -> None:
    """Nobody learns from the page who exists, or who may log in."""
    page = case()
    async with page.browser() as browser:
        answer = await log_in(browser, name, password)
        assert answer.status_code == 403
        assert "Name and password do not fit together." in answer.text
        assert (await browser.get("/escalations")).url.path == "/login"


async def test_a_signed_link_opens_nothing_where_one_must_log_in() -> None:
    """The setting decides on one door, and the other is shut."""
    page, other = case(), PageCase()
    async with page.browser() as browser:
        answer = await browser.get(other.link())
        assert answer.url.path == "/login"


async def test_too_many_tries_with_one_name_have_to_wait() -> None:
    """A guesser gets a handful of tries in a quarter of an hour; the right password is not even compared then."""
    page = case()
    async with page.browser() as browser:
        for _ in range(TRIES):
            assert (await log_in(browser, password=WRONG)).status_code == 403
        answer = await log_in(browser)
        assert answer.status_code == 429
        assert "Wait a quarter of an hour" in answer.text
        page.advance(PAUSE + timedelta(seconds=1))
        assert (await log_in(browser)).url.path == "/escalations"


async def test_a_login_gets_a_session_of_its_own() -> None:
    """A session that somebody else planted in the browser is not the one that is logged in."""
    page = case()
    async with page.browser() as browser:
        await browser.get("/login")
        before = browser.cookies["__Host-care"]
        await log_in(browser)
        assert browser.cookies["__Host-care"] != before


async def test_a_login_form_of_another_browser_is_refused() -> None:
    """Nobody is logged in by a form that was made elsewhere."""
    page = case()
    async with page.browser() as one, page.browser() as other:
        word = re.findall(r'name="word" value="([^"]+)"', (await one.get("/login")).text)[-1]
        answer = await other.post("/login", data={"word": word, "name": "on_call", "password": PASSWORD})
        assert answer.status_code == 403
        assert "You are <strong>" not in answer.text


def test_a_hash_fits_its_password_only() -> None:
    """Two hashes of one password differ, and both fit."""
    assert hash_password(PASSWORD) != HASH
    assert is_hash(HASH)
    assert is_password(PASSWORD, HASH)
    assert not is_password(PASSWORD + "x", HASH)
    assert not is_password("", HASH)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 1025])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    """One line, without the password."""
    with pytest.raises(PasswordError, match="characters"):
        hash_password(password)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("plain-text", id="no hash"),
        pytest.param("scrypt$n=2,r=8,p=1$c2FsdHNhbHQ=$aGFzaA==", id="too weak"),
        pytest.param(HASH.replace("n=32768", "n=9999999"), id="too dear"),
    ],
)
def test_a_policy_file_with_something_else_than_a_hash_is_refused_at_start(stored: str) -> None:
    """A password in plain text, or a cost that would stop the machine, is no hash."""
    with pytest.raises(SettingError, match=r"recipients\.on_call\.password"):
        hashes_of(policies(stored))


async def test_the_count_of_failures_does_not_grow_with_the_names_that_are_guessed() -> None:
    """A guesser of names cannot fill the memory."""
    gate = Gate({})
    for n in range(5000):
        gate._note(f"name-{n}", EPOCH)
    assert len(gate._failures) == 4096
