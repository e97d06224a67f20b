"""The mail channel against a real SMTP server: what each answer, and each silence, makes of a message."""

import asyncio
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from services.notifier.channels.channel import (
    DeliveryError,
    Message,
    PassingError,
    Receipt,
    RefusedError,
    UncertainError,
    chart_cid,
)
from services.notifier.channels.lane import CONNECTIONS
from services.notifier.channels.mail import MailChannel
from services.notifier.settings import parse_smtp_url
from tests.support.certificate import trusted_server
from tests.support.smtp_server import HANG, HANG_UP, Mailbox, smtp_server

MESSAGE = Message(
    notification_id="0123456789abcdef",
    about="event-1",
    kind="escalation",
    subject="[urgent] An alert needs your answer",
    text="Please answer — until 11:00.\n.\n..and not later\n",
    thread_id="fedcba9876543210",
    recipient="on_call",
    escalation_id="escalation-1",
    severity="urgent",
)
ADDRESS = "on-call@clinic.example"


def channel(url: str, timeout_s: float = 5.0) -> MailChannel:
    return MailChannel(parse_smtp_url(SecretStr(url)), "care@clinic.example", timeout_s)


def scripted(**answers: Any) -> Mailbox:
    return Mailbox(**answers)


async def failure(mailbox: Mailbox, timeout_s: float = 5.0) -> DeliveryError:
    """What sending fails with."""
    async with smtp_server(mailbox) as port:
        with pytest.raises(DeliveryError) as failed:
            await channel(f"smtp://127.0.0.1:{port}", timeout_s).send(MESSAGE, ADDRESS)
    assert "clinic" not in failed.value.cause
    return failed.value


async def test_a_mail_arrives_with_an_id_that_a_repeat_keeps() -> None:
    """A mail system can tell that a message sent again after a crash is the same."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        for _ in range(2):
            assert await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS) == Receipt("250")
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == "<0123456789abcdef@clinic.example>"
    assert first["Subject"] == "[urgent] An alert needs your answer"
    assert first["To"] == ADDRESS
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Importance"] == "high"
    assert first.get_content_type() == "text/plain"


async def test_repeats_stand_together_in_a_mailbox() -> None:
    """Every message about an escalation names the same ancestor; a reminder names none."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        mail = channel(f"smtp://127.0.0.1:{port}")
        for notification_id in ("first", "second"):
            await mail.send(replace(MESSAGE, notification_id=notification_id), ADDRESS)
        await mail.send(replace(MESSAGE, thread_id="", severity=""), ADDRESS)
    first, second, reminder = mailbox.mails
    assert first["References"] == second["References"] == second["In-Reply-To"] == "<fedcba9876543210@clinic.example>"
    assert first["Message-ID"] != second["Message-ID"]
    assert reminder["References"] is None
    assert reminder["Importance"] is None


async def test_every_byte_on_the_wire_is_ascii_and_dots_survive() -> None:
    """A line that is a single dot would end the mail too early."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        await channel(f"smtp://127.0.0.1:{port}").send(replace(MESSAGE, html="<p>Bitte – jetzt</p>"), ADDRESS)
    assert mailbox.raw[0].isascii()
    body = mailbox.mails[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == MESSAGE.text.splitlines()


async def test_a_chart_travels_with_the_page_that_shows_it() -> None:
    """Text for those who read text; HTML with its picture inside, and nothing to load from elsewhere."""
    cid = chart_cid(MESSAGE.notification_id)
    page = f'<html><body><img src="cid:{cid}" alt="Pain by week"></body></html>'
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        message = replace(MESSAGE, html=page, chart_png=b"\x89PNG...")
        await channel(f"smtp://127.0.0.1:{port}").send(message, ADDRESS)
    (mail,) = mailbox.mails
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    *_, html, image = mail.walk()
    assert image["Content-ID"] == f"<{cid}>"
    assert image.get_content_disposition() == "inline"
    assert image.get_payload(decode=True) == b"\x89PNG..."
    assert f'src="cid:{cid}"' in str(html.get_payload(decode=True))


@pytest.mark.parametrize("answer", ["421 closing", "450 busy", "451 try later", "452 4.2.2 full", "552 5.2.2 full"])
async def test_a_recipient_who_may_be_reached_later_is_tried_again(answer: str) -> None:
    """Greylisting and full mailboxes pass."""
    assert type(await failure(Mailbox(answer))) is PassingError


@pytest.mark.parametrize("answer", ["550 no such user", "551 moved", "553 no mailbox", "554 no", "550 5.1.1 unknown"])
async def test_a_recipient_who_does_not_exist_is_dead(answer: str) -> None:
    """The code is told; the address, which the server repeats, is not."""
    failed = await failure(Mailbox(answer))
    assert isinstance(failed, RefusedError)
    assert failed.address_is_dead
    assert failed.cause == f"the mail server refused the recipient ({answer[:3]})"


@pytest.mark.parametrize("answer", ["550 5.7.1 relaying denied", "554 5.7.1 blocked", "550 5.4.1 no route"])
async def test_a_server_that_refuses_us_does_not_kill_the_recipient_s_address(answer: str) -> None:
    """Else one block list would disable every clinician at once."""
    failed = await failure(Mailbox(answer))
    assert isinstance(failed, RefusedError)
    assert not failed.address_is_dead


@pytest.mark.parametrize("answer", ["451 try later", "550 not from you", "530 authenticate", "552 too much"])
async def test_a_refused_sender_is_the_operator_s_to_mend(answer: str) -> None:
    """The message waits."""
    failed = await failure(Mailbox(sender_answer=answer))
    assert type(failed) is PassingError
    assert failed.cause == f"the mail server refused the sender ({answer[:3]})"


@pytest.mark.parametrize("step", ["start_answer", "content_answer"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("421 closing", PassingError),
        ("451 try later", PassingError),
        ("552 5.2.2 mailbox full", PassingError),
        ("552 5.3.4 too big", RefusedError),
        ("550 spam", RefusedError),
        ("554 5.6.0 no", RefusedError),
    ],
)
async def test_a_refused_message_says_nothing_against_the_address(
    step: str, answer: str, kind: type[DeliveryError]
) -> None:
    """The next message to the same person is tried."""
    failed = await failure(scripted(**{step: answer}))
    assert type(failed) is kind
    assert not getattr(failed, "address_is_dead", False)


@pytest.mark.parametrize("silence", [HANG, HANG_UP])
@pytest.mark.parametrize("step", ["sender_answer", "answer", "start_answer"])
async def test_silence_before_the_content_is_no_delivery(step: str, silence: str) -> None:
    """Nothing of the message has left the house: it is sent again, also to a patient."""
    assert type(await failure(scripted(**{step: silence}), timeout_s=0.4)) is PassingError


@pytest.mark.parametrize("answer", [HANG, HANG_UP, "gibberish", "999 what"])
async def test_silence_after_the_content_is_uncertain(answer: str) -> None:
    """The server may have taken the message: nobody knows, and the ledger says so."""
    mailbox = Mailbox(content_answer=answer)
    assert type(await failure(mailbox, timeout_s=0.6)) is UncertainError
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("quit_answer", [HANG, HANG_UP])
async def test_bad_manners_at_the_goodbye_change_nothing(quit_answer: str) -> None:
    """The receipt is there, and nobody waits for more."""
    started = time.monotonic()
    async with smtp_server(Mailbox(quit_answer=quit_answer)) as port:
        assert await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS) == Receipt("250")
    assert time.monotonic() - started < 4


async def test_a_server_that_accepts_and_says_nothing_is_worth_another_try() -> None:
    """No greeting in time."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PassingError, match="did not answer in time"):
            await channel(f"smtp://127.0.0.1:{port}", timeout_s=0.3).send(MESSAGE, ADDRESS)
        await closed.wait()


