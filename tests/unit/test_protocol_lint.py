"""A linter that misses a mistake is worse than none: each kind of mistake is made once and must be found."""

from pathlib import Path

import pytest

from services.progression.domain.step import NOTE_LIMIT
from shared.protocol import ceiling
from shared.protocol.document import words
from shared.protocol.library import ProtocolError, shipped_folder
from shared.protocol.lint.check import lint
from shared.protocol.lint.phase import NOTES_KEPT
from shared.protocol.lint.problem import Problem
from tests.support.protocol_folder import change, copy_of_shipped

GT = "conditions/gluteal_tendinopathy.yaml"
PAIN = "    progress_at_most: 3\n    allowed_at_most: 5"
ADEQUATE = "    min_weeks: 12\n    min_sessions: 24\n    min_adherence: 0.7\n    review_week: 12"
FIRST_EXIT = "kind: session_pain_at_most, value: 5, count: 3, source: [GT1, P04]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_shipped(tmp_path / "protocols")


def errors(folder: Path) -> list[Problem]:
    return [problem for problem in lint(folder) if problem.severity == "error"]


def test_the_shipped_protocols_hold_no_error_and_no_warning() -> None:
    """What is shipped can be used as it is, and never asks for more than the safety envelope lets through."""
    assert [str(problem) for problem in lint(shipped_folder())] == []


def test_the_linter_knows_how_many_sessions_progression_remembers() -> None:
    """A criterion over more sessions than are kept would never be met, so the two numbers must agree."""
    assert NOTES_KEPT == NOTE_LIMIT


