"""The client over HTTP, against a real server that speaks the API's interface."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.responses import PlainTextResponse, Response

from shared.client import (
    AsyncCareClient,
    CareClient,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnauthorisedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnsupportedError,
    new_event,
)
from shared.client.http_transport import BATCH_BYTES, BATCH_EVENTS
from shared.event.adjustment import GoalReached
from shared.event.session import PerformedExercise, PerformedSet
from tests.support.client_case import intake, session
from tests.support.four_services import four_services_pipeline
from tests.support.http_api import KEY, READ_ONLY, HttpApi, http_api
from tests.support.http_server import HANG_UP, Receiver, http_server


@pytest.fixture
def api() -> Iterator[HttpApi]:
    with http_api() as found:
        yield found


def client(api: HttpApi, key: str | None = KEY, patience_s: float = 10.0) -> AsyncCareClient:
    return AsyncCareClient(api.url, api_key=key, patience_s=patience_s)


def busy(status: int, **headers: str) -> Response:
    return PlainTextResponse("busy", status, {name.replace("_", "-"): value for name, value in headers.items()})


async def test_one_event_is_sent_as_it_is_and_its_id_comes_back(api: HttpApi) -> None:
    """Structured CloudEvents, with the platform's own id and correlation."""
    async with client(api) as care:
        assert await care.submit(session(), patient="patient-1", id="own-id", correlation_id="visit") == "own-id"
        assert await care.submit(intake(), patient="patient-1") in api.events
    assert api.events["own-id"].correlationid == "visit"
    assert [content_type for content_type, _ in api.bodies] == ["application/cloudevents+json"] * 2


async def test_a_large_batch_goes_in_pieces_that_the_api_takes(api: HttpApi) -> None:
    """By number and by size; each event once, in order."""
    events = [new_event(session(f"s-{n}"), patient=f"p-{n}", id=f"id-{n}") for n in range(2 * BATCH_EVENTS + 1)]
    one_set = PerformedSet(reps=10, load_kg=12.5, rpe=7, pain=2)
    exercises = (PerformedExercise(exercise_id="hip_thrust", sets=(one_set,) * 40),) * 50
    heavy = [new_event(session(f"h-{n}", exercises=exercises), patient="p", id=f"heavy-{n}") for n in range(60)]
    async with client(api) as care:
        ids = await care.submit_all([*events, *heavy])
        assert await care.submit_all([]) == []
    assert ids == list(api.events) == [event.id for event in (*events, *heavy)]
    batches = [json.loads(body) for kind, body in api.bodies if kind == "application/cloudevents-batch+json"]
    assert max(len(batch) for batch in batches) == BATCH_EVENTS
    assert BATCH_BYTES / 2 < max(len(body) for _, body in api.bodies) <= BATCH_BYTES


async def test_what_the_system_refuses_of_a_batch_is_told_with_what_it_took(api: HttpApi) -> None:
    """By place in the whole call, with code, path and message."""
    api.refused_patients = {"p-1", f"p-{BATCH_EVENTS}"}
    events = [new_event(session(f"s-{n}"), patient=f"p-{n}", id=f"id-{n}") for n in range(BATCH_EVENTS + 1)]
    async with client(api) as care:
        with pytest.raises(RefusedError) as refused:
            await care.submit_all(events)
        assert [(one.index, one.event_id) for one in refused.value.refusals] == [
            (1, "id-1"),
            (BATCH_EVENTS, f"id-{BATCH_EVENTS}"),
        ]
        assert {(one.code, one.path) for one in refused.value.refusals} == {("unknown_program", "$.data.program_id")}
        assert len(refused.value.accepted) == BATCH_EVENTS - 1
        with pytest.raises(RefusedError, match="there is no such program"):
            await care.submit(session(), patient="p-1")
        with pytest.raises(RefusedError) as none:
            await care.submit_all([events[1], events[1]])
        assert none.value.accepted == ()


async def test_a_wrong_mistake_never_leaves(api: HttpApi) -> None:
    """The same check as over Redis."""
    async with client(api) as care:
        with pytest.raises(RefusedError) as refused:
            await care.submit(session().model_copy(update={"pain_during": 99}), patient="patient-1")
    assert refused.value.refusals[0].path == "$.data.pain_during"
    assert api.requests == []


async def test_a_key_that_is_missing_wrong_or_too_weak_is_told(api: HttpApi) -> None:
    """At once, and never with the key in the message."""
    for key, status in ((None, "401"), ("care_wrong", "401"), (READ_ONLY, "403")):
        async with client(api, key) as care:
            with pytest.raises(UnauthorisedError, match=status) as refused:
                await care.submit(session(), patient="patient-1")
            assert "care_" not in f"{refused.value!r} {refused.value.__cause__!r}"
    assert len(api.bodies) == 3
    async with client(api, f"{KEY}\n") as care:
        await care.submit(session(), patient="patient-1")
    with pytest.raises(ValueError, match="no API key"):
        client(api, "care_ä")


