"""The shape of the house: what a newcomer may rely on when reading any service."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("intake", "planner", "progression", "notifier")
SOURCES = sorted([*ROOT.glob("shared/**/*.py"), *ROOT.glob("services/**/*.py")])


@pytest.mark.parametrize("service", SERVICES)
def test_the_four_services_wear_the_same_face(service: str) -> None:
    """Who knows one service finds the way in all of them."""
    folder = ROOT / "services" / service
    for name in ("__init__.py", "app.py", "domain/state.py", "domain/decide.py"):
        assert (folder / name).is_file(), f"{service} lacks {name}"
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    for word in ("onsumes", "ecides", "mits"):
        assert word in docstring, f"services/{service}/__init__.py does not say what it {word}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_about(path: Path) -> None:
    """A reader learns a module's subject from its first line."""
    if path.stat().st_size:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_no_module_outgrows_its_subject() -> None:
    """A file that needs a table of contents wants to be two."""
    longest = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in longest.items() if lines > 450} == {}


def test_no_module_is_called_after_nothing() -> None:
    """A noun names what lies in a file; these names do not."""
    vague = {"utils", "helpers", "helper", "manager", "base", "common", "misc"}
    assert [path for path in SOURCES if path.stem in vague] == []
