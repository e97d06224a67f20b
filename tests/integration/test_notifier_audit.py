"""The heartbeat beats while all is well, and stops for every way in which somebody could go untold.

One audit each fifth of a second with limits to match: the shipped ones are the same arithmetic three hundred times
slower (tests/unit/test_notifier_watch.py).
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.notifier.app import make_service
from services.notifier.auditor import Auditor, make_attend
from services.notifier.domain.policy import WatchPolicy
from services.notifier.heartbeat import FileHeartbeat
from services.notifier.policy_file import load_policies
from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings
from shared.stream.desk import Desk
from shared.stream.error import StreamError
from shared.stream.key import CLOCK, list_key, stream_key, timers_key
from shared.stream.record import to_ms
from shared.stream.timer import TimerPromoter
from tests.integration.test_exactly_once import reported
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services
from tests.support.notifier_case import escalation
from tests.support.running import client_for, command, environment_for, publish, read, running, settings_for, wait_ready
from tests.support.smtp_server import Mailbox, smtp_server

PERIOD_S = 0.2
LIMIT_S = 1.0
ABSENT_S = 3.0
"""A process speaks each second."""
SLACK_S = 0.7
"""For a machine with other things to do."""
POLICY = WatchPolicy(
    step_overdue_s=LIMIT_S,
    timer_overdue_s=LIMIT_S,
    waiting_s=LIMIT_S,
    urgent_waiting_s=LIMIT_S,
    urgent_streams=(Stream.SESSIONS,),
    absent_s=ABSENT_S,
    clock_off_s=LIMIT_S,
)


class Pulse:
    """What an outside watcher sees: the file that the heartbeat writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "heartbeat"

    @property
    def url(self) -> SecretStr:
        return SecretStr(self.path.as_uri())

    @property
    def last(self) -> datetime | None:
        return datetime.fromisoformat(self.path.read_text().strip()) if self.path.exists() else None

    async def beats(self, times: int = 3) -> None:
        """Returns once so many new signs were given."""
        async with asyncio.timeout(30):
            for _ in range(times):
                before = self.last
                while self.last == before:  # noqa: ASYNC110  # a file tells nobody
                    await asyncio.sleep(0.02)

    async def stops_within(self, seconds: float, fault_at: datetime) -> None:
        """No sign later than so long after the fault, and silence for many periods after that."""
        await asyncio.sleep(seconds + SLACK_S)
        last = self.last
        assert last is not None
        assert (last - fault_at).total_seconds() <= seconds + SLACK_S
        await asyncio.sleep(8 * PERIOD_S)
        assert self.last == last


@pytest.fixture
def pulse(tmp_path: Path) -> Pulse:
    return Pulse(tmp_path)


def watched(pulse: Pulse) -> Service[Any]:
    """The notifier with the auditor of these tests."""
    attend = make_attend(POLICY, pulse.url, period_s=PERIOD_S, answer_within_s=LIMIT_S)
    return replace(make_service(Settings()), attend=attend)


def others(*names: str) -> tuple[Service[Any], ...]:
    return four_services(names or ("intake", "planner", "progression"))


@asynccontextmanager
async def care(redis_url: str, pulse: Pulse, **changes: Any) -> AsyncIterator[Redis]:
    """All four services in this process, the heartbeat beating."""
    async with client_for(redis_url) as client, running([*others(), watched(pulse)], redis_url, **changes):
        await pulse.beats()
        yield client


def now() -> datetime:
    return datetime.now(UTC)


def reasons(logs: Sequence[Any]) -> set[str]:
    """Of every failed audit, without how late a thing was."""
    told = [reason for line in logs if line["event"] == "audit_failed" for reason in line["reasons"]]
    return {" ".join(word for word in reason.split() if word != "s" and not word.isdigit()) for reason in told}


async def test_the_heart_beats_while_all_is_well_and_says_so_once(redis_url: str, pulse: Pulse) -> None:
    """Each audit touches the file; the log has one line, not one for each audit."""
    with capture_logs() as logs:
        async with care(redis_url, pulse):
            begun = now()
            await pulse.beats(10)
            assert (now() - begun).total_seconds() < 10 * PERIOD_S + 2
            assert pulse.last is not None
            assert abs((now() - pulse.last).total_seconds()) < 1
    lines = [line["event"] for line in logs if line["event"].startswith("audit")]
    assert lines[-1] == "audit_passed"
    assert lines.count("audit_passed") == 1


async def test_the_heart_beats_over_every_partition(redis_url: str, pulse: Pulse) -> None:
    """However many there are."""
    async with care(redis_url, pulse, partitions=3):
        await pulse.beats(5)


