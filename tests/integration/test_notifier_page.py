"""The page on a real Redis: opening it changes nothing there, deciding writes one event that binds."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.notifier.app import make_service
from services.notifier.page.access import inbox_link_for, link_for
from services.notifier.page.app import PATHS
from services.notifier.page.config import PageConfig
from shared.event.wire import Stream
from shared.stream.key import present_key, stream_key
from tests.support.example import wire
from tests.support.notifier_case import escalation
from tests.support.page_case import KEYS, PLACE, URL
from tests.support.running import client_for, publish, read, running, settings_for, until_idle

CONFIG = PageConfig(KEYS, URL)
RAISED = "care.escalation.raised.v1"
OPENINGS = 20


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_PAGE_SECRET", KEYS[0])
    monkeypatch.setenv("CARE_PAGE_URL", URL)


@asynccontextmanager
async def opened(redis_url: str) -> AsyncIterator[tuple[Redis, httpx.AsyncClient]]:
    """The notifier with one urgent escalation that was told, and a browser before its page."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    settings = settings_for(redis_url)
    async with client_for(redis_url) as client, running([make_service(settings)], redis_url) as application:
        raised = escalation(respond_by=(now + timedelta(hours=2)).isoformat())
        await publish(client, Stream.ESCALATIONS, wire(RAISED, raised, event_id="raised-1", time=now))
        await until_idle(client, 1, Stream.NOTIFICATIONS)
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url=URL, follow_redirects=True) as browser:
            yield client, browser


async def everything(client: Redis) -> dict[bytes, Any]:
    """All that Redis holds, key by key: its serialisation; of streams what they hold and what is handled of it.

    Left out is what a running service does all the time, say that it is there and ask streams for more, and the audit
    log, which takes down that somebody looked.
    """
    found: dict[bytes, Any] = {}
    async for key in client.scan_iter("*"):
        if key == present_key("notifier").encode() or b":audit" in key:
            continue
        if await client.type(key) == b"stream":
            groups: Any = await client.xinfo_groups(key)
            handled = [(group["name"], group["pending"], group["last-delivered-id"]) for group in groups]
            found[key] = (await client.xrange(key), handled)
        else:
            found[key] = await client.dump(key)
    return found


def link(recipient: str = "on_call") -> str:
    found = link_for(CONFIG, recipient, *PLACE, datetime.now(UTC))
    assert found is not None
    return found


def inbox_link() -> str:
    found = inbox_link_for(CONFIG, "on_call", datetime.now(UTC))
    assert found is not None
    return found


def word_in(page: httpx.Response) -> str:
    found = re.search(r'name="word" value="([^"]+)">\s*<input type="hidden" name="decision"', page.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_link_opened_twenty_times_changes_nothing(redis_url: str, method: str) -> None:
    """Mail scanners open links, phones load them ahead, people load them again: not one byte in Redis moves."""
    async with opened(redis_url) as (client, browser):
        page = await browser.get(link())
        links = {link(), link("lead_clinician"), inbox_link(), f"{URL}/escalation?access=forged", *PATHS}
        links |= {path.replace("&amp;", "&") for path in re.findall(r'href="(/[^"]*)"', page.text)}
        links |= {f"{URL}/escalation/decision?word={word_in(page)}&decision=acknowledge"}
        before = await everything(client)
        assert len(before) > 8, "the system did nothing, so the comparison proves nothing"
        for _ in range(OPENINGS):
            for address in sorted(links):
                answer = await browser.request(method, address)
                assert answer.status_code in (200, 403, 404, 405), (address, answer.status_code)
        assert await everything(client) == before
        assert len(links) >= 9


async def test_a_decision_on_the_page_is_in_the_stream_and_binds(redis_url: str) -> None:
    """One form: one event of the contract, the ladder stops, the ledger says who answered, the page shows it."""
    async with opened(redis_url) as (client, browser):
        page = await browser.get(link())
        assert "Told" in page.text
        form = {"word": word_in(page), "decision": "hold", "rationale": "Rest first.", "useful": "yes"}
        answer = await browser.post("/escalation/decision", data=form)
        assert "Recorded: Hold the program." in answer.text
        assert "It was taken down" in answer.text
        (event,) = await read(client, Stream.DECISIONS)
        assert (event["source"], event["causationid"]) == ("//adaptive-care/notifier/page", "raised-1")
        data = {name: value for name, value in event["data"].items() if value and name != "decision_id"}
        assert data == {
            "clinician_id": "on_call",
            "decision": "hold",
            "escalation_id": "escalation-1",
            "rationale": "Rest first.",
            "useful": True,
        }
        assert "<dd>Acknowledged</dd>" in answer.text
        assert "<td>by on_call, hold, said to be useful</td>" in answer.text
        inbox = await browser.get("/escalations", params={"show": "acknowledged"})
        assert "patient-1" in inbox.text
        assert not await read(client, Stream.DEAD_LETTERS)


async def test_ten_copies_of_a_form_at_the_same_moment_are_one_decision(redis_url: str) -> None:
    """Whatever the line does, what a clinician decided is decided once."""
    async with opened(redis_url) as (client, browser):
        word = word_in(await browser.get(link()))
        form = {"word": word, "decision": "continue", "rationale": "Expected."}
        answers = await asyncio.gather(*(browser.post("/escalation/decision", data=form) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
        events = await read(client, Stream.DECISIONS)
        assert len({event["id"] for event in events}) == 1
        await until_idle(client)
        page = await browser.get(link())
        assert page.text.count("“Expected.”") == 1


async def test_the_inbox_lists_what_redis_lists(redis_url: str) -> None:
    """Open and resolved, from the lists that the notifier keeps, without looking at every patient."""
    async with opened(redis_url) as (client, browser):
        now = datetime.now(UTC)
        raws = [
            wire(RAISED, escalation(escalation_id=f"e-{n}"), subject=f"p-{n}", event_id=f"r-{n}", time=now)
            for n in range(3)
        ]
        resolved = {"escalation_id": "e-0", "reason": "flare", "resolution": "superseded"}
        later = now + timedelta(seconds=1)
        raws.append(wire("care.escalation.resolved.v1", resolved, subject="p-0", event_id="x-0", time=later))
        await publish(client, Stream.ESCALATIONS, *raws)
        await until_idle(client)
        page = await browser.get(inbox_link())
        assert sorted(re.findall(r'<dd class="id">([^<]+)</dd>', page.text)) == ["p-1", "p-2", "patient-1"]
        page = await browser.get("/escalations", params={"show": "resolved"})
        assert re.findall(r'<dd class="id">([^<]+)</dd>', page.text) == ["p-0"]


async def test_an_erased_patient_is_gone_from_the_page(redis_url: str) -> None:
    """A link in an old mail opens nothing of them."""
    async with opened(redis_url) as (client, browser):
        assert (await browser.get(link())).status_code == 200
        erased = wire("care.patient.erased.v1", {}, event_id="erased-1", time=datetime.now(UTC))
        await client.xadd(stream_key(0, Stream.PATIENTS), {"__data__": erased})
        await until_idle(client)
        assert (await browser.get(link())).status_code == 403
        assert "patient-1" not in (await browser.get(inbox_link())).text
