"""How a subscription stands, for all replicas together: one incident, one try at a time while it fails.

active    it is delivered to; after a failure the next try waits, twice as long each time
paused    so many tries in a row have failed: an incident; one try now and then, until one succeeds
held      an operator has stopped it, until an operator resumes it
ended     the endpoint has answered 410
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from redis.asyncio import Redis

from shared.stream.key import webhook_standing_key
from shared.stream.script import Script

_TURN, _ANSWER, _STAND = Script("webhook/turn.lua"), Script("webhook/answer.lua"), Script("webhook/stand.lua")

Status = Literal["", "active", "paused", "held", "ended"]
"""Empty: there is no such subscription any more."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """The pauses between tries, by Redis's clock."""

    first_s: float = 1.0
    """After the first failure; then twice as long each time."""
    longest_s: float = 600.0
    failures: int = 8
    """Tries in a row that fail before it is paused: about two minutes."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a try may be made now."""

    status: Status
    round: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """What a try has changed."""

    to: Literal["", "paused", "resumed", "ended"]
    now_ms: int
    ok_ms: int
    """When the endpoint last took something, before this try; 0: never."""
    since: str


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown of it."""

    status: Status
    since: str
    cause: str


class Standing:
    """One subscription's."""

    def __init__(self, client: Redis, subscription: str, tempo: Tempo | None = None) -> None:
        self._client = client
        self._key = webhook_standing_key(subscription)
        self._tempo = tempo or Tempo()

    async def turn(self, busy_s: float) -> Turn:
        """Asks for one try, which takes `busy_s` at most."""
        status, round_, wait_ms = await _TURN(self._client, [self._key], [round(busy_s * 1000)])
        return Turn(status.decode(), round_.decode(), wait_ms / 1000)

    async def answer(
        self,
        outcome: Literal["ok", "failed", "gone"],
        turn: Turn,
        *,
        at: datetime,
        cause: str = "",
        wait_s: float | None = None,
    ) -> Change:
        """Tells what came of it; `wait_s`: what the receiver asked for."""
        tempo = self._tempo
        to, now_ms, ok_ms, since = await _ANSWER(
            self._client,
            [self._key],
            [
                outcome,
                turn.round,
                round((wait_s or 0) * 1000),
                round(tempo.first_s * 1000),
                round(tempo.longest_s * 1000),
                tempo.failures,
                cause,
                at.isoformat(),
            ],
        )
        return Change(to.decode(), int(now_ms), int(ok_ms), since.decode())

    async def look(self) -> Look:
        values: Any = await self._client.hmget(self._key, ["status", "since", "cause"])
        status, since, cause = ("" if value is None else str(value.decode()) for value in values)
        return Look(cast(Status, status), since, cause)

    async def hold(self, at: datetime) -> Status:
        """Until `resume`. Returns how it stood before."""
        return await self._stand("held", at)

    async def resume(self, at: datetime) -> Status:
        """Also one that had ended. Returns how it stood before."""
        return await self._stand("active", at)

    async def _stand(self, status: str, at: datetime) -> Status:
        before: Any = await _STAND(self._client, [self._key], [status, "an operator has paused it", at.isoformat()])
        return before.decode()  # type: ignore[no-any-return]
