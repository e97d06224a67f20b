"""Mail over SMTP, one step at a time: where a hand-over broke decides what becomes of the message.

step                   answer, or none                        the message
connect, TLS, login    any failure                            is tried again: the operator's to mend
MAIL                   any refusal                            is tried again: the sender is the operator's, too
RCPT                   4xx, 552 (mailbox full)                is tried again
                       other 5xx                              is refused; the address is dead
                       5xx with enhanced code 5.4 or 5.7      is refused; the address is fine (routing, policy)
DATA, and its content  4xx, 552 (no room)                     is tried again
                       other 5xx, 552 with 5.2.3 or 5.3.4     is refused; the address is fine
                       none, once the content is under way    is uncertain
any step before        no answer in time, connection lost     is tried again
"""

import asyncio
import contextlib
import re
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from enum import Enum, auto
from typing import Any

import aiosmtplib

from services.notifier.channels.channel import (
    DeliveryError,
    Message,
    PassingError,
    Receipt,
    RefusedError,
    UncertainError,
    chart_cid,
)
from services.notifier.channels.connection import connect
from services.notifier.channels.lane import Lanes, Threads
from services.notifier.settings import MailServer

_WIRE = SMTP.clone(cte_type="7bit")
"""Every body is ASCII on the wire, whatever the server can."""
_UNICODE: dict[str, Any] = {"options": ["SMTPUTF8"], "encoding": "utf-8"}
_LINE_WITH_DOT = re.compile(rb"(?m)^\.")
_ADDRESS = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+")
"""Without quotes, comments and numbers in brackets: nobody's mailbox needs them, and much can be hidden in them."""
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_TOO_BIG = ("5.2.3", "5.3.4")
_NOT_THE_ADDRESS = ("5.4.", "5.7.")


class _Step(Enum):
    REACH = auto()
    SENDER = auto()
    RECIPIENT = auto()
    START = auto()
    CONTENT = auto()


class MailChannel:
    """One connection for each message: they are few, and a server that comes back is noticed at once."""

    name = "mail"

    def __init__(self, server: MailServer, sender: str, timeout_s: float) -> None:
        """`timeout_s`: for the whole hand-over, with its wait for a place."""
        self._server = server
        self._sender = sender
        self._timeout_s = timeout_s
        self._tls = None if server.scheme == "smtp" else ssl.create_default_context()
        self._lanes = Lanes()
        self._threads = Threads("mail")

    async def send(self, message: Message, address: str) -> Receipt:
        if not _ADDRESS.fullmatch(address):
            raise RefusedError("the address is no mail address", address_is_dead=True)
        mail = compose(message, self._sender, address)
        hand_over = _HandOver(self._server, self._sender, self._tls)
        try:
            async with asyncio.timeout(self._timeout_s), self._lanes.place(message):
                threads = self._threads.of(message)
                hand_over.sock = await connect(self._server.host, self._server.port, threads, self._timeout_s)
                return await hand_over.run(mail, address)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # `from None`: the server's words may repeat the address.
            raise _judge(hand_over.step, error) from None
        finally:
            hand_over.close()


class _HandOver:
    """One dialogue with the server. `step`: how far it came. `sock`: the connection, once there is one."""

    def __init__(self, server: MailServer, sender: str, tls: ssl.SSLContext | None) -> None:
        self.step = _Step.REACH
        self.sock: socket.socket | None = None
        self._sender = sender
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            username=server.user,
            password=server.password,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            # Else a name server would be asked for it, which may hang.
            local_hostname=_local_hostname(),
            tls_context=tls,
            timeout=None,  # the caller's counts
        )

    async def run(self, mail: EmailMessage, address: str) -> Receipt:
        client = self._client
        await client.connect(sock=self.sock)
        is_ascii = self._sender.isascii() and address.isascii()
        if not is_ascii:
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            if not client.supports_extension("smtputf8"):
                raise RefusedError("the mail server takes no address beyond ASCII", address_is_dead=False)
        self.step = _Step.SENDER
        await client.mail(self._sender, **({} if is_ascii else _UNICODE))
        self.step = _Step.RECIPIENT
        await client.rcpt(address, encoding="ascii" if is_ascii else "utf-8")
        self.step = _Step.START
        started = await client.execute_command(b"DATA")
        if started.code != aiosmtplib.SMTPStatus.start_input:
            raise aiosmtplib.SMTPDataError(started.code, started.message)
        content = mail.as_bytes(policy=_WIRE.clone(utf8=not is_ascii))
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("lost")
        protocol.write(_LINE_WITH_DOT.sub(b"..", content) + b".\r\n")
        self.step = _Step.CONTENT
        taken = await protocol.read_response()
        if taken.code != aiosmtplib.SMTPStatus.completed:
            raise aiosmtplib.SMTPDataError(taken.code, taken.message)
        # The server has it: the answer to QUIT is not worth waiting for.
        with contextlib.suppress(aiosmtplib.SMTPException):
            protocol.write(b"QUIT\r\n")
        return Receipt(str(taken.code))

    def close(self) -> None:
        self._client.close()


def compose(message: Message, sender: str, address: str) -> EmailMessage:
    """The mail of a message. The same message gives the same headers, but for the date."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=_WIRE)
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = address
    mail["Date"] = formatdate()
    # The same notification has the same id, so that a repeat after a crash is known as one.
    mail["Message-ID"] = f"<{message.notification_id}@{domain}>"
    if message.thread_id:
        # No mail has this id: what names the same ancestor stands together all the same.
        mail["In-Reply-To"] = mail["References"] = f"<{message.thread_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.severity in ("emergency", "urgent"):
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
        if message.chart_png is not None:
            (_, page) = mail.iter_parts()
            cid = f"<{chart_cid(message.notification_id)}>"
            page.add_related(message.chart_png, "image", "png", cid=cid, disposition="inline", filename="trend.png")
    return mail


def _judge(step: _Step, error: Exception) -> DeliveryError:
    if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code <= 599:
        return _answered(step, error.code, error.message)
    if step is _Step.CONTENT:
        return UncertainError("the mail server did not say whether it took the message")
    if isinstance(error, TimeoutError):
        return PassingError("the mail server did not answer in time")
    return PassingError(f"the mail server cannot be reached ({type(error).__name__})")


def _answered(step: _Step, code: int, words: str) -> DeliveryError:
    enhanced = found[1] if (found := _ENHANCED.match(words)) else ""
    match step:
        case _Step.REACH if code in (530, 534, 535, 538):
            return PassingError(f"the mail server refused the login ({code})")
        case _Step.REACH:
            return PassingError(f"the mail server answered {code}")
        case _Step.SENDER:
            return PassingError(f"the mail server refused the sender ({code})")
        case _Step.RECIPIENT:
            cause = f"the mail server refused the recipient ({code})"
            if code < 500 or code == 552:
                return PassingError(cause)
            return RefusedError(cause, address_is_dead=not enhanced.startswith(_NOT_THE_ADDRESS))
        case _:
            cause = f"the mail server refused the message ({code})"
            if code < 500 or (code == 552 and enhanced not in _TOO_BIG):
                return PassingError(cause)
            return RefusedError(cause, address_is_dead=False)


def _local_hostname() -> str:
    """As the server is greeted: the full name of this machine where it has one."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
