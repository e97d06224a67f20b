"""From the mail's link to a decision that binds, as a clinician does it: by mouse, by keyboard, on a phone."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from services.notifier.page.password import hash_password
from shared.event.wire import Stream
from tests.support.browser_case import Clinic, picture, screen, width_of
from tests.support.example import wire
from tests.support.page_story import PATIENT, raised

OpenClinic = Callable[..., Clinic]
PHONE = 360
WITHOUT_FOLDED = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("details:not([open]) > :not(summary) { display: none }");
document.adoptedStyleSheets = [sheet];
"""
PASSWORD = "correct horse battery"


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def follow(browser: Chrome, act: Callable[[], None]) -> None:
    """What is done leads to another page: waits for it, which on a busy machine takes its time.

    While one document takes the other's place, the driver answers with errors of several kinds: asked again.
    """
    before = browser.find_element(By.TAG_NAME, "html")
    act()
    wait = WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])
    wait.until(staleness_of(before))
    wait.until(lambda page: page.find_element(By.TAG_NAME, "footer"))  # the last that a page holds


def text(browser: Chrome) -> str:
    return find(browser, "main").text


def open_all(browser: Chrome) -> None:
    """Opens everything that is folded, one by one."""
    for summary in browser.find_elements(By.CSS_SELECTOR, "details:not(.decision) > summary"):
        summary.click()


def test_scripts_are_really_off(browser: Chrome) -> None:
    """Otherwise the tests of this folder would prove less than they say."""
    browser.get("data:text/html,<main id=m>off</main><script>document.getElementById('m').textContent='on'</script>")
    assert text(browser) == "off"


def test_a_clinician_opens_the_link_reads_acknowledges_and_decides(
    browser: Chrome, open_clinic: OpenClinic, screenshots: Path
) -> None:
    """Link, page, acknowledge, confirmation; then a hold with its reason; both in the stream, both on the page."""
    clinic = open_clinic()
    browser.get(clinic.link())
    assert browser.title == "Urgent: Flare · adaptive-care"
    for words in (
        "Pain in sessions has risen to 7 of 10",
        "Waits for an answer",
        "Call the patient today",
        "Pain during: 7, the rule compares with 5. With 5 it would not have been raised.",
        "Go on with less load",
        "Evidence: B",
        "Walk for an hour without pain.",
        "Three days suit the patient's work better.",
    ):
        assert words in text(browser), words
    picture(browser, screenshots / "escalation-desktop.png")
    follow(browser, find(browser, ".now button").click)
    assert "Recorded: Acknowledge." in find(browser, ".notice").text
    assert "Acknowledged" in find(browser, ".head").text
    hold = find(browser, "#hold")
    assert not hold.find_element(By.TAG_NAME, "textarea").is_displayed()
    hold.find_element(By.TAG_NAME, "summary").click()
    hold.find_element(By.TAG_NAME, "textarea").send_keys("Rest for a week, then lighter.\nI have called.")
    hold.find_element(By.CSS_SELECTOR, "input[value=yes]").click()
    follow(browser, hold.find_element(By.TAG_NAME, "button").click)
    assert "Recorded: Hold the program." in find(browser, ".notice").text
    picture(browser, screenshots / "escalation-decided.png")
    _, first, second = clinic.events(Stream.DECISIONS)
    assert first["data"]["decision"] == "acknowledge"
    assert second["data"]["decision"] == "hold"
    assert second["data"]["rationale"] == "Rest for a week, then lighter.\nI have called."
    assert second["data"]["useful"] is True
    assert {first["data"]["clinician_id"], second["data"]["clinician_id"]} == {"on_call"}
    browser.refresh()
    assert len(clinic.events(Stream.DECISIONS)) == 3, "loading the page again sends nothing again"


def test_errors_stand_at_their_fields_and_nothing_typed_is_lost(
    browser: Chrome, open_clinic: OpenClinic, screenshots: Path
) -> None:
    """The summary's link leads to the field, which is open and holds what was typed."""
    clinic = open_clinic()
    browser.get(clinic.link())
    form = find(browser, "#modify")
    form.find_element(By.TAG_NAME, "summary").click()
    form.find_element(By.ID, "modify-load_percent").send_keys("900")
    form.find_element(By.ID, "modify-rationale").send_keys("Less load.")
    follow(browser, form.find_element(By.TAG_NAME, "button").click)
    assert browser.title.startswith("Error: ")
    link = find(browser, ".summary a")
    assert "from 10 to 150" in link.text
    picture(browser, screenshots / "escalation-error.png")
    link.click()
    assert browser.switch_to.active_element.get_attribute("id") == "modify-load_percent"
    assert find(browser, "#modify-rationale").get_attribute("value") == "Less load."
    field = find(browser, "#modify-load_percent")
    assert field.get_attribute("value") == "900"
    assert field.get_attribute("aria-invalid") == "true"
    assert "modify-load_percent-error" in (field.get_attribute("aria-describedby") or "")
    field.clear()
    follow(browser, lambda: field.send_keys("80", Keys.ENTER))
    assert "Recorded: Change the program." in find(browser, ".notice").text
    assert clinic.events(Stream.DECISIONS)[-1]["data"]["changes"]["load_factor"] == 0.8


