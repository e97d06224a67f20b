"""Folders of protocol files for tests: the shipped ones, with something changed or the fifth condition added."""

import re
import shutil
from pathlib import Path

from shared.protocol.library import shipped_folder

FIFTH = "ischiofemoral_impingement"
FIXTURE = Path(__file__).parents[1] / "fixtures" / "fifth_condition"


def copy_of_shipped(folder: Path) -> Path:
    """The shipped files where a test may change them."""
    shutil.copytree(shipped_folder(), folder)
    return folder


def with_fifth_condition(folder: Path) -> Path:
    """The shipped files, the fifth condition's file and its row of evidence: nothing else. Not medicine."""
    copy_of_shipped(folder)
    for path in (FIXTURE / "conditions").glob("*.yaml"):
        shutil.copy(path, folder / "conditions")
    with (folder / "evidence.yaml").open("a", encoding="utf-8") as evidence:
        evidence.write((FIXTURE / "evidence.yaml").read_text(encoding="utf-8"))
    return folder


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Writes `new` in the place of the first `old` in one file; the test fails where there is none."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    found = re.search(re.escape(old), text)
    assert found is not None, f"{name} does not hold {old!r}"
    path.write_text(text[: found.start()] + new + text[found.end() :], encoding="utf-8")
