"""The integration guide does what it says: its blocks run in order, against real services, and print what it shows.

The one thing that is replaced are the ports. A chapter whose part of the system is not installed is left out, aloud.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.running import environment_for, free_port

GUIDE = Path(__file__).parents[2] / "docs/integration.md"
TIMEOUT_S = 180
START = ""
CARE = (
    START,
    "An intake, and what follows",
    "Sessions, mornings, adjustments",
    "When a person must look",
    "As a process that goes on",
)
HTTP, WEBHOOKS, END = "Over HTTP", "Webhooks", "The end"
HAS_DOOR = importlib.util.find_spec("shared.door") is not None
HAS_WEBHOOKS = any(entry.name == "webhooks" for entry in entry_points(group="adaptive_care.commands"))
_BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A reader's one session of Python: a block a line, as JSON; ended by a line with what went wrong, if anything did.
_INTERPRETER = """
import json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    problem = ""
    try:
        exec(compile(json.loads(line), "integration.md", "exec"), names)
    except BaseException:
        problem = traceback.format_exc()
    print("\\0" + json.dumps(problem), flush=True)
"""


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    shown: str | None
    """What it prints, as the page shows it; None where it shows nothing."""


def chapters() -> dict[str, list[Block]]:
    """The blocks of each chapter; before the first heading: of ''."""
    found: dict[str, list[Block]] = {}
    title = ""
    for part in re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        blocks = _BLOCK.findall(part)
        found[title and part.partition("\n")[0]] = [
            Block(kind, text, blocks[place][1] if place < len(blocks) and blocks[place][0] == "text" else None)
            for place, (kind, text) in enumerate(blocks, start=1)
            if kind != "text"
        ]
        title = "a heading"
    return found


class Reader:
    """Somebody who follows the page in a folder of their own, with an installed `.venv`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment_for(folder / ".adaptive-care")
        self.environment["CARE_LOG_FORMAT"] = "json"
        self._ports = {"8080": self.environment["CARE_HTTP_PORT"], "8099": str(free_port())}
        self._followed: set[str] = set()
        (folder / ".venv").symlink_to(sys.prefix)
        self._python = subprocess.Popen(
            [sys.executable, "-c", _INTERPRETER],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def follow(self, title: str) -> None:
        """Runs one chapter's blocks, after those it builds on. Fails where one does, or prints what is not shown."""
        needed = (*CARE, HTTP) if title == WEBHOOKS else CARE
        for chapter in (*needed[: needed.index(title) if title in needed else None], title):
            if chapter not in self._followed:
                self._followed.add(chapter)
                self._follow(chapter)

    def _follow(self, title: str) -> None:
        blocks = chapters()[title]
        assert blocks, f"the chapter {title!r} has nothing to run"
        for block in blocks:
            text = re.sub(r"\b(8080|8099)\b", lambda port: self._ports[port[1]], block.text)
            printed = self._type(text) if block.kind == "python" else self._run(text)
            if block.shown is not None:
                assert re.fullmatch(_pattern(block.shown), printed), f"{title}: it prints\n{printed}"

    def close(self) -> None:
        self._python.kill()
        self._python.communicate()
        with suppress(OSError, ValueError):
            pid = int((self.folder / "adaptive-care.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)

    def _run(self, text: str) -> str:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def _type(self, text: str) -> str:
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.write(json.dumps(text) + "\n")
        self._python.stdin.flush()
        printed = ""
        for line in self._python.stdout:
            before, end, problem = line.partition("\0")
            printed += before
            if end:
                assert json.loads(problem) == "", f"{text}\n{printed}\n{json.loads(problem)}{self._log()}"
                return printed
        raise AssertionError(f"Python ended in:\n{text}")

    def _log(self) -> str:
        return (self.folder / "adaptive-care.log").read_text()[-2000:]


def _pattern(shown: str) -> str:
    """`…` stands for anything on its line; alone on a line, for any lines. The last line may stand for several."""
    lines = shown.rstrip("\n").split("\n")
    whole = [r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines]
    if "…" in lines[-1] and lines[-1] != "…":
        whole[-1] = f"(?:{whole[-1]})+"
    return "".join(whole).removesuffix(r"\n") + r"\n?" if len(whole) == 1 else "".join(whole)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """Not tmp_path: a socket's path must be short."""
    with TemporaryDirectory(prefix="care-guide-") as folder:
        reader = Reader(Path(folder))
        try:
            yield reader
        finally:
            reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("title", CARE)
def test_from_checkout_to_first_alert(reader: Reader, title: str) -> None:
    """A newcomer starts the system, sends what patients tell and is told of the one whom somebody must see."""
    reader.follow(title)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_DOOR, reason="the HTTP API is not installed")
def test_the_same_over_http(reader: Reader) -> None:
    """With curl, and with the client."""
    reader.follow(HTTP)


@pytest.mark.slow
@pytest.mark.skipif(not (HAS_DOOR and HAS_WEBHOOKS), reason="the HTTP API or webhooks are not installed")
def test_the_escalation_comes_as_a_webhook(reader: Reader) -> None:
    """Signed, and checked by the client."""
    reader.follow(WEBHOOKS)


@pytest.mark.slow
def test_it_ends_in_good_order(reader: Reader) -> None:
    """The last block stops the services, which say so."""
    reader.follow(END)
    log, deadline = reader.folder / "adaptive-care.log", time.monotonic() + 60
    while '"event": "stopped"' not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.05)


def test_no_chapter_is_left_out() -> None:
    """A chapter that somebody adds is run, too."""
    assert tuple(chapters()) == (*CARE, HTTP, WEBHOOKS, END)
