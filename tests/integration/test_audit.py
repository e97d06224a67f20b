"""The audit log: who saw and decided what, in an order that nobody can change unseen."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from shared.event.wire import Stream
from shared.stream.audit import Act, Audit, AuditError
from shared.stream.key import AUDIT, AUDIT_HEAD
from tests.integration.test_exactly_once import reported
from tests.integration.test_notifier_page import _page as page_settings  # noqa: F401  # the page's settings
from tests.integration.test_notifier_page import link, opened, word_in
from tests.support.example import wire
from tests.support.key_scan import keys_that_name
from tests.support.running import client_for, publish, running, until_idle
from tests.support.toy import toy

YEAR = 365


def read(patient: str = "patient-1", actor: str = "user:alice") -> Act:
    return Act(actor, "command", "read", "trace", (patient,))


async def test_many_who_write_at_once_make_one_whole_chain(redis_url: str) -> None:
    """No entry is lost, none is bound to the wrong one."""
    async with client_for(redis_url) as client:
        audit = Audit(client, 1, YEAR)
        await asyncio.gather(*(audit.note(read(actor=f"user:{n}")) for n in range(25)))
        assert {entry.actor for entry in await audit.entries()} == {f"user:{n}" for n in range(25)}
        verdict = await audit.verify()
        assert (verdict.entries, verdict.fault) == (25, "")


@pytest.mark.parametrize("harm", ["taken out", "changed", "cut off", "all replaced"])
async def test_a_log_that_was_tampered_with_is_found_out(redis_url: str, harm: str) -> None:
    """Whoever reaches Redis can change it, and not unseen by whoever kept the head."""
    async with client_for(redis_url) as client:
        audit = Audit(client, 1, YEAR)
        for n in range(5):
            await audit.note(read(actor=f"user:{n}"))
        kept = (await audit.verify()).head
        rows: Any = await client.xrange(AUDIT)
        match harm:
            case "taken out":
                await client.xdel(AUDIT, rows[2][0])
            case "changed":
                entry = json.loads(rows[4][1][b"__data__"]) | {"actor": "user:nobody"}
                await client.xdel(AUDIT, rows[4][0])
                await client.xadd(AUDIT, {"__data__": json.dumps(entry)})
            case "cut off":
                await client.xdel(AUDIT, rows[4][0])
            case _:
                await client.delete(AUDIT, AUDIT_HEAD)
                for n in range(6):
                    await audit.note(read(actor=f"user:other-{n}"))
                assert not (await audit.verify()).fault
        assert (await audit.verify(kept)).fault


async def test_old_entries_go_and_the_rest_is_still_a_chain(redis_url: str) -> None:
    """Retention by age; what was let go is no fault."""
    async with client_for(redis_url) as client:
        audit = Audit(client, 1, YEAR)
        for n in range(4):
            await audit.note(read(actor=f"user:{n}"))
        rows: Any = await client.xrange(AUDIT)
        await client.delete(AUDIT)
        old = int((datetime.now(UTC).timestamp() - 400 * 86400) * 1000)
        for n, (_, fields) in enumerate(rows[:3]):
            await client.xadd(AUDIT, fields, id=f"{old + n}-0")
        await client.xadd(AUDIT, rows[3][1])
        assert await audit.trim() == 3
        assert [entry.seq for entry in await audit.entries()] == [4]
        assert not (await audit.verify()).fault


async def test_an_erasure_takes_the_name_and_leaves_the_chain(redis_url: str) -> None:
    """Who read stays; whom it was about is gone, also for whoever asks about the erased patient later."""
    async with client_for(redis_url) as client, running([toy()], redis_url):
        audit = Audit(client, 1, YEAR)
        for patient in ("patient-1", "patient-2"):
            await publish(client, Stream.SESSIONS, reported(1, patient=patient, event_id=f"e-{patient}"))
        await until_idle(client, 2)
        await audit.note(Act("user:alice", "command", "read", "inbox", ("patient-1", "patient-2")))
        assert (await audit.entries())[0].patients == ("patient-1", "patient-2")
        assert len(await audit.of("patient-1")) == 1
        await publish(client, Stream.PATIENTS, wire("care.patient.erased.v1", {}, event_id="x", time=datetime.now(UTC)))
        await until_idle(client)
        await audit.note(read())
        assert not {key for key in await keys_that_name(client, ["patient-1"]) if ":audit" in key}
        first, second = await audit.entries()
        assert first.patients[1] == "patient-2"
        assert first.patients[0].startswith("erased:")
        assert second.patients[0].startswith("erased:")
        assert first.patients[0] != second.patients[0]
        assert not (await audit.verify()).fault


async def test_the_page_takes_down_what_was_shown_decided_and_refused(redis_url: str) -> None:
    """Under the recipient's name, whose link or login it was."""
    async with opened(redis_url) as (client, browser):
        page = await browser.get(link())
        form = {"word": word_in(page), "decision": "hold", "rationale": "Rest first."}
        await browser.post("/escalation/decision", data=form)
        await browser.get("/escalation", params={"patient": "patient-1", "id": "another"})
        found = [(e.actor, e.way, e.action, e.what, e.outcome, e.patients) for e in await Audit(client, 1, 1).entries()]
    who, whom = ("recipient:on_call", "page"), ("patient-1",)
    assert found == [
        (*who, "read", "escalation", "done", whom),
        (*who, "read", "escalation", "done", whom),
        (*who, "decide", "hold", "done", whom),
        (*who, "read", "escalation", "done", whom),
        (*who, "read", "escalation", "refused", whom),
    ]


async def test_a_log_that_cannot_be_written_keeps_nobody_from_an_emergency(redis_url: str) -> None:
    """It is said aloud and counted, and the page is shown."""
    async with opened(redis_url) as (client, browser):
        await client.set(AUDIT, "not a stream")
        with structlog.testing.capture_logs() as lines:
            assert "Told" in (await browser.get(link())).text
        (line,) = [line for line in lines if line["event"] == "audit_not_written"]
        assert (line["actor"], line["what"], line["patients"]) == ("recipient:on_call", "escalation", ["patient-1"])
        assert "care_audit_failures_total 1.0" in (await browser.get("/metrics")).text
        with pytest.raises(AuditError, match="cannot be written"):
            await Audit(client, 1, YEAR).note(read())
