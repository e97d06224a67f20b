"""The door of real processes: keys by the command line, events by HTTP, Redis that goes away."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx

from shared.embedded import EmbeddedServer
from tests.support.door_case import BATCH, STRUCTURED, Json, event, new_key
from tests.support.example import intake
from tests.support.running import client_for, command, environment_for, wait_ready
from tests.support.toy import session

PATIENCE_S = 60
SECRET_WORDS = "zanzibar-marmalade"


async def run_command(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """`adaptive-care keys …` as an operator types it: status, standard output, all output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shared.cli.main",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), (out + err).decode()


async def until(platform: httpx.AsyncClient, path: str, status: int = 200) -> httpx.Response:
    """The first answer with that status."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await platform.get(path)
            if answer.status_code == status:
                return answer
            await asyncio.sleep(0.05)


def lines(log: Path) -> list[Json]:
    """The canonical lines of requests."""
    found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == "answered"]


async def test_a_newcomer_makes_a_key_sends_an_intake_and_reads_the_program(tmp_path: Path) -> None:
    """The embedded server and all services in one process, from nothing to a prescription and a revoked key."""
    environment = environment_for(tmp_path / "data")
    log = tmp_path / "run.txt"
    url = f"http://127.0.0.1:{environment['CARE_HTTP_PORT']}"
    async with command("run", environment=environment, log=log) as process:
        await wait_ready(environment, process)
        status, out, shown = await run_command(environment, "keys", "list")
        assert (status, out) == (0, "no keys: the door refuses everything\n")
        made = ("keys", "create", "platform", "--scope", "care.*", "--scope", "read", "--days", "30")
        status, out, shown = await run_command(environment, *made)
        assert status == 0
        key = out.strip()
        assert out == f"{key}\n"
        assert shown.count(key) == 1
        key_id = key.split("_")[1]
        status, _, shown = await run_command(environment, "keys", "create", "typo", "--scope", "care.sesion.*")
        assert (status, "matches no event" in shown) == (2, True)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as platform:
            told = event("intake.submitted", intake(notes=SECRET_WORDS), subject="patient-42")
            sent = await platform.post("/v1/events", json=told)
            assert (sent.status_code, sent.json()) == (202, {"id": "event-1"})
            program = (await until(platform, "/v1/patients/patient-42/program")).json()
            assert program["status"] == "active"
            assert (await platform.get("/v1/openapi.json")).json()["openapi"] == "3.1.0"
            assert (await platform.get("/metrics")).text.count("care_http_requests_total{") >= 2
            assert (await platform.get("/live")).status_code == 200

            async def endless() -> AsyncIterator[bytes]:
                while True:
                    yield b" " * 65536

            # The service may hang up on what it does not want before its answer is read; its log says what it was.
            with contextlib.suppress(httpx.TransportError):
                flood = await platform.post("/v1/events", content=endless(), headers={"Content-Type": STRUCTURED})
                assert flood.status_code == 413
            status, out, _ = await run_command(environment, "keys", "list")
            assert all(word in out for word in (key_id, "platform", "valid", "care.*, read"))
            status, _, _ = await run_command(environment, "keys", "revoke", key_id)
            assert status == 0
            refused = await platform.get("/v1/patients/patient-42/program")
            assert (refused.status_code, refused.json()["code"]) == (401, "revoked_key")
            status, _, shown = await run_command(environment, "keys", "revoke", "nobody")
            assert (status, "there is no key 'nobody'" in shown) == (2, True)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    text = log.read_text()
    assert key.split("_", 2)[2] not in text
    assert SECRET_WORDS not in text
    answered = lines(log)
    assert {line["status"] for line in answered} >= {202, 200, 401, 413}
    assert {line["route"] for line in answered} <= {
        "/v1/events",
        "/v1/patients/{patient}/{view}",
        "/v1/openapi.json",
    }
    assert all("patient-42" not in json.dumps(line) for line in answered)
    assert {line.get("key_id") for line in answered} == {key_id, None}


async def test_a_process_for_each_service_takes_events_for_all(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """The planner's process takes an intake that intake's process answers, and says who has the program."""
    server = private_server()
    environment = environment_for(tmp_path, CARE_REDIS_URL=server.url)
    port = int(environment["CARE_HTTP_PORT"])
    async with (
        command("run", "intake", environment=environment, log=tmp_path / "intake.txt") as one,
        command("run", "planner", environment=environment, log=tmp_path / "planner.txt") as two,
    ):
        await wait_ready(environment, one, port_offset=1)
        await wait_ready(environment, two, port_offset=2)
        async with client_for(server.url) as client:
            headers = await new_key(client)
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port + 1}", headers=headers, timeout=PATIENCE_S) as intakes,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port + 2}", headers=headers, timeout=PATIENCE_S) as planner,
        ):
            batch = [event("intake.submitted", intake()), event("intake.submitted", intake(sex="unsure"), "event-2")]
            sent = await planner.post("/v1/events", content=json.dumps(batch), headers={"Content-Type": BATCH})
            assert (sent.status_code, sent.json()["results"][1]["problem"]["path"]) == (207, "$.data.sex")
            found = await until(intakes, "/v1/patients/patient-1/classification")
            assert found.json()["primary"] == "gluteal_tendinopathy"
            elsewhere = await planner.get("/v1/patients/patient-1/program")
            assert (elsewhere.status_code, elsewhere.json()["service"]) == (421, "progression")
            seen = (await until(planner, "/v1/patients/patient-1/timeline")).json()["events"]
            assert seen[0]["id"] == "event-1"


async def test_while_redis_is_away_the_door_says_so_and_then_goes_on(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """503 with Retry-After within seconds, the process lives, and the same event sent again is taken once."""
    server = private_server()
    environment = environment_for(tmp_path, CARE_REDIS_URL=server.url, CARE_REDIS_PATIENCE_S="300")
    async with command("run", "progression", environment=environment, log=tmp_path / "run.txt") as process:
        await wait_ready(environment, process, port_offset=3)
        async with client_for(server.url) as client:
            headers = await new_key(client)
        url = f"http://127.0.0.1:{int(environment['CARE_HTTP_PORT']) + 3}"
        told = event("session.reported", session(1))
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as platform:
            assert (await platform.post("/v1/events", json=told)).status_code == 202
            server.stop()
            for answer in (
                await platform.post("/v1/events", json=told),
                await platform.get("/v1/patients/patient-1/state"),
            ):
                assert answer.status_code == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) >= 1
            assert process.returncode is None
            server.start()
            async with asyncio.timeout(PATIENCE_S):
                while (await platform.post("/v1/events", json=told)).status_code != 202:  # noqa: ASYNC110  # Redis tells nobody
                    await asyncio.sleep(0.2)
            seen = (await until(platform, "/v1/patients/patient-1/timeline")).json()["events"]
            assert {one["id"] for one in seen if one["type"] == "care.session.reported.v1"} == {"event-1"}


async def test_a_redis_that_hangs_costs_a_request_no_more_than_its_time(
    private_server: Callable[[], EmbeddedServer], tmp_path: Path
) -> None:
    """A server that takes connections and answers nothing must not take the door's requests with it."""
    server = private_server()
    environment = environment_for(tmp_path, CARE_REDIS_URL=server.url)
    async with command("run", "progression", environment=environment, log=tmp_path / "run.txt") as process:
        await wait_ready(environment, process, port_offset=3)
        async with client_for(server.url) as client:
            headers = await new_key(client)
        url = f"http://127.0.0.1:{int(environment['CARE_HTTP_PORT']) + 3}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as platform:
            assert (await platform.get("/v1/patients/patient-1/state")).status_code == 404
            assert server.pid is not None
            os.kill(server.pid, signal.SIGSTOP)
            try:
                begun = asyncio.get_running_loop().time()
                answers = await asyncio.gather(
                    *(platform.post("/v1/events", json=event("session.reported", session(1))) for _ in range(5))
                )
                assert {answer.status_code for answer in answers} == {503}
                assert asyncio.get_running_loop().time() - begun < 20
            finally:
                os.kill(server.pid, signal.SIGCONT)
            await until(platform, "/v1/patients/patient-1/state", 404)
