"""The inbox shows what waits, the most urgent first, and never more than a page."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.notifier.page.inbox import PAGE, read_query
from tests.support.notifier_case import acknowledge, escalation
from tests.support.page_case import PageCase

RAISED = "care.escalation.raised.v1"


def raise_one(case: PageCase, patient: str, **changes: Any) -> None:
    case.tell(RAISED, escalation(escalation_id=f"of-{patient}", **changes), event_id=f"r-{patient}", subject=patient)


def patients(page: httpx.Response) -> list[str]:
    return re.findall(r'<dd class="id">([^<]+)</dd>', page.text)


def filled() -> PageCase:
    """Four open ones, one of them acknowledged, and one that was resolved."""
    case = PageCase(raised=False)
    raise_one(case, "routine", severity="routine", reason="non_adherence")
    raise_one(case, "emergency", severity="emergency", reason="red_flag")
    raise_one(case, "urgent")
    raise_one(case, "seen", severity="emergency", reason="red_flag")
    raise_one(case, "closed", reason="no_contact")
    case.advance(timedelta(minutes=5))
    case.tell("care.clinician.decided.v1", acknowledge(escalation_id="of-seen"), event_id="d-1", subject="seen")
    resolved = {"escalation_id": "of-closed", "reason": "no_contact", "resolution": "superseded"}
    case.tell("care.escalation.resolved.v1", resolved, event_id="x-1", subject="closed")
    return case


async def test_what_nobody_answered_comes_first_and_the_most_urgent_of_it() -> None:
    """Acknowledged ones follow; resolved ones are elsewhere."""
    case = filled()
    async with case.browser() as browser:
        page = await browser.get(case.inbox_link())
    assert patients(page) == ["emergency", "urgent", "routine", "seen"]
    assert "All that is open: 4." in page.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"show": "waiting"}, ["emergency", "urgent", "routine"]),
        ({"show": "acknowledged"}, ["seen"]),
        ({"show": "resolved"}, ["closed"]),
        ({"severity": "emergency"}, ["emergency", "seen"]),
        ({"show": "waiting", "severity": "routine"}, ["routine"]),
        ({"show": "nonsense", "severity": "<b>", "page": "-7"}, ["emergency", "urgent", "routine", "seen"]),
    ],
)
async def test_the_inbox_can_be_narrowed(query: dict[str, str], expected: list[str]) -> None:
    """By state and by severity; words that mean nothing are passed over."""
    case = filled()
    async with case.browser() as browser:
        await browser.get(case.inbox_link())
        page = await browser.get("/escalations", params=query)
    assert patients(page) == expected
    assert "&lt;b&gt;" not in page.text


async def test_a_long_inbox_comes_in_pages() -> None:
    """Nothing is left out, and no page is endless."""
    case = PageCase(raised=False)
    for n in range(2 * PAGE + 3):
        raise_one(case, f"patient-{n:03}")
    async with case.browser() as browser:
        first = await browser.get(case.inbox_link())
        shown = patients(first)
        assert len(shown) == PAGE
        assert "page 1 of 3" in first.text
        for number in ("2", "3"):
            shown += patients(await browser.get("/escalations", params={"page": number}))
        assert sorted(shown) == [f"patient-{n:03}" for n in range(2 * PAGE + 3)]
        beyond = await browser.get("/escalations", params={"page": "99"})
        assert "page 3 of 3" in beyond.text


async def test_what_is_overdue_says_so() -> None:
    """In words, not by a colour alone."""
    case = PageCase()
    case.advance(timedelta(hours=3))
    async with case.browser() as browser:
        page = await browser.get(case.inbox_link())
    assert "overdue" in page.text


async def test_an_empty_inbox_is_no_error() -> None:
    """Most mornings it is."""
    case = PageCase(raised=False)
    async with case.browser() as browser:
        page = await browser.get(case.inbox_link())
    assert page.status_code == 200
    assert "Nothing here." in page.text


@pytest.mark.parametrize("page", ["", "0", "x", "99999", "١", "1e3"])
def test_a_page_number_that_is_none_is_the_first(page: str) -> None:
    """What comes by an address is never trusted."""
    assert read_query("current", "", page).page == 1
