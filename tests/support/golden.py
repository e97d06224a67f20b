"""Texts that somebody has read and found right, kept as files: a change of them is seen, and read again.

`CARE_TEST_GOLDEN=write make test ARGS='-k golden'` writes them anew; look at what `git diff` says.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"


def check(name: str, text: str) -> None:
    """Fails where the text is not that of the file `name`."""
    file = FOLDER / name
    if os.environ.get("CARE_TEST_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.is_file(), f"{name} is not there yet: CARE_TEST_GOLDEN=write writes it"
    assert text == file.read_text(encoding="utf-8"), f"{name} has changed: read it, and CARE_TEST_GOLDEN=write keeps it"


def names(folder: str) -> set[str]:
    """The files of a folder, for tests that none is left over."""
    return {str(file.relative_to(FOLDER)) for file in (FOLDER / folder).rglob("*") if file.is_file()}
