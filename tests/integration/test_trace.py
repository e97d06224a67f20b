"""One trace tells what became of what a patient told, across processes, and never gets in the way."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared import trace_export
from shared.event.wire import Stream
from shared.trace import span_id_of, trace_id_of
from tests.integration.test_exactly_once import SESSION, reported
from tests.integration.test_metric import until, value
from tests.support.collector import Collector, Taken, collector
from tests.support.example import wire
from tests.support.four_services import four_services
from tests.support.http_server import HANG
from tests.support.running import client_for, command, environment_for, publish, running, until_idle, wait_ready
from tests.support.toy import session, toy

PATIENT = "pseudonym-4711"
PLATFORM_SPAN = "00f067aa0ba902b7"
PLATFORM_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def red_flag(event_id: str, patient: str = PATIENT) -> bytes:
    """A session that tells of a red flag, just now, as a platform with traces of its own writes it."""
    now = datetime.now(UTC)
    data = session(event_id, symptoms=["saddle_anaesthesia"], started_at=now.isoformat())
    raw = wire(SESSION, data, event_id=event_id, subject=patient, time=now)
    return raw[:-1] + f', "traceparent": "00-{PLATFORM_TRACE}-{PLATFORM_SPAN}-01"}}'.encode()


def only(spans: list[Taken], service: str, name: str) -> Taken:
    (found,) = (span for span in spans if (span.service, span.name) == (service, name))
    return found


async def test_a_session_with_a_red_flag_is_one_trace_from_the_platform_to_the_alert_over_two_processes(
    redis_url: str, tmp_path: Path
) -> None:
    """Whoever asks why an alert came, or came late, sees the whole way, and no patient."""
    event_id = f"{PATIENT}/session/1"  # platforms put pseudonyms into their ids
    async with collector() as taking, client_for(redis_url) as client:
        environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url, **taking.environment)
        async with (
            command("run", "progression", environment=environment, log=tmp_path / "progression.log") as progression,
            command("run", "notifier", environment=environment, log=tmp_path / "notifier.log") as notifier,
        ):
            await wait_ready(environment, progression, port_offset=3)
            await wait_ready(environment, notifier, port_offset=4)
            await publish(client, Stream.SESSIONS, red_flag(event_id))
            spans = await taking.until(lambda spans: any(s.name == "deliver escalation" for s in spans))
            spans = await taking.until(lambda spans: any(s.name == "due:urgent process" for s in spans))
            for process in (progression, notifier):
                process.terminate()
                assert await process.wait() == 0
        spans = taking.spans
        sent = b"".join(request.body for request in taking.requests)

    assert {span.trace_id for span in spans} == {f"{trace_id_of(event_id):032x}"}
    root = only(spans, "platform", "sessions send")
    decided = only(spans, "progression", "sessions process")
    heard = only(spans, "notifier", "escalations process")
    delivered = only(spans, "notifier", "deliver escalation")
    assert [root.parent_id, decided.parent_id, heard.parent_id, delivered.parent_id] == [
        "",
        root.span_id,
        decided.span_id,
        heard.span_id,
    ]
    assert only(spans, "notifier", "sessions process").parent_id == root.span_id
    assert only(spans, "notifier", "due:urgent process").parent_id == root.span_id
    assert decided.span_id == f"{span_id_of('progression', event_id):016x}"
    assert decided.attributes["care.outcome"] == "waiting", "its program is not known; the red flag acts all the same"
    assert decided.attributes["messaging.destination.name"] == "care:{0}:sessions"
    assert (delivered.attributes["care.channel"], delivered.attributes["care.result"]) == ("log", "sent")
    assert root.links == decided.links == ((PLATFORM_TRACE, PLATFORM_SPAN),)
    assert len({span.span_id for span in spans}) == len(spans)
    assert root.begun_ns <= decided.ended_ns <= heard.ended_ns
    assert delivered.begun_ns <= delivered.ended_ns
    assert PATIENT.encode() not in sent, "an id of the platform has left the house"


async def care(redis_url: str, taking: Collector, raw: bytes, monkeypatch: pytest.MonkeyPatch) -> list[Taken]:
    """Progression handles one event; what it told of it."""
    for name, setting in taking.environment.items():
        monkeypatch.setenv(name, setting)
    taking.requests.clear()
    async with client_for(redis_url) as client, running(four_services(("progression",)), redis_url) as application:
        await publish(client, Stream.SESSIONS, raw, raw)
        await until(application, "care_entries_handled_total", 1, **SESSIONS, outcome="duplicate")
    return taking.spans


SESSIONS = {"service": "progression", "stream": "sessions"}


async def test_what_is_handled_anew_after_a_restart_is_the_same_span(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replayed history, or a second try, does not look like a second patient's; a repeat tells nothing new."""
    raw = red_flag("event-1")
    async with collector() as taking, client_for(redis_url) as client:
        first = await care(redis_url, taking, raw, monkeypatch)
        await client.flushall()
        second = await care(redis_url, taking, raw, monkeypatch)
    told = [[(span.name, span.trace_id, span.span_id, span.parent_id) for span in spans] for spans in (first, second)]
    assert told[0] == told[1]
    assert len(told[0]) == 2


