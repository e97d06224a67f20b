"""Webhooks against a real Redis and real receivers: what arrives, in which order, signed with what, and what not."""

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from services.notifier.webhook.endpoint import PLACES
from shared.event.wire import Stream
from shared.stream.idle import is_idle
from shared.stream.key import stream_key
from shared.stream.webhook.standing import Tempo
from shared.stream.webhook.subscription import new_key
from tests.support.webhook_case import (
    HANG,
    HERE,
    OK,
    QUICK,
    Platform,
    answer,
    http_server,
    output,
    until,
    webhook_case,
)

PLANNED, CLASSIFIED = "care.program.planned.v1", "care.condition.classified.v1"
NUMBERS = itertools.count(1000)
REMINDER, RAISED = "care.reminder.due.v1", "care.escalation.raised.v1"


async def test_every_event_arrives_once_in_order_for_each_patient(redis_url: str) -> None:
    """Over all streams and partitions: what caused something comes before it; the body is the event to the byte."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        platform.keys = list(one.keys)
        kinds = (CLASSIFIED, PLANNED, "care.load.adjusted.v1", RAISED, REMINDER, "care.notification.delivered.v1")
        events = [output(n, f"patient-{n % 7}", kinds[(n // 7) % len(kinds)]) for n in range(420)]
        await case.publish(*events[:300])
        async with case.working():
            await until(lambda: len(platform.taken) >= 100)
            await case.publish(*events[300:])
            await until(lambda: len(platform.taken) >= 420)
            await case.publish(output(420))
            await until(lambda: platform.ids()[-1] == "patient-1-420")
        for patient in range(7):
            expected = [n for n in range(420) if n % 7 == patient] + ([420] if patient == 1 else [])
            assert platform.numbers(f"patient-{patient}") == expected
        assert await case.outcomes(one) == ["delivered"] * 421
        sent = {request.headers["webhook-id"]: request for request in platform.requests}
        assert {request.headers["content-type"] for request in platform.requests} == {"application/cloudevents+json"}
        for stream in (Stream.ADJUSTMENTS, Stream.ESCALATIONS):
            rows: Any = await case.client.xrange(stream_key(0, stream))
            for _, fields in rows:
                raw = fields[b"__data__"]
                assert sent[json.loads(raw)["id"]].body == raw


async def test_what_is_written_in_the_same_millisecond_comes_in_the_order_of_cause(redis_url: str) -> None:
    """A classification and the program that it caused may have the same instant; nothing in between is lost."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        await case.subscribe(port)
        ms = await case.office.now_ms() + 1000

        async def write(entry_id: str, *events: tuple[str, dict[str, Any]]) -> None:
            for kind, event in events:
                stream = {CLASSIFIED: Stream.CLASSIFICATIONS, PLANNED: Stream.PROGRAMS, RAISED: Stream.ESCALATIONS}[
                    kind
                ]
                await case.client.xadd(stream_key(0, stream), {"__data__": json.dumps(event)}, id=entry_id)

        await write(f"{ms}-3", output(1, kind=CLASSIFIED))
        await write(f"{ms}-0", output(2, kind=PLANNED), output(3, kind=RAISED))
        async with case.working():
            await until(lambda: len(platform.taken) == 3)
            # The same millisecond again, in a stream that comes earlier in the order.
            await write(f"{ms}-4", output(4, kind=CLASSIFIED))
            await write(f"{ms}-1", output(5, kind=PLANNED))
            await until(lambda: len(platform.taken) == 5)
        assert platform.numbers("patient-1") == [1, 2, 3, 4, 5]


async def test_a_subscription_gets_what_it_asked_for(redis_url: str) -> None:
    """Types with wildcards, patients by the beginning of their id; rejected events only by their own name."""
    some, rejected, everything = Platform(), Platform(), Platform()
    async with (
        webhook_case(redis_url) as case,
        http_server(some) as a,
        http_server(rejected) as b,
        http_server(everything) as c,
    ):
        await case.subscribe(a, "care.escalation.*", PLANNED, patients="clinic-a.")
        await case.subscribe(b, "care.event.rejected.v1")
        await case.subscribe(c)
        await case.publish(
            output(1, "clinic-a.1", RAISED),
            output(2, "clinic-b.1", RAISED),
            output(3, "clinic-a.1", PLANNED),
            output(4, "clinic-a.1", REMINDER),
            output(5, "clinic-a.1", "care.event.rejected.v1"),
        )
        await case.client.xadd(stream_key(0, Stream.ESCALATIONS), {"__data__": b"\xff no event"})
        await case.client.xadd(stream_key(0, Stream.ESCALATIONS), {"other": "field"})
        await case.publish(output(6, "clinic-a.2", RAISED))
        async with case.working():
            await until(lambda: len(some.taken) == 3 and len(rejected.taken) == 1 and len(everything.taken) == 5)
        assert [event["data"]["number"] for event in some.taken if event["subject"] == "clinic-a.1"] == [1, 3]
        assert rejected.numbers("clinic-a.1") == [5]
        assert sorted(event["data"]["number"] for event in everything.taken) == [1, 2, 3, 4, 6]


