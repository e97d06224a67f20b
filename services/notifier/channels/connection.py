"""From a host's name to a connection, without the loop's own threads: there a slow name server would hold up all."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor

LookUp = Callable[[str, int, Executor], Awaitable[Sequence[str]]]
"""Host, port and the threads to wait in; gives IP addresses, the preferred first. Raises OSError."""

MAX_ADDRESSES = 4
"""Of one host, tried one after the other."""


async def look_up(host: str, port: int, threads: Executor) -> Sequence[str]:
    """What the system's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(info[4][0]) for info in found))


async def connect(host: str, port: int, threads: Executor, timeout_s: float) -> socket.socket:
    """A connected socket; each address has its share of the time. Raises OSError."""
    addresses = (await look_up(host, port, threads))[:MAX_ADDRESSES]
    failure: OSError = OSError("no address")
    for address in addresses:
        with contextlib.ExitStack() as stack:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            sock.setblocking(False)
            try:
                async with asyncio.timeout(timeout_s / len(addresses)):
                    await asyncio.get_running_loop().sock_connect(sock, (address, port))
            except OSError as error:
                failure = error
                continue
            stack.pop_all()
            return sock
    raise failure
