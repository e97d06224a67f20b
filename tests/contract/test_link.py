"""Whoever follows a link of a page arrives, and the runbook's index leaves no page out."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Those to places within the repository."""
    found = _LINK.findall(_CODE.sub("", page.read_text()))
    return [one for one in found if "://" not in one and not one.startswith("mailto:")]


@cache
def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    """Nobody who is called at night ends at a page that was moved."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


def test_the_runbook_leads_to_each_of_its_sections_and_pages() -> None:
    """One index: what is not in it is not found in time."""
    runbook = DOCS / "runbook.md"
    index = set(links(runbook))
    pages = {f"runbook/{page.name}" for page in (DOCS / "runbook").glob("*.md")}
    assert len(pages) > 10
    assert pages <= index
    assert {f"#{anchor}" for anchor in anchors(runbook) - {"runbook"}} <= index
