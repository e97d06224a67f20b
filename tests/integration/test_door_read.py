"""What the door says of a patient, on a real Redis."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.intake.app import make_service as make_intake
from services.notifier.app import make_service as make_notifier
from services.planner.app import make_service as make_planner
from services.progression.app import make_service as make_progression
from shared.door import timeline
from shared.door.patient import HELD_BY
from shared.event.wire import Stream
from shared.service import Service
from shared.stream.audit import Audit
from shared.stream.key import state_key, stream_key
from tests.integration.test_door_events import opened, problem, send
from tests.support.door_case import BATCH, Json, event, one_of_each
from tests.support.example import intake
from tests.support.running import publish, settings_for, until_idle
from tests.support.toy import session

PROGRAM = "prg-intake-1"


def four(redis_url: str) -> list[Service[Any]]:
    makers = (make_intake, make_planner, make_progression, make_notifier)
    return [make_service(settings_for(redis_url)) for make_service in makers]


@asynccontextmanager
async def enrolled(redis_url: str) -> AsyncIterator[tuple[Redis, httpx.AsyncClient]]:
    """All four services, and a patient with a program."""
    async with opened(redis_url, *four(redis_url)) as (client, platform):
        assert (await send(platform, event("intake.submitted", intake(notes="my own words")))).status_code == 202
        await until_idle(client, 1, Stream.PROGRAMS)
        yield client, platform


async def look(platform: httpx.AsyncClient, view: str, patient: str = "patient-1", **headers: str) -> httpx.Response:
    return await platform.get(f"/v1/patients/{patient}/{view}", headers=headers)


def test_the_table_of_who_answers_what_is_what_the_services_offer(redis_url: str) -> None:
    """A process without a service can say which one has the answer."""
    assert {view.name: service.name for service in four(redis_url) for view in service.views} == HELD_BY


async def test_a_platform_reads_what_holds_of_its_patient(redis_url: str) -> None:
    """Condition, program, next session with its number, how care goes, and what waits for a clinician."""
    async with enrolled(redis_url) as (client, platform):
        found = {view: (await look(platform, view)).json() for view in HELD_BY}
        assert found["classification"]["primary"] == "gluteal_tendinopathy"
        assert (found["program"]["program_id"], found["program"]["status"]) == (PROGRAM, "active")
        assert found["prescription"]["prescription_seq"] == found["program"]["prescription_seq"] == 1
        assert found["prescription"]["prescription"] == found["program"]["prescription"] != []
        assert (found["state"]["week"], found["state"]["response"]["status"]) == (0, "insufficient_data")
        assert found["escalations"] == {"escalations": []}
        told = event("session.reported", session(1, program_id=PROGRAM, symptoms=["saddle_anaesthesia"]), "s1")
        assert (await send(platform, told)).status_code == 202
        await until_idle(client, 1, Stream.ESCALATIONS)
        (open_one,) = (await look(platform, "escalations")).json()["escalations"]
        assert (open_one["severity"], open_one["reason"], open_one["acknowledged"]) == ("emergency", "red_flag", False)
        state = (await look(platform, "state")).json()
        assert (state["status"], state["holds"]) == ("held", ["red_flag"])
        assert [one["escalation_id"] for one in state["escalations"]] == [open_one["escalation_id"]]
        held = (await look(platform, "prescription")).json()
        assert (held["status"], held["prescription"], held["prescription_seq"]) == ("held", [], 2)


async def test_care_is_read_as_fhir(redis_url: str) -> None:
    """A platform that speaks FHIR gets a Bundle of the condition, the plan and the goals, and of nobody else's."""
    async with enrolled(redis_url) as (_, platform):
        answer = await look(platform, "fhir")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
        bundle = answer.json()
        kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
        assert kinds >= {"Condition", "CarePlan", "Goal", "ServiceRequest", "Provenance"}
        again = await look(platform, "fhir", **{"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert (await look(platform, "fhir", patient="nobody")).status_code == 404


async def test_the_audit_log_says_which_key_read_what_of_whom(redis_url: str) -> None:
    """Who looked at a patient can be told later, also by HTTP; what was not shown is no read."""
    async with enrolled(redis_url) as (client, platform):
        await look(platform, "program")
        await look(platform, "program", patient="nobody")
        noted = await Audit(client, 1, 30).entries()
        assert [(one.way, one.action, one.what, one.patients) for one in noted] == [
            ("http", "read", "program", ("patient-1",))
        ]
        assert noted[0].actor.startswith("key:")


async def test_what_has_not_changed_is_not_sent_again(redis_url: str) -> None:
    """A client that knows the ETag gets 304 without a body, until something changes."""
    async with enrolled(redis_url) as (client, platform):
        for view in ("program", "timeline"):
            first = await look(platform, view)
            etag = first.headers["etag"]
            assert first.headers["cache-control"] == "private, no-cache"
            for condition in (etag, f'"other", W/{etag}', "*"):
                again = await look(platform, view, **{"If-None-Match": condition})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            assert (await look(platform, view, **{"If-None-Match": '"other"'})).status_code == 200
        etag = (await look(platform, "program")).headers["etag"]
        hold = {"decision_id": "d1", "clinician_id": "c1", "decision": "hold", "program_id": PROGRAM, "rationale": "-"}
        await send(platform, event("clinician.decided", hold, "d1"))
        await until_idle(client, 2, Stream.PROGRAMS)
        changed = await look(platform, "program", **{"If-None-Match": etag})
        assert (changed.status_code, changed.json()["status"]) == (200, "held")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nobody/program", (404, "nothing_held")),
        ("nobody/timeline", (404, "nothing_held")),
        ("patient-1/fate", (404, "unknown_view")),
        ("../program", (404, "unknown_path")),
        ("%2e%2e/program", (404, "nothing_held")),
        ("a%2Fb/program", (404, "unknown_path")),
        ("patient-1/../patient-2/program", (404, "nothing_held")),
        ("patient-1%00/program", (400, "invalid_patient_id")),
        ("patient-1%0A/program", (400, "invalid_patient_id")),
        ("%7B0%7D:progression/program", (400, "invalid_patient_id")),
        ("*/program", (400, "invalid_patient_id")),
        ("Jos%C3%A9/program", (400, "invalid_patient_id")),
        ("a" * 129 + "/program", (400, "invalid_patient_id")),
        ("patient-1", (404, "unknown_path")),
        ("patient-1/program/", (404, "unknown_path")),
        ("patient-1/timeline?limit=0", (400, "invalid_parameter")),
        ("patient-1/timeline?limit=501", (400, "invalid_parameter")),
        ("patient-1/timeline?limit=many", (400, "invalid_parameter")),
        ("patient-1/timeline?limit=²", (400, "invalid_parameter")),
        ("patient-1/timeline?after=0", (400, "invalid_parameter")),
        ("patient-1/timeline?after=1-1-x", (400, "invalid_parameter")),
        ("patient-1/timeline?after=99999999999999999999-0-0", (400, "invalid_parameter")),
    ],
)
async def test_a_path_that_names_no_patient_or_no_view_shows_nothing(
    redis_url: str, path: str, expected: tuple[int, str]
) -> None:
    """Whatever stands in the path, it is one pseudonym or it is nothing."""
    async with opened(redis_url, make_progression(settings_for(redis_url))) as (_, platform):
        assert problem(await platform.get(f"/v1/patients/{path}"))[:2] == expected