async def test_while_keys_change_two_signatures_go_out(redis_url: str) -> None:
    """A receiver may change to the new key at any moment in between; afterwards the old one is worth nothing."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        (old,) = one.keys
        async with case.working():
            await case.publish(output(1))
            await until(lambda: len(platform.taken) == 1)
            rotated = msgspec.structs.replace(one, keys=(new_key(), old))
            await case.office.subscriptions.change(rotated)
            new = rotated.keys[0]
            await _until_signatures(case, platform, 2)
            request = platform.requests[-1]
            for key in (old, new):
                assert Webhook(key).verify(request.body, request.headers)
            await case.office.subscriptions.change(msgspec.structs.replace(rotated, keys=(new,)))
            await _until_signatures(case, platform, 1)
        request = platform.requests[-1]
        assert Webhook(new).verify(request.body, request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(request.body, request.headers)
        assert old not in repr(one)
        assert str(port) not in repr(one)
        assert len(set(platform.ids())) == len(platform.ids())


async def _until_signatures(case: Any, platform: Platform, count: int) -> None:
    async with asyncio.timeout(60):
        while len(platform.requests[-1].headers["webhook-signature"].split()) != count:
            await case.publish(output(next(NUMBERS)))
            await asyncio.sleep(0.1)


async def test_a_dead_endpoint_is_one_incident_and_gets_everything_once_it_is_back(redis_url: str) -> None:
    """One warning, however long it lasts and however many replicas try; then all in order, and one line says so."""
    platform = Platform(judge=lambda event: answer("503 Down"))
    async with webhook_case(redis_url, partitions=2) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        with capture_logs() as logs:
            async with case.working() as outlet, case.working():
                await case.publish(*(output(n, f"patient-{n % 9}") for n in range(100)))
                standing = case.office.standing(one.id)
                await _until_status(standing, "paused")
                tries = len(platform.requests)
                await until(lambda: len(platform.requests) > tries + 5)
                assert platform.most_at_once <= 9
                assert (await standing.look()).cause == "the receiver answered 503"
                assert b'care_webhook_active{subscription="%s"} 0.0' % one.id.encode() in _metrics(outlet)
                platform.judge = lambda event: OK
                await until(lambda: len(platform.taken) == 100)
                await _until_status(standing, "active")
        for patient in range(9):
            assert platform.numbers(f"patient-{patient}") == list(range(patient, 100, 9))
        told = [line["event"] for line in logs if line["event"].startswith("webhook")]
        assert told == ["webhook_paused", "webhook_resumed"]
        assert str(port) not in str(logs)
        assert "whsec_" not in str(logs)
        outcomes = await case.outcomes(one)
        assert outcomes.count("delivered") == 100
        assert outcomes.count("failed") == len(outcomes) - 100 == len(platform.requests) - 100


def _metrics(outlet: Any) -> bytes:
    return bytes(outlet.desk.metrics.text())


async def _until_status(standing: Any, status: str) -> None:
    async with asyncio.timeout(60):
        while (await standing.look()).status != status:  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.01)


async def test_while_an_endpoint_fails_the_system_is_idle_and_other_receivers_are_served(redis_url: str) -> None:
    """Idleness is about what the services have to do; a receiver that hangs holds up nobody but itself."""
    hanging, well = Platform(judge=lambda event: HANG), Platform()
    async with webhook_case(redis_url) as case, http_server(hanging) as a, http_server(well) as b:
        await case.subscribe(a)
        await case.subscribe(b)
        async with case.working():
            await case.publish(*(output(n, f"patient-{n}") for n in range(40)))
            await until(lambda: len(well.taken) == 40, 30)
            assert hanging.requests
            assert await is_idle(case.client, 1)
            await case.publish(output(40, "patient-40"))
            await until(lambda: len(well.taken) == 41)
            assert len(hanging.requests) <= PLACES  # not even the first posts have come to their end
            hanging.judge = lambda event: OK


async def test_gone_ends_the_subscription(redis_url: str) -> None:
    """The receiver wants no more, and gets no more; what was not taken is kept should an operator resume it."""
    platform = Platform(judge=lambda event: answer("410 Gone"))
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        with capture_logs() as logs:
            async with case.working():
                await case.publish(*(output(n) for n in range(5)))
                await _until_status(case.office.standing(one.id), "ended")
                tries = len(platform.requests)
                await case.publish(output(5))
                await asyncio.sleep(1)
                assert len(platform.requests) == tries == 1
                platform.judge = lambda event: OK
                await case.office.standing(one.id).resume(one.created_at)
                await until(lambda: len(platform.taken) == 6)
        assert platform.numbers("patient-1") == [0, 1, 2, 3, 4, 5]
        assert [line["event"] for line in logs if line["event"].startswith("webhook")] == ["webhook_ended"]


async def test_a_receiver_that_asks_for_a_pause_gets_it(redis_url: str) -> None:
    """429 with Retry-After: nobody's event is posted before that."""
    times: list[float] = []

    def judge(event: dict[str, Any]) -> bytes:
        times.append(time.monotonic())
        return answer("429 Slow", "Retry-After: 2") if len(times) == 1 else OK

    platform = Platform(judge=judge)
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        await case.subscribe(port)
        await case.publish(output(1), output(2))
        async with case.working():
            await until(lambda: len(platform.taken) == 2)
        assert times[1] - times[0] >= 1.9
        assert platform.numbers("patient-1") == [1, 2]


