"""The webhook channel against a real HTTP server: signatures, answers, silences, and doors that stay shut."""

import asyncio
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.notifier.channels.channel import (
    DeliveryError,
    Message,
    PassingError,
    Receipt,
    RefusedError,
    UncertainError,
)
from services.notifier.channels.connection import look_up
from services.notifier.channels.guard import parse_allowed
from services.notifier.channels.lane import CONNECTIONS
from services.notifier.channels.post import MAX_RETRY_AFTER_S, retry_after_s
from services.notifier.channels.webhook import WebhookChannel
from tests.support.certificate import trusted_server
from tests.support.http_server import HANG, HANG_UP, Receiver, http_server

NEW, OLD, OTHER = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"n", b"o", b"x"))
MESSAGE = Message(
    notification_id="0123456789abcdef",
    about="event-1",
    kind="escalation",
    subject="not for machines",
    text="not for machines",
    data={"type": "escalation.alert", "data": {"escalation_id": "escalation-1", "severity": "urgent"}},
    recipient="on_call",
    escalation_id="escalation-1",
    severity="urgent",
    patient_id="patient-1",
)
HERE = "127.0.0.1"


def channel(*keys: str, allow: str = HERE, timeout_s: float = 5.0) -> WebhookChannel:
    return WebhookChannel(keys or (NEW,), parse_allowed(allow), timeout_s)


def answered(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()


async def failure(answer: bytes, timeout_s: float = 5.0) -> DeliveryError:
    receiver = Receiver(answer)
    async with http_server(receiver) as port:
        with pytest.raises(DeliveryError) as failed:
            await channel(timeout_s=timeout_s).send(MESSAGE, f"http://{HERE}:{port}/hook?token=secret")
    assert HERE not in failed.value.cause
    assert "secret" not in failed.value.cause
    assert len(receiver.requests) == 1
    return failed.value


async def test_a_webhook_carries_its_id_a_small_body_and_a_signature() -> None:
    """The receiver checks it with the specification's own library; the patient is not in it."""
    receiver = Receiver()
    async with http_server(receiver) as port:
        assert await channel().send(MESSAGE, f"http://{HERE}:{port}/hook?a=1") == Receipt("204")
    (request,) = receiver.requests
    assert request.line == "POST /hook?a=1 HTTP/1.1"
    assert request.headers["webhook-id"] == "0123456789abcdef"
    assert request.headers["content-type"] == "application/json"
    assert Webhook(NEW).verify(request.body, request.headers) == MESSAGE.data
    assert b"patient-1" not in request.body
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(request.body, request.headers)


async def test_while_a_key_is_changed_both_keys_are_good() -> None:
    """A receiver that has not heard of the new key yet, and one that has forgotten the old one, both accept."""
    receiver = Receiver()
    async with http_server(receiver) as port:
        await channel(NEW, OLD).send(MESSAGE, f"http://{HERE}:{port}/")
    (request,) = receiver.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for key in (NEW, OLD):
        assert Webhook(key).verify(request.body, request.headers) == json.loads(request.body)


async def test_a_repeat_has_the_same_id_and_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver knows a repeat by its id; the time is that of the sending, whatever zone this machine is in."""
    receiver = Receiver()
    with monkeypatch.context() as tokyo:
        tokyo.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        async with http_server(receiver) as port:
            for _ in range(2):
                await channel().send(MESSAGE, f"http://{HERE}:{port}/")
    time.tzset()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert Webhook(NEW).verify(second.body, second.headers) == MESSAGE.data
    assert abs(int(second.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize("status", ["408 Timeout", "425 Too Early", "429 Slow", "500 Oops", "502 Bad", "503 Busy"])
async def test_a_receiver_in_trouble_is_tried_again(status: str) -> None:
    """When it does not say when, the policy does."""
    failed = await failure(answered(status))
    assert isinstance(failed, PassingError)
    assert failed.retry_after_s is None


async def test_a_receiver_says_when_to_come_back() -> None:
    """In seconds or by the clock; never later than an hour."""
    failed = await failure(answered("429 Slow down", "Retry-After: 17"))
    assert isinstance(failed, PassingError)
    assert failed.retry_after_s == 17
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    failed = await failure(answered("503 Busy", f"Retry-After: {in_a_minute}"))
    assert isinstance(failed, PassingError)
    assert failed.retry_after_s == pytest.approx(60, abs=5)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", 0.0),
        ("86400", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("9" * 5000, None),
        ("Mon, 02 Mar 2026 09:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
        ("Mon, 02 Mar 2026 10:00:30 -0000", MAX_RETRY_AFTER_S),
        ("Mon, 99 Mar 2026 09:00:30 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_within_an_hour(value: str | None, wait_s: float | None) -> None:
    """What a stranger's server says cannot put an alert off for ever."""
    assert retry_after_s(value, datetime(2026, 3, 2, 9, tzinfo=UTC)) == wait_s


async def test_a_receiver_that_is_gone_is_dead() -> None:
    """410, as the specification says: nothing more is sent there."""
    failed = await failure(answered("410 Gone"))
    assert isinstance(failed, RefusedError)
    assert failed.address_is_dead


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "403 No", "404 Not Found", "413 Big", "422 What"])
async def test_a_receiver_that_does_not_want_the_message_keeps_its_address(status: str) -> None:
    """A receiver that is being installed answers 404 for a while; the next channel is tried meanwhile."""
    failed = await failure(answered(status))
    assert isinstance(failed, RefusedError)
    assert not failed.address_is_dead


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    """Else a stranger's server could send us to a machine of the clinic."""
    inner = Receiver()
    async with http_server(inner) as port:
        failed = await failure(answered(status, f"Location: http://{HERE}:{port}/"))
    assert isinstance(failed, RefusedError)
    assert not inner.requests


