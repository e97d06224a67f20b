"""One thing that is wrong in a protocol file, where it stands and what mends it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.protocol.document import Place, words

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error makes the folder unfit for use; a warning is for a person to judge."""

    file: str
    place: Place
    message: str
    remedy: str
    severity: Severity = "error"
    line: int | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{self.severity}: {where}: {words(self.place)}: {self.message}. {self.remedy}."


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """What was probably meant, as a remedy."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    return f"Did you mean {found[0]}" if found else otherwise