async def test_an_operator_s_pause_holds_until_it_is_ended(redis_url: str) -> None:
    """No incident, no try; then everything in order."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        standing = case.office.standing(one.id)
        async with case.working():
            await case.publish(output(1))
            await until(lambda: len(platform.taken) == 1)
            assert await standing.hold(one.created_at) == "active"
            await case.publish(output(2), output(3))
            await asyncio.sleep(1)
            assert platform.numbers("patient-1") == [1]
            await standing.resume(one.created_at)
            await until(lambda: len(platform.taken) == 3)
        assert platform.numbers("patient-1") == [1, 2, 3]


async def test_an_event_that_is_refused_while_others_are_taken_holds_up_its_patient_alone(redis_url: str) -> None:
    """After a day of tries (here a second) it is given up aloud, and the patient's next events follow."""
    platform = Platform(judge=lambda event: answer("422 No") if event["id"] == "patient-1-0" else OK)
    pace = replace(QUICK, give_up_s=0.5, give_up_tries=3)
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        with capture_logs() as logs:
            async with case.working(pace):
                await case.publish(output(0), output(1), *(output(n, "patient-2") for n in range(20)))
                await until(lambda: len(platform.numbers("patient-2")) == 20)
                for n in range(20, 1000):
                    await case.publish(output(n, "patient-2"))
                    if platform.numbers("patient-1"):
                        break
                    await asyncio.sleep(0.05)
        assert platform.numbers("patient-1") == [1]
        assert platform.numbers("patient-2") == sorted(platform.numbers("patient-2"))
        given_up = [line for line in logs if line["event"] == "webhook_given_up"]
        assert [line["event_id"] for line in given_up] == ["patient-1-0"]
        rows = [row async for row in case.office.route(one.id, 0).deliveries() if row.outcome == "given_up"]
        assert [(row.event_id, row.cause) for row in rows] == [("patient-1-0", "the receiver answered 422")]
        assert rows[0].tries > 3


@pytest.mark.slow
async def test_an_emergency_does_not_wait_behind_ten_thousand_reminders(redis_url: str) -> None:
    """It overtakes other patients', never what was published of its own patient before; memory stays bounded."""
    platform = Platform(judge=lambda event: answer("503 Down"))
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        await case.subscribe(port)
        await case.publish(*(output(n, f"patient-{n}", REMINDER) for n in range(5000)))
        await case.publish(output(0, "in-need", CLASSIFIED), output(1, "in-need", REMINDER))
        await case.publish(*(output(n, f"patient-{n}", REMINDER) for n in range(5000, 10_000)))
        await case.publish(output(2, "in-need", RAISED, severity="emergency"), output(3, "in-need", REMINDER))
        async with case.working(replace(QUICK, tempo=Tempo(first_s=0.05, longest_s=5, failures=4))):
            await until(lambda: len(platform.requests) > 3)
            platform.judge = lambda event: OK
            await until(lambda: len(platform.numbers("in-need")) == 3)
            assert platform.numbers("in-need") == [0, 1, 2]
            assert len(platform.taken) < 2000


