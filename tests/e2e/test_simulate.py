"""`adaptive-care simulate` as one types it: six virtual patients, a report, and what is said about mistakes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.cli.main import main
from shared.protocol.library import load_protocols, shipped_protocols
from tests.support.protocol_folder import change, copy_of_shipped
from tests.support.running import environment_for

ROOT = Path(__file__).parents[2]
SMALL = ("--patients", "6", "--weeks", "3", "--no-trials", "--processes", "1")
WITHOUT_PLOTS = "import sys; sys.modules['matplotlib'] = None; from shared.cli.main import main; main()"


def simulate(
    folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "shared.cli.main")
) -> "subprocess.CompletedProcess[str]":
    """`adaptive-care simulate ARGUMENTS` to its end, with its data below `folder`."""
    return subprocess.run(
        [sys.executable, *program, "simulate", *arguments],
        env=environment_for(folder) | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command within this process, which starts faster: status, output and errors."""
    for name, value in environment_for(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def type_in(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["adaptive-care", "simulate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return type_in


def test_a_small_cohort_ends_in_tables_plots_page_and_figures(tmp_path: Path) -> None:
    """One command, and everything that a reader needs lies in one folder; a pipe sees no progress bar."""
    answer = simulate(tmp_path, *SMALL, "--out", "report")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert answer.stdout.startswith("Targets")
    assert "Virtual patients only" in answer.stdout
    written = {path.name: path.stat().st_size for path in (tmp_path / "report").iterdir()}
    assert {"report.html", "figures.json", "pain.png", "capacity.png", "answers.png"} <= set(written)
    assert min(written.values()) > 2_000
    figures = json.loads((tmp_path / "report" / "figures.json").read_text())
    assert figures["figures"]["patients"] == figures["run"]["patients"] == 6
    assert len(figures["figures"]["bands"][0]["median"]) == 4


def test_figures_as_json_are_those_of_the_file_and_the_same_each_time(tmp_path: Path) -> None:
    """The same seed gives the same bytes, however many processes share the work."""
    asked = ("--patients", "12", "--weeks", "2", "--no-trials", "--json", "--archetype", "responder")
    faster = ("-c", WITHOUT_PLOTS)
    first = simulate(tmp_path, *asked, "--processes", "1", program=faster)
    again = simulate(tmp_path, *asked, "--processes", "2", "--out", "two", program=faster)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert (tmp_path / "simulation" / "figures.json").read_text() == first.stdout
    figures = json.loads(first.stdout)
    assert [said["archetype"] for said in figures["figures"]["said"]] == ["responder"]


def test_candidate_protocols_are_tried_on_every_processor(tmp_path: Path) -> None:
    """`--protocols DIR` shares the work like any run, and the figures name the folder's own content."""
    folder = copy_of_shipped(tmp_path / "candidate")
    change(folder, "progression.yaml", "effort: {progress_at_most: 7", "effort: {progress_at_most: 6")
    asked = ("--patients", "12", "--weeks", "2", "--no-trials", "--json", "--protocols", str(folder))
    answer = simulate(tmp_path, *asked, "--processes", "2", program=("-c", WITHOUT_PLOTS))
    assert answer.returncode == 0, answer.stderr
    run = json.loads(answer.stdout)["run"]
    assert run["digest"] == load_protocols(folder).digest != shipped_protocols().digest
    assert run["seed"] == 1
    assert run["model"] == "tissue"
    assert "Z01 EDX success" in run["fitted"]
    assert "Z03 isometric VISA-G" in run["predicted"]


def test_without_the_plot_libraries_tables_and_figures_are_still_made(tmp_path: Path) -> None:
    """The extra is optional: one line says how to get it."""
    answer = simulate(tmp_path, *SMALL, "--out", "report", program=("-c", WITHOUT_PLOTS))
    assert answer.returncode == 0, answer.stderr
    assert "pip install 'adaptive-care[plots]'" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.stdout.startswith("Targets")
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["figures.json"]


def test_a_check_ends_with_status_3_where_a_target_is_not_reached(typed: Typed) -> None:
    """Two weeks cannot show that failed care is found: what was not measured is not passed."""
    asked = ("--patients", "2", "--weeks", "2", "--no-trials", "--processes", "1")
    status, output, errors = typed(*asked, "--check")
    assert status == 3
    assert errors == "a target is missed or could not be measured\n"
    assert "not measured" in output


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--patients", "0"), 2, "--patients must be 1"),
        (("--weeks", "0"), 2, "--weeks must be 1"),
        (("--processes", "0"), 2, "--processes must be 1"),
        (("--archetype", "respoder"), 2, "did you mean responder?"),
        (("--model", "magic"), 2, "tissue, fitness_fatigue"),
        (("--out", "file/below"), 2, "cannot write to file/below: Not a directory"),
        (("--protocols", "nowhere"), 1, "nowhere is no folder of protocol files"),
    ],
)
def test_a_mistake_gives_one_clear_line_before_anybody_is_treated(
    arguments: tuple[str, ...], status: int, message: str, typed: Typed, tmp_path: Path
) -> None:
    """What is wrong is told at once, not after minutes."""
    (tmp_path / "file").touch()
    found, output, errors = typed(*arguments)
    assert found == status
    assert message in errors
    assert errors.count("\n") == 1
    assert output == ""