@pytest.mark.parametrize("answer", [HANG, HANG_UP, b"HTTP/1.1 2", b"what?\r\n\r\n"])
async def test_silence_after_the_request_is_uncertain(answer: bytes) -> None:
    """The receiver may have taken it: nobody knows, and the ledger says so."""
    assert type(await failure(answer, timeout_s=0.6)) is UncertainError


async def test_an_answer_without_end_is_not_read() -> None:
    """The status is enough."""
    receiver = Receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 100_000)
    started = time.monotonic()
    async with http_server(receiver) as port:
        assert await channel().send(MESSAGE, f"http://{HERE}:{port}/") == Receipt("200")
    assert time.monotonic() - started < 4


async def test_a_receiver_that_is_down_is_worth_another_try() -> None:
    """Nobody listens, or nobody knows the name."""
    async with http_server(Receiver()) as port:
        pass
    for url in (f"http://{HERE}:{port}/", "https://no-such-host.invalid/"):
        with pytest.raises(PassingError) as failed:
            await channel().send(MESSAGE, url)
        assert "invalid" not in failed.value.cause


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://hook.example/", "https://", "https://user:pass@hook.example/", "https://[::1", ""]
)
async def test_what_is_no_url_is_refused_for_good(url: str) -> None:
    """An operator's typing error is told at once."""
    with pytest.raises(RefusedError) as failed:
        await channel().send(MESSAGE, url)
    assert failed.value.address_is_dead


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0", "[::]"],  # noqa: S104
)
async def test_this_machine_is_not_reached_unless_allowed(host: str) -> None:
    """In none of the ways in which it can be written."""
    receiver = Receiver()
    async with http_server(receiver) as port:
        for scheme in ("http", "https"):
            with pytest.raises(RefusedError) as failed:
                await channel(allow="").send(MESSAGE, f"{scheme}://{host}:{port}/")
            assert not failed.value.address_is_dead
    assert receiver.connections == 0


async def test_plain_http_is_not_used_unless_allowed() -> None:
    """Who listens on the way could read and replay it."""
    with pytest.raises(RefusedError, match="not https"):
        await WebhookChannel((NEW,), parse_allowed(""), 5, public).send(MESSAGE, "http://hook.example/")


async def public(host: str, port: int, threads: Executor) -> Sequence[str]:
    return ["93.184.215.14"]


async def test_a_name_that_changes_its_mind_reaches_only_what_was_checked() -> None:
    """A name server says a good address to the guard and would say a bad one to the connection (DNS rebinding)."""
    asked: list[str] = []

    async def rebinding(host: str, port: int, threads: Executor) -> Sequence[str]:
        asked.append(host)
        return [HERE] if len(asked) == 1 else ["127.0.0.2"]

    good, bad = Receiver(), Receiver()
    hooks = WebhookChannel((NEW,), parse_allowed("127.0.0.1/32"), 5, rebinding)
    async with http_server(good) as port, http_server(bad, "127.0.0.2", port):
        await hooks.send(MESSAGE, f"http://hook.example:{port}/")
        assert asked == ["hook.example"]
        assert good.requests[0].headers["host"] == f"hook.example:{port}"
        with pytest.raises(RefusedError):
            await hooks.send(MESSAGE, f"http://hook.example:{port}/")
    assert bad.connections == 0


