"""Acknowledging and sending race for thousands of escalations: one compare-and-set decides each."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from services.notifier.domain.decide import decide
from services.notifier.domain.delivery import DeliveryOutcome
from services.notifier.domain.state import NotifierState
from services.notifier.policy_file import load_policies
from shared.chain import verify
from shared.decision import TimerFired
from shared.event.wire import Stream
from shared.metric import Metrics
from shared.protocol.library import shipped_protocols
from shared.service import Service
from shared.stream.clock import WallClock
from shared.stream.desk import Desk
from shared.stream.key import Lane
from shared.stream.pump import Pump, Runtime
from tests.support.depth import times
from tests.support.example import wire
from tests.support.notifier_case import acknowledge, escalation
from tests.support.running import client_for, publish, settings_for

ESCALATIONS = times(usual=2_000, deep=10_000)
AT_ONCE = 100


class Race:
    """Two workers on the same patients: one tells clinicians, the other hears them answer."""

    def __init__(self, client: Redis, redis_url: str, dice: random.Random) -> None:
        self._client = client
        self._dice = dice
        self.sent: list[str] = []
        service = Service(
            name="notifier",
            summary="",
            reads=(Stream.ESCALATIONS, Stream.DECISIONS),
            writes=(Stream.NOTIFICATIONS, Stream.ESCALATIONS),
            state_type=NotifierState,
            decide=partial(decide, load_policies(None), timedelta(days=14)),
            perform=self._send,
        )
        runtime = Runtime(client, WallClock(), settings_for(redis_url), shipped_protocols(), Metrics())
        sources = (Stream.ESCALATIONS, Stream.DECISIONS, Lane.DUE, Lane.URGENT)
        self._pumps = {source: Pump(runtime, service, 0, source) for source in sources}
        for pump in self._pumps.values():
            pump._try = partial(self._after_a_while, pump._try)  # type: ignore[method-assign]  # who is first is chance

    async def _send(self, state: NotifierState, timer: TimerFired, desk: Desk[NotifierState]) -> DeliveryOutcome:
        self.sent.append(timer.subject)
        return DeliveryOutcome("mail", "sent", "250")

    async def _after_a_while(self, work: Any, *arguments: Any) -> Any:
        for _ in range(self._dice.randrange(12)):
            await asyncio.sleep(0)
        return await work(*arguments)

    async def prepare(self) -> None:
        for pump in self._pumps.values():
            await self._client.xgroup_create(pump.key, "notifier", id="0", mkstream=True)

    async def work(self, source: Stream | Lane, parts: int = 1) -> None:
        """Handles all that is new in one stream, in so many batches at the same time."""
        pump = self._pumps[source]
        answer: Any = await self._client.xreadgroup("notifier", "a", {pump.key: ">"}, count=10_000)
        entries = answer[0][1] if answer else []
        self._dice.shuffle(entries)
        shares = [entries[part::parts] for part in range(parts)]
        await asyncio.gather(
            *(pump.process([one[0] for one in share], [one[1] for one in share]) for share in shares if share)
        )


@pytest.mark.slow
async def test_no_send_is_claimed_after_the_acknowledgement(redis_url: str) -> None:
    """Whoever has answered is not called again, and whoever was called before the answer is on record."""
    dice = random.Random(20260302)  # noqa: S311  # a test's dice
    now = datetime.now(UTC).replace(microsecond=0)
    first = {"claimed": 0, "acknowledged": 0}
    async with client_for(redis_url) as client:
        race = Race(client, redis_url, dice)
        await race.prepare()
        for begin in range(0, ESCALATIONS, AT_ONCE):
            patients = [f"p{n}" for n in range(begin, begin + AT_ONCE)]
            raised = [
                wire("care.escalation.raised.v1", escalation(), event_id=f"r-{p}", subject=p, time=now)
                for p in patients
            ]
            answers = [
                wire(
                    "care.clinician.decided.v1",
                    acknowledge(decision_id=f"d-{p}"),
                    event_id=f"d-{p}",
                    subject=p,
                    time=now + timedelta(seconds=1),
                )
                for p in patients
            ]
            await publish(client, Stream.ESCALATIONS, *raised)
            await publish(client, Stream.DECISIONS, *answers)
            await race.work(Stream.ESCALATIONS)
            await asyncio.gather(race.work(Lane.DUE, parts=5), race.work(Stream.DECISIONS, parts=5))
            for patient in patients:
                rows: Any = await client.xrange(f"care:{{0}}:notifier:ledger:{patient}")
                ledger = [json.loads(fields[b"__data__"]) for _, fields in rows]
                kinds = [entry["kind"] for entry in ledger]
                assert verify(ledger) is None
                assert kinds.count("acknowledged") == 1
                if "claimed" in kinds:
                    assert kinds.index("claimed") < kinds.index("acknowledged")
                    assert kinds.count("claimed") == kinds.count("sent") == 1
                    first["claimed"] += 1
                else:
                    assert "suppressed" in kinds
                    first["acknowledged"] += 1
        assert len(race.sent) == len(set(race.sent)) == first["claimed"]
        assert min(first.values()) > ESCALATIONS / 20, f"hardly a race: {first}"
