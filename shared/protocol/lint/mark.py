"""Whether sources exist, marks claim no more than the evidence, and signatures have their form."""

from collections.abc import Iterator
from datetime import date

from shared.protocol.document import Document, Row, rows
from shared.protocol.lint.problem import Problem, nearest
from shared.protocol.source import SIGNATURE, EvidenceRow, Mark

_SUPPORT = {Mark.CHECKED: "V", Mark.LITERATURE: "VK"}
"""By mark, the letters of the evidence rows that can carry it; a derived figure may rest on any row."""


def check_marks(documents: dict[str, Document], evidence: dict[str, EvidenceRow]) -> Iterator[Problem]:
    """Needs no more than readable files: it looks at every object that names a source."""
    for document in documents.values():
        for row in rows(document):
            yield from _sources(row, evidence)
            yield from _strength(row, evidence)
            yield from _signature(row)


def _sources(row: Row, evidence: dict[str, EvidenceRow]) -> Iterator[Problem]:
    for index, source in enumerate(row.source):
        if source not in evidence:
            remedy = nearest(source, evidence, "Add the row to evidence.yaml, or name another one")
            yield Problem(row.file, (*row.place, "source", index), f"evidence.yaml holds no row {source}", remedy)


def _strength(row: Row, evidence: dict[str, EvidenceRow]) -> Iterator[Problem]:
    if row.mark not in (Mark.CHECKED, Mark.LITERATURE):
        return
    cited = [evidence[source] for source in row.source if source in evidence]
    letters = _SUPPORT[Mark(row.mark)]
    if cited and not any(letter in one.mark for one in cited for letter in letters):
        said = ", ".join(f"{source} is {evidence[source].mark.split(':')[0]}" for source in row.source)
        remedy = "Cite the row that it rests on, or lower the mark"
        place = (*row.place, "mark")
        yield Problem(row.file, place, f"the mark is {row.mark}, and no row cited is that: {said}", remedy, "warning")


def _signature(row: Row) -> Iterator[Problem]:
    if row.signed_by is None:
        return
    place = (*row.place, "signed_by")
    found = SIGNATURE.fullmatch(row.signed_by)
    if found is None or not _is_day(found["day"]):
        message = f"{row.signed_by!r} is no signature"
        yield Problem(row.file, place, message, "Write name and day: `Dr A. Example, 2026-05-31`")
    elif row.mark != Mark.JUDGEMENT:
        message = f"the mark is {row.mark}: only a judgement is signed"
        yield Problem(row.file, place, message, "Take the signature out", "warning")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
