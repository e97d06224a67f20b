"""Each service does its work with its own Redis user and no more, and so does everybody who deals with them."""

import json
import math
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.client import CareClient
from shared.event.classification import ConditionClassified
from shared.event.patient import PatientUpdated
from shared.event.program import ProgramPlanned
from shared.stream.retention import trim
from tests.support.black_box import SERVICES, http, intake
from tests.support.deployed_care import WAIT_S, Care, Platform, deployed_care, until
from tests.support.deployed_redis import deployed_redis
from tests.support.running import client_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def care(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Care]:
    folder = tmp_path_factory.mktemp("deployed")
    with deployed_redis(folder) as redis, deployed_care(redis, folder) as care:
        yield care


def test_the_services_do_their_work_under_their_own_users(care: Care) -> None:
    """A journey passes, an alert is told, and the auditor finds all well."""
    until(lambda: care.system.read("notifications", "urgent", "notification.delivered"))
    until(care.heartbeat.exists)
    assert care.system.read("dead-letters") == []


def test_a_platform_comes_in_and_looks_over_http(care: Care) -> None:
    """Events go in by intake's door; each service shows what it holds; a key that was revoked opens nothing."""
    platform, now = care.platform, datetime.now(UTC)
    assert platform.post(care.port_of("intake"), intake("by-http", now - timedelta(hours=1)))[0] == 202
    until(lambda: care.system.read("programs", "by-http"))
    views = {
        "intake": ("classification",),
        "progression": ("program", "prescription", "state"),
        "notifier": ("escalations", "timeline", "fhir"),
    }
    for service, names in views.items():
        for name in names:
            status, found = platform.look(care.port_of(service), "urgent" if name == "escalations" else "by-http", name)
            assert status == 200, (service, name, found)
    other = Platform(care.command("keys", "create", "other", "--scope", "read").strip())
    assert other.look(care.port_of("intake"), "by-http", "classification")[0] == 200
    key_id = next(one["id"] for one in json.loads(care.command("keys", "list", "--json")) if one["name"] == "other")
    care.command("keys", "revoke", key_id)
    status, problem = other.look(care.port_of("intake"), "by-http", "classification")
    assert (status, problem["code"]) == (401, "revoked_key")


def test_a_webhook_is_delivered_under_the_notifiers_user(care: Care) -> None:
    """The operator subscribes an endpoint, the notifier posts to it, and the ledger knows; all that can be changed."""
    platform = care.platform
    with platform.listening() as port:
        added = care.command(
            "webhooks", "add", f"http://127.0.0.1:{port}/", "--type", "*", "--from", "2026-01-01T00:00:00Z", "--json"
        )
        one, platform.webhook_key = json.loads(added)["id"], json.loads(added)["key"]
        until(lambda: {"walker", "urgent"} <= {event["subject"] for event in platform.taken})
        until(lambda: json.loads(care.command("webhooks", "deliveries", one, "--json")))
        event_id = json.loads(care.command("webhooks", "deliveries", one, "--json"))[-1]["event_id"]
        before = len(platform.taken)
        care.command("webhooks", "resend", one, "--id", event_id)
        until(lambda: [event["id"] for event in platform.taken[before:]].count(event_id))
        care.command("webhooks", "test", one)
        care.command("webhooks", "pause", one)
        (row,) = json.loads(care.command("webhooks", "list", "--json"))
        assert row["status"] == "held"
        care.command("webhooks", "resume", one)
        platform.webhook_key = json.loads(care.command("webhooks", "rotate-key", one, "--json"))["key"]
        care.command("webhooks", "rotate-key", one, "--retire-old")
        care.command("webhooks", "remove", one)
    assert json.loads(care.command("webhooks", "list", "--json")) == []


def test_the_platforms_client_works_under_the_platforms_users(care: Care) -> None:
    """It sends in as the producer, and reads what the services say as the consumer."""
    update = PatientUpdated(timezone="Europe/Lisbon")
    with CareClient(care.deployed.url_file("producer").read_text().strip(), source="//platform.example/app") as client:
        client.submit(update, patient="walker")
    with CareClient(care.deployed.url_file("consumer").read_text().strip(), source="//platform.example/app") as client:
        found = {event.subject for event in client.events(ProgramPlanned, ConditionClassified, wait_s=0)}
        assert {"walker"} <= found
        assert client.newest()


def test_an_operator_sees_how_all_stands(care: Care) -> None:
    """The commands that look work under the operator's user; the alerts, which show a patient, under the notifier's."""
    until(lambda: care.system.read("notifications", "urgent", "notification.delivered"))
    seen = json.loads(care.command("status", "--json"))
    assert seen["redis"] is not None
    assert {one["service"] for one in seen["services"]} == set(SERVICES)
    assert all(one["absent_s"] is not None and one["absent_s"] < WAIT_S for one in seen["services"])
    assert seen["open_escalations"]["emergency"]["unanswered"] == 1
    assert "walker" in care.command("trace", "walker", "--json")
    assert "no dead letters" in care.command("dead-letters", "list")
    assert "urgent" in care.command("alerts", "list", user="notifier")
    assert json.loads(care.command("fhir", "export", "walker"))["resourceType"] == "Bundle"


