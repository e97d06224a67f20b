"""Mail to a real SMTP server: told once, tried again, given up with a reason that names nobody."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from services.notifier.app import make_app
from services.notifier.channels.channel import DeliveryError, Message, PassingError, RefusedError
from services.notifier.channels.mail import MailChannel
from services.notifier.settings import parse_smtp_url
from shared.event.envelope import Event
from shared.event.registry import adapter
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.connection import connect
from shared.stream.history import read_history
from shared.stream.key import stream_key
from tests.support.example import EPOCH, wire
from tests.support.notifier_case import escalation

MESSAGE = Message(
    notification_id="0123456789abcdef",
    about="event-1",
    kind="escalation",
    patient_id="patient-1",
    subject="[urgent] flare: patient patient-1",
    text="Situation: Pain has risen sharply.\n",
    recipient="on_call",
    escalation_id="escalation-1",
    severity="urgent",
)
ADDRESS = "on-call@clinic.example"


@dataclass
class Mailbox:
    """What the server accepted, and what it says to a recipient."""

    answer: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)
    refused: int = 0
    users: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.answer.startswith("250"):
            self.refused += 1
            return f"{self.answer} <{address}>"
        envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, port: int = 0, **options: Any) -> AsyncIterator[int]:
    """A real SMTP server on this machine; gives its port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, enable_SMTPUTF8=True, **options), "127.0.0.1", port
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


def channel(url: str) -> MailChannel:
    return MailChannel(parse_smtp_url(SecretStr(url)), "care@clinic.example", timeout_s=5)


async def test_a_mail_arrives_as_plain_text_with_an_id_that_a_repeat_keeps() -> None:
    """A mail system can tell that a message sent again after a crash is the same."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        for _ in range(2):
            await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == "<0123456789abcdef@clinic.example>"
    assert first["Subject"] == "[urgent] flare: patient patient-1"
    assert first["To"] == ADDRESS
    assert first.get_content_type() == "text/plain"
    assert "Pain has risen sharply." in first.get_content()


@pytest.mark.parametrize(("answer", "permanent"), [("550 no such user", True), ("451 try later", False)])
async def test_a_refusal_is_final_or_not_and_its_reason_names_nobody(answer: str, permanent: bool) -> None:
    """The server repeats the address in its answer; what is published does not."""
    mailbox = Mailbox(answer)
    async with smtp_server(mailbox) as port:
        with pytest.raises(DeliveryError) as refused:
            await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    assert isinstance(refused.value, RefusedError) is permanent
    assert answer[:3] in str(refused.value)
    assert "clinic" not in str(refused.value)


async def test_a_server_that_is_down_is_worth_another_try() -> None:
    """Nobody listens: the message waits."""
    async with smtp_server(Mailbox()) as port:
        pass
    with pytest.raises(DeliveryError) as failed:
        await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    assert isinstance(failed.value, PassingError)


async def test_what_is_no_address_fails_before_any_server_is_asked() -> None:
    """A line break in a contact cannot smuggle in a second recipient."""
    for address in ("nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"):
        with pytest.raises(DeliveryError) as failed:
            await channel("smtp://127.0.0.1:9").send(MESSAGE, address)
        assert isinstance(failed.value, RefusedError)
        assert "example" not in str(failed.value)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for this machine that the client trusts."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2",
             "-keyout", str(key), "-out", str(cert)],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


async def test_starttls_and_login_protect_the_hand_over(certificate: ssl.SSLContext) -> None:
    """The password goes over TLS only; a wrong one is the operator's to mend and is tried again."""
    mailbox = Mailbox()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: object) -> AuthResult:
        assert isinstance(login, LoginPassword)
        mailbox.users.append(login.login.decode())
        return AuthResult(success=login.password == b"p@ss", handled=False)

    options: dict[str, Any] = {
        "tls_context": certificate,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": authenticate,
    }
    async with smtp_server(mailbox, **options) as port:
        await channel(f"smtp+starttls://care:p%40ss@127.0.0.1:{port}").send(MESSAGE, ADDRESS)
        with pytest.raises(DeliveryError) as failed:
            await channel(f"smtp+starttls://care:wrong@127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    assert len(mailbox.mails) == 1
    assert set(mailbox.users) == {"care"}
    assert isinstance(failed.value, PassingError)
    assert "wrong" not in str(failed.value)


async def published(url: str, stream: Stream, count: int) -> list[Event[Any]]:
    """Waits until a stream holds so many events."""
    client = connect(url)
    found: list[Event[Any]] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                await asyncio.sleep(0.05)
                entries = [entry async for entry in read_history(client, 1, [stream])]
                found = [adapter(entry.get("type")).validate_json(entry.raw) for entry in entries]
    finally:
        await client.aclose()
    return found


async def submit(url: str, *events: bytes) -> None:
    client = connect(url)
    for raw in events:
        await client.xadd(stream_key(0, Stream.ESCALATIONS), {"__data__": raw})
    await client.aclose()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Points the notifier at a mail server, with retries after a second."""

    def point(port: int) -> None:
        policies = tmp_path / "clinic.yaml"
        policies.write_text(
            "recipients: {on_call: {mail: on-call@clinic.example}}\n"
            "delivery: {attempts: 20, first_retry_s: 1, longest_retry_s: 1}\n"
        )
        monkeypatch.setenv("CARE_SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
        monkeypatch.setenv("CARE_POLICIES", str(policies))

    return point


def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=url, data_dir=tmp_path / "data")


async def test_an_escalation_reaches_the_clinician_s_mailbox_once(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """From the stream to the mailbox: the whole story, once, though the event is delivered twice."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        environment(port)
        async with make_app(settings(redis_url, tmp_path)).started():
            raised = wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH)
            await submit(redis_url, raised, raised)
            (sent,) = await published(redis_url, Stream.NOTIFICATIONS, 1)
            await asyncio.sleep(0.3)
    (mail,) = mailbox.mails
    body = mail.get_content()
    for words in ("Pain has risen sharply.", "A flare.", "Please look at it today.", "evidence: B", "escalation-1"):
        assert words in body
    assert (sent.type, sent.data.about) == ("care.notification.delivered.v1", "raised-1")
    assert "clinic.example" not in sent.model_dump_json()


async def test_a_mail_server_that_was_down_gets_the_mail_when_it_returns(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """An outage of the mail server delays an alert and loses none."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        pass
    environment(port)
    async with make_app(settings(redis_url, tmp_path)).started():
        await submit(redis_url, wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH))
        await asyncio.sleep(1.5)
        async with smtp_server(mailbox, port):
            (sent,) = await published(redis_url, Stream.NOTIFICATIONS, 1)
    assert len(mailbox.mails) == 1
    assert sent.data.attempts >= 2


async def test_a_refused_recipient_becomes_a_failed_event_without_the_address(
    redis_url: str, environment: Callable[[int], None], tmp_path: Path
) -> None:
    """The platform learns that the clinician was not reached, and nothing that identifies anybody."""
    mailbox = Mailbox("550 no such user")
    async with smtp_server(mailbox) as port:
        environment(port)
        async with make_app(settings(redis_url, tmp_path)).started():
            await submit(redis_url, wire("care.escalation.raised.v1", escalation(), event_id="raised-1", time=EPOCH))
            failed = (await published(redis_url, Stream.NOTIFICATIONS, 1))[0]
    assert failed.type == "care.notification.failed.v1"
    assert failed.data.error == "the mail server refused the recipient (550)"
    assert "clinic.example" not in failed.model_dump_json()