async def test_a_process_without_the_service_says_who_has_the_answer(redis_url: str) -> None:
    """Nobody takes `not here` for `nothing held`."""
    async with opened(redis_url, make_intake(settings_for(redis_url))) as (_, platform):
        answer = await look(platform, "prescription")
        assert problem(answer) == (421, "served_elsewhere", None)
        assert answer.json()["service"] == "progression"
        assert "8083" in answer.json()["detail"]
        assert problem(await look(platform, "classification"))[1] == "nothing_held"


async def test_an_erased_patient_has_nothing(redis_url: str) -> None:
    """Neither a view nor the timeline, although the streams still hold the events; coming back begins anew."""
    async with enrolled(redis_url) as (client, platform):
        views = [*HELD_BY, "timeline"]
        assert {(await look(platform, view)).status_code for view in views} == {200}
        gone = event("patient.erased", {}, "gone") | {"time": datetime.now(UTC).isoformat()}
        await send(platform, gone)
        await until_idle(client)
        for view in views:
            assert problem(await look(platform, view)) == (404, "nothing_held", None), view
        assert await client.xlen(stream_key(0, Stream.INTAKES)) == 1
        later = event("patient.updated", {"language": "pt"}, "back") | {"time": datetime.now(UTC).isoformat()}
        await send(platform, later)
        assert [one["id"] for one in (await look(platform, "timeline")).json()["events"]] == ["back"]


async def test_a_report_that_comes_after_the_erasure_and_from_before_it_is_not_shown(redis_url: str) -> None:
    """Also where the erasure itself has left the stream by retention: the service still knows of it."""
    async with enrolled(redis_url) as (client, platform):
        await send(platform, event("patient.erased", {}, "gone") | {"time": datetime.now(UTC).isoformat()})
        await until_idle(client)
        await client.xtrim(stream_key(0, Stream.PATIENTS), maxlen=0, approximate=False)
        await send(platform, event("session.reported", session(1), "late"))
        await until_idle(client)
        assert problem(await look(platform, "timeline")) == (404, "nothing_held", None)


