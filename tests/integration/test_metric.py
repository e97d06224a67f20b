"""What an operator reads at /metrics is what happened, costs Redis little, and names no patient."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isnan

import redis
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from shared.decision import Decision, Incoming
from shared.embedded import EmbeddedServer
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.stream.key import list_key, state_key, timers_key
from shared.stream.presence import announce
from shared.stream.record import to_ms
from shared.stream.server import CareApplication
from tests.integration.test_exactly_once import reported
from tests.support.example import wire
from tests.support.four_services import four_services
from tests.support.notifier_case import acknowledge, escalation
from tests.support.running import client_for, publish, read, running, until_idle
from tests.support.toy import Count, count, toy

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(application: CareApplication, max_age_s: float = 0) -> Samples:
    """All samples, as Prometheus would parse them; by itself of what Redis says right now."""
    await application.engine.measure(max_age_s)
    families = text_string_to_metric_families(application.engine.metrics.text().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def until(application: CareApplication, name: str, wanted: float, **labels: str) -> Samples:
    """Scrapes until one sample has the value."""
    async with asyncio.timeout(60):
        while value(samples := await scrape(application), name, **labels) != wanted:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)
    return samples


async def test_outcomes_errors_and_repeats_are_counted_and_no_sample_names_a_patient(redis_url: str) -> None:
    """Handled, put aside and why, tried again; the rule that nobody knows is `other`."""
    async with client_for(redis_url) as client, running([toy()], redis_url, claim_idle_s=0.05) as application:
        await publish(
            client,
            Stream.SESSIONS,
            reported(1, patient="pseudonym-4711"),
            b"garbage",
            reported(2, patient="pseudonym-4711", notes="raise"),
        )
        own = {"service": "progression", "stream": "sessions"}
        samples = await until(application, "care_dead_letters_total", 1, **own, code="handler_failed")
        assert value(samples, "care_entries_handled_total", **own, outcome="handled") == 1
        assert value(samples, "care_entries_handled_total", **own, outcome="dead_lettered") == 2
        assert value(samples, "care_dead_letters_total", **own, code="invalid_json") == 1
        assert value(samples, "care_entries_redelivered_total", **own) == 4
        assert value(samples, "care_rules_fired_total", service="progression", rule="other") == 1
        assert (value(samples, "care_entry_age_seconds_count", **own) or 0) >= 5
        assert (value(samples, "care_handling_seconds_count", **own) or 0) >= 5
        assert (value(samples, "care_commit_seconds_count", service="progression") or 0) >= 5
        assert (value(samples, "care_state_bytes_sum", service="progression") or 0) > 0
        assert "pseudonym-4711" not in application.engine.metrics.text().decode()


async def test_the_end_to_end_age_begins_when_the_platform_wrote_the_entry(redis_url: str) -> None:
    """What waited while the service was down is told as it was for the patient, not for the process."""
    async with client_for(redis_url) as client:
        await publish(client, Stream.SESSIONS, reported(1))
        written = time.time()
        await asyncio.sleep(1.0)
        async with running([toy()], redis_url) as application:
            await until_idle(client, 1)
            samples = await scrape(application)
            took_s = time.time() - written
        own = {"service": "progression", "stream": "sessions"}
        assert 1.0 <= (value(samples, "care_entry_age_seconds_sum", **own) or 0) <= took_s + 0.1
        assert (value(samples, "care_handling_seconds_sum", **own) or 9) < 1.0 + took_s


async def test_what_nobody_handles_is_seen_with_its_age(redis_url: str) -> None:
    """A consumer that took an entry and died leaves it pending; the age says since when."""

    async def stuck(client: Redis) -> None:
        await publish(client, Stream.SESSIONS, reported(1))
        await client.xgroup_create("care:{0}:sessions", "progression", id="0", mkstream=True)
        await client.xreadgroup("progression", "dead-0", {"care:{0}:sessions": ">"}, count=1)

    async with client_for(redis_url) as client:
        await stuck(client)
        await asyncio.sleep(0.2)
        async with running([toy()], redis_url, claim_idle_s=3600) as application:
            samples = await scrape(application)
            own = {"service": "progression", "stream": "sessions"}
            assert value(samples, "care_pending_entries", **own) == 1
            assert value(samples, "care_lag_entries", **own) == 0
            assert 0.2 <= (value(samples, "care_oldest_pending_seconds", **own) or 0) < 60
            assert value(samples, "care_oldest_waiting_seconds", **own) == value(
                samples, "care_oldest_pending_seconds", **own
            )
            assert value(samples, "care_oldest_pending_seconds", service="progression", stream="patients") == 0


async def test_timers_and_the_server_are_measured(redis_url: str) -> None:
    """Timers that nobody promotes are overdue; the memory, its limit and the persistence are Redis's own words."""
    async with client_for(redis_url) as client, running([toy()], redis_url) as application:
        await application.engine.stop()  # nobody promotes any more
        await announce(client, ["progression"])
        now_ms = to_ms(datetime.now(UTC))
        await client.zadd(timers_key(0, "progression"), {"p|a": now_ms - 5000, "p|b": now_ms + 10**7})
        samples = await scrape(application)
        assert value(samples, "care_timers", service="progression") == 2
        assert value(samples, "care_timers_due", service="progression") == 1
        assert 5 <= (value(samples, "care_timer_overdue_seconds", service="progression") or 0) < 60
        assert value(samples, "care_redis_up") == 1
        assert (value(samples, "care_redis_memory_used_bytes") or 0) > 100_000
        assert value(samples, "care_redis_memory_max_bytes") == float(
            (await client.config_get("maxmemory"))["maxmemory"] or 0
        )
        policy = (await client.config_get("maxmemory-policy"))["maxmemory-policy"]
        assert value(samples, "care_redis_noeviction") == (policy == "noeviction")
        assert (value(samples, "care_service_absent_seconds", service="progression") or 0) < 60
        assert value(samples, "care_service_absent_seconds", service="planner") == float("inf")