def test_what_was_rejected_is_seen_by_an_operator_and_tried_again_by_an_administrator(care: Care) -> None:
    """To look at a dead letter is one right, to write an input another."""
    with care.deployed.client("producer") as producer:
        producer.xadd("care:{0}:sessions", {"__data__": "no event"})
    until(lambda: care.system.read("dead-letters"))
    letter = json.loads(care.command("dead-letters", "list", "--json").splitlines()[0])
    assert "no event" in care.command("dead-letters", "show", letter["id"])
    assert "1 replayed" in care.command("dead-letters", "replay", letter["id"], user="admin")


def test_who_looked_is_taken_down_and_shown(care: Care) -> None:
    """A view over HTTP and a trace are in the audit log, which the operator reads and finds whole."""
    assert care.platform.look(care.port_of("progression"), "walker", "program")[0] == 200
    care.command("trace", "walker")
    noted = [json.loads(line) for line in care.command("audit", "list", "--patient", "walker", "--json").splitlines()]
    assert {(one["way"], one["what"]) for one in noted} >= {("http", "program"), ("command", "trace")}
    assert "each bound to the one before" in care.command("audit", "verify")


def test_a_person_gets_their_data_and_is_erased(care: Care, tmp_path: Path) -> None:
    """All that is held comes out in one file; after an erasure nothing is left but what ages out."""
    told = intake("leaver", datetime.now(UTC) - timedelta(hours=1))
    assert care.platform.post(care.port_of("intake"), told)[0] == 202
    until(lambda: care.system.read("programs", "leaver"))
    assert care.platform.look(care.port_of("intake"), "leaver", "classification")[0] == 200
    care.command("privacy", "export", "leaver", "--output", str(tmp_path / "leaver.json"), user="privacy")
    held = {part["kind"] for part in json.loads((tmp_path / "leaver.json").read_text())["parts"]}
    assert held >= {"state", "timers", "duplicate_marks", "audit_log", "audit_alias", "events"}
    assert "nothing is held any more" in care.command("privacy", "erase", "leaver", user="privacy")
    care.command("privacy", "expire", "--older-than", "30", "--dry-run", user="privacy")


@pytest.mark.parametrize("name", SERVICES)
def test_the_metrics_of_a_service_are_complete(name: str, care: Care) -> None:
    """Whatever Redis is asked for them is allowed: no gauge is left out, and Redis counts as well."""
    status, text = http(care.port_of(name), "/metrics")
    assert status == 200
    samples = [one for family in text_string_to_metric_families(text.decode()) for one in family.samples]
    shown = {one.name: one.value for one in samples}
    assert shown["care_redis_up"] == 1
    assert not [one for one, value in shown.items() if math.isnan(value)]
    own = {one.name for one in samples if one.labels.get("service") == name}
    assert own >= {"care_pending_entries", "care_lag_entries", "care_oldest_waiting_seconds", "care_timers"}
    absent = {one.labels["service"] for one in samples if one.name == "care_service_absent_seconds"}
    assert absent == set(SERVICES)
    if name == "notifier":
        assert {"care_open_escalations", "care_oldest_unanswered_seconds", "care_oldest_untold_seconds"} <= set(shown)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_may_trim_what_it_keeps(name: str, care: Care) -> None:
    """In two months all of now is old and goes; nobody has written a decision, which is all that the planner keeps."""
    later = datetime.now(UTC) + timedelta(days=60)
    async with client_for(care.deployed.url_file(name).read_text().strip()) as client:
        gone = await trim(client, 1, timedelta(days=30), [name], later)
    assert gone > 0 or name == "planner"


def test_nothing_that_was_needed_was_denied(care: Care) -> None:
    """Redis's own log of denials is empty after all of the above, and every service runs."""
    for process in care.system.processes:
        assert process.poll() is None, process.log.read_text()[-3000:]
    assert denied(care) == []


def test_a_door_says_what_its_process_may_not_do(care: Care) -> None:
    """A service that was taken over forges no events: only intake's door takes them in, and others say so."""
    for service in ("planner", "progression", "notifier"):
        status, problem = care.platform.post(care.port_of(service), intake("elsewhere", datetime.now(UTC)))
        assert (status, problem["code"]) == (421, "not_offered"), service
    status, problem = care.platform.look(care.port_of("progression"), "walker", "timeline")
    assert (status, problem["code"]) == (421, "not_offered")
    assert care.system.read("intakes", "elsewhere") == []


def test_the_services_end_well(care: Care) -> None:
    """Each ends by itself with status 0, whatever it was denied."""
    for process in care.system.processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(WAIT_S) for process in care.system.processes] == [0, 0, 0, 0]


def denied(care: Care) -> list[str]:
    """What Redis denied, by its own log."""
    with care.deployed.client("admin") as client:
        log: Any = client.acl_log()
    return [f"{one['username']}: {one['reason']} {one['object']}" for one in log]
