"""A headless Chromium, with and without JavaScript, and the real service with its page."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.support.browser_case import Clinic, clinic
from tests.support.redis_server import RedisServer

NAMES = ("chromium", "chromium-browser", "google-chrome")


def _start(*, with_script: bool) -> webdriver.Chrome:
    driver, binary = shutil.which("chromedriver"), next(filter(None, map(shutil.which, NAMES)), None)
    if driver is None or binary is None:
        _give_up("chromium and chromedriver are not on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root within a container
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        "--lang=en",
    ):
        options.add_argument(argument)
    if not with_script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=Service(driver))


@pytest.fixture(scope="session")
def _plain_browser() -> Iterator[webdriver.Chrome]:
    browser = _start(with_script=False)
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def _script_browser() -> Iterator[webdriver.Chrome]:
    browser = _start(with_script=True)
    yield browser
    browser.quit()


@pytest.fixture
def browser(_plain_browser: webdriver.Chrome) -> webdriver.Chrome:
    """Without JavaScript, without cookies, on a screen of 1100 × 900."""
    return _fresh(_plain_browser)


@pytest.fixture
def script_browser(_script_browser: webdriver.Chrome) -> webdriver.Chrome:
    """With JavaScript: only for what looks at the page, never for using it."""
    return _fresh(_script_browser)


def _fresh(browser: webdriver.Chrome) -> webdriver.Chrome:
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1100, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    return browser


@pytest.fixture
def open_clinic(redis_server: RedisServer, tmp_path: Path) -> Iterator[Callable[..., Clinic]]:
    """Starts the notifier as a process, on an empty Redis, with the story of one patient told."""
    with ExitStack() as stack:

        def start(**settings: str) -> Clinic:
            redis_server.clear()
            return stack.enter_context(clinic(redis_server.url, tmp_path, **settings))

        yield start


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go: to be looked at, never to be committed."""
    folder = os.environ.get("CARE_TEST_SCREENSHOTS")
    if folder is None:
        return tmp_path_factory.mktemp("screenshots")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def _give_up(reason: str) -> NoReturn:
    """A failure where all tests must run, else a skip that the summary shows."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"no browser to test with: {reason}", pytrace=False)
    pytest.skip(f"no browser to test with: {reason}")
