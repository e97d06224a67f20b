"""Events through the door: every form of CloudEvents over HTTP, and bad input of every kind, on a real Redis."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.intake.app import make_service as make_intake
from services.progression.app import make_service as make_progression
from shared.door.mode import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES
from shared.event.wire import Stream
from shared.service import Service
from shared.stream.key import partition_of, stream_key
from tests.support.door_case import BATCH, STRUCTURED, Json, binary, event, new_key, one_of_each
from tests.support.example import intake
from tests.support.running import client_for, read, running, settings_for, until_idle
from tests.support.toy import session, toy

EVENTS = "/v1/events"
PROBLEM = "application/problem+json"
URL = "http://care.test"


@asynccontextmanager
async def opened(
    redis_url: str, *services: Service[Any], scopes: tuple[str, ...] = (), **changes: Any
) -> AsyncIterator[tuple[Redis, httpx.AsyncClient]]:
    """Services with their door, and a platform that has a key."""
    async with client_for(redis_url) as client, running(services or [toy()], redis_url, **changes) as application:
        transport = httpx.ASGITransport(application)
        key = await new_key(client, *scopes)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=key) as platform:
            yield client, platform


async def send(platform: httpx.AsyncClient, told: Any, content_type: str = STRUCTURED) -> httpx.Response:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return await platform.post(EVENTS, content=body, headers={"Content-Type": content_type})


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and path; the form must be RFC 9457's."""
    assert answer.headers["content-type"] == PROBLEM, answer.text
    told = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= told.keys()
    assert told["status"] == answer.status_code
    return answer.status_code, told["code"], told.get("path")


async def lengths(client: Redis, partitions: int = 1) -> int:
    """How many entries all streams hold."""
    return sum([await client.xlen(stream_key(p, stream)) for p in range(partitions) for stream in Stream])


# ---- what is taken ----


@pytest.mark.parametrize("form", ["structured", "plain", "batch", "binary"])
async def test_every_input_event_comes_in_by_every_form(redis_url: str, form: str) -> None:
    """All seven types reach their stream with the very content that was sent."""
    async with opened(redis_url) as (client, platform):
        every = one_of_each()
        for told in every:
            if form == "batch":
                answer = await send(platform, [told], BATCH)
                assert answer.json() == {"results": [{"index": 0, "id": told["id"], "status": "accepted"}]}
            elif form == "binary":
                headers, body = binary(told)
                answer = await platform.post(EVENTS, content=body, headers=headers)
                assert answer.json() == {"id": told["id"]}
            else:
                answer = await send(platform, told, STRUCTURED if form == "structured" else "application/json")
                assert answer.json() == {"id": told["id"]}
            assert answer.status_code == 202
        found = [one for stream in Stream for one in await read(client, stream)]
        expected = {one["id"]: one for one in every}
        for one in found:
            if one["id"] in expected:
                told = expected.pop(one["id"])
                assert {name: one[name] for name in ("type", "subject", "data")} == {
                    name: told[name] for name in ("type", "subject", "data")
                }
        assert expected == {}
        assert await read(client, Stream.DEAD_LETTERS) == []


async def test_an_id_that_is_sent_twice_has_one_effect(redis_url: str) -> None:
    """A platform that did not hear the answer sends again: one session is counted, whatever form repeats it."""
    async with opened(redis_url) as (client, platform):
        told = event("session.reported", session(1))
        headers, body = binary(told)
        assert (await send(platform, told)).status_code == 202
        assert (await send(platform, told)).status_code == 202
        assert (await send(platform, [told, told], BATCH)).status_code == 202
        assert (await platform.post(EVENTS, content=body, headers=headers)).status_code == 202
        await until_idle(client, 1)
        assert len(await read(client, Stream.SESSIONS)) == 5
        assert len(await read(client, Stream.ADJUSTMENTS)) == 1


async def test_of_twenty_events_with_three_bad_ones_seventeen_are_taken(redis_url: str) -> None:
    """The answer says of each which it is, and why; the good ones act, in the order of the batch."""
    async with opened(redis_url) as (client, platform):
        batch: list[Any] = [event("session.reported", session(n), f"event-{n}") for n in range(20)]
        batch[3]["data"]["pain_during"] = 11
        batch[7] = "not an event"
        batch[19]["type"] = "care.load.adjusted.v1"
        answer = await send(platform, batch, BATCH)
        assert answer.status_code == 207
        results = answer.json()["results"]
        assert [result["index"] for result in results] == list(range(20))
        refused = {one["index"]: one["problem"] for one in results if one["status"] == "refused"}
        assert {index: (one["status"], one["code"], one["path"]) for index, one in refused.items()} == {
            3: (422, "out_of_range", "$.data.pain_during"),
            7: (422, "invalid_envelope", "$"),
            19: (422, "output_type", "$.type"),
        }
        good = [f"event-{n}" for n in range(20) if n not in refused]
        assert [one["id"] for one in results if one["status"] == "accepted"] == good
        assert [one["id"] for one in await read(client, Stream.SESSIONS)] == good
        await until_idle(client, 17)