async def test_a_busy_api_is_tried_again_when_it_says(api: HttpApi) -> None:
    """An outage of a moment is not the caller's business; the event has its id throughout."""
    api.next_answers = [busy(503), busy(502), busy(429, retry_after="1")]
    begun = time.monotonic()
    async with client(api, patience_s=60) as care:
        await care.submit(session(), patient="patient-1", id="steady")
    assert time.monotonic() - begun >= 1
    assert [status for _, _, status in api.requests] == [503, 502, 429, 202]
    assert {json.loads(body)["id"] for _, body in api.bodies} == {"steady"}


async def test_a_limit_longer_than_the_patience_is_the_callers_to_wait_for(api: HttpApi) -> None:
    """With the seconds that the API asks for."""
    api.next_answers = [busy(429, retry_after="30")]
    async with client(api) as care:
        with pytest.raises(RateLimitedError) as limited:
            await care.submit(session(), patient="patient-1")
        assert limited.value.retry_after_s == 30
        api.next_answers = [busy(503, retry_after="30")]
        with pytest.raises(UnavailableError) as away:
            await care.submit(session(), patient="patient-1")
        assert away.value.retry_after_s == 30


async def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    """The connection breaks after the event was sent: the same event goes out again, until the patience ends."""
    receiver = Receiver(HANG_UP)
    async with http_server(receiver) as port, AsyncCareClient(f"http://127.0.0.1:{port}", patience_s=0.5) as care:
        with pytest.raises(UnavailableError):
            await care.submit(session(), patient="patient-1", id="same")
    assert len(receiver.requests) > 1
    assert {json.loads(request.body)["id"] for request in receiver.requests} == {"same"}


async def test_what_is_not_the_api_is_told_as_such(api: HttpApi) -> None:
    """A proxy's login page, a redirect or a path that leads nowhere is no success."""
    async with client(api) as care:
        for status in (200, 302, 404, 418):
            api.next_answers = [PlainTextResponse("<html>", status, {"location": "/login"})]
            with pytest.raises(UnexpectedAnswerError, match=str(status)):
                await care.submit(session(), patient="patient-1")
        api.next_answers = [PlainTextResponse("<html>")]
        with pytest.raises(UnexpectedAnswerError):
            await care.program("patient-1")
        two = [new_event(session(name), patient="patient-1") for name in ("a", "b")]
        for body in ('{"results": []}', '{"results": [{"index": 0}]}', '[{"a": 1}]', '{"results": 7}', "{"):
            api.next_answers = [PlainTextResponse(body, 202)]
            with pytest.raises(UnexpectedAnswerError):
                await care.submit_all(two)


async def test_views_are_fetched_once_and_then_only_when_they_changed(api: HttpApi) -> None:
    """An ETag spares the body; what the caller does to the answer stays with the caller."""
    api.views["patient-1/state"] = {"week": 1, "holds": [1]}
    async with client(api, READ_ONLY) as care:
        first = await care.state("patient-1")
        first["holds"].append(2)
        assert await care.state("patient-1") == {"week": 1, "holds": [1]}
        api.views["patient-1/state"] = {"week": 2}
        assert await care.state("patient-1") == {"week": 2}
        assert [status for _, _, status in api.requests] == [200, 304, 200]
        del api.views["patient-1/state"]
        with pytest.raises(NotFoundError):
            await care.state("patient-1")
        with pytest.raises(RefusedError):
            await care.state("../../admin")
    assert len(api.requests) == 4


async def test_every_view_has_a_name(api: HttpApi) -> None:
    """Typed where an event has that form, else as JSON; with `await`, and without."""
    now = datetime.now(UTC)
    world = four_services_pipeline(now)
    world.submit(new_event(intake(), patient="patient-1", time=now).model_dump_json().encode())
    (classified,) = world.published("classifications")
    (planned,) = world.published("programs")
    names = ["prescription", "state", "timeline", "escalations"]
    api.views = {f"patient-1/{name}": {"view": name} for name in names}
    api.views["patient-1/classification"] = json.loads(classified.data.model_dump_json())
    api.views["patient-1/program"] = json.loads(planned.data.model_dump_json()) | {"new_field": 1}
    async with client(api) as care:
        for name in names:
            assert await getattr(care, name)("patient-1") == {"view": name}
        assert await care.classification("patient-1") == classified.data
        assert await care.program("patient-1") == planned.data
        await care.timeline("patient-1", after="page&2")
        api.views["patient-1/program"] = {"version": "new"}
        with pytest.raises(UnexpectedAnswerError, match="program"):
            await care.program("patient-1")

    def use() -> None:
        with CareClient(api.url, api_key=KEY) as care:
            for name in names:
                assert getattr(care, name)("patient-1") == {"view": name}
            assert care.classification("patient-1").primary == "gluteal_tendinopathy"
            assert care.submit(session(), patient="patient-1") in api.events

    await asyncio.to_thread(use)
    assert "after=page%262" in api.queries


async def test_what_only_redis_can_do_is_told(api: HttpApi) -> None:
    """Events are not read over HTTP; the message says what else there is."""
    async with client(api) as care:
        with pytest.raises(UnsupportedError, match="webhooks"):
            care.events(GoalReached)
        with pytest.raises(UnsupportedError):
            await care.newest()