def test_what_has_become_worse_is_looked_at_again(browser: Chrome, open_clinic: OpenClinic) -> None:
    """The page was open when the flare became an emergency: the decision waits for another look."""
    clinic = open_clinic()
    browser.get(clinic.link())
    now = datetime.now(UTC)
    worse = raised(now, severity="emergency")
    clinic.publish(
        Stream.ESCALATIONS, wire("care.escalation.raised.v1", worse, subject=PATIENT, event_id="w", time=now)
    )
    clinic.wait_handled(Stream.ESCALATIONS)
    follow(browser, find(browser, ".now button").click)
    assert "it is emergency now" in find(browser, ".summary").text
    assert len(clinic.events(Stream.DECISIONS)) == 1
    follow(browser, find(browser, ".now button").click)
    assert "Recorded: Acknowledge." in find(browser, ".notice").text


def test_everything_can_be_done_by_keyboard(browser: Chrome, open_clinic: OpenClinic) -> None:
    """Tab, Enter and the space bar: to the decision by the skip link, into a form, and sent."""
    clinic = open_clinic()
    browser.get(clinic.link())

    def focused() -> WebElement:
        return browser.switch_to.active_element

    def press(*keys: str) -> None:
        focused().send_keys(*keys)

    press(Keys.TAB)
    assert focused().text == "Skip to the content"
    assert focused().is_displayed()
    press(Keys.TAB)
    assert focused().text == "Skip to the decision"
    press(Keys.ENTER)
    for _ in range(20):
        press(Keys.TAB)
        if focused().tag_name == "summary" and focused().text.startswith("Refer"):
            break
    else:
        pytest.fail("the keyboard does not reach the decision")
    outline = focused().value_of_css_property("outline-style")
    assert outline == "solid", "whoever uses the keyboard must see where they are"
    press(Keys.ENTER)
    press(Keys.TAB)
    assert focused().get_attribute("id") == "refer-rationale"
    press("To the hip clinic.")
    press(Keys.TAB)
    assert focused().get_attribute("name") == "useful"
    press(Keys.TAB)
    assert (focused().tag_name, focused().text) == ("button", "Refer")
    follow(browser, lambda: press(Keys.ENTER))
    assert "Recorded: Refer." in find(browser, ".notice").text
    assert clinic.events(Stream.DECISIONS)[-1]["data"]["decision"] == "refer"


@pytest.mark.parametrize("width", [320, PHONE, 768])
def test_nothing_has_to_be_scrolled_sideways(
    browser: Chrome, open_clinic: OpenClinic, screenshots: Path, width: int
) -> None:
    """On a phone everything fits the screen, also unfolded; wide tables scroll within themselves."""
    clinic = open_clinic()
    screen(browser, width)
    for name, address in (
        ("inbox", clinic.inbox_link()),
        ("escalation", clinic.link()),
        ("error", f"{clinic.url}/escalation?access=forged"),
    ):
        browser.get(address)
        open_all(browser)
        content, shown = width_of(browser)
        assert content <= shown, f"{name} is {content} wide on a screen of {shown}"
        picture(browser, screenshots / f"{name}-{width}.png")
    browser.get(clinic.link())
    for summary in browser.find_elements(By.CSS_SELECTOR, "details.decision > summary"):
        summary.click()
        content, shown = width_of(browser)
        assert content <= shown
    button = find(browser, ".now button").size
    assert button["height"] >= 44, "a thumb needs room"


def test_on_a_phone_the_way_is_the_same(browser: Chrome, open_clinic: OpenClinic) -> None:
    """Acknowledge from the bus."""
    clinic = open_clinic()
    screen(browser, PHONE)
    browser.get(clinic.link())
    follow(browser, find(browser, ".now button").click)
    assert "Recorded: Acknowledge." in find(browser, ".notice").text
    assert clinic.events(Stream.DECISIONS)[-1]["data"]["decision"] == "acknowledge"


def test_the_inbox_leads_to_every_alert_and_back(browser: Chrome, open_clinic: OpenClinic) -> None:
    """Narrow it, open one, come back."""
    clinic = open_clinic()
    browser.get(clinic.inbox_link())
    assert "Urgent" in find(browser, ".inbox").text
    find(browser, "#severity option[value=emergency]").click()
    follow(browser, find(browser, ".filters button").click)
    assert "Nothing here." in text(browser)
    follow(browser, find(browser, "nav a").click)
    follow(browser, find(browser, ".inbox h2 a").click)
    assert "What happened" in text(browser)