async def pages(platform: httpx.AsyncClient, limit: int, patient: str = "patient-1") -> list[Json]:
    """All events of the timeline, page by page."""
    found: list[Json] = []
    query = {"limit": str(limit)}
    for _ in range(10_000):
        answer = await platform.get(f"/v1/patients/{patient}/timeline", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["events"]) <= limit
        found += page["events"]
        if page["next"] is None:
            return found
        query["after"] = page["next"]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 7, 500])
async def test_the_pages_of_a_timeline_hold_every_event_once_in_order(
    redis_url: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of a page, and however little one page may read: nothing twice, nothing left out."""
    monkeypatch.setattr(timeline, "CHUNK", 3)
    monkeypatch.setattr(timeline, "ENTRIES_AT_MOST", 10)
    async with opened(redis_url, make_intake(settings_for(redis_url))) as (client, platform):
        expected = []
        kinds = [
            (Stream.SESSIONS, "session.reported", session(1)),
            (Stream.PATIENTS, "patient.updated", {}),
            (Stream.PROGRAMS, "session.reported", session(2)),
        ]
        for number in range(40):
            stream, kind, data = kinds[number % 3]
            patient = "patient-1" if number % 4 else "patient-2"
            told = json.dumps(event(kind, data, f"event-{number}", patient)).encode()
            # Entries of several streams within one millisecond, as Redis may give them.
            await client.xadd(stream_key(0, stream), {"__data__": told}, id=f"{1000 + number // 6}-{number % 6 // 3}")
            if patient == "patient-1":
                place = list(Stream).index(stream)
                expected.append(((1000 + number // 6, number % 6 // 3, place), f"event-{number}"))
        await publish(client, Stream.SESSIONS, b"no event of patient-1", b'["patient-1"]')
        found = [one["id"] for one in await pages(platform, limit)]
        assert found == [event_id for _, event_id in sorted(expected)]


async def test_the_timeline_shows_causes_before_what_follows_and_no_words_or_addresses(redis_url: str) -> None:
    """What the platform sent and what the services said, in the order of arrival; nothing that names a person."""
    async with enrolled(redis_url) as (client, platform):
        await send(platform, list(one_of_each()[1:6]), BATCH)
        bad = event("session.reported", session(9, pain_during=99, notes="my own words"), "bad")
        await client.xadd(stream_key(0, Stream.SESSIONS), {"__data__": json.dumps(bad)})
        await until_idle(client, 1, Stream.DEAD_LETTERS)
        answer = await look(platform, "timeline")
        for words in ("my own words", "someone@home.example", "I move away", "Rest."):
            assert words not in answer.text
        events = answer.json()["events"]
        order = {one["id"]: place for place, one in enumerate(events)}
        causes = [(one["causationid"], one["id"]) for one in events if one.get("causationid") in order]
        assert len(causes) > 2
        assert all(order[cause] < order[follows] for cause, follows in causes)
        kinds = {one["type"] for one in events}
        assert {"care.intake.submitted.v1", "care.program.planned.v1", "care.event.rejected.v1"} <= kinds
        assert "data" not in next(one for one in events if one["id"] == "bad")
        (letter,) = [one for one in events if one["type"] == "care.event.rejected.v1"]
        assert (letter["data"]["error"]["path"], "original" in letter["data"]) == ("$.data.pain_during", False)


async def test_a_record_that_cannot_be_read_is_a_fault_and_not_nothing(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes a broken record for an unknown patient; the log says where it broke, without a word of it."""
    async with opened(redis_url, make_progression(settings_for(redis_url))) as (client, platform):
        await client.set(state_key(0, "progression", "patient-1"), b'7:{"state":"my own words"}')
        answer = await look(platform, "state")
        assert problem(answer) == (500, "internal", None)
        assert "words" not in answer.text
        assert problem(await look(platform, "state", "patient-2"))[0] == 404
    printed = capsys.readouterr()
    assert "door failed" in printed.out + printed.err
    assert "my own words" not in printed.out + printed.err


async def test_a_view_is_answered_of_one_instant_over_partitions(redis_url: str) -> None:
    """Each patient's answer comes from the patient's own partition."""
    async with opened(redis_url, make_intake(settings_for(redis_url, partitions=3)), partitions=3) as (
        _,
        platform,
    ):
        patients = [f"patient-{number}" for number in range(6)]
        await send(platform, [event("intake.submitted", intake(), f"e-{p}", p) for p in patients], BATCH)
        deadline = datetime.now(UTC) + timedelta(seconds=60)
        for patient in patients:
            while (answer := await look(platform, "classification", patient)).status_code == 404:
                assert datetime.now(UTC) < deadline
            assert answer.json()["intake_id"] == "intake-1"
            ids = [one["subject"] for one in (await look(platform, "timeline", patient)).json()["events"]]
            assert set(ids) == {patient}