async def test_a_batch_of_bad_events_has_the_status_of_its_first_problem(redis_url: str) -> None:
    """Nothing of it was accepted, so no client may take it for a success."""
    async with opened(redis_url, scopes=("care.session.*",)) as (client, platform):
        wrong = event("session.reported", session(1, pain_during=-1))
        foreign = event("checkin.reported", {"checkin_id": "c1", "reported_at": "2026-03-02T09:00:00Z"})
        answer = await send(platform, [wrong, foreign], BATCH)
        assert (answer.status_code, len(answer.json()["results"])) == (422, 2)
        assert (await send(platform, [foreign, wrong], BATCH)).status_code == 403
        empty = await send(platform, [], BATCH)
        assert (empty.status_code, empty.json()) == (202, {"results": []})
        assert await lengths(client) == 0


async def test_an_event_goes_to_the_partition_of_its_patient(redis_url: str) -> None:
    """A platform that comes by HTTP need not know how many partitions there are."""
    async with opened(redis_url, partitions=4) as (client, platform):
        patients = [f"patient-{n}" for n in range(8)]
        batch = [event("session.reported", session(1), f"event-{p}", p) for p in patients]
        assert (await send(platform, batch, BATCH)).status_code == 202
        assert len({partition_of(patient, 4) for patient in patients}) > 1
        for number in range(4):
            found = await read(client, Stream.SESSIONS, number)
            assert [one["subject"] for one in found] == [p for p in patients if partition_of(p, 4) == number]


# ---- what is refused ----


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "care.session.reported.v9"}, (422, "unknown_type", "$.type")),
        ({"type": 7}, (422, "invalid_envelope", "$.type")),
        ({"type": "care.program.planned.v1"}, (422, "output_type", "$.type")),
        ({"type": "care.event.rejected.v1"}, (422, "output_type", "$.type")),
        ({"specversion": "0.3"}, (422, "invalid_envelope", "$.specversion")),
        ({"subject": "José"}, (422, "invalid_envelope", "$.subject")),
        ({"subject": "../patient-2"}, (422, "invalid_envelope", "$.subject")),
        ({"subject": "a" * 129}, (422, "invalid_envelope", "$.subject")),
        ({"subject": "\ud800"}, (400, "invalid_json", "$")),
        ({"subject": None}, (422, "invalid_envelope", "$.subject")),
        ({"id": "two words"}, (422, "invalid_envelope", "$.id")),
        ({"id": ""}, (422, "invalid_envelope", "$.id")),
        ({"time": "yesterday"}, (422, "invalid_envelope", "$.time")),
        ({"time": "2026-03-02T09:00:00"}, (422, "invalid_envelope", "$.time")),
        ({"time": "2999-03-02T09:00:00Z"}, (422, "impossible_time", "$.time")),
        ({"data": "words"}, (422, "invalid_data", "$.data")),
        ({"data": session(1, pain_during="2")}, (422, "invalid_data", "$.data.pain_during")),
        (
            {"data": session(1, exercises=[{"exercise_id": "none_such", "sets": []}])},
            (422, "unknown_id", "$.data.exercises[0].exercise_id"),
        ),
    ],
)
async def test_what_the_streams_would_reject_is_refused_with_code_and_path(
    redis_url: str, changes: Json, expected: tuple[int, str, str]
) -> None:
    """The sender learns at once what is wrong and where; nothing of it reaches a stream."""
    async with opened(redis_url) as (client, platform):
        answer = await send(platform, event("session.reported", session(1)) | changes)
        assert problem(answer) == expected
        assert await lengths(client) == 0


