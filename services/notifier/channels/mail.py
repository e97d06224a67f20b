"""Plain text mail over SMTP."""

import asyncio
import re
from email.message import EmailMessage
from email.utils import formatdate

import aiosmtplib

from services.notifier.channels.channel import Message, UndeliverableError
from services.notifier.settings import MailServer

TIMEOUT_S = 10.0
"""For each word with the server, and for the whole hand-over with its wait for a free connection."""
CONNECTIONS = 20
"""At the same time: a batch of due messages must not look like an attack."""
_ADDRESS = re.compile(r"^[^@\s<>,;:\"]+@[^@\s<>,;:\"]+$")


class MailChannel:
    """One connection for each message: they are few, and a server that comes back is noticed at once."""

    name = "mail"

    def __init__(self, server: MailServer, sender: str, timeout_s: float = TIMEOUT_S) -> None:
        self._server = server
        self._sender = sender
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def send(self, message: Message, address: str) -> None:
        if not _ADDRESS.match(address):
            raise UndeliverableError("the address is no mail address", permanent=True)
        try:
            async with asyncio.timeout(self._timeout_s), self._free:
                await self._hand_over(self._compose(message, address), address)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # `from None`: the server's words may repeat the address.
            raise _undeliverable(error) from None

    async def _hand_over(self, mail: EmailMessage, address: str) -> None:
        server = self._server
        await aiosmtplib.send(
            mail,
            sender=self._sender,
            recipients=[address],
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            timeout=self._timeout_s,
        )

    def _compose(self, message: Message, address: str) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.text.subject
        mail["From"] = self._sender
        mail["To"] = address
        mail["Date"] = formatdate()
        # The same notification has the same id, so that a repeat after a crash is known as one.
        mail["Message-ID"] = f"<{message.notification_id}@{self._sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        if message.severity in ("emergency", "urgent"):
            mail["Importance"] = "high"
        mail.set_content(message.text.body)
        return mail


def _undeliverable(error: Exception) -> UndeliverableError:
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return UndeliverableError(
                f"the mail server refused the recipient ({first.code})", permanent=first.code >= 500
            )
        case aiosmtplib.SMTPRecipientRefused(code=code):
            return UndeliverableError(f"the mail server refused the recipient ({code})", permanent=code >= 500)
        case aiosmtplib.SMTPDataError(code=code):
            return UndeliverableError(f"the mail server refused the message ({code})", permanent=code >= 500)
        # A wrong password or sender is the operator's to mend: worth another try.
        case aiosmtplib.SMTPAuthenticationError(code=code):
            return UndeliverableError(f"the mail server refused the login ({code})")
        case aiosmtplib.SMTPSenderRefused(code=code):
            return UndeliverableError(f"the mail server refused the sender ({code})")
        case aiosmtplib.SMTPResponseException(code=code):
            return UndeliverableError(f"the mail server answered {code}")
        case TimeoutError():
            return UndeliverableError("the mail server did not answer in time")
        case _:
            return UndeliverableError(f"the mail server cannot be reached ({type(error).__name__})")