async def test_a_server_that_is_down_is_worth_another_try() -> None:
    """Nobody listens, or nobody knows the name: the message waits."""
    async with smtp_server(Mailbox()) as port:
        pass
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(PassingError, match=r"cannot be reached|in time"):
            await channel(f"smtp://{host}:{port}").send(MESSAGE, ADDRESS)


async def test_what_is_no_address_fails_before_any_server_is_asked() -> None:
    """A line break in a contact cannot smuggle in a second recipient."""
    for address in ("nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "a@b.example\n"):
        with pytest.raises(RefusedError) as failed:
            await channel("smtp://127.0.0.1:9").send(MESSAGE, address)
        assert failed.value.address_is_dead
        assert "example" not in failed.value.cause


@pytest.mark.parametrize("is_able", [True, False])
async def test_an_address_beyond_ascii_needs_a_server_that_takes_it(is_able: bool) -> None:
    """Else it is refused; the address itself is all right."""
    mailbox = Mailbox()
    async with smtp_server(mailbox, enable_SMTPUTF8=is_able) as port:
        mail = channel(f"smtp://127.0.0.1:{port}")
        if is_able:
            assert (await mail.send(MESSAGE, "jörg@clinic.example")).code == "250"
            assert mailbox.mails[0]["To"] == "jörg@clinic.example"
        else:
            with pytest.raises(RefusedError) as failed:
                await mail.send(MESSAGE, "jörg@clinic.example")
            assert not failed.value.address_is_dead


async def test_an_emergency_waits_behind_no_hanging_reminder() -> None:
    """Every ordinary connection hangs; the emergency has its own, and is gone within a second."""
    reminder = replace(MESSAGE, kind="session", recipient="", escalation_id="", severity="", thread_id="")
    hanging, working = Mailbox(HANG), Mailbox()
    async with smtp_server(hanging) as port:
        mail = channel(f"smtp://127.0.0.1:{port}", timeout_s=8)
        waiting = [asyncio.create_task(mail.send(reminder, "patient@mail.example")) for _ in range(2 * CONNECTIONS)]
        await hanging.full(CONNECTIONS)
        hanging.answer = working.answer
        started = time.monotonic()
        await mail.send(replace(MESSAGE, severity="emergency"), ADDRESS)
        assert time.monotonic() - started < 2
        assert hanging.waiting == CONNECTIONS
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    return trusted_server(tmp_path, monkeypatch)


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
        with pytest.raises(PassingError, match="refused the login") as failed:
            await channel(f"smtp+starttls://care:wrong@127.0.0.1:{port}").send(MESSAGE, ADDRESS)
        assert "wrong" not in failed.value.cause
        with pytest.raises(PassingError):
            await channel(f"smtp://127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    assert len(mailbox.mails) == 1
    assert set(mailbox.users) == {"care"}


async def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No message and no password reach a server that may be anybody's."""
    monkeypatch.delenv("SSL_CERT_FILE")
    mailbox = Mailbox()
    async with smtp_server(mailbox, tls_context=certificate) as port:
        with pytest.raises(PassingError, match="cannot be reached"):
            await channel(f"smtp+starttls://care:p%40ss@127.0.0.1:{port}").send(MESSAGE, ADDRESS)
    assert not mailbox.mails
