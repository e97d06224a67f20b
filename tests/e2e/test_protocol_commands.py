"""`adaptive-care protocols` as an author of protocols types it: every command line of the docs, and its status."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from redis import Redis

from shared.cli.main import main
from shared.event.wire import Stream
from shared.protocol.library import shipped_folder
from shared.stream.key import stream_key
from tests.support.example import EPOCH, intake, wire
from tests.support.protocol_folder import FIFTH, change, copy_of_shipped, with_fifth_condition
from tests.support.running import environment_for

ROOT = Path(__file__).parents[2]
PAGES = ("docs/protocols.md", "docs/adding-a-condition.md")
GT = "conditions/gluteal_tendinopathy.yaml"


class Shell:
    """A folder with `my-protocols` and `recording.jsonl`, in which commands are typed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = environment_for(folder, **environment) | {"PYTHONPATH": str(ROOT)}

    def care(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`adaptive-care protocols ARGUMENTS` within this process, which is many times faster than one of its own."""
        output, errors = StringIO(), StringIO()
        with ExitStack() as stack:
            stack.enter_context(chdir(self.folder))
            stack.enter_context(patch.dict(os.environ, self.environment, clear=True))
            stack.enter_context(patch.object(sys, "argv", ["adaptive-care", "protocols", *arguments]))
            stack.enter_context(redirect_stdout(output))
            stack.enter_context(redirect_stderr(errors))
            with pytest.raises(SystemExit) as ended:
                main()
        status = int(ended.value.code or 0)
        return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())

    def process(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The same as a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "shared.cli.main", "protocols", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str, status: int = 0) -> Any:
        done = self.care(*arguments, "--json")
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)


def events() -> list[bytes]:
    return [
        wire(
            "care.intake.submitted.v1", intake(intake_id=f"i-{patient}"), subject=patient, event_id=patient, time=EPOCH
        )
        for patient in ("patient-a", "patient-b")
    ]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "recording.jsonl").write_bytes(b"\n".join(events()) + b"\n")
    with_fifth_condition(tmp_path / "my-protocols")
    return Shell(tmp_path)


def documented() -> list[str]:
    lines = [line for page in PAGES for line in (ROOT / page).read_text(encoding="utf-8").splitlines()]
    found = re.findall(r"adaptive-care protocols [^`\n]+", "\n".join(lines))
    return sorted({line.strip() for line in found})


def test_the_docs_show_every_command() -> None:
    """Nothing that can be done with protocols is left for the reader to find out."""
    assert {line.split()[2] for line in documented()} == {"lint", "show", "diff", "try", "unsigned"}


@pytest.mark.parametrize("line", documented())
def test_every_command_line_of_the_docs_works(line: str, shell: Shell) -> None:
    """Who copies a line from the docs gets an answer, with the status that the docs name."""
    arguments = shlex.split(line)[2:]
    if "stream" in arguments:
        arguments[arguments.index("stream")] = "recording.jsonl"  # the stream itself: the tests below
    done = shell.care(*arguments)
    expected = 1 if arguments[0] == "diff" or "--check" in arguments else 0
    assert done.returncode == expected, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


def test_a_process_of_its_own_answers_the_same(shell: Shell) -> None:
    """What the tests below run within one process is what is typed."""
    outside, inside = shell.process("show"), shell.care("show")
    assert (outside.returncode, outside.stdout, outside.stderr) == (0, inside.stdout, "")


def test_lint_ends_with_1_for_an_error_and_for_a_warning_only_when_strict(shell: Shell) -> None:
    """A pipeline can refuse what is wrong, and as well what is doubtful."""
    change(shell.folder / "my-protocols", "mixes.yaml", "threshold: {value: 0.40", "threshold: {value: 0.45")
    assert shell.care("lint", "my-protocols").returncode == 0
    assert shell.care("lint", "my-protocols", "--strict").returncode == 1
    change(shell.folder / "my-protocols", GT, "source: [GT1, EX01]", "source: [GT1, EX99]")
    found = shell.json("lint", "my-protocols", status=1)
    (error,) = [problem for problem in found["problems"] if problem["severity"] == "error"]
    assert found["errors"] == 1
    assert (error["file"], error["path"]) == (GT, "program.phases[0].exercises[0].source[1]")
    assert error["line"] > 1
    assert error["remedy"]


def test_lint_looks_at_the_protocols_in_use(shell: Shell) -> None:
    """Without a folder it is the one that the services would read."""
    using = Shell(shell.folder, CARE_PROTOCOLS="my-protocols")
    assert using.json("lint")["folder"] == "my-protocols"
    assert shell.json("lint")["folder"] == str(shipped_folder())


def test_show_lists_the_versions_of_a_condition(shell: Shell) -> None:
    """An older version beside a newer one is for the episodes that began with it."""
    folder = shell.folder / "my-protocols"
    newer = (folder / GT).read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.1.0")
    (folder / "conditions" / "gluteal_tendinopathy-1.1.0.yaml").write_text(newer, encoding="utf-8")
    listed = shell.json("show", "--folder", "my-protocols")["conditions"]
    versions = [(one["version"], one["newest"]) for one in listed if one["condition"] == "gluteal_tendinopathy"]
    assert sorted(versions) == [("1.0.0", False), ("1.1.0", True)]
    assert all(one["unsigned"] == one["judgements"] > 0 for one in listed)
    shown = shell.json("show", "gluteal_tendinopathy", "--version", "1.0.0", "--folder", "my-protocols")
    assert shown["version"] == "1.0.0"


def test_show_tells_source_and_mark_of_each_number(shell: Shell) -> None:
    """A reader sees how far each number may be trusted, and where it comes from."""
    shown = shell.care("show", "gluteal_tendinopathy").stdout
    for said in ("Recognition", "Phase 3, GT3", "Double-leg bridge", "Pain rules", "Options", "LOCATION, H01, X.X"):
        assert said in shown
    unknown = shell.care("show", "lumbago")
    assert unknown.returncode == 1
    assert "there are: deep_gluteal_syndrome" in unknown.stderr
    assert unknown.stderr.count("\n") == 1


def test_diff_compares_with_the_protocols_in_use_or_two_folders(shell: Shell) -> None:
    """The new file is one line; equal folders end with status 0."""
    found = shell.json("diff", "my-protocols", status=1)["differences"]
    assert [(one["file"], one["kind"]) for one in found] == [
        (f"conditions/{FIFTH}.yaml", "added"),
        ("evidence.yaml", "added"),
    ]
    assert shell.json("diff", "my-protocols", "my-protocols")["differences"] == []
    assert shell.care("diff", "nowhere").returncode == 1


def test_unsigned_counts_by_file_and_forgets_what_is_signed(shell: Shell) -> None:
    """Each signature makes the list shorter by one."""
    before = shell.json("unsigned", "my-protocols")
    assert before["count"] == sum(before["by_file"].values()) == len(before["rows"])
    change(
        shell.folder / "my-protocols",
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: judgement, signed_by: 'Dr A. Example, 2026-05-31'",
    )
    after = shell.json("unsigned", "my-protocols")
    assert before["by_file"][GT] - after["by_file"][GT] == 1
    row = before["rows"][0]
    assert row.keys() == {"file", "line", "path", "value", "source"}


def test_try_gives_an_empty_list_for_identical_protocols(shell: Shell) -> None:
    """A copy of the files changes nobody's care."""
    copy_of_shipped(shell.folder / "same")
    tried = shell.json("try", "--new", "same", "--against", "recording.jsonl", "--check")
    assert (tried["patients"], tried["changed"], tried["turnings"]) == (2, 0, [])


def test_try_lists_whose_care_would_change_without_what_they_wrote(shell: Shell) -> None:
    """With --check a change of anybody's care ends with status 1."""
    change(shell.folder / "my-protocols", GT, "review_weeks: [4, 8", "review_weeks: [3, 8")
    arguments = ("try", "--new", "my-protocols", "--against", "recording.jsonl")
    shown = shell.care(*arguments)
    assert shown.returncode == 0
    assert "2 of 2 patients would get other care (program 2)" in shown.stdout
    tried = shell.json(*arguments, "--check", status=1)
    assert tried["by_aspect"] == {"program": 2}
    (first, _) = tried["turnings"]
    assert (first["patient"], first["aspect"]) == ("patient-a", "program")
    assert (first["old"], first["new"]) == ({"reviews": "4 8 12 26 52"}, {"reviews": "3 8 12 26 52"})


def test_try_names_lines_that_it_skips(shell: Shell) -> None:
    """A broken recording is of use up to what is broken, and an empty one is one clear line."""
    with (shell.folder / "recording.jsonl").open("a", encoding="utf-8") as recording:
        recording.write("nonsense\n")
    done = shell.care("try", "--new", "my-protocols", "--against", "recording.jsonl")
    assert done.returncode == 0
    assert "skipped: recording.jsonl, line 3: not JSON" in done.stderr
    (shell.folder / "empty.jsonl").write_text("", encoding="utf-8")
    for arguments in (("my-protocols", "empty.jsonl"), ("my-protocols", "none.jsonl"), ("none", "recording.jsonl")):
        failed = shell.care("try", "--new", arguments[0], "--against", arguments[1])
        assert failed.returncode == 1
        assert failed.stderr.count("\n") == 1, failed.stderr


def test_try_reads_the_streams_and_writes_nothing(shell: Shell, redis_url: str) -> None:
    """What lies in Redis is left as it was, to the key."""
    reading = Shell(shell.folder, CARE_REDIS_URL=redis_url)
    empty = reading.care("try", "--new", "my-protocols", "--against", "stream")
    assert (empty.returncode, empty.stderr.count("\n")) == (1, 1)
    with Redis.from_url(redis_url) as client:
        for raw in events():
            client.xadd(stream_key(0, Stream.INTAKES), {"__data__": raw})
        client.xadd(stream_key(0, Stream.INTAKES), {"__data__": b"\xff"})
        before = {key: client.dump(key) for key in client.keys("*")}
        tried = reading.json("try", "--new", "my-protocols", "--against", "stream")
        assert (tried["patients"], tried["skipped"]) == (2, 1)
        assert {key: client.dump(key) for key in client.keys("*")} == before


def test_try_without_redis_is_one_clear_line(shell: Shell) -> None:
    """Nobody reads a traceback to learn that Redis does not run."""
    alone = Shell(shell.folder, CARE_REDIS_URL="redis://127.0.0.1:1")
    done = alone.care("try", "--new", "my-protocols", "--against", "stream")
    assert done.returncode == 1
    assert done.stderr.startswith("adaptive-care: Redis:")
    assert done.stderr.count("\n") == 1