@pytest.mark.slow
async def test_a_huge_backlog_does_not_fill_the_memory(redis_url: str) -> None:
    """What waits is known up to a bound, without bodies; the rest stays in Redis."""
    platform = Platform(judge=lambda event: answer("503 Down"))
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        await case.subscribe(port)
        for start in range(0, 10_000, 1000):
            await case.publish(*(output(n, f"patient-{n % 500}") for n in range(start, start + 1000)))
        async with case.working(replace(QUICK, read_ahead=2000)) as outlet:
            await until(lambda: outlet._work)
            (work,) = outlet._work.values()
            await until(lambda: work.courier._feeds and work.courier._feeds[0].backlog.size > 1000)
            platform.judge = lambda event: OK
            while len(platform.taken) < 300:  # the receiver tells nobody
                await asyncio.sleep(0.05)
                assert work.courier._feeds[0].backlog.size <= 2000
            assert b"care_webhook_lag_seconds{" in _metrics(outlet)
        for patient in range(500):
            numbers = platform.numbers(f"patient-{patient}")
            assert numbers == list(range(patient, 10_000, 500))[: len(numbers)]


async def test_two_replicas_share_the_partitions_and_send_nothing_twice(redis_url: str) -> None:
    """Also while one comes, and while one goes."""
    platform = Platform()
    async with webhook_case(redis_url, partitions=4) as case, http_server(platform) as port:
        await case.subscribe(port)

        async def publish(start: int) -> None:
            for case.partition in range(4):
                await case.publish(*(output(n, f"patient-{case.partition}-{n % 5}") for n in range(start, start + 100)))

        async with case.working() as first:
            await until(lambda: len(first._work) == 4)
            await publish(0)
            async with case.working() as second:
                await until(lambda: len(first._work) == len(second._work) == 2)
                await publish(100)
                await until(lambda: len(platform.taken) >= 600)
            await publish(200)
            await until(lambda: len(platform.taken) >= 1200)
        assert len(platform.ids()) == 1200
        for partition in range(4):
            for patient in range(5):
                assert platform.numbers(f"patient-{partition}-{patient}") == list(range(patient, 300, 5))


async def test_who_has_lost_the_lease_records_nothing(redis_url: str) -> None:
    """A process that was frozen wakes up: the work is another's by now, and stays so."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        await case.publish(output(1))
        async with case.working() as outlet:
            await until(lambda: len(platform.taken) == 1)
            (work,) = outlet._work.values()
            platform.delay_s = 1.0
            await case.publish(output(2))
            await until(lambda: len(platform.requests) == 2)
            await case.client.set(f"care:{{0}}:webhook:{one.id}:lease", "another", px=3000)
            await until(lambda: work.task.done())
            assert await case.outcomes(one) == ["delivered"]
            await until(lambda: len(platform.taken) == 3)  # its own post, and that of the next holder
        assert platform.ids() == ["patient-1-1", "patient-1-2", "patient-1-2"]


async def test_a_private_endpoint_that_nobody_allowed_is_never_reached(redis_url: str) -> None:
    """Also where it was allowed when it was subscribed: the guard looks at every post."""
    platform = Platform()
    async with webhook_case(redis_url) as case, http_server(platform) as port:
        one = await case.subscribe(port)
        await case.publish(output(1))
        async with case.working(allow=""):
            await _until_status(case.office.standing(one.id), "paused")
        assert not platform.connections
        assert (await case.office.standing(one.id).look()).cause == "the address is not https"
        rotated = msgspec.structs.replace(one, url=f"https://{HERE}:{port}/")
        await case.office.subscriptions.change(rotated)
        await case.office.standing(one.id).resume(one.created_at)
        async with case.working(allow=""):
            await _until_status(case.office.standing(one.id), "paused")
        assert not platform.connections
        assert (await case.office.standing(one.id).look()).cause == "the address leads into a private network"


async def test_what_a_last_look_still_does_is_over_when_the_process_has_stopped(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis clients swallow a cancellation now and then; nobody works a lease after that, or keeps a connection."""
    looking, is_over = asyncio.Event(), asyncio.Event()

    async def look(outlet: Any) -> None:
        looking.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(0.3)
        is_over.set()

    monkeypatch.setattr("services.notifier.webhook.outlet.Outlet._tick", look)
    async with webhook_case(redis_url) as case:
        async with case.working():
            await looking.wait()
        assert is_over.is_set()
