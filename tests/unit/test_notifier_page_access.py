"""Who comes in, by which door, and what everybody else sees: nothing."""

import re
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.notifier.page.access import Door, inbox_link_for, link_for
from services.notifier.page.config import KEY_FILE, PageConfig, kept_key, page_config
from services.notifier.page.guard import HEADERS, is_same_origin
from services.notifier.page.seal import Seal
from services.notifier.settings import NotifierSettings
from shared.settings import SettingError, Settings, read_settings
from tests.support.example import EPOCH
from tests.support.notifier_case import escalation
from tests.support.page_case import KEYS, PLACE, URL, PageCase

DAY = timedelta(days=1)
NEW_KEY = "another-key-of-at-least-thirty-two-characters"


def word_of(link: str) -> str:
    return link.partition("access=")[2]


def is_silent(answer: httpx.Response) -> bool:
    """It says nothing of any patient or escalation."""
    return not any(word in answer.text for word in ("patient-1", "escalation-1", "Pain has risen", "Flare"))


async def test_a_link_opens_its_escalation_and_nothing_else() -> None:
    """Who was told of one patient sees one patient."""
    case = PageCase()
    case.tell("care.escalation.raised.v1", escalation(escalation_id="other"), event_id="r-2", subject="patient-2")
    async with case.browser() as browser:
        assert "Pain has risen sharply." in (await browser.get(case.link())).text
        answer = await browser.get("/escalation", params={"patient": "patient-2", "id": "other"})
        assert answer.status_code == 403
        assert "patient-2" not in answer.text
        inbox = await browser.get("/escalations")
        assert "patient-1" in inbox.text
        assert "patient-2" not in inbox.text


async def test_the_link_of_a_digest_opens_the_inbox_and_what_is_in_it() -> None:
    """Once in the inbox, every alert of the recipient's team is one click away."""
    case = PageCase()
    case.tell("care.escalation.raised.v1", escalation(escalation_id="other"), event_id="r-2", subject="patient-2")
    async with case.browser() as browser:
        inbox = await browser.get(case.inbox_link())
        assert "patient-1" in inbox.text
        assert "patient-2" in inbox.text
        answer = await browser.get("/escalation", params={"patient": "patient-2", "id": "other"})
        assert answer.status_code == 200


async def test_an_escalation_of_another_team_does_not_exist_for_a_recipient() -> None:
    """A team's policy says who may see its patients."""
    case = PageCase()
    own = case.policies.policies["default"]
    foreign = own.model_copy(
        update={
            "owner": "stranger",
            "last_resort": "stranger",
            **{
                severity: (ladder := own.ladder(severity)).model_copy(
                    update={"steps": tuple(s.model_copy(update={"to": ("stranger",)}) for s in ladder.steps)}
                )
                for severity in ("emergency", "urgent", "routine")
            },
        }
    )
    recipients = {**case.policies.recipients, "stranger": {}}
    policies = case.policies.model_copy(update={"recipients": recipients, "policies": {"default": foreign}})
    case = PageCase(policies=policies)
    async with case.browser() as browser:
        assert is_silent(await browser.get(case.inbox_link("on_call")))
        answer = await browser.get("/escalation", params={"patient": PLACE[0], "id": PLACE[1]})
        assert answer.status_code == 403
        assert is_silent(answer)
    async with case.browser() as browser:
        assert "patient-1" in (await browser.get(case.inbox_link("stranger"))).text


async def test_a_link_that_is_over_says_what_to_do_and_nothing_else() -> None:
    """An old mail found by somebody tells them nothing; the clinician learns where the fresh link is."""
    case = PageCase()
    link = case.link()
    case.advance(7 * DAY + timedelta(seconds=1))
    async with case.browser() as browser:
        answer = await browser.get(link)
        assert answer.status_code == 403
        assert is_silent(answer)
        assert "newest message" in answer.text
        assert (await browser.get(case.link())).status_code == 200


@pytest.mark.parametrize("forge", ["", "x", "a.b", "A" * 5000])
async def test_a_forged_link_opens_nothing(forge: str) -> None:
    """Without a key nobody makes a link."""
    case = PageCase()
    async with case.browser() as browser:
        for access in (forge, word_of(case.link()) + forge + "x", word_of(case.link())[1:]):
            answer = await browser.get("/escalation", params={"access": access})
            assert answer.status_code == 403
            assert is_silent(answer)
        assert not browser.cookies