async def test_unicode_in_ids_and_text_arrives_as_it_was(redis_url: str) -> None:
    """Ids of other alphabets are ids; binary mode carries them percent-encoded."""
    async with opened(redis_url) as (client, platform):
        told = event("session.reported", session(1, notes="Schmerz läßt nach 👍"), "ereignis-ä-患者")
        assert (await send(platform, told)).json() == {"id": "ereignis-ä-患者"}
        headers, body = binary(told | {"id": "x"})
        headers["ce-id"] = "ereignis-%C3%A4-%E6%82%A3%E8%80%85"
        answer = await platform.post(EVENTS, content=body, headers=headers)
        assert answer.json() == {"id": "ereignis-ä-患者"}
        assert [one["id"] for one in await read(client, Stream.SESSIONS)] == ["ereignis-ä-患者"] * 2


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", STRUCTURED, (400, "invalid_json", "$")),
        (b"{", STRUCTURED, (400, "invalid_json", "$")),
        (b"\xff\xfe", STRUCTURED, (400, "invalid_json", "$")),
        (b'{"type":"\xff"}', STRUCTURED, (400, "invalid_json", "$")),
        (b"[" * 100_000, STRUCTURED, (400, "invalid_json", "$")),
        (b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}", STRUCTURED, (400, "invalid_json", "$")),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, STRUCTURED, (400, "invalid_json", "$")),
        (b"[" * 100_000 + b"]" * 100_000, BATCH, (400, "invalid_json", "$")),
        (b"[]", STRUCTURED, (422, "invalid_envelope", "$")),
        (b"{}", BATCH, (400, "invalid_batch", "$")),
        (b"\x89BIN\r\n\x1a\n\x00\x01\x00\x00\x00\x12\x00\x00\x00\x12{}", STRUCTURED, (400, "invalid_json", "$")),
        (b"{}", "text/plain", (415, "unsupported_media_type", None)),
        (b"{}", "", (415, "unsupported_media_type", None)),
        (b"{}", "application/cloudevents+xml", (415, "unsupported_media_type", None)),
        (b"{}", f"{STRUCTURED}; charset=utf-16", (415, "unsupported_charset", None)),
    ],
)
async def test_what_is_no_event_at_all_is_refused(
    redis_url: str, body: bytes, content_type: str, expected: tuple[int, str, str | None]
) -> None:
    """Garbage of every kind ends in a problem, never in a fault."""
    async with opened(redis_url) as (client, platform):
        assert problem(await send(platform, body, content_type)) == expected
        assert await lengths(client) == 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ce-data": "{}"}, (400, "invalid_header", "$.data")),
        ({"ce-datacontenttype": "text/xml"}, (400, "invalid_header", "$.datacontenttype")),
        ({"ce-sub_ject": "x"}, (400, "invalid_header", "$")),
        ({"ce-id": "%ff%fe"}, (400, "invalid_header", "$.id")),
        ({"ce-id": "a%0d%0aevil"}, (422, "invalid_envelope", "$.id")),
        ({"ce-subject": 'x","type":"care.patient.erased.v1'}, (422, "invalid_envelope", "$.subject")),
        ({"ce-type": "care.load.adjusted.v1"}, (422, "output_type", "$.type")),
        ({"ce-time": "soon"}, (422, "invalid_envelope", "$.time")),
    ],
)
async def test_headers_of_binary_mode_cannot_smuggle_anything_in(
    redis_url: str, headers: dict[str, str], expected: tuple[int, str, str]
) -> None:
    """A header is one attribute, whatever stands in it: it neither adds others nor takes the place of the body."""
    async with opened(redis_url) as (client, platform):
        good, body = binary(event("session.reported", session(1)))
        answer = await platform.post(EVENTS, content=body, headers=good | headers)
        assert problem(answer) == expected
        assert await lengths(client) == 0


async def test_a_body_of_binary_mode_cannot_reach_beyond_its_data(redis_url: str) -> None:
    """The body is one JSON value; what follows it is refused and not read as attributes. No header counts twice."""
    async with opened(redis_url) as (client, platform):
        headers, body = binary(event("session.reported", session(1)))
        smuggled = body + b',"type":"care.patient.erased.v1"'
        assert problem(await platform.post(EVENTS, content=smuggled, headers=headers)) == (400, "invalid_json", "$")
        twice = [*headers.items(), ("ce-subject", "patient-2")]
        answer = await platform.post(EVENTS, content=body, headers=twice)
        assert problem(answer) == (400, "invalid_header", "$.subject")
        assert await lengths(client) == 0


