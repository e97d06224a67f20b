"""What "now" is: the wall clock, or in a replay the instant that the replayer wrote."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from redis.asyncio import Redis

from shared.stream.error import ClockBackwardError, ClockError, ClockStoppedError
from shared.stream.key import CLOCK

POLL_S = 0.01


class Clock(Protocol):
    """Gives the instant that decisions are made at."""

    async def now(self) -> datetime: ...

    def stop(self) -> None:
        """Nobody shall wait for the clock any more."""


class WallClock:
    """The machine's clock."""

    async def now(self) -> datetime:
        return datetime.now(UTC)

    def stop(self) -> None:
        pass


class ReplayClock:
    """`care:clock`. While it is unset, `now` waits; raises ClockBackwardError when it goes backward."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._lock = asyncio.Lock()  # reads must be compared in the order in which Redis answered them
        self._stopping = asyncio.Event()
        self._last: datetime | None = None
        self.text = b""
        """The clock as it was last read, to the letter."""

    async def now(self) -> datetime:
        while True:
            async with self._lock:
                raw: Any = await self._client.get(CLOCK)
                if raw is not None:
                    instant = self._advance(_instant(raw))
                    self.text = raw
                    return instant
            try:
                await asyncio.wait_for(self._stopping.wait(), POLL_S)
            except TimeoutError:
                continue
            raise ClockStoppedError("stopped while waiting for care:clock to be set")

    def stop(self) -> None:
        self._stopping.set()

    def _advance(self, instant: datetime) -> datetime:
        if self._last is not None and instant < self._last:
            raise ClockBackwardError(
                f"care:clock went backward, from {self._last.isoformat()} to {instant.isoformat()}"
            )
        self._last = instant
        return instant


def make_clock(kind: Literal["wall", "replay"], client: Redis) -> Clock:
    """The clock that CARE_CLOCK asks for."""
    return ReplayClock(client) if kind == "replay" else WallClock()


def _instant(raw: bytes) -> datetime:
    try:
        instant = datetime.fromisoformat(raw.decode().strip())
    except ValueError:
        raise ClockError("care:clock is no RFC 3339 instant") from None
    if instant.tzinfo is None:
        raise ClockError("care:clock needs an offset")
    return instant.astimezone(UTC)
