"""The commands as an operator types them, against running services."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.embedded import EmbeddedServer
from shared.event.wire import Stream
from shared.stream.key import list_key, present_key, timers_key
from shared.stream.presence import announce
from tests.support.example import intake, wire
from tests.support.running import client_for, command, environment_for, free_port, publish, until_idle, wait_ready

ROOT = Path(__file__).parents[2]
Environment = Mapping[str, str]


def care(environment: Environment, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """`adaptive-care ARGUMENTS` to its end, with what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "shared.cli.main", *arguments],
        env=dict(environment) | {"PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
async def running_services(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> AsyncIterator[dict[str, str]]:
    """All four services as a process of their own; gives the environment to reach them."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=private_server().url)
    async with command("run", environment=environment, log=tmp_path / "services.log") as process:
        await wait_ready(environment, process)
        yield environment


async def test_the_first_event_of_the_readme_gets_a_program(running_services: dict[str, str], tmp_path: Path) -> None:
    """A newcomer who copies the README's event sees a classification and a program."""
    found = re.search(r"__data__ '(\{.*?\})'\n", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found, "the README shows no first event"
    event = found[1].replace("""'"$(date -u +%FT%TZ)"'""", datetime.now(UTC).isoformat())
    recording = tmp_path / "first.jsonl"
    recording.write_text(" ".join(event.split()))
    replayed = await asyncio.to_thread(care, running_services, "replay", str(recording))
    assert replayed.returncode == 0, replayed.stderr
    async with client_for(running_services["CARE_REDIS_URL"]) as client:
        await until_idle(client, 1, Stream.PROGRAMS)
    traced = await asyncio.to_thread(care, running_services, "trace", "patient-1")
    assert traced.returncode == 0, traced.stderr
    assert "gluteal_tendinopathy" in traced.stdout
    assert "program.planned" in traced.stdout
    correlated = await asyncio.to_thread(care, running_services, "trace", "first-event", "--json")
    types = [json.loads(line)["type"] for line in correlated.stdout.splitlines()]
    assert types[:3] == ["care.intake.submitted.v1", "care.condition.classified.v1", "care.program.planned.v1"]


async def test_a_dead_letter_is_listed_shown_and_replayed(running_services: dict[str, str]) -> None:
    """What was rejected can be understood and tried again; a replayed letter leaves the list."""
    bad = wire("care.intake.submitted.v1", intake(age_years=130), event_id="bad-1")
    async with client_for(running_services["CARE_REDIS_URL"]) as client:
        await publish(client, Stream.INTAKES, bad)
        await until_idle(client, 1, Stream.DEAD_LETTERS)
        listed = await asyncio.to_thread(care, running_services, "dead-letters", "list")
        assert "out_of_range" in listed.stdout or "invalid_data" in listed.stdout
        assert "$.data.age_years" in listed.stdout
        letters = await asyncio.to_thread(care, running_services, "dead-letters", "list", "--json")
        letter = json.loads(letters.stdout)
        shown = await asyncio.to_thread(care, running_services, "dead-letters", "show", letter["id"][:8])
        assert bad.decode() in shown.stdout
        replayed = await asyncio.to_thread(care, running_services, "dead-letters", "replay", letter["id"])
        assert replayed.returncode == 0, replayed.stderr
        await until_idle(client)
        again = await asyncio.to_thread(care, running_services, "dead-letters", "list", "--json")
        assert json.loads(again.stdout)["data"]["entry_id"] != letter["data"]["entry_id"]
    unknown = await asyncio.to_thread(care, running_services, "dead-letters", "show", "nothing-like-it")
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


async def test_status_says_that_all_is_well_and_shows_every_group(running_services: dict[str, str]) -> None:
    """An operator sees at a glance whether the services keep up; a script asks by the status."""
    async with client_for(running_services["CARE_REDIS_URL"]) as client:
        async with asyncio.timeout(60):
            while not await client.exists(present_key("notifier")):  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.1)
        status = await asyncio.to_thread(care, running_services, "status", "--check")
        assert status.returncode == 0, status.stdout
        assert "all is well" in status.stdout
        for word in ("intakes", "dead letters: none", "open escalations: none", "progression 0, notifier 0"):
            assert word in status.stdout
        assert "\x1b" not in status.stdout, "no colours where nobody sees them"
        every = await asyncio.to_thread(care, running_services, "status", "--by-partition")
        assert "care:{0}:intakes" in every.stdout

        await publish(client, Stream.INTAKES, b"garbage")
        await until_idle(client, 1, Stream.DEAD_LETTERS)
        told = json.loads((await asyncio.to_thread(care, running_services, "status", "--json")).stdout)
        assert told["problems"] == []
        assert told["dead_letters"]["count"] == 1
        assert [one["service"] for one in told["services"]] == ["intake", "planner", "progression", "notifier"]
        for arguments, status_code in ((("--check",), 1), (("--check", "--code", "unknown_id"), 0)):
            listed = await asyncio.to_thread(care, running_services, "dead-letters", "list", *arguments)
            assert listed.returncode == status_code
    watched = await asyncio.to_thread(care, running_services, "status", "--watch")
    assert (watched.returncode, "needs a terminal" in watched.stderr) == (2, True)


async def test_status_tells_what_is_wrong_in_plain_words(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """Nobody runs, an entry waits, a timer is overdue, an emergency has no answer, Redis may lose data."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=private_server().url)
    hour_ago = int(datetime.now(UTC).timestamp() * 1000) - 3_600_000
    async with client_for(environment["CARE_REDIS_URL"]) as client:
        await client.xadd("care:{0}:sessions", {"__data__": b"x"}, id=f"{hour_ago}-0")
        await client.xgroup_create("care:{0}:sessions", "progression", id="0")
        await client.zadd(timers_key(0, "planner"), {"p|review": hour_ago})
        await client.zadd(list_key(0, "notifier", "unanswered:emergency"), {"p|e": hour_ago})
        await client.zadd(list_key(0, "notifier", "untold:emergency"), {"p|e": hour_ago})
        await announce(client, ["intake"])
        await client.config_set("maxmemory-policy", "allkeys-lru")
        told = await asyncio.to_thread(care, environment, "status", "--check")
    assert told.returncode == 1
    for problem in (
        "planner: nobody has read its streams for an hour or more",
        r"progression is 1 h( \d+ min)? behind on care:\{0\}:sessions",
        r"planner: a timer is 1 h( \d+ min)? overdue",
        r"an emergency has had no answer for 1 h( \d+ min)?: adaptive-care alerts list",
        r"an escalation \(emergency\) was raised 1 h( \d+ min)? ago and nobody was told",
        "Redis drops data when its memory is full",
    ):
        assert re.search(problem, told.stdout), problem
    assert "intake: nobody" not in told.stdout
    assert "emergency: 1 unanswered, the oldest for 1 h" in told.stdout


async def test_status_without_a_redis_ends_with_one_line(tmp_path: Path) -> None:
    """No traceback where Redis is gone."""
    environment = environment_for(tmp_path, CARE_REDIS_URL="redis://127.0.0.1:1")
    told = await asyncio.to_thread(care, environment, "status", "--json")
    assert told.returncode == 1
    assert told.stderr.startswith("adaptive-care: Redis")
    assert len(told.stderr.splitlines()) == 1


async def test_status_watches_on_a_terminal_until_it_is_told_to_stop(running_services: dict[str, str]) -> None:
    """The screen is drawn anew, in colour, and Ctrl-C ends it without a word."""
    shown, code = await asyncio.to_thread(_watch, running_services)
    assert shown.count("open escalations") >= 2
    assert "\x1b[" in shown
    assert "Traceback" not in shown
    assert code == 0


def _watch(environment: Environment) -> tuple[str, int]:
    """What a terminal showed of two looks, and the status after Ctrl-C."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.cli.main", "status", "--watch", "--every", "0.5"],
        env=dict(environment) | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "50"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 60
    while shown.count(b"open escalations") < 3 and time.monotonic() < deadline:
        if select.select([ours], [], [], 1.0)[0]:
            shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=30)
    os.close(ours)
    return shown.decode(errors="replace"), code


async def test_a_trace_of_nothing_says_so(running_services: dict[str, str]) -> None:
    """A mistyped pseudonym is no empty success."""
    traced = await asyncio.to_thread(care, running_services, "trace", "nobody")
    assert traced.returncode == 1
    assert "nobody" in traced.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"type": "care.unknown.v1"}', "none of the contract"),
        ('{"type": "care.load.adjusted.v1"}', "written by the services"),
        ('{"type": "care.patient.erased.v1", "subject": "a b", "time": "2026-01-01T00:00:00Z"}', "subject"),
        ('{"type": "care.patient.erased.v1", "subject": "a", "time": "soon"}', "time"),
    ],
)
def test_a_recording_that_cannot_be_replayed_names_file_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    """Nothing is sent of a file that is broken anywhere."""
    recording = tmp_path / "broken.jsonl"
    good = wire("care.patient.erased.v1", {}, event_id="e-1").decode()
    recording.write_text(f"{good}\n{line}\n")
    answer = care(environment_for(tmp_path), "replay", str(recording))
    assert answer.returncode == 1
    assert f"{recording}, line 2" in answer.stderr
    assert reason in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    """A wrong path is a user's mistake, not a crash."""
    answer = care(environment_for(tmp_path), "replay", "no-such-file.jsonl")
    assert answer.returncode == 1
    assert "no-such-file.jsonl" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("CARE_PARTITIONS", "many", "CARE_PARTITIONS"),
        ("CARE_CLOCK", "sundial", "CARE_CLOCK"),
        ("CARE_REDIS_URL", "http://example.org", "CARE_REDIS_URL"),
        ("CARE_PROTOCOLS", "/no/such/folder", "/no/such/folder"),
        ("CARE_APPROVAL", "perhaps", "CARE_APPROVAL"),
        ("CARE_SMTP_URL", "gopher://user:topsecret@mail", "CARE_SMTP_URL"),
    ],
)
def test_a_wrong_setting_fails_at_start_with_one_line(tmp_path: Path, setting: str, value: str, word: str) -> None:
    """An operator learns which setting is wrong, and why, without reading a traceback."""
    answer = care(environment_for(tmp_path, **{setting: value}), "run", cwd=tmp_path)
    assert answer.returncode in (1, 2)
    message = [line for line in answer.stderr.splitlines() if line.startswith("adaptive-care:")]
    assert len(message) == 1
    assert word in message[0]
    assert "Traceback" not in answer.stderr
    assert "topsecret" not in answer.stderr