MISTAKES = {
    "a key that nobody knows": (GT, "due_week: 8,", "due_weak: 8,", "Did you mean due_week"),
    "a value of the wrong kind": (GT, "due_week: 8,", "due_week: soon,", "Write a whole number"),
    "a key twice": (GT, "name: Gluteal", "version: 1.0.0\nname: Gluteal", "the key stands twice"),
    "a finding that nobody asks": (GT, "[night_pain_lying_on_side]", "[night_pain_lying_on_sid]", "Did you mean"),
    "a source without a row": (GT, "source: [GT1, EX01]", "source: [GT1, EX99]", "evidence.yaml holds no row EX99"),
    "an exercise too early": (GT, "exercise_id: band_side_step", "exercise_id: step_up", "only from phase 3"),
    "an exercise that is never allowed": (
        GT,
        "exercise_id: band_side_step",
        "exercise_id: itb_stretch",
        "never allows",
    ),
    "a topic that is not taught": (GT, "gt-standing,", "gt-standin,", "Did you mean gt-standing"),
    "a symptom that nobody reports": (GT, "[night_pain_increased]", "[night_pain_more]", "no patient can report"),
    "a phase of another condition": (GT, "phase_id: GT1", "phase_id: SI1", "is a phase of"),
    "a gap in the phases": (GT, "number: 2", "number: 4", "the phases are numbered 1, 4, 3, 4"),
    "a criterion beyond the scale": (GT, FIRST_EXIT, FIRST_EXIT.replace("5", "15", 1), "pain is 0 to 10, not 15"),
    "a criterion over too many sessions": (GT, FIRST_EXIT, FIRST_EXIT.replace("count: 3", "count: 30"), "never looked"),
    "a criterion without its value": (GT, FIRST_EXIT, FIRST_EXIT.replace(" value: 5,", ""), "needs a value"),
    "a measure that is never asked": (
        GT,
        "instrument: GROC, every_weeks",
        "instrument: ODI, every_weeks",
        "GROC is never",
    ),
    "a goal the wrong way": (
        GT,
        "instrument: NPRS, direction: decrease",
        "instrument: NPRS, direction: increase",
        "better when",
    ),
    "pain limits out of order": (GT, PAIN, PAIN.replace("3", "6"), "progress_at_most (6) is above allowed_at_most (5)"),
    "a review before the course is over": (
        GT,
        ADEQUATE,
        ADEQUATE.replace("review_week: 12", "review_week: 8"),
        "judged in week 8",
    ),
    "a probability above one": (GT, "prior: {value: 0.20", "prior: {value: 1.20", "less than 1"),
    "ratios on one side": (
        GT,
        "[training_load_spike], lr_positive: 1.3, lr_negative: 0.9",
        "[training_load_spike], lr_positive: 1.3, lr_negative: 1.9",
        "both raise the odds",
    ),
    "a signature without a day": (
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: judgement, signed_by: me",
        "is no signature",
    ),
    "a signature on a day that never was": (
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: judgement, signed_by: 'Dr A. Example, 2026-02-30'",
        "is no signature",
    ),
    "a condition that has no file": (
        "mixes.yaml",
        "conditions: [gluteal_tendinopathy, deep_gluteal",
        "conditions: [gluteal_tendinopathy, deep_glutael",
        "Did you mean deep_gluteal_syndrome",
    ),
    "a mix that leaves too little": (
        "mixes.yaml",
        "    excluded_kinds: [stretch]",
        "    excluded_kinds: [isometric, isotonic, activation, aerobic]",
        "exercises remain",
    ),
    "a modifier that leaves too little": (
        "modifiers.yaml",
        "    excluded_kinds: [energy_storage]",
        "    excluded_kinds: [isometric, isotonic, activation, aerobic, mobility]",
        "exercises remain",
    ),
    "a ring of easier exercises": (
        "exercises.yaml",
        "    harder: standing_static_abduction\n",
        "    harder: standing_static_abduction\n    easier: standing_static_abduction\n",
        "is easier than itself",
    ),
    "a rise per session above that per week": (
        "progression.yaml",
        "per_session: 0.10, per_week: 0.20",
        "per_session: 0.10, per_week: 0.05",
        "per_session (0.1) is above per_week",
    ),
    "bands out of order": (
        "screening.yaml",
        "mixed_at_least: 0.40",
        "mixed_at_least: 0.60",
        "mixed_at_least (0.6) is above",
    ),
    "a file that is no YAML": ("education.yaml", "topics:", "topics: [", "cannot be read"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_with_its_place_and_a_remedy(folder: Path, mistake: str) -> None:
    """Who edits a protocol is told where it is wrong, why, and what mends it."""
    name, old, new, said = MISTAKES[mistake]
    change(folder, name, old, new)
    wrong = errors(folder)
    found = [problem for problem in wrong if said in f"{problem.message}. {problem.remedy}"]
    assert found, list(map(str, wrong))
    assert all(problem.remedy for problem in found)
    assert found[0].line is not None or mistake == "a file that is no YAML"


WARNINGS = {
    "a rise beyond the envelope": (
        "progression.yaml",
        "per_session: 0.10, per_week: 0.20",
        "per_session: 0.15, per_week: 0.20",
        f"more than the {ceiling.LOAD_PER_SESSION:g}",
    ),
    "pain beyond the envelope": (
        GT,
        PAIN,
        "    progress_at_most: 6\n    allowed_at_most: 7",
        f"more than the {ceiling.PAIN_AT_MOST_NPRS:g}",
    ),
    "a short course": (
        GT,
        ADEQUATE,
        ADEQUATE.replace("min_weeks: 12", "min_weeks: 4"),
        f"less than the {ceiling.FAILED_WEEKS_AT_LEAST}",
    ),
    "a mark above its evidence": (
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: checked",
        "the mark is checked, and no row cited is that",
    ),
    "a signature where none is needed": (
        GT,
        "source: [GT1, P01], mark: checked",
        "source: [GT1, P01], mark: checked, signed_by: 'Dr A. Example, 2026-05-31'",
        "only a judgement is signed",
    ),
    "thresholds that disagree": (
        "mixes.yaml",
        "threshold: {value: 0.40",
        "threshold: {value: 0.45",
        "Intake and planner should agree",
    ),
}


@pytest.mark.parametrize("doubt", WARNINGS)
def test_what_is_only_doubtful_is_a_warning(folder: Path, doubt: str) -> None:
    """A folder that asks for more than is ever given can be used, and its author is told."""
    name, old, new, said = WARNINGS[doubt]
    change(folder, name, old, new)
    problems = lint(folder)
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert [problem for problem in problems if said in f"{problem.message}. {problem.remedy}"]


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    """Nobody mends a file ten times to find ten mistakes."""
    change(folder, GT, "due_week: 8,", "due_weak: 8,")
    change(folder, GT, "sessions_per_week: 7", "sessions_per_week: daily")
    change(folder, "mixes.yaml", "threshold: {value: 0.40", "threshold: {value: much")
    found = {(problem.file, words(problem.place)) for problem in errors(folder)}
    assert (GT, "program.goals[0].due_weak") in found
    assert (GT, "program.goals[0].due_week") in found
    assert (GT, "program.sessions_per_week") in found
    assert ("mixes.yaml", "threshold.value") in found


def test_the_line_is_that_of_the_mistake(folder: Path) -> None:
    """An editor can jump to it."""
    change(folder, GT, "sessions_per_week: 7", "sessions_per_week: daily")
    lines = (folder / GT).read_text(encoding="utf-8").splitlines()
    (problem,) = errors(folder)
    assert problem.line is not None
    assert "sessions_per_week: daily" in lines[problem.line - 1]


def test_a_missing_file_is_an_error_and_not_the_end(folder: Path) -> None:
    """The other files are still looked at."""
    (folder / "mixes.yaml").unlink()
    change(folder, GT, "source: [GT1, EX01]", "source: [GT1, EX99]")
    assert {problem.file for problem in errors(folder)} == {"mixes.yaml", GT}


def test_two_files_of_one_version_are_an_error(folder: Path) -> None:
    """An episode keeps its version, so a version must be one file only."""
    text = (folder / GT).read_text(encoding="utf-8")
    (folder / "conditions" / "gluteal_tendinopathy-new.yaml").write_text(text, encoding="utf-8")
    assert any("already holds gluteal_tendinopathy in version 1.0.0" in problem.message for problem in errors(folder))


def test_an_older_version_beside_the_newer_one_is_fine(folder: Path) -> None:
    """Episodes that began with it go on with it."""
    text = (folder / GT).read_text(encoding="utf-8").replace("version: 1.0.0", "version: 1.1.0")
    (folder / "conditions" / "gluteal_tendinopathy-1.1.0.yaml").write_text(text, encoding="utf-8")
    assert errors(folder) == []


def test_a_file_that_nothing_reads_is_told_of(folder: Path) -> None:
    """A condition in the wrong place would silently not exist."""
    (folder / "extra.yaml").write_text("a: 1\n", encoding="utf-8")
    assert [p.message for p in lint(folder) if p.file == "extra.yaml"] == ["nothing reads this file"]


def test_a_folder_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    """A typing error in a path is no list of missing files."""
    with pytest.raises(ProtocolError, match="is no folder of protocol files"):
        lint(tmp_path / "nowhere")


def test_a_signed_judgement_lints_clean(folder: Path) -> None:
    """A name and a day are all that a signature takes."""
    change(
        folder,
        GT,
        "source: [PRIOR], mark: judgement",
        "source: [PRIOR], mark: judgement, signed_by: 'Dr A. Example, PT, 2026-05-31'",
    )
    assert [p for p in lint(folder) if "sign" in p.message] == []