async def test_open_escalations_and_refused_mails_are_no_fault_of_the_watch(
    redis_url: str, pulse: Pulse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its next step, also one whose every message was given up: the watch has nothing to say about that."""
    mailbox = Mailbox("550 no such user")
    monkeypatch.setenv("CARE_MAIL_FROM", "care@clinic.example")
    async with smtp_server(mailbox) as port:
        monkeypatch.setenv("CARE_SMTP_URL", f"smtp://127.0.0.1:{port}")
        async with care(redis_url, pulse, data_dir=tmp_path / "data") as client:
            for severity in ("emergency", "urgent", "routine"):
                raised = escalation(escalation_id=severity, severity=severity)
                raw = wire("care.escalation.raised.v1", raised, subject=severity, event_id=severity, time=now())
                await publish(client, Stream.ESCALATIONS, raw)
            async with asyncio.timeout(20):
                while len(await read(client, Stream.DEAD_LETTERS)) < 2:  # noqa: ASYNC110  # Redis tells nobody
                    await asyncio.sleep(0.1)
            assert await client.zcard(list_key(0, "notifier", "open")) == 3
            await asyncio.sleep(2 * LIMIT_S)
            await pulse.beats(5)


async def test_a_stopped_promoter_stops_the_heart(
    redis_url: str, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers that nobody lets come due: no reminder, no next step."""

    async def stand_still(self: TimerPromoter, now: datetime) -> bool:
        await asyncio.sleep(3600)
        return False

    with capture_logs() as logs:
        async with care(redis_url, pulse) as client:
            monkeypatch.setattr(TimerPromoter, "promote", stand_still)
            await asyncio.sleep(0.5)
            await client.zadd(timers_key(0, "notifier"), {"patient-1|ladder:escalation-1": to_ms(now())})
            await pulse.stops_within(LIMIT_S, now())
    assert reasons(logs) >= {"timer_overdue notifier"}


async def test_another_service_s_stopped_process_stops_the_heart(redis_url: str, pulse: Pulse, tmp_path: Path) -> None:
    """Its entries wait: a red flag among them is read by nobody. When it goes on, so does the heart."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url)
    with capture_logs() as logs:
        async with (
            client_for(redis_url) as client,
            running([*others("intake", "planner"), watched(pulse)], redis_url),
            command("run", "progression", environment=environment, log=tmp_path / "log") as process,
        ):
            await wait_ready(environment, process, port_offset=3)
            await pulse.beats()
            process.send_signal(signal.SIGSTOP)
            await publish(client, Stream.SESSIONS, reported(1))
            await pulse.stops_within(LIMIT_S, now())
            assert reasons(logs) >= {"entry_waits progression on sessions"}
            process.send_signal(signal.SIGCONT)
            await pulse.beats()


async def test_a_service_that_died_at_rest_stops_the_heart(redis_url: str, pulse: Pulse, tmp_path: Path) -> None:
    """At night no entry waits, yet the next one would be read by nobody."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url)
    with capture_logs() as logs:
        async with (
            running([*others("intake", "progression"), watched(pulse)], redis_url),
            command("run", "planner", environment=environment, log=tmp_path / "log") as process,
        ):
            await wait_ready(environment, process, port_offset=2)
            await pulse.beats()
            process.kill()
            await pulse.stops_within(ABSENT_S + 1, now())
    assert reasons(logs) >= {"service_absent planner"}


async def test_a_reader_that_hangs_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """Its process answers, its subscriber runs, and yet what it read is never handled."""
    with capture_logs() as logs:
        async with (
            client_for(redis_url) as client,
            running([watched(pulse)], redis_url),
            running(others(), redis_url) as application,
        ):
            await pulse.beats()

            async def hang(*_: Any) -> None:
                await asyncio.sleep(2 * LIMIT_S + 8 * PERIOD_S + 2)

            application.engine.process = hang  # type: ignore[assignment, method-assign]  # a handler that never ends
            await publish(client, Stream.SESSIONS, reported(1))
            await pulse.stops_within(LIMIT_S, now())
    assert reasons(logs) >= {"entry_waits progression on sessions"}


async def test_a_dropped_group_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """With the group goes the memory of what was handled."""
    with capture_logs() as logs:
        async with client_for(redis_url) as client, running([watched(pulse)], redis_url):
            with pytest.raises(StreamError):  # noqa: PT012  # the process whose group it was ends, too
                async with running(others(), redis_url):
                    await pulse.beats()
                    await client.xgroup_destroy(stream_key(0, Stream.INTAKES), "intake")
                    await pulse.stops_within(PERIOD_S, now())
    assert reasons(logs) >= {"group_missing intake on intakes"}


async def test_an_open_escalation_whose_step_is_overdue_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """Whatever the reason: somebody should have been told by now."""
    with capture_logs() as logs:
        async with care(redis_url, pulse) as client:
            later = now() + timedelta(hours=1)
            due = now() + timedelta(seconds=1)
            list_ = list_key(0, "notifier", "open")
            await client.zadd(list_, {"patient-1|escalation-1": to_ms(due), "patient-2|escalation-2": to_ms(later)})
            await pulse.beats()
            await pulse.stops_within(1 + LIMIT_S, due - timedelta(seconds=1))
            assert reasons(logs) >= {"step_overdue escalation-1"}
            await client.zrem(list_, "patient-1|escalation-1")
            await pulse.beats()


async def test_a_paused_redis_stops_the_heart_and_its_return_starts_it(redis_url: str, pulse: Pulse) -> None:
    """A Redis that takes commands and answers none."""
    with capture_logs() as logs:
        async with care(redis_url, pulse) as client:
            await client.client_pause(5000)
            await pulse.stops_within(PERIOD_S, now())
            await pulse.beats()
    assert any(reason.startswith("no_answer") for reason in reasons(logs))


async def test_a_replay_s_clock_that_stands_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """Time is what a replayer makes it; when it stops, nothing comes due any more."""
    with capture_logs() as logs:
        async with (
            client_for(redis_url) as client,
            running([*others(), watched(pulse)], redis_url, clock="replay"),
        ):
            instant = EPOCH
            async with asyncio.timeout(30):
                while pulse.last is None or instant < EPOCH + timedelta(days=20):
                    instant += timedelta(days=1)
                    await client.set(CLOCK, instant.isoformat())
                    await asyncio.sleep(PERIOD_S / 4)
            await pulse.stops_within(2 * PERIOD_S, now())
    assert reasons(logs) >= {"clock_stands"}


class FrozenClock:
    """A machine whose clock has stopped."""

    def __init__(self) -> None:
        self.stopped_at: datetime | None = None

    async def now(self) -> datetime:
        return self.stopped_at or datetime.now(UTC)

    def stop(self) -> None:
        pass


async def test_a_frozen_clock_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """Redis's clock goes on, this machine's does not."""
    clock = FrozenClock()
    with capture_logs() as logs:
        async with (
            client_for(redis_url) as client,
            running([*others(), watched(Pulse(pulse.path.parent / "x"))], redis_url),
        ):
            desk: Desk[Any] = Desk(client, clock, settings_for(redis_url), make_service(Settings()))
            task = asyncio.create_task(Auditor(desk, POLICY, FileHeartbeat(pulse.path), period_s=PERIOD_S).attend())
            await pulse.beats()
            clock.stopped_at = now()
            await pulse.stops_within(LIMIT_S, clock.stopped_at)
            clock.stopped_at = None
            await pulse.beats()
            task.cancel()
    assert reasons(logs) >= {"clock_off"}


async def test_an_auditor_that_is_broken_itself_stops_the_heart(redis_url: str, pulse: Pulse) -> None:
    """A fault of its own is a failed audit, not a quiet end."""
    async with client_for(redis_url) as client:
        await client.set(list_key(0, "notifier", "open"), "no sorted set")
        desk: Desk[Any] = Desk(client, FrozenClock(), settings_for(redis_url), make_service(Settings()))
        with capture_logs() as logs:
            complaints = await Auditor(desk, POLICY, FileHeartbeat(pulse.path)).audit()
    assert [complaint.kind for complaint in complaints] == ["audit_broken"]
    assert reasons(logs) == {"audit_broken ResponseError"}
    assert pulse.last is None


async def test_an_audit_costs_the_same_with_ten_open_escalations_and_with_five_thousand(
    redis_url: str, pulse: Pulse
) -> None:
    """It looks at the first of a list, never through it."""

    async def cost(client: Redis, auditor: Auditor) -> dict[str, int]:
        await client.config_resetstat()
        await auditor.audit()
        stats: Any = await client.info("commandstats")
        return {
            name: row["calls"]
            for name, row in stats.items()
            if name not in ("cmdstat_info", "cmdstat_config|resetstat")
        }

    async with client_for(redis_url) as client:
        async with running([*others(), watched(pulse)], redis_url):
            await pulse.beats(1)
        desk: Desk[Any] = Desk(client, FrozenClock(), settings_for(redis_url), make_service(Settings()))
        auditor = Auditor(desk, load_policies(None).watch, None)
        await auditor.audit()
        costs = []
        for size in (10, 5000):
            members = {f"patient-{n}|escalation-{n}": to_ms(now() + timedelta(hours=1, seconds=n)) for n in range(size)}
            await client.zadd(list_key(0, "notifier", "open"), members)
            costs.append(await cost(client, auditor))
    assert costs[0] == costs[1]
    assert "cmdstat_scan" not in costs[0]
    assert "cmdstat_zrange" in costs[0]
    assert sum(costs[0].values()) < 150
