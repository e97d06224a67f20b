"""The notifier as a real process with its page, for a browser; and what can be asked of a browser without a script."""

import base64
import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from selenium.webdriver import Chrome

from services.notifier.page.access import inbox_link_for, link_for
from services.notifier.page.config import PageConfig
from shared.event.wire import Stream
from shared.stream.connection import plain
from shared.stream.key import stream_key
from tests.support.page_case import KEYS
from tests.support.page_story import ESCALATION, PATIENT, story
from tests.support.running import environment_for

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Clinic:
    """A running notifier with one urgent escalation of one patient."""

    config: PageConfig
    client: "redis.Redis"

    @property
    def url(self) -> str:
        return str(self.config.url)

    def link(self, recipient: str = "on_call") -> str:
        found = link_for(self.config, recipient, PATIENT, ESCALATION, datetime.now(UTC))
        assert found is not None
        return found

    def inbox_link(self, recipient: str = "on_call") -> str:
        found = inbox_link_for(self.config, recipient, datetime.now(UTC))
        assert found is not None
        return found

    def publish(self, stream: Stream, raw: bytes) -> None:
        self.client.xadd(stream_key(0, stream), {"__data__": raw})

    def events(self, stream: Stream) -> list[dict[str, Any]]:
        entries: Any = self.client.xrange(stream_key(0, stream))
        return [json.loads(fields[b"__data__"]) for _, fields in entries]

    def wait_handled(self, stream: Stream) -> None:
        """Until the notifier has handled all of a stream."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            groups: Any = self.client.xinfo_groups(stream_key(0, stream))
            if all(group["lag"] == 0 and group["pending"] == 0 for group in groups if group["name"] == b"notifier"):
                return
            time.sleep(0.05)
        raise AssertionError(f"the notifier did not handle all of {stream}")


@contextlib.contextmanager
def clinic(redis_url: str, folder: Path, **settings: str) -> Iterator[Clinic]:
    environment = environment_for(folder, CARE_REDIS_URL=redis_url, CARE_PAGE_SECRET=KEYS[0], **settings)
    port = int(environment["CARE_HTTP_PORT"]) + 4
    url = f"http://127.0.0.1:{port}"
    environment["CARE_PAGE_URL"] = url
    access: Any = settings.get("CARE_PAGE_ACCESS", "link")
    with (folder / "notifier.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.cli.main", "run", "notifier"], env=environment, stdout=log, stderr=log
        )
        client = redis.Redis.from_url(plain(redis_url))
        try:
            _wait_ready(f"{url}/ready", process)
            found = Clinic(PageConfig(KEYS, url, access), client)
            for stream, raw in story(datetime.now(UTC)):
                found.publish(stream, raw)
            for stream in (Stream.SESSIONS, Stream.PROGRAMS, Stream.ADJUSTMENTS, Stream.DECISIONS, Stream.ESCALATIONS):
                found.wait_handled(stream)
            yield found
        finally:
            client.close()
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def _wait_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url) as answer:  # noqa: S310  # our own
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the notifier is not ready; it ended with {process.poll()}")


def width_of(browser: Chrome) -> tuple[int, int]:
    """Of what the page holds, and of the screen: the first beyond the second means scrolling sideways."""
    metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})
    return int(metrics["cssContentSize"]["width"]), int(metrics["cssLayoutViewport"]["clientWidth"])


def screen(browser: Chrome, width: int, height: int = 800, *, dark: bool = False, media: str = "") -> None:
    """The size of the screen, and what its owner prefers."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})


def picture(browser: Chrome, path: Path) -> None:
    """The whole page, also what is below the screen."""
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    path.write_bytes(base64.b64decode(taken["data"]))