async def test_a_word_of_one_kind_is_worth_nothing_as_another() -> None:
    """A form's word or a session does not open a door as a link."""
    case = PageCase()
    seal = Seal(KEYS)
    content = {"r": "on_call", "p": PLACE[0], "e": PLACE[1]}
    async with case.browser() as browser:
        for kind in ("session", "form", "receipt"):
            word = seal.write(kind, content, EPOCH + DAY)
            assert (await browser.get("/escalation", params={"access": word})).status_code == 403


async def test_an_old_key_still_opens_until_it_is_taken_out() -> None:
    """Keys are changed without locking anybody out: the new one first, the old one behind it for a week."""
    case = PageCase()
    word = word_of(case.link())
    for keys, is_open in (((NEW_KEY, *KEYS), True), ((NEW_KEY,), False)):
        door = Door(replace(case.config, keys=keys), frozenset({"on_call"}))
        assert (door.open(word, None, EPOCH) is not None) == is_open


async def test_a_recipient_who_was_taken_out_of_the_policies_is_refused_at_once() -> None:
    """Who has left the clinic is out, though the link and the session are not over."""
    case = PageCase()
    door = Door(case.config, frozenset({"lead_clinician"}))
    assert door.open(word_of(case.link("on_call")), None, EPOCH) is None
    session = Door(case.config, frozenset({"on_call"})).open(word_of(case.link("on_call")), None, EPOCH)
    assert session is not None
    assert door.read(Door(case.config, frozenset({"on_call"})).write(session[0], EPOCH), EPOCH) is None


async def test_another_recipients_link_ends_the_session_that_was_there() -> None:
    """On a shared computer nobody decides under the name of whoever sat there before."""
    case = PageCase()
    async with case.browser() as browser:
        await browser.get(case.inbox_link("lead_clinician"))
        answer = await browser.get(case.link("on_call"))
        assert "You are <strong>on_call</strong>" in answer.text
        assert (await browser.get("/escalations")).text.count("lead_clinician") == 0


async def test_the_cookie_is_kept_from_scripts_other_sites_and_open_lines() -> None:
    """A session cannot be read by a script, sent along by another site, or go over http."""
    case = PageCase()
    async with case.browser() as browser:
        cookie = (await browser.get(case.link())).headers["set-cookie"]
        assert cookie.startswith("__Host-care=")
        for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
            assert part in cookie
    plain = PageCase(url="http://127.0.0.1:8084")
    async with plain.browser() as browser:
        assert (
            "Secure"
            not in (await browser.get(plain.link().replace("http://127.0.0.1:8084", URL))).headers["set-cookie"]
        )


async def test_a_session_ends_after_half_a_day_and_never_after_its_link() -> None:
    """A forgotten browser closes itself."""
    case = PageCase()
    async with case.browser() as browser:
        await browser.get(case.inbox_link())
        case.advance(timedelta(hours=11))
        assert (await browser.get("/escalations")).status_code == 200
        case.advance(timedelta(hours=1, seconds=1))
        assert (await browser.get("/escalations")).status_code == 403


async def test_leaving_ends_the_session_of_this_browser() -> None:
    """A GET of /logout only asks; the button leaves."""
    case = PageCase()
    async with case.browser() as browser:
        await browser.get(case.inbox_link())
        asked = await browser.get("/logout")
        assert "Leave on this device" in asked.text
        assert (await browser.get("/escalations")).status_code == 200
        word = re.findall(r'name="word" value="([^"]+)"', asked.text)[0]
        assert (await browser.post("/logout", data={"word": "x"})).status_code == 403
        assert "You have left" in (await browser.post("/logout", data={"word": word})).text
        assert (await browser.get("/escalations")).status_code == 403


@pytest.mark.parametrize(
    "path", ["/escalations", "/escalation", "/page.css", "/login", "/nothing", "/escalation/decision"]
)
async def test_every_answer_carries_the_strict_headers(path: str) -> None:
    """Also an error: no script, no frame, no foreign asset, no trace in caches and search machines."""
    case = PageCase(access="login")
    async with case.browser(follow_redirects=False) as browser:
        answer = await browser.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


FORBIDDEN = ("<script", "style=", "onclick", "onload", "http:", "https:", "@import", "url(", "javascript:", "| safe")


def test_the_templates_hold_no_script_no_inline_style_and_nothing_from_elsewhere() -> None:
    """What the policy of the headers forbids is not there to begin with."""
    folder = Path(__file__).parents[2] / "services" / "notifier" / "page" / "template"
    templates = sorted(folder.iterdir())
    assert len(templates) > 8
    for path in templates:
        text = path.read_text()
        for word in FORBIDDEN:
            assert word not in text, f"{path.name} holds {word}"


