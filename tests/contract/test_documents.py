"""Documents tell the truth: links lead somewhere, generated files are what the code says."""

import json
import re
from pathlib import Path

import pytest

from shared.document import json_schemas
from shared.event.wire import Stream

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """A reader who follows a link finds the page."""
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http://", "https://"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_published_schemas_are_those_of_the_models() -> None:
    """What platforms validate against is what the services check."""
    for name, text in json_schemas().items():
        assert (ROOT / "docs/schema" / name).read_text(encoding="utf-8") == text, f"{name} is stale: run `make docs`"


def test_the_asyncapi_document_names_the_real_streams_groups_and_field() -> None:
    """Whoever integrates reads keys and groups off the document."""
    text = (ROOT / "docs/asyncapi.json").read_text(encoding="utf-8")
    document = json.loads(text)
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {f"care:{{0}}:{stream.value}" for stream in Stream}
    groups = {
        channel["bindings"]["redis"].get("groupName")
        for channel in document["channels"].values()
        if "bindings" in channel
    }
    assert {"intake", "planner", "progression", "notifier"} <= groups
    assert "__data__" in text


def test_nothing_in_the_repository_names_a_machine_or_a_registry() -> None:
    """The project speaks of itself alone."""
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        assert "index-url" not in text