async def test_what_fails_is_an_error_until_it_is_put_aside(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try is seen, and the last one is what the dead letter follows from."""
    async with collector() as taking, client_for(redis_url) as client:
        for name, setting in taking.environment.items():
            monkeypatch.setenv(name, setting)
        async with running([toy()], redis_url, claim_idle_s=0.05, max_deliveries=3) as application:
            await publish(client, Stream.SESSIONS, reported(1, notes="raise"))
            await until(application, "care_dead_letters_total", 1, **SESSIONS, code="handler_failed")
        tries = [span for span in taking.spans if span.name == "sessions process"]
    assert [span.attributes["care.outcome"] for span in tries] == ["failed", "failed", "dead_lettered"]
    assert all(span.is_error for span in tries)
    assert tries[-1].span_id == f"{span_id_of('progression', 'e1'):016x}"
    assert len({span.span_id for span in tries}) == 3


async def test_what_is_no_event_and_traces_that_are_none_are_told_as_far_as_they_go(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer's mistake in the very field that is for tracing rejects nothing and breaks no trace."""
    sound = reported(1)[:-1]
    wrong = [f', "traceparent": {value}}}'.encode() for value in ("17", '"00-0-0-01"', f'"{"x" * 9000}"', "null")]
    async with collector() as taking, client_for(redis_url) as client:
        for name, setting in taking.environment.items():
            monkeypatch.setenv(name, setting)
        async with running([toy()], redis_url) as application:
            repeated = [sound.replace(b"e1", f"w{n}".encode()) + end for n, end in enumerate(wrong)]
            other = [raw.replace(b"session-1", f"session-w{n}".encode()) for n, raw in enumerate(repeated)]
            await publish(client, Stream.SESSIONS, b"garbage", *other)
            await until(application, "care_entries_handled_total", len(wrong), **SESSIONS, outcome="handled")
    assert {span.links for span in taking.spans} == {()}
    told = [span for span in taking.spans if span.name == "sessions process"]
    assert [span.attributes["care.outcome"] for span in told if span.is_error] == ["dead_lettered"]
    assert len(told) == 1 + len(wrong)


@pytest.mark.parametrize("answer", [HANG, b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"])
async def test_a_collector_that_does_not_take_spans_holds_nothing_up(
    answer: bytes, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Care goes on; what is lost of the traces is counted; the process ends when it is told to."""
    monkeypatch.setattr(trace_export, "QUEUE", 10)
    monkeypatch.setattr(trace_export, "BATCH", 5)
    async with collector(answer) as taking, client_for(redis_url) as client:
        for name, setting in taking.environment.items():
            monkeypatch.setenv(name, setting)
        begun = time.monotonic()
        async with running([toy()], redis_url) as application:
            await publish(client, Stream.SESSIONS, *(reported(n) for n in range(100)))
            await until_idle(client, 100)
            samples = await until(application, "care_entries_handled_total", 100, **SESSIONS, outcome="handled")
            lost = [value(samples, "care_spans_total", result=result) or 0 for result in ("failed", "dropped")]
            assert 200 - 10 <= sum(lost) <= 200, "two spans for each session, of which the queue holds ten"
            assert value(samples, "care_spans_total", result="exported") is None
        assert time.monotonic() - begun < 40


async def test_a_share_keeps_whole_traces(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace is kept by all services or by none: half of one tells nothing."""
    async with collector() as taking, client_for(redis_url) as client:
        for name, setting in taking.environment.items():
            monkeypatch.setenv(name, setting)
        services = [toy(), toy("notifier")]
        async with running(services, redis_url, trace_share=0.5) as application:
            await publish(client, Stream.SESSIONS, *(reported(n) for n in range(40)))
            await until(application, "care_entries_handled_total", 40, **SESSIONS, outcome="handled")
            await until(
                application, "care_entries_handled_total", 40, service="notifier", stream="sessions", outcome="handled"
            )
        by_trace: dict[str, list[str]] = {}
        for span in taking.spans:
            by_trace.setdefault(span.trace_id, []).append(span.service)
    assert 5 < len(by_trace) < 35
    assert {tuple(sorted(services)) for services in by_trace.values()} == {("notifier", "platform", "progression")}


async def test_without_a_collector_nothing_is_kept(redis_url: str) -> None:
    """Tracing is off unless somebody names where to."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as application:
        await publish(client, Stream.SESSIONS, reported(1))
        await until_idle(client, 1)
        assert not application.engine.traces.is_on