def test_one_logs_in_and_out(browser: Chrome, open_clinic: OpenClinic, tmp_path: Path, screenshots: Path) -> None:
    """The mail's link asks for the name and password, then shows what it is about."""
    file = tmp_path / "policies.yaml"
    file.write_text(f"recipients:\n  on_call: {{password: '{hash_password(PASSWORD)}'}}\n  lead_clinician: {{}}\n")
    clinic = open_clinic(CARE_PAGE_ACCESS="login", CARE_POLICIES=str(file))
    browser.get(clinic.link())
    assert browser.title.startswith("Log in")
    picture(browser, screenshots / "login.png")
    find(browser, "#name").send_keys("on_call")
    follow(browser, lambda: find(browser, "#password").send_keys("wrong", Keys.ENTER))
    assert "Name and password do not fit together." in find(browser, ".summary").text
    assert find(browser, "#name").get_attribute("value") == "on_call"
    follow(browser, lambda: find(browser, "#password").send_keys(PASSWORD, Keys.ENTER))
    assert "Pain in sessions has risen" in text(browser)
    follow(browser, find(browser, ".out button").click)
    assert "You have left" in text(browser)
    browser.get(clinic.link())
    assert browser.title.startswith("Log in")


def wait_for_title(browser: Chrome, beginning: str) -> None:
    WebDriverWait(browser, 10).until(lambda page: page.title.startswith(beginning))


def axe_problems(browser: Chrome) -> list[str]:
    """What axe finds, also what it calls best practice; each with where it stands."""
    # Chromium gives boxes to what is folded away, and axe takes them for lying over what follows.
    browser.execute_script(WITHOUT_FOLDED)
    found: dict[str, Any] = Axe().run(browser)
    return [
        f"{one['id']} ({one['impact']}): {[node['target'] for node in one['nodes']]}" for one in found["violations"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_a_fault_that_axe_knows(
    script_browser: Chrome, open_clinic: OpenClinic, tmp_path: Path, screenshots: Path, dark: bool
) -> None:
    """Inbox, escalation, form with errors, login and error pages, by day and by night, on a screen and a phone."""
    file = tmp_path / "policies.yaml"
    file.write_text(f"recipients:\n  on_call: {{password: '{hash_password(PASSWORD)}'}}\n  lead_clinician: {{}}\n")
    clinic = open_clinic()
    browser = script_browser
    name = "dark" if dark else "light"
    found: dict[str, list[str]] = {}
    for width in (1100, PHONE):
        screen(browser, width, dark=dark)
        for page, address in (
            ("refused", f"{clinic.url}/escalation?access=forged"),
            ("inbox", clinic.inbox_link()),
            ("resolved", f"{clinic.url}/escalations?show=resolved"),
            ("logout", f"{clinic.url}/logout"),
            ("escalation", clinic.link()),
        ):
            browser.get(address)
            open_all(browser)
            found[f"{page}-{width}"] = axe_problems(browser)
            picture(browser, screenshots / f"{page}-{name}-{width}.png")
        for kind in ("modify", "reclassify"):
            browser.get(clinic.link())
            find(browser, f"#{kind} summary").click()
            follow(browser, find(browser, f"#{kind} button").click)
            wait_for_title(browser, "Error: ")
            found[f"{kind}-errors-{width}"] = axe_problems(browser)
            picture(browser, screenshots / f"{kind}-errors-{name}-{width}.png")
    clinic = open_clinic(CARE_PAGE_ACCESS="login", CARE_POLICIES=str(file))
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})  # a cookie does not know ports
    for width in (1100, PHONE):
        screen(browser, width, dark=dark)
        browser.get(f"{clinic.url}/login")
        found[f"login-{width}"] = axe_problems(browser)
        find(browser, "#name").send_keys("on_call")
        follow(browser, lambda: find(browser, "#password").send_keys("wrong", Keys.ENTER))
        wait_for_title(browser, "Error: ")
        found[f"login-error-{width}"] = axe_problems(browser)
        picture(browser, screenshots / f"login-error-{name}-{width}.png")
    assert {page: faults for page, faults in found.items() if faults} == {}
    assert len(found) == 18


def test_in_print_stands_what_was_known_and_no_button(
    browser: Chrome, open_clinic: OpenClinic, screenshots: Path
) -> None:
    """For the file on paper: black on white, without the forms."""
    clinic = open_clinic()
    browser.get(clinic.link())
    screen(browser, 800, media="print")
    assert not find(browser, ".decide").is_displayed()
    assert not find(browser, ".out").is_displayed()
    assert find(browser, ".sbar").is_displayed()
    picture(browser, screenshots / "print.png")


def test_the_page_asks_for_nothing_from_elsewhere_and_runs_no_script(browser: Chrome, open_clinic: OpenClinic) -> None:
    """Its source names no other address."""
    clinic = open_clinic()
    browser.get(clinic.link())
    source = browser.page_source.replace(clinic.url, "")
    assert "<script" not in source
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", source) == []