def test_an_unknown_service_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    """A typing error costs seconds."""
    answer = care(environment_for(tmp_path), "run", "planer", cwd=tmp_path)
    assert answer.returncode == 2
    assert "planner" in answer.stderr


def test_config_shows_every_setting_and_hides_secrets(tmp_path: Path) -> None:
    """The settings in force can be pasted into a ticket."""
    environment = environment_for(
        tmp_path,
        CARE_REDIS_URL="redis://user:topsecret@db:6379",
        CARE_SMTP_URL="smtp://me:alsosecret@mail:25",
        CARE_MAIL_FROM="care@example.org",
    )
    answer = care(environment, "config")
    assert answer.returncode == 0, answer.stderr
    for name in ("CARE_REDIS_URL", "CARE_PARTITIONS", "CARE_CLOCK", "CARE_APPROVAL", "CARE_SMTP_URL", "CARE_POLICIES"):
        assert name in answer.stdout
    assert "topsecret" not in answer.stdout
    assert "alsosecret" not in answer.stdout


def test_no_redis_ends_with_a_clear_line(tmp_path: Path) -> None:
    """Where nobody listens the process says so and ends non-zero after its patience."""
    url = f"redis://127.0.0.1:{free_port()}"
    answer = care(environment_for(tmp_path, CARE_REDIS_URL=url, CARE_REDIS_PATIENCE_S="1"), "run")
    assert answer.returncode == 1
    assert "Redis cannot be reached" in answer.stderr
    assert "Traceback" not in answer.stderr


async def test_a_taken_port_is_said_plainly(running_services: dict[str, str]) -> None:
    """Two processes on one port: the second says which port is taken."""
    answer = await asyncio.to_thread(care, running_services, "run")
    assert answer.returncode == 1
    assert running_services["CARE_HTTP_PORT"] in answer.stderr
    assert "Traceback" not in answer.stderr


async def test_replay_without_services_says_what_is_missing(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """A replay that moves the clock while nobody runs stops with the reason."""
    recording = tmp_path / "one.jsonl"
    recording.write_bytes(wire("care.patient.erased.v1", {}, event_id="e-1"))
    environment = environment_for(tmp_path, CARE_REDIS_URL=private_server().url, CARE_CLOCK="replay")
    answer = await asyncio.to_thread(care, environment, "replay", str(recording), "--timeout", "1")
    assert answer.returncode == 1
    assert "adaptive-care run" in answer.stderr


def test_help_explains_each_command(tmp_path: Path) -> None:
    """`--help` helps."""
    answer = care(environment_for(tmp_path) | {"COLUMNS": "200"}, "--help")
    for name in ("run", "replay", "trace", "dead-letters", "config", "status", "demo", "docs"):
        assert re.search(rf"\b{name}\b", answer.stdout), name
