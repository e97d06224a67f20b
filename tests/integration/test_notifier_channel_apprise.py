"""Apprise itself, to a real HTTP server by its `json://`: little is sent, and nothing secret is logged."""

import asyncio
import json
from dataclasses import replace

import pytest

from services.notifier.channels.channel import Message, PassingError, Receipt, RefusedError, UncertainError
from tests.support.http_server import HANG, Receiver, http_server

pytest.importorskip("apprise", reason="the extra `apprise` is not installed")
from services.notifier.channels.apprise_channel import AppriseChannel

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise's own, until Python 3.13

MESSAGE = Message(
    notification_id="0123456789abcdef",
    about="event-1",
    kind="escalation",
    subject="[emergency] An alert needs your answer",
    text="The long text of a mail.",
    short="Alert escalation-1: https://care.clinic.example/escalation?id=escalation-1",
    recipient="on_call",
    escalation_id="escalation-1",
    severity="emergency",
    patient_id="patient-1",
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_a_push_holds_severity_id_and_link_only() -> None:
    """What stands on a locked screen names nobody."""
    receiver = Receiver(OK)
    async with http_server(receiver) as port:
        assert await AppriseChannel(8).send(MESSAGE, f"json://127.0.0.1:{port}/") == Receipt("taken")
    (request,) = receiver.requests
    sent = json.loads(request.body)
    assert sent["title"] == MESSAGE.subject
    assert sent["message"] == MESSAGE.short
    assert sent["type"] == "failure"
    assert b"patient-1" not in request.body
    assert b"long text" not in request.body


async def test_a_service_that_refuses_is_tried_again_without_a_word_of_its_address(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Apprise's own log lines would hold the address, so there are none."""
    caplog.set_level("DEBUG")
    receiver = Receiver(OK.replace(b"200 OK", b"500 Oops"))
    async with http_server(receiver) as port:
        with pytest.raises(PassingError) as failed:
            await AppriseChannel(8).send(MESSAGE, f"json://user:topsecret@127.0.0.1:{port}/hidden")
    printed = "".join(capfd.readouterr())
    for text in (failed.value.cause, caplog.text, printed):
        assert "127.0.0.1" not in text
        assert "hidden" not in text
        assert "topsecret" not in text


async def test_a_service_that_is_silent_is_uncertain() -> None:
    """The thread may yet hand the message over."""
    receiver = Receiver(HANG)
    async with http_server(receiver) as port:
        with pytest.raises(UncertainError):
            await AppriseChannel(0.5).send(MESSAGE, f"json://127.0.0.1:{port}/?rto=1&cto=1")
        await asyncio.sleep(0.8)  # its thread gives up, too


@pytest.mark.parametrize("address", ["", "nonsense", "on-call@clinic.example", "json://a.example, json://b.example"])
async def test_what_is_not_one_apprise_url_is_refused_for_good(address: str) -> None:
    """An operator's typing error is told at once."""
    with pytest.raises(RefusedError) as failed:
        await AppriseChannel(5).send(MESSAGE, address)
    assert failed.value.address_is_dead


async def test_a_patient_s_contact_is_no_apprise_url() -> None:
    """What others wrote must not reach machines of the clinic, and a reminder must not be sent twice."""
    receiver = Receiver(OK)
    async with http_server(receiver) as port:
        with pytest.raises(RefusedError, match="recipients of the policy"):
            await AppriseChannel(5).send(replace(MESSAGE, recipient=""), f"json://127.0.0.1:{port}/")
    assert receiver.connections == 0