async def test_a_scrape_looks_at_no_patient_and_two_in_haste_are_one(redis_url: str) -> None:
    """The cost does not grow with the number of patients: no key is searched, no record read."""
    async with client_for(redis_url) as client, running(four_services(), redis_url, clock="replay") as application:
        for patient in range(500):
            await client.set(state_key(0, "notifier", f"patient-{patient}"), b"1:{}")
        await client.config_resetstat()
        await scrape(application)
        first: dict[str, object] = await client.info("commandstats")
        await scrape(application, max_age_s=60)
        second: dict[str, object] = await client.info("commandstats")
        assert "cmdstat_scan" not in first
        assert "cmdstat_keys" not in first
        assert _calls(first, "xinfo") > 0
        # The watchdog asks for each group as well; the scripts are the gauges' own.
        assert _calls(second, "zcount") == _calls(first, "zcount") > 0


async def test_a_redis_that_is_gone_is_told_and_nothing_old_is_shown_as_new(
    private_server: Callable[[], EmbeddedServer],
) -> None:
    """The process still answers; gauges that nobody could read are left out."""
    server = private_server()
    async with running([toy()], server.url) as application:
        before = await scrape(application)
        assert value(before, "care_redis_up") == 1
        server.stop()
        after = await scrape(application)
        assert value(after, "care_redis_up") == 0
        assert not [name for name, _ in after if name in ("care_lag_entries", "care_timers")]
        assert isnan(value(after, "care_redis_append_only") or 0), "no alert that Redis may lose data comes of it"
        server.start()


async def test_an_escalation_is_measured_from_its_cause_to_its_first_message_and_until_it_is_answered(
    redis_url: str,
) -> None:
    """How fast a red flag is told, what is open, how old and unanswered it is."""
    red_flag = wire(
        "care.escalation.raised.v1",
        escalation(severity="emergency", reason="red_flag", holds_program=True),
        event_id="raised",
        time=datetime.now(UTC),
    )
    open_now = {"severity": "emergency", "age": "0s"}
    async with client_for(redis_url) as client, running(four_services(("notifier",)), redis_url) as application:
        await publish(client, Stream.ESCALATIONS, red_flag)
        samples = await until(application, "care_alert_seconds_count", 1, severity="emergency")
        samples = await until(application, "care_oldest_untold_seconds", 0, severity="emergency")
        assert value(samples, "care_delivery_attempts_total", channel="log", role="clinician", result="sent") == 1
        assert value(samples, "care_open_escalations", answered="no", **open_now) == 1
        assert value(samples, "care_open_escalations", answered="no", severity="emergency", age="1h") == 0
        assert (value(samples, "care_oldest_unanswered_seconds", severity="emergency") or 0) > 0
        answer = acknowledge(decision_id="d-1")
        now = datetime.now(UTC) + timedelta(seconds=1)
        await publish(
            client, Stream.DECISIONS, wire("care.clinician.decided.v1", answer, event_id="answered", time=now)
        )
        samples = await until(application, "care_open_escalations", 1, answered="yes", **open_now)
        assert value(samples, "care_open_escalations", answered="no", **open_now) == 0
        assert value(samples, "care_oldest_unanswered_seconds", severity="emergency") == 0
        # One that has been open for two hours stands in its bucket.
        await client.zadd(
            list_key(0, "notifier", "unanswered:urgent"),
            {"p|e": to_ms(datetime.now(UTC)) - 2 * 3600 * 1000},
        )
        samples = await scrape(application)
        assert value(samples, "care_open_escalations", severity="urgent", answered="no", age="1h") == 1
        assert value(samples, "care_oldest_unanswered_seconds", severity="urgent") >= 7200  # type: ignore[operator]  # it is there
        assert value(samples, "care_notifications_total", channel="log", role="clinician", result="delivered") == 1
        assert len(await read(client, Stream.NOTIFICATIONS)) == 1


async def test_who_loses_the_race_for_a_record_is_counted(redis_url: str) -> None:
    """Conflicts tell when several consumers work on one patient."""
    raced: list[str] = []

    async with client_for(redis_url) as client:

        def decide(state: Count | None, event: Incoming, protocols: Protocols, now: datetime) -> Decision[Count]:
            if not raced:
                raced.append("")
                _overtake(redis_url)
            return count(state, event, protocols, now)

        async with running([toy(decide=decide)], redis_url) as application:
            await publish(client, Stream.SESSIONS, reported(1))
            await until_idle(client, 1)
            samples = await scrape(application)
        assert value(samples, "care_commit_conflicts_total", service="progression") == 1


def _overtake(redis_url: str) -> None:
    """Another consumer commits between this one's read and its commit."""
    with redis.Redis.from_url(redis_url) as other:
        other.set(state_key(0, "progression", "patient-1"), b'9:{"state":null,"timers":{}}')


def _calls(statistic: dict[str, object], command: str) -> int:
    found = statistic.get(f"cmdstat_{command}|groups") or statistic.get(f"cmdstat_{command}")
    return int(found["calls"]) if isinstance(found, dict) else 0