def test_a_link_names_nobody_and_works_for_one_recipient() -> None:
    """What stands in a mail is one signed word."""
    case = PageCase()
    assert case.link().startswith(f"{URL}/escalation?access=")
    assert "patient-1" not in case.link()
    assert case.link("on_call") != case.link("lead_clinician")
    assert link_for(case.config, "on_call", "", "", EPOCH) == inbox_link_for(case.config, "on_call", EPOCH)
    assert link_for(None, "on_call", *PLACE, EPOCH) is None
    assert link_for(replace(case.config, url=None), "on_call", *PLACE, EPOCH) is None


def test_a_link_by_login_carries_no_access() -> None:
    """Where one logs in, a forwarded mail opens nothing."""
    config = PageConfig(KEYS, URL, "login")
    assert link_for(config, "on_call", *PLACE, EPOCH) == f"{URL}/escalation?patient=patient-1&id=escalation-1"
    assert inbox_link_for(config, "on_call", EPOCH) == f"{URL}/escalations"


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "same-origin", "origin": URL}, True),
        ({"origin": URL}, True),
        ({}, True),  # an old browser: the form's word decides
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://care.example"}, False),
        ({"origin": "https://care.example.evil.example"}, False),
    ],
)
def test_a_form_from_another_site_is_known_by_its_headers(headers: dict[str, str], is_ours: bool) -> None:
    """What the browser says of where a form was sent from is believed only where it speaks against it."""
    assert is_same_origin(headers, PageConfig(KEYS, URL)) == is_ours


def test_without_an_address_the_host_that_was_asked_counts() -> None:
    """On a laptop nobody sets an address."""
    headers = {"host": "127.0.0.1:8084", "origin": "http://127.0.0.1:8084"}
    assert is_same_origin(headers, PageConfig(KEYS))
    assert not is_same_origin(headers | {"origin": "http://127.0.0.1:9999"}, PageConfig(KEYS))


@pytest.mark.parametrize(
    ("url", "origin", "base"),
    [
        ("https://care.example", "https://care.example", ""),
        ("https://care.example:443/care/", "https://care.example", "/care"),
        ("http://127.0.0.1:8084", "http://127.0.0.1:8084", ""),
        ("https://[::1]:8443", "https://[::1]:8443", ""),
    ],
)
def test_the_address_of_the_page_gives_its_origin_and_path(url: str, origin: str, base: str) -> None:
    """As a browser writes them."""
    config = PageConfig(KEYS, url)
    assert (config.origin, config.base) == (origin, base)


def test_without_a_key_there_is_no_page_but_for_the_embedded_server(tmp_path: Path) -> None:
    """There is no default secret; on one machine a key is made and kept."""
    remote = Settings(redis_url="redis://redis.example:6379", data_dir=tmp_path)
    assert page_config(NotifierSettings(), remote) is None
    own = Settings(redis_url="unix:///run/redis.sock", data_dir=tmp_path / "data")
    first, second = page_config(NotifierSettings(), own), page_config(NotifierSettings(), own)
    assert first is not None
    assert first == second
    file = tmp_path / "data" / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() == first.keys[0]
    assert first.keys[0] not in repr(first)


def test_a_key_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    """One clear line, and no page with an empty key."""
    (tmp_path / KEY_FILE).write_text("short\n")
    with pytest.raises(SettingError, match="holds no key"):
        kept_key(tmp_path)


def test_keys_are_read_the_newest_first() -> None:
    """`CARE_PAGE_SECRET=new,old`."""
    own = NotifierSettings(page_secret=SecretStr(f"{NEW_KEY}, {KEYS[0]}"), page_url=f"{URL}/")
    config = page_config(own, Settings(redis_url="redis://redis.example:6379"))
    assert config is not None
    assert (config.keys, config.url) == ((NEW_KEY, KEYS[0]), URL)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CARE_PAGE_SECRET", "short", "CARE_PAGE_SECRET: each key needs at least 32 characters"),
        ("CARE_PAGE_SECRET", f"{KEYS[0]},", "CARE_PAGE_SECRET: each key needs at least 32 characters"),
        ("CARE_PAGE_URL", "care.example", "CARE_PAGE_URL: must begin with"),
        ("CARE_PAGE_URL", "https://u:p@care.example", "CARE_PAGE_URL: must be an address without user"),
        ("CARE_PAGE_ACCESS", "open", "CARE_PAGE_ACCESS: "),
        ("CARE_PAGE_LINK_DAYS", "400", "CARE_PAGE_LINK_DAYS: "),
    ],
)
def test_a_setting_of_the_page_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """One line with the variable; a secret is not repeated."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=re.escape(message)) as error:
        read_settings(NotifierSettings)
    assert KEYS[0] not in str(error.value)
