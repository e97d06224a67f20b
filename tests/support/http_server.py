"""A real HTTP server on this machine that answers what a test tells it to, or falls silent, or hangs up."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG = b"hang"
HANG_UP = b"hang up"


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Receiver:
    """What arrived, and what is answered: a whole HTTP response, `HANG` or `HANG_UP`."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            line, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in rest)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append(Request(line, headers, body))
            if self.answer == HANG:
                await reader.read()  # until the client goes away
            elif self.answer != HANG_UP:
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_server(
    receiver: Receiver, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A real HTTP server; gives its port."""
    server = await asyncio.start_server(receiver.serve, host, port, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
