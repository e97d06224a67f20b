"""The vignettes' table in Markdown: `python -m tests.vignettes.table`, and with `--write` into its page."""

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.vignettes.result import Result, results
from tests.vignettes.vignette import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "vignettes.md"
MARK = "<!-- the table: python -m tests.vignettes.table --write -->\n"

HEAD = (
    "| kind | vignettes | primary right | disposition right | red flags found | false emergencies | as expected |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def _row(name: str, part: Iterable[Result]) -> str:
    part = list(part)
    clear = [result for result in part if result.vignette.expected.primary_for_sure]
    flags = sum(len(result.vignette.expected.red_flags) for result in part)
    missed = sum(len(result.missed_flags) for result in part)
    cells = (
        name,
        str(len(part)),
        _share(sum(result.is_primary_right for result in clear), len(clear)),
        _share(sum(result.is_disposition_right for result in part), len(part)),
        _share(flags - missed, flags),
        str(sum(result.is_false_emergency for result in part)),
        _share(sum(not list(result.deviations()) for result in part), len(part)),
    )
    return f"| {' | '.join(cells)} |"


def _share(right: int, of: int) -> str:
    return f"{right} of {of}" if of else "none asked"


def table(found: tuple[Result, ...]) -> str:
    """One row for each kind, one for what is measured, one for all, and below them each miss."""
    measured = (result for result in found if result.vignette.kind in ("textbook", "published"))
    rows = [_row(kind, (result for result in found if result.vignette.kind == kind)) for kind in KINDS]
    lines = [*HEAD, *rows, _row("textbook and published", measured), _row("all", found), ""]
    misses = [
        f"- {result.vignette.id}, {result.vignette.title}: {'; '.join(deviations)}."
        for result in found
        if (deviations := list(result.deviations()))
    ]
    return "\n".join([*lines, *(["Misses:", "", *misses] if misses else ["No misses."]), ""])


def written(page: str, found: tuple[Result, ...]) -> str:
    """The page with the table of these results between its two marks."""
    before, _, after = page.split(MARK)
    return f"{before}{MARK}\n{table(found)}\n{MARK}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), results()), encoding="utf-8")
    else:
        sys.stdout.write(table(results()))