async def test_too_much_is_refused_while_it_is_read(redis_url: str) -> None:
    """A body without a declared length is read up to the limit and no further; nothing of it is taken."""
    async with opened(redis_url) as (client, platform):
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 65536
                yield b" " * 65536

        for content_type, limit in ((STRUCTURED, EVENT_BYTES), (BATCH, BATCH_BYTES)):
            sent = 0
            answer = await platform.post(EVENTS, content=endless(), headers={"Content-Type": content_type})
            assert problem(answer) == (413, "too_large", "$")
            assert sent <= limit + 2 * 65536
        declared = await send(platform, b" " * (EVENT_BYTES + 1))
        assert problem(declared) == (413, "too_large", "$")
        long = [event("session.reported", session(n), f"event-{n}") for n in range(BATCH_EVENTS + 1)]
        assert problem(await send(platform, long, BATCH)) == (413, "batch_too_long", "$")
        large = event("session.reported", session(1), extension="x" * 300_000)
        assert problem(await send(platform, large)) == (413, "too_large", "$")
        assert await lengths(client) == 0


# ---- red flags ----


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"data": session(1, pain_during=99, symptoms=["saddle_anaesthesia"])}, "out_of_range"),
        ({"type": "care.session.told.v1", "data": session(1, symptoms=["saddle_anaesthesia"])}, "unknown_type"),
        ({"time": "2999-01-01T00:00:00Z", "data": session(1, symptoms=["saddle_anaesthesia"])}, "impossible_time"),
        ({"id": "", "data": session(1, symptoms=["saddle_anaesthesia"])}, "invalid_envelope"),
        ({"extension": "x" * 300_000, "data": session(1, symptoms=["saddle_anaesthesia"])}, "too_large"),
    ],
)
async def test_red_flags_of_a_refused_event_act_all_the_same(redis_url: str, changes: Json, code: str) -> None:
    """Strictness loses no emergency: the sender hears what is wrong, a clinician hears of the red flag."""
    async with opened(redis_url, make_progression(settings_for(redis_url))) as (client, platform):
        told = event("session.reported", session(1)) | changes
        answer = await send(platform, told)
        assert problem(answer)[1] == code
        assert answer.json()["red_flags"] == ["saddle_anaesthesia"]
        await until_idle(client, 1, Stream.ESCALATIONS)
        (raised,) = await read(client, Stream.ESCALATIONS)
        assert (raised["subject"], raised["data"]["severity"]) == ("patient-1", "emergency")
        assert (await send(platform, [told], BATCH)).json()["results"][0]["status"] == "refused"
        await until_idle(client, 1, Stream.ESCALATIONS)
        assert len(await read(client, Stream.ESCALATIONS)) == 1 or not told["id"]


async def test_red_flags_of_a_refused_intake_act_all_the_same(redis_url: str) -> None:
    """Also where only the shape says that it was an intake."""
    async with opened(redis_url, make_intake(settings_for(redis_url))) as (client, platform):
        data = intake(sex="unsure", red_flags={"saddle_anaesthesia": "present"})
        told = event("intake.submitted", data) | {"type": "care.intake.sent.v1"}
        assert (await send(platform, told)).json()["red_flags"] == ["saddle_anaesthesia"]
        await until_idle(client, 1, Stream.ESCALATIONS)
        (raised,) = await read(client, Stream.ESCALATIONS)
        assert raised["data"]["severity"] == "emergency"


async def test_a_key_without_the_scope_hands_nothing_on(redis_url: str) -> None:
    """Who may not report sessions cannot raise alarms about a patient by sending them badly formed."""
    async with opened(redis_url, scopes=("care.intake.*",)) as (client, platform):
        told = event("session.reported", session(1, pain_during=99, symptoms=["saddle_anaesthesia"]))
        assert problem(await send(platform, told)) == (403, "wrong_scope", "$.type")
        answer = await send(platform, told | {"type": "care.session.told.v1"})
        assert problem(answer) == (422, "unknown_type", "$.type")
        assert "red_flags" not in answer.json()
        assert await lengths(client) == 0


async def test_what_was_refused_is_what_the_stream_would_have_rejected(redis_url: str) -> None:
    """The door's word and the dead letter's are the same, code and path."""
    async with opened(redis_url) as (client, platform):
        late = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        bad = [
            event("session.reported", session(1, pain_during=12), "bad-1"),
            event("session.reported", session(2, exercises=[{"exercise_id": 5}]), "bad-2"),
            event("session.reported", session(3, started_at=late), "bad-3"),
        ]
        said = [problem(await send(platform, one))[1:] for one in bad]
        for one in bad:
            await client.xadd(stream_key(0, Stream.SESSIONS), {"__data__": json.dumps(one)})
        await until_idle(client, 3, Stream.DEAD_LETTERS)
        letters = [one["data"]["error"] for one in await read(client, Stream.DEAD_LETTERS)]
        assert [(letter["code"], letter["path"]) for letter in letters] == said