async def test_a_name_with_one_bad_address_among_good_ones_is_refused() -> None:
    """Which of them is taken must not depend on luck."""

    async def mixed(host: str, port: int, threads: Executor) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.7"]

    with pytest.raises(RefusedError, match="private network"):
        await WebhookChannel((NEW,), parse_allowed(""), 5, mixed).send(MESSAGE, "https://hook.example/")


async def test_a_dead_address_of_a_host_gives_way_to_a_living_one() -> None:
    """A host with a broken second address family is reached by the first."""

    async def two(host: str, port: int, threads: Executor) -> Sequence[str]:
        return ["127.0.0.3", HERE]

    receiver = Receiver()
    async with http_server(receiver) as port:
        hooks = WebhookChannel((NEW,), parse_allowed("127.0.0.0/8"), 5, two)
        assert await hooks.send(MESSAGE, f"http://hook.example:{port}/") == Receipt("204")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    return trusted_server(tmp_path, monkeypatch, "hook.example")


async def here(host: str, port: int, threads: Executor) -> Sequence[str]:
    return [HERE]


async def test_over_tls_the_name_is_proved_though_the_number_is_called(certificate: ssl.SSLContext) -> None:
    """The certificate must be the host's; any other name is not talked to."""
    receiver = Receiver()
    hooks = WebhookChannel((NEW,), parse_allowed(HERE), 5, here)
    async with http_server(receiver, tls=certificate) as port:
        assert await hooks.send(MESSAGE, f"https://hook.example:{port}/") == Receipt("204")
        with pytest.raises(PassingError, match="cannot be reached"):
            await hooks.send(MESSAGE, f"https://other.example:{port}/")
    (request,) = receiver.requests
    assert request.headers["host"] == f"hook.example:{port}"


async def test_a_name_beyond_ascii_is_looked_up_as_it_is_called() -> None:
    """One spelling for the guard, the connection and the certificate."""
    asked: list[str] = []

    async def listening(host: str, port: int, threads: Executor) -> Sequence[str]:
        asked.append(host)
        return [HERE]

    receiver = Receiver()
    async with http_server(receiver) as port:
        hooks = WebhookChannel((NEW,), parse_allowed(HERE), 5, listening)
        await hooks.send(MESSAGE, f"http://straße.example:{port}/")
    assert asked == ["xn--strae-oqa.example"]
    assert receiver.requests[0].headers["host"] == f"xn--strae-oqa.example:{port}"


async def test_no_proxy_of_the_environment_sees_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look the name up itself, behind the guard's back."""
    proxy, receiver = Receiver(), Receiver()
    async with http_server(proxy) as proxy_port, http_server(receiver) as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://{HERE}:{proxy_port}")
        await channel().send(MESSAGE, f"http://{HERE}:{port}/")
    assert proxy.connections == 0
    assert len(receiver.requests) == 1


async def test_no_log_line_holds_an_address(caplog: pytest.LogCaptureFixture) -> None:
    """A URL with a token in it is a secret."""
    caplog.set_level("DEBUG")
    async with http_server(Receiver()) as port:
        await channel().send(MESSAGE, f"http://{HERE}:{port}/hook?token=secret")
    assert "secret" not in caplog.text


async def test_an_emergency_waits_behind_no_hanging_webhook() -> None:
    """Neither for a connection nor for a slow name server."""
    released = asyncio.Event()
    started = time.monotonic()
    held = 0

    async def slow(host: str, port: int, threads: Executor) -> Sequence[str]:
        nonlocal held
        if host == "slow.example":
            held += 1
            await asyncio.get_running_loop().run_in_executor(threads, time.sleep, 1.5)
            released.set()
        return await look_up(HERE, port, threads)

    receiver = Receiver()
    hooks = WebhookChannel((NEW,), parse_allowed(HERE), 5, slow)
    async with http_server(receiver) as port:
        url = f"http://slow.example:{port}/"
        waiting = [asyncio.create_task(hooks.send(MESSAGE, url)) for _ in range(2 * CONNECTIONS)]
        await asyncio.sleep(0.1)
        assert held == CONNECTIONS
        emergency = replace(MESSAGE, severity="emergency")
        assert await hooks.send(emergency, f"http://quick.example:{port}/") == Receipt("204")
        assert not released.is_set()
        assert time.monotonic() - started < 1.5
        assert len(await asyncio.gather(*waiting)) == 2 * CONNECTIONS
