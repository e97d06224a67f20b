"""A real SMTP server on this machine that says what a test tells it to, or falls silent, or hangs up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

HANG = "hang"
"""No answer, for as long as the client waits."""
HANG_UP = "hang up"
"""No answer, and the connection is gone."""


@dataclass
class Mailbox:
    """What the server accepted, and what it answers at each step: an SMTP answer, `HANG` or `HANG_UP`."""

    answer: str = "250 OK"
    """To RCPT. A refusal repeats the address, as real servers do."""
    sender_answer: str = "250 OK"
    """To MAIL."""
    start_answer: str = ""
    """To DATA; empty: the server asks for the content."""
    content_answer: str = "250 OK"
    """To the content."""
    quit_answer: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    """Also those whose content was not accepted."""
    raw: list[bytes] = field(default_factory=list)
    refused: int = 0
    waiting: int = 0
    """Clients that the server keeps waiting."""
    users: list[str] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_answer.startswith("250"):
            envelope.mail_from = address
        return await self.say(server, f"{self.sender_answer} <{address}>")

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            return self.answer
        self.refused += 1
        return await self.say(server, f"{self.answer} <{address}>")

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.raw.append(envelope.content)
        self.mails.append(mail)
        return await self.say(server, self.content_answer)

    async def full(self, clients: int) -> None:
        """Returns once so many clients wait."""
        while self.waiting < clients:
            self._moved.clear()
            await self._moved.wait()

    async def say(self, server: SMTP, answer: str) -> str:
        if answer.startswith(HANG_UP):
            assert server.transport is not None
            server.transport.close()
            return "421 gone"
        if answer.startswith(HANG):
            self.waiting += 1
            self._moved.set()
            try:
                await asyncio.sleep(3600)
            finally:
                self.waiting -= 1
        return answer


class _Server(SMTP):
    """Also answers DATA and QUIT as the mailbox says."""

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        if self.event_handler.start_answer:
            await self.push(await self.event_handler.say(self, self.event_handler.start_answer))
            return
        await super().smtp_DATA(arg)

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        if self.event_handler.quit_answer:
            await self.event_handler.say(self, self.event_handler.quit_answer)
        await super().smtp_QUIT(arg)


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, port: int = 0, **options: Any) -> AsyncIterator[int]:
    """A real SMTP server on this machine; gives its port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: _Server(mailbox, enable_SMTPUTF8=options.pop("enable_SMTPUTF8", True), **options), "127.0.0.1", port
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
